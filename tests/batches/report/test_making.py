"""The page as a whole: what stands in it, and what never may."""

from __future__ import annotations

import re
import sys
import tracemalloc
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from batches.report.ledgers import Ledger, job
from PIL import Image

import aiogen
from aiogen.batch import report
from aiogen.models import FailureCode, State
from aiogen.stores.base import Record

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<svg onload=alert(1)><a href='javascript:alert(1)'>x</a></svg>",
    "</title></style></textarea><iframe src=https://evil.example>",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "&lt;script&gt; &amp;#60; \x00 \u202e \ud800",
    "]]> --> <!-- --!> <![CDATA[",
]
ALLOWED = {
    "a", "b", "body", "code", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "h1", "h2", "h3", "head",
    "header", "html", "i", "img", "li", "main", "meta", "nav", "p", "path", "pre", "rect", "section", "span", "style",
    "summary", "svg", "table", "tbody", "td", "th", "thead", "title", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "alt", "aria-hidden", "aria-label", "charset", "class", "content", "d", "decoding", "height", "href", "http-equiv",
    "id", "lang", "loading", "name", "preserveaspectratio", "role", "src", "stroke-width", "style", "title", "viewbox",
    "width", "x", "y",
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would see: elements, attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._in: list[str] = []
        self.stats: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "path", "rect"):
            self._in.append(tag)
        if tag in ("dt", "dd"):
            self.stats.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._in:
            assert self._in.pop() == tag, "an element ends that did not begin"

    def handle_data(self, data: str) -> None:
        assert not self._in or self._in[-1] != "script"
        if "style" in self._in:
            return
        self.text += data
        if self._in and self._in[-1] in ("dt", "dd"):
            self.stats[-1] += data
        if self._in and self._in[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def totals(self) -> dict[str, str]:
        return dict(zip(self.stats[::2], self.stats[1::2], strict=True))


def check_harmless(page: Page) -> None:
    """Only what the template has; addresses are data, or lie beside the page."""
    assert {tag for tag, _ in page.elements} <= ALLOWED
    assert {name for _, attributes in page.elements for name in attributes} <= ATTRIBUTES
    for tag, attributes in page.elements:
        if "src" in attributes:
            assert tag == "img"
            assert re.fullmatch(r"data:image/webp;base64,[\w+/=]+|[\w.%-]+/[0-9a-f]{24}\.webp", attributes["src"])
        if "href" in attributes:
            assert re.fullmatch(r"#[a-z]+|\./[\w./%~-]+", attributes["href"])
        if "style" in attributes:
            assert re.fullmatch(r"(left|top|flex):[\d.]+(%|px)?", attributes["style"])
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data: 'self'; style-src 'unsafe-inline'"


async def made(folder: Path, *records: Record, batch: str = "b1", **more: Any) -> tuple[report.Made, Page]:
    done = await report.make(Ledger(records), batch, folder / "r.html", files=folder, **more)  # type: ignore[arg-type]
    html = (folder / "r.html").read_text(encoding="utf-8")
    return done, Page(html)


def paint(folder: Path, *records: Record) -> None:
    for record in records:
        for i in range(len(record.generation.outputs) if record.generation is not None else 0):
            Image.new("RGB", (64, 48)).save(folder / f"luma-{record.provider_id}-{i}.png")


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
async def test_nothing_from_outside_is_markup(evil: str, tmp_path: Path) -> None:
    """A prompt, a key, a reason, a code, a model, a connection, the batch and the folder: all is shown as text."""
    known = {"prompt": evil, "model": evil}
    broken = {**known, "failure_code": FailureCode.UNKNOWN, "failure_reason": evil, "vendor_code": evil}
    records = [
        job(1, key=evil, known=known),
        job(2, key=evil, connection=evil, known=known),  # not on disk: the command names its connection
        job(3, State.FAILED, key=evil, known=broken),
        job(4, State.QUEUED, key=evil, ended=None, known=known),
        job(5, State.UNKNOWN, key=evil, accepted=None, ended=None, known=known),
    ]
    for record in records:
        object.__setattr__(record, "batch", evil)
    paint(tmp_path, records[0])
    done, page = await made(tmp_path, *records, batch=evil)
    assert (done.jobs, done.pictures, done.missing) == (5, 1, 1)
    check_harmless(page)
    shown = re.sub(r"\s+", " ", "".join(c if c.isprintable() else "�" for c in evil))
    assert page.text.count(shown) >= 10
    assert page.all("img")[0]["alt"] == shown


async def test_names_of_files_are_no_markup_either(tmp_path: Path) -> None:
    """Nor another address: a name may look like one."""
    import json

    names = ["javascript:alert(1).png", 'a"b.png', "a b#c?d.png", "ä%41.png", "https:/evil.example/x.png"]
    if sys.platform == "win32":
        names = ["a b#c.png", "ä%41.png"]
    records = [job(i, known={}) for i in range(len(names))]
    lines = []
    for record, name in zip(records, names, strict=True):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9)).save(tmp_path / name)
        lines.append(json.dumps({"id": record.id, "files": [name]}))
    (tmp_path / "results.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done, page = await made(tmp_path, *records)
    assert done.pictures == len(names)
    check_harmless(page)
    found = [each["href"] for each in page.all("a") if not each["href"].startswith("#")]
    assert [(tmp_path / unquote(href)).read_bytes()[:4] for href in found] == [b"\x89PNG"] * len(names)


async def test_the_counts_are_exact(tmp_path: Path) -> None:
    """Jobs, states, outputs, costs, as totals and by model."""
    records = [
        *(job(i, outputs=2, added=float(i)) for i in range(30)),
        *(job(i, State.FAILED, added=float(i), known={"model": "uni-1-max"}) for i in range(30, 37)),
        *(job(i, State.CANCELLED, accepted=None) for i in range(40, 42)),
        *(job(i, State.UNKNOWN, accepted=None, ended=None) for i in range(50, 53)),
        *(job(i, State.PENDING, accepted=None, ended=None) for i in range(60, 64)),
    ]
    paint(tmp_path, *records[:10])
    done, page = await made(tmp_path, *records)
    assert done.states == {
        State.PENDING: 4, State.UNKNOWN: 3, State.COMPLETED: 30, State.FAILED: 7, State.CANCELLED: 2
    }  # fmt: skip
    assert (done.jobs, done.pictures, done.missing, done.thumbnails) == (46, 20, 40, None)
    assert page.totals == {
        "Jobs": "46", "Completed": "30", "Failed": "7", "Cancelled": "2", "Without an answer": "3", "Not over": "4",
        "Outputs": "60", "Half completed in": "10 s", "First job to last end": "100 s",
        "Cost": "1.48 dollars, and 3 generations of unknown cost",
    }  # fmt: skip
    assert [row[:6] for row in page.rows[1:]] == [
        ["luma/uni-1", "39", "30", "0", "9", "60"],
        ["luma/uni-1-max", "7", "0", "7", "0", "0"],
        ["all", "46", "30", "7", "9", "60"],
    ]
    assert (len(page.all("figure")), len(page.all("img"))) == (60, 20)
    assert len(page.all("rect")) == 46, "each job has its row in the timeline"


async def test_a_job_that_comes_in_meanwhile_is_not_counted_twice(tmp_path: Path) -> None:
    """The ledger is read page by page."""
    records = [job(i, added=i / 10.0) for i in range(1201)]
    ledger = Ledger(records)
    done = await report.make(ledger, "b1", tmp_path / "r.html", files=tmp_path)  # type: ignore[arg-type]
    assert (done.jobs, ledger.pages) == (1201, 3)


async def test_what_is_not_on_disk_says_how_to_get_it(tmp_path: Path) -> None:
    """With a command for each; nothing is fetched."""
    pictures = tmp_path / "my pictures"
    ledger = Ledger([job(1, outputs=2)])
    done = await report.make(ledger, "b1", tmp_path / "r.html", files=pictures)  # type: ignore[arg-type]
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert done.missing == 2
    assert page.text.count(f"aiogen download luma theirs-1 --out '{pictures}'") == 2
    assert page.text.count("not on disk") == 2


async def test_broken_pictures_do_not_break_it(tmp_path: Path) -> None:
    """They are named, with a link to the file."""
    (tmp_path / "luma-theirs-1-0.png").write_bytes(b"no picture")
    done, page = await made(tmp_path, job(1))
    assert (done.pictures, page.all("img")) == (1, [])
    assert "cannot be shown" in page.text
    assert "./luma-theirs-1-0.png" in [each["href"] for each in page.all("a")]


async def test_beyond_three_hundred_thumbnails_are_files(tmp_path: Path) -> None:
    """In a folder that has the page's name; up to that they stand in the page."""
    records = [job(i, outputs=2) for i in range(151)]
    paint(tmp_path, *records[:150])
    done, page = await made(tmp_path, *records)
    assert done.thumbnails is None
    assert all(each["src"].startswith("data:") for each in page.all("img"))
    paint(tmp_path, records[150])
    done, page = await made(tmp_path, *records)
    assert done.thumbnails == tmp_path / "r-thumbnails"
    assert len(page.all("img")) == 302
    assert all((tmp_path / each["src"]).is_file() for each in page.all("img"))
    check_harmless(page)


@pytest.mark.no_cover
async def test_a_thousand_jobs_need_little_memory(tmp_path: Path) -> None:
    """And a hundred questions about each: the page is some megabytes, and is never whole in memory."""
    asked = tuple(i / 10.0 for i in range(100))
    records = [job(i, key=f"row{i}", known={"asked_after": asked, "prompt": "p" * 6000}) for i in range(1000)]
    ledger = Ledger(records)
    await report.make(ledger, "b1", tmp_path / "warm.html", files=tmp_path)  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        await report.make(ledger, "b1", tmp_path / "r.html", files=tmp_path)  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 25_000_000
    assert (tmp_path / "r.html").stat().st_size < 5_000_000


async def test_failures_say_what_helps(tmp_path: Path) -> None:
    """The code, the vendor's words, the advice, and the command that tries again."""
    broken = {"failure_code": FailureCode.GENERATION_FAILED, "failure_reason": "out of paint"}
    _, page = await made(tmp_path, *(job(i, State.FAILED, known=broken) for i in range(4)), job(9, State.COMPLETED))
    text = re.sub(r"\s+", " ", page.text)
    assert "generation_failed · 4 jobs Submitting it again may work; a new submission is a new charge." in text
    assert "out of paint (4×)" in text
    ids = " ".join(f"{i:08x}-0000-4000-8000-000000000000" for i in range(3))
    assert f"aiogen retry {ids} …" in text


async def test_a_report_is_replaced_whole(tmp_path: Path) -> None:
    """And nothing else is left in the folder."""
    (tmp_path / "r.html").write_text("old")
    await made(tmp_path, job(1))
    assert Counter(path.name for path in tmp_path.iterdir()) == {"r.html": 1}
    assert "old" not in (tmp_path / "r.html").read_text(encoding="utf-8")[:200]


@pytest.mark.parametrize(
    ("out", "why"),
    [("r.png", "it has to end with .html"), ("r", "it has to end with .html"), ("folder.html", "is a folder"),
     ("file/r.html", "cannot be created")],
)  # fmt: skip
async def test_a_place_that_cannot_be_is_said(out: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("")
    ledger = Ledger([job(1)])
    with pytest.raises(aiogen.InputError, match=why):
        await report.make(ledger, "b1", tmp_path / out, files=tmp_path)  # type: ignore[arg-type]
    assert ledger.pages == 0, "before the ledger was read"


async def test_a_batch_that_there_is_not_is_said(tmp_path: Path) -> None:
    with pytest.raises(aiogen.InputError, match="no job of a batch 'b2'"):
        await made(tmp_path, job(1), batch="b2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("module", "name"), [("jinja2", "jinja2"), ("PIL.Image", "Pillow")])
async def test_what_is_not_installed_is_named(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(aiogen.ConfigurationError, match=f"needs {name}: pip install .aiogen-sdk.report"):
        await made(tmp_path, job(1))


@pytest.mark.parametrize(
    ("batch", "file"),
    [("posters", "posters.html"), ("../a b/c", "a-b-c.html"), ("..", "report.html"), ("", "report.html"),
     ("x" * 300, f"{'x' * 80}.html")],
)  # fmt: skip
def test_a_batch_has_a_file_of_its_name(batch: str, file: str) -> None:
    assert str(report.file_for(batch)) == file
