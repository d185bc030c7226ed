"""`aiogen._references`: images that a request refers to."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiogen._references import Reference
from aiogen.errors import InputError

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 8


@pytest.mark.parametrize(
    "sources",
    [
        {"url": "https://example.com/a.png"},
        {"data": PNG},
        {"path": Path("a.png")},
        {"generation_id": "g1"},
        {"file_id": "f1"},
    ],
    ids=lambda sources: next(iter(sources)),
)
def test_one_source_is_a_reference(sources: dict[str, Any]) -> None:
    """Any one source is enough, and is kept as it was given."""
    reference = Reference(**sources)
    kept = attrs.asdict(reference, filter=lambda a, v: v is not None and a.name != "media_type")
    assert kept == sources


def test_no_source_is_no_reference() -> None:
    """Without a source there is nothing to refer to."""
    with pytest.raises(InputError, match="exactly one of url, data, path, generation_id, file_id; given: none"):
        Reference()


def test_two_sources_are_one_too_many() -> None:
    """Which of two was meant is not guessed."""
    with pytest.raises(InputError, match="given: url, generation_id"):
        Reference(url="https://example.com/a.png", generation_id="g1")


@pytest.mark.parametrize(
    "url", ["http://example.com/a.png", "ftp://example.com/a.png", "file:///a.png", "example.com", ""]
)
def test_only_https_is_fetched(url: str) -> None:
    """An address that the vendor would not fetch is refused here, with what to pass instead."""
    with pytest.raises(InputError, match=r"is not https; .* pass a path or the bytes"):
        Reference(url=url)


def test_a_long_address_is_not_repeated_whole() -> None:
    """A data url of megabytes does not become an error message of megabytes."""
    with pytest.raises(InputError) as caught:
        Reference(url="data:image/png;base64," + "A" * 100_000)
    assert len(str(caught.value)) < 400


def test_the_type_is_told_by_the_bytes() -> None:
    """Bytes of a known kind need no media type, and one that is given is kept."""
    assert Reference(data=PNG).media_type == "image/png"
    assert Reference(data=PNG, media_type="image/apng").media_type == "image/apng"
    assert Reference(data=b"something new", media_type="image/new").media_type == "image/new"


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_unknown_bytes_need_a_type(data: bytes) -> None:
    """Bytes of no known kind are refused unless somebody says what they are."""
    with pytest.raises(InputError, match=f"The {len(data)} bytes of a reference .* give media_type="):
        Reference(data=data)


def test_bytes_are_not_shown() -> None:
    """The repr tells how many bytes there are, not which."""
    assert "data=16 bytes" in repr(Reference(data=PNG))
    assert "data=None" in repr(Reference(file_id="f1"))


# --- what users write


@pytest.mark.parametrize("data", [PNG, bytearray(PNG), memoryview(PNG)], ids=lambda data: type(data).__name__)
def test_bytes_of_any_kind(data: Any) -> None:
    """Bytes are bytes, however they are held."""
    assert Reference.of(data) == Reference(data=PNG)


def test_text_is_an_address_or_a_path() -> None:
    """Text with a scheme is an address, any other is a path on this machine."""
    assert Reference.of("https://example.com/a.png").url == "https://example.com/a.png"
    assert Reference.of("pictures/a.png").path == Path("pictures/a.png")
    assert Reference.of("a.png?from=https://example.com").path == Path("a.png?from=https://example.com")


def test_an_address_that_is_not_https_is_no_path() -> None:
    """Plain http is refused, and not looked for on the disk."""
    with pytest.raises(InputError, match="is not https"):
        Reference.of("http://example.com/a.png")


def test_a_path_is_a_path() -> None:
    """A path object is taken as it is."""
    assert Reference.of(Path("a.png")) == Reference(path=Path("a.png"))


def test_a_reference_is_itself() -> None:
    """A reference is not made again."""
    reference = Reference(file_id="f1")
    assert Reference.of(reference) is reference


@pytest.mark.parametrize(
    ("mapping", "reference"),
    [
        ({"url": "https://example.com/a.png"}, Reference(url="https://example.com/a.png")),
        ({"generation_id": "g1", "url": None}, Reference(generation_id="g1")),
        ({"data": PNG}, Reference(data=PNG)),
        ({"data": base64.b64encode(PNG).decode(), "media_type": "image/png"}, Reference(data=PNG)),
        ({"path": Path("a.png")}, Reference(path=Path("a.png"))),
        ({"path": "a.png"}, Reference(path=Path("a.png"))),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_a_mapping_in_the_vendors_form(mapping: dict[str, Any], reference: Reference) -> None:
    """A mapping with the names of a reference is one; data may be base64 text, a path may be text."""
    assert Reference.of(mapping) == reference


@pytest.mark.parametrize("data", ["not base64!", "data:image/png;base64,AAAA", "AAA", "iVBOR!w0KGgo="])
def test_data_that_is_no_base64(data: str) -> None:
    """Text that is no base64 is refused, and not sent on to be refused later."""
    with pytest.raises(InputError, match="not valid base64"):
        Reference.of({"data": data})


def test_a_misspelt_name_is_said() -> None:
    """A name that a reference does not have is an error that lists those it has."""
    with pytest.raises(InputError, match="has no uri, weight; it knows data, file_id, generation_id, media_type"):
        Reference.of({"uri": "https://example.com/a.png", "weight": 1})


@pytest.mark.parametrize("value", [None, 5, 1.5, object(), ["https://example.com/a.png"]])
def test_anything_else_is_none(value: Any) -> None:
    """What cannot refer to an image is refused with the ways to write one."""
    with pytest.raises(InputError, match=f"an https url, a path, bytes .* not a {type(value).__name__}"):
        Reference.of(value)


@pytest.mark.parametrize("mapping", [{"url": 5}, {"data": 5}, {"path": 5}])
def test_a_source_of_another_type_is_refused(mapping: dict[str, Any]) -> None:
    """A number where an address, bytes or a path belong is the user's mistake, and said as one."""
    with pytest.raises(InputError):
        Reference.of(mapping)
