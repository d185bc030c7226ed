"""The command report: from the ledger and a folder to a page."""

from __future__ import annotations

import asyncio
import json
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from aiogen.costs import Costs
from aiogen.stores.base import RecordQuery
from aiogen.stores.sqlite import SqliteStore


@pytest.fixture
def batch(vendors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aiogen: Any) -> Path:
    """Three jobs of one batch, one of which fails; two pictures are in a folder."""
    monkeypatch.setenv("AIOGEN_STORE", str(tmp_path / "jobs.db"))
    monkeypatch.chdir(tmp_path)
    for prompt in ("a boat", "<script>alert(1)</script>", "a fox [[fail=content_moderated]]"):
        aiogen("generate", "luma/uni-1", prompt, "--batch", "night", "--out", "pictures")
    return tmp_path


def test_a_batch_becomes_a_page(batch: Path, aiogen: Any) -> None:
    """The file is named on stdout, what it comes to on stderr; a prompt is text in it."""
    said = aiogen("report", "night", "--files", "pictures")
    assert (said.code, said.out) == (0, "night.html\n")
    assert "3 jobs (2 completed, 1 failed); 2 pictures." in said.err
    page = (batch / "night.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert page.count("data:image/webp;base64,") == 2
    assert "content_moderated" in page


def test_it_shows_when_jobs_began_and_were_asked_about(batch: Path, aiogen: Any) -> None:
    """The program that followed them has kept that."""
    aiogen("report", "night", "--files", "pictures")
    page = (batch / "night.html").read_text(encoding="utf-8")
    assert 'class="dots"' in page
    assert "asked about" in page


def test_a_page_for_programs(batch: Path, aiogen: Any) -> None:
    """One object; what is not in the folder is counted, and the page says how to get it."""
    said = aiogen("report", "night", "--out", "deep/page.html", "--json")
    assert said.records == [
        {
            "batch": "night", "report": str(Path("deep/page.html")), "thumbnails": None, "jobs": 3,
            "states": {"completed": 2, "failed": 1}, "pictures": 0, "missing": 2,
        }
    ]  # fmt: skip
    assert "2 files are not in ." in said.err
    assert "download luma " in (batch / "deep" / "page.html").read_text(encoding="utf-8")


def test_the_learned_curve_is_in_it(batch: Path, aiogen: Any) -> None:
    """The ledger has one for the model at this address, and says from how many jobs."""
    aiogen("report", "night", "--files", "pictures")
    page = (batch / "night.html").read_text(encoding="utf-8")
    assert "the curve is learned from" in page
    assert 'class="learned"' in page


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["day"], 2, "The ledger has no job of a batch 'day'."),
        (["night", "--out", "night.txt"], 2, "it has to end with .html"),
        (["night", "--store", "none.db"], 2, "There is no ledger"),
        (["night", "--store", ":memory:"], 2, "there is no ledger to read"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], code: int, why: str, batch: Path, aiogen: Any) -> None:
    said = aiogen("report", *words)
    assert (said.code, said.out) == (code, "")
    assert why in said.err
    assert not list(batch.glob("*.html")) + list(batch.glob("none.db"))


def test_without_jinja2_the_extra_is_named(batch: Path, aiogen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    said = aiogen("report", "night")
    assert said.code == 3
    assert 'A report needs jinja2: pip install "aiogen-sdk[report]"' in said.err


def test_results_of_a_batch_name_its_files(batch: Path, aiogen: Any) -> None:
    """Whatever they are called."""
    jobs = [record for record in aiogen("jobs", "--json").records if record["state"] == "completed"]
    folder = batch / "other"
    folder.mkdir()
    rows = []
    for i, (record, path) in enumerate(zip(jobs, sorted((batch / "pictures").iterdir()), strict=True)):
        path.rename(folder / f"{i}.png")
        rows.append(json.dumps({"key": None, "id": record["id"], "files": [f"{i}.png"]}))
    (folder / "results.jsonl").write_text("\n".join(rows), encoding="utf-8")
    said = aiogen("report", "night", "--files", "other", "--json")
    assert (said.records[0]["pictures"], said.records[0]["missing"]) == (2, 0)


def test_the_folder_of_a_batch_is_found_by_its_name(batch: Path, aiogen: Any) -> None:
    """As `aiogen batch` has made it, with names by a template."""
    (batch / "boats.csv").write_text("id,prompt\na,a boat\nb,another boat\n", encoding="utf-8")
    made = aiogen("batch", "boats.csv", "--model", "luma/uni-1", "--name", "boats", "--template", "{key}/{n}.{ext}")
    assert made.code == 0, made.err
    said = aiogen("report", "boats", "--json")
    assert (said.records[0]["jobs"], said.records[0]["pictures"], said.records[0]["missing"]) == (2, 2, 0)
    assert 'href="./boats/a/0.' in (batch / "boats.html").read_text(encoding="utf-8")


def test_it_costs_what_the_ledger_says(batch: Path, aiogen: Any) -> None:
    """The same sentence as that of `aiogen costs`, where a failure that is refunded costs nothing."""

    async def known() -> Costs:
        store = SqliteStore(batch / "jobs.db")
        await store.open()
        try:
            return await store.costs(RecordQuery(batch="night"))
        finally:
            await store.close()

    aiogen("report", "night", "--files", "pictures")
    costs = asyncio.run(known())
    assert costs.count
    assert f"<dt>Cost</dt><dd>{costs}</dd>" in unescape((batch / "night.html").read_text(encoding="utf-8"))
