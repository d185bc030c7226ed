"""`aiogen._content.entity`: one file in several answers of a storage, and what may be joined."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from multidict import CIMultiDict

from aiogen._content.entity import Entity, Gunzip, Mismatch, Verdict, verdict


@pytest.mark.parametrize(
    ("statuses", "means"),
    [
        ([200, 206], Verdict.BODY),
        ([301, 302, 303, 307, 308], Verdict.MOVED),
        ([400, 401, 403, 404, 409, 410], Verdict.EXPIRED),
        ([412, 416], Verdict.CHANGED),
        ([408, 425, 429, 500, 502, 503, 504, 599], Verdict.BUSY),
        ([100, 201, 204, 300, 304, 402, 405, 418, 451], Verdict.REFUSED),
    ],
)
def test_what_a_status_means(statuses: list[int], means: Verdict) -> None:
    """Storages tell an expired url in many ways."""
    assert {verdict(status) for status in statuses} == {means}


def headers(**given: Any) -> CIMultiDict[str]:
    return CIMultiDict({name.replace("_", "-"): str(value) for name, value in given.items() if value is not None})


def begun(size: int = 400, **more: Any) -> Entity:
    """A file of 1000 bytes, of which `size` have arrived."""
    entity = Entity()
    given = {"content_length": 1000, "etag": '"a"', "content_type": "Image/PNG; q=1", **more}
    assert not entity.begin(200, headers(**given))
    entity.add(size)
    return entity


def test_the_rest_is_asked_for() -> None:
    """With the tag that it has to have."""
    entity = begun()
    assert entity.content_type == "image/png"
    assert entity.is_short
    assert entity.request_headers() == {"Range": "bytes=400-", "If-Range": '"a"'}
    assert entity.begin(206, headers(content_range="bytes 400-999/1000", etag='"a"', content_length=600))
    entity.add(600)
    assert not entity.is_short
    entity.check_end(ended=False)


@pytest.mark.parametrize(
    "more", [{"etag": None}, {"etag": 'W/"a"'}, {"etag": "a"}, {"etag": ""}, {"content_encoding": "gzip"}]
)
def test_where_nothing_proves_the_rest_everything_is_asked_for(more: dict[str, Any]) -> None:
    """A weak tag proves nothing, nor do compressed bytes that may be compressed otherwise the next time."""
    assert begun(**more).request_headers() == {}


def test_nothing_is_asked_for_twice() -> None:
    """Of a file that has not begun, or has to begin again, there is no rest."""
    assert Entity().request_headers() == begun(0).request_headers() == {}
    entity = begun()
    entity.forget()
    assert entity.request_headers() == {}


RIGHT: dict[str, Any] = {"content_range": "bytes 400-999/1000", "etag": '"a"', "content_length": 600}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"etag": '"b"'}, "changed"),
        ({"etag": None}, "changed"),
        ({"etag": 'W/"a"'}, "changed"),
        ({"content_encoding": "gzip"}, "changed"),
        ({"content_range": None}, "a different part"),
        ({"content_range": "bytes 0-999/1000"}, "a different part"),
        ({"content_range": "bytes 401-999/1000"}, "a different part"),
        ({"content_range": "bytes */1000"}, "a different part"),
        ({"content_range": "items 400-999/1000"}, "a different part"),
        ({"content_range": "bytes 400-999/1001"}, "a different length"),
        ({"content_range": "bytes 400-1000/1000"}, "a different length"),
        ({"content_range": "bytes 400-399/1000"}, "a different length"),
        ({"content_length": 500}, "of a different length"),
    ],
)
def test_a_part_that_does_not_fit(change: dict[str, Any], why: str) -> None:
    """It is of another file, or of another place."""
    with pytest.raises(Mismatch, match=why):
        begun().begin(206, headers(**{**RIGHT, **change}))


@pytest.mark.parametrize(
    "more", [{"content_length": None}, {"content_range": "bytes 400-999/*"}, {"content_encoding": "identity"}]
)
def test_a_part_that_fits(more: dict[str, Any]) -> None:
    """What need not be said need not be said."""
    assert begun().begin(206, headers(**{**RIGHT, **more}))


def test_an_unasked_part() -> None:
    """Its beginning may be right, and still it is not the file."""
    with pytest.raises(Mismatch, match="although the whole file was requested"):
        Entity().begin(206, headers(content_range="bytes 0-99/1000", etag='"a"'))
    with pytest.raises(Mismatch, match="although the whole file was requested"):
        begun(etag=None).begin(206, headers(**RIGHT))


def test_a_part_of_the_rest_leaves_a_rest() -> None:
    """A storage may send less than was asked for, but not more than it says."""
    entity = begun()
    entity.begin(206, headers(content_range="bytes 400-499/1000", etag='"a"'))
    entity.add(100)
    assert entity.is_short
    assert entity.request_headers()["Range"] == "bytes=500-"
    with pytest.raises(Mismatch, match="more bytes than it announced"):
        entity.add(1)


def test_a_length_that_came_with_the_rest() -> None:
    """Chunks do not tell a length; the part that follows them does, and it counts from then on."""
    entity = begun(content_length=None, transfer_encoding="chunked")
    assert not entity.is_short
    with pytest.raises(Mismatch, match="a different length"):
        begun(content_length=None, transfer_encoding="chunked").begin(
            206, headers(**{**RIGHT, "content_range": "bytes 400-999/*"})
        )
    entity.begin(206, headers(**RIGHT))
    assert entity.is_short
    entity.add(600)
    entity.check_end(ended=False)


def test_the_whole_again() -> None:
    """A 200 is a file of its own, whatever came before."""
    entity = begun()
    assert not entity.begin(200, headers(content_length=50, etag='"b"'))
    assert (entity.size, entity.total, entity.etag) == (0, 50, '"b"')


@pytest.mark.parametrize(
    ("given", "is_known"),
    [
        ({"content_length": 400}, True),
        ({"content_length": None, "transfer_encoding": "Chunked"}, True),
        ({"content_length": 7, "transfer_encoding": "chunked"}, True),  # the chunks count (RFC 9112, 6.3)
        ({"content_length": None}, False),
        ({"content_length": "four hundred"}, False),
    ],
)
def test_the_end_of_an_answer_has_to_be_known(given: dict[str, Any], is_known: bool) -> None:
    """A connection that just ends may have been cut; only the picture itself can tell then."""
    entity = begun(400, **given)
    entity.check_end(ended=True)
    if is_known:
        entity.check_end(ended=False)
    else:
        with pytest.raises(Mismatch, match="without saying how many"):
            entity.check_end(ended=False)


DATA = bytes(range(256)) * 500 + bytes(2_000_000)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize(
    "packed",
    [gzip.compress(DATA), gzip.compress(DATA[:999]) + gzip.compress(DATA[999:]), gzip.compress(DATA) + bytes(9), DATA],
    ids=["one", "two members", "with zeros behind", "not packed at all"],
)
def test_gzip_is_undone(packed: bytes, size: int) -> None:
    """In bounded pieces, and what is no gzip passes as it is."""
    if size == 1:
        packed = packed[:5000] + packed[-3000:] if packed == DATA else packed
    gunzip = Gunzip()
    pieces = [p for at in range(0, len(packed), size) for p in gunzip.feed(packed[at : at + size])]
    gunzip.finish()
    assert b"".join(pieces) == (packed if packed[0] == 0 else DATA)
    assert max(map(len, pieces)) <= max(size, 256 * 1024)


def test_gzip_has_an_end() -> None:
    """Without it the rest of the file is missing, whatever its length was said to be."""
    packed = gzip.compress(DATA)
    for cut in (0, 5, len(packed) // 2, len(packed) - 8, len(packed) - 1):
        gunzip = Gunzip()
        list(gunzip.feed(packed[:cut]))
        with pytest.raises(Mismatch, match="its end is missing"):
            gunzip.finish()
    with pytest.raises(Mismatch, match="cannot be unpacked"):
        list(Gunzip().feed(packed[:-8] + bytes(8)))
