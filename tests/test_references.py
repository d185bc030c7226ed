"""`aiogen.references`: images that a request refers to."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiogen.errors import InputError
from aiogen.references import Reference

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
    with pytest.raises(InputError, match=r"is not https; .* pass its path or its bytes"):
        Reference(url=url)


def test_a_long_address_is_not_repeated_whole() -> None:
    """An address of megabytes does not become an error message of megabytes, and what signs it is not shown."""
    with pytest.raises(InputError) as caught:
        Reference(url="http://example.com/" + "A" * 100_000 + "?Signature=secret")
    assert len(str(caught.value)) < 400
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["HTTPS://Example.com/A.png?b=%2F", " https://Example.com/A.png?b=%2F\n"])
def test_https_is_https(url: str) -> None:
    """In capitals as well, and with a blank before it; the rest is sent as it was written."""
    assert Reference.of(url).url == Reference(url=url).url == "https://Example.com/A.png?b=%2F"


# --- data: URIs

BASE64 = base64.b64encode(PNG).decode()
WRITTEN = {
    "plain": f"data:image/png;base64,{BASE64}",
    "capitals": f"DATA:Image/PNG;Base64,{BASE64}",
    "blanks": f" data:image/png;base64,{BASE64}\n",
    "line ends": f"data:image/png;base64,{BASE64[:8]}\r\n{BASE64[8:]}",
    "a parameter": f"data:image/png;name=a.png;base64,{BASE64}",
    "percent": "data:image/png;base64," + BASE64.replace("=", "%3D").replace("+", "%2B").replace("/", "%2F"),
    "no type": f"data:;base64,{BASE64}",
    "another type": f"data:image/jpeg;base64,{BASE64}",
    "any bytes": f"data:application/octet-stream;base64,{BASE64}",
}


@pytest.mark.parametrize("uri", WRITTEN.values(), ids=WRITTEN)
def test_a_data_uri_is_its_bytes(uri: str) -> None:
    """As other SDKs take them: by itself, as a url, and in a mapping.  What the bytes show is what they are."""
    for reference in (Reference.of(uri), Reference(url=uri), Reference.of({"url": uri}), Reference.of({"data": uri})):
        assert reference == Reference(data=PNG)
        assert (reference.media_type, reference.url) == ("image/png", None)


def test_a_data_uri_may_hold_what_we_do_not_know() -> None:
    """A kind of image that cannot be recognised from its bytes is what it is said to be."""
    uri = "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()
    assert Reference.of(uri) == Reference(data=b"<svg/>", media_type="image/svg+xml")


LONG = base64.b64encode(b"\x00secret" * 100_000).decode()
MALFORMED = {
    "not base64": "data:image/png;base64,!" + LONG,
    "cut": "data:image/png;base64," + LONG[:-5],
    "no image": "data:image/png;base64," + LONG,
    "an image of another name": "data:image/jpg;base64," + LONG,
    "a text": "data:text/plain;base64," + LONG,
    "empty": "data:image/svg+xml;base64,",
    "no base64": "data:image/png," + LONG,
    "no comma": "data:image/png;base64" + LONG,
    "nothing": "data:",
    "a film": "data:video/mp4;base64," + base64.b64encode(b"\0\0\0\x18ftypisom" + b"\0" * 99).decode(),
    "not ASCII": "data:image/png;base64,é" + LONG,
    "a bad type": "data:" + "x\n\x1b[31m" * 40 + ";base64," + LONG,
    "base64 alone": base64.b64encode(PNG * 900).decode(),
    "base64 of a JPEG": base64.b64encode(b"\xff\xd8\xff\xe0" + b"\0secret" * 90).decode(),
    "a long text": "secret" * 1000,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("write", [str, lambda text: {"url": text}], ids=["text", "url"])
def test_what_cannot_be_taken_is_refused_in_one_short_line(text: str, write: Any) -> None:
    """It says what would be right, and never shows the data, whichever way it comes in."""
    with pytest.raises(InputError) as caught:
        Reference.of(write(text))
    words = str(caught.value)
    assert len(words) < 250
    assert words.isprintable()
    assert not [part for part in (LONG[:20], "iVBOR", "secret", "/9j/") if part in words]


@pytest.mark.parametrize("path", ["/9j/a.png", "iVBORw0KGgo", "x" * 300 + ".png", "a" * 4096])
def test_what_may_be_a_path_is_one(path: str) -> None:
    """Short, or long and not like base64: whether it is there is seen on the disk."""
    assert Reference.of(path).path == Reference.of({"path": path}).path == Path(path)


def test_the_type_is_told_by_the_bytes() -> None:
    """Bytes of a known kind need no media type, and one that is given is kept."""
    assert Reference(data=PNG).media_type == "image/png"
    assert Reference(data=PNG, media_type="image/apng").media_type == "image/apng"
    assert Reference(data=b"something new", media_type="image/new").media_type == "image/new"


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_unknown_bytes_need_a_type(data: bytes) -> None:
    """Bytes of no known kind are refused unless the caller says what they are."""
    with pytest.raises(InputError, match=f"The {len(data)} bytes of a reference .* pass media_type="):
        Reference(data=data)


def test_bytes_are_not_shown() -> None:
    """The repr says how many bytes there are, not which."""
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


@pytest.mark.parametrize("data", ["not base64!", "AAA", "iVBOR!w0KGgo=", "é"])
def test_data_that_is_no_base64(data: str) -> None:
    """Text that is no base64 is refused, and not sent on to be refused later."""
    with pytest.raises(InputError, match="not valid base64"):
        Reference.of({"data": data})


def test_a_misspelt_name_is_said() -> None:
    """A name that a reference does not have is an error that lists those it has."""
    with pytest.raises(InputError, match="has no uri, weight; its fields are data, file_id, generation_id, media_type"):
        Reference.of({"uri": "https://example.com/a.png", "weight": 1})


@pytest.mark.parametrize("value", [None, 5, 1.5, object(), ["https://example.com/a.png"]])
def test_anything_else_is_none(value: Any) -> None:
    """What cannot refer to an image is refused with the ways to write one."""
    with pytest.raises(InputError, match=f"an https url, a data: URI, a path, bytes .* not a {type(value).__name__}"):
        Reference.of(value)


@pytest.mark.parametrize("mapping", [{"url": 5}, {"data": 5}, {"path": 5}])
def test_a_source_of_another_type_is_refused(mapping: dict[str, Any]) -> None:
    """A number where an address, bytes or a path belong is the user's mistake, and said as one."""
    with pytest.raises(InputError):
        Reference.of(mapping)
