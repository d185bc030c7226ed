"""Lists of requests in files: what each row asks for, and what is said of one that cannot be right."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aiogen import InputError, RowsError
from aiogen.batch import Rows

MODEL = {"model": "luma/uni-1"}


def rows(folder: Path, name: str, content: str | bytes, **options: Any) -> Rows:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Rows(path, **{"defaults": MODEL, **options})


def told(found: Rows) -> list[tuple[int, str | None, Any, Any]]:
    """Line, id, prompt, and all other parameters."""
    return [
        (row.line, row.id, row.request.get("prompt"), {**row.request, "model": 0, "prompt": 0} | {})
        for row in found
    ]  # fmt: skip


def others(**parameters: Any) -> dict[str, Any]:
    return {"model": 0, "prompt": 0, **parameters}


def test_a_prompt_in_each_line(tmp_path: Path) -> None:
    """Empty lines and comments are left out; lines count as the editor counts them."""
    found = rows(tmp_path, "a.txt", "a boat\n\n# the second\n  a barn \r\n#hash\n")
    assert told(found) == [
        (1, None, "a boat", others()), (4, None, "a barn", others()), (5, None, "#hash", others())
    ]  # fmt: skip
    assert found.check() == 3
    assert found.check() == 3  # as often as one likes


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table(tmp_path: Path, delimiter: str) -> None:
    """Numbers are numbers, a prompt is text whatever it looks like, an empty cell says nothing."""
    lines = [
        ["id", "prompt", "width", "aspect_ratio", "_title", "seed"],
        ["a", '"a ""big"" boat\non two lines"', "1024", "16:9", "The boat", ""],
        ["b", "42", "", "", "", "7"],
        ["", "", "", "", "", ""],
        ["c", "short"],
    ]
    found = rows(tmp_path, "a.csv", "\r\n".join(delimiter.join(line) for line in lines))
    assert told(found) == [
        (2, "a", 'a "big" boat\non two lines', others(width=1024, aspect_ratio="16:9")),
        (4, "b", "42", others(seed=7)),
        (6, "c", "short", others()),
    ]
    assert [row.columns for row in found] == [{"_title": "The boat"}, {}, {}]


def test_objects(tmp_path: Path) -> None:
    """One in each line, also as OpenAI's batches write them; what a row says counts more than what all have."""
    lines = [
        {"id": 7, "prompt": "a boat", "seed": None, "references": ["a.png"]},
        {"custom_id": "b", "method": "POST", "url": "/v1/images", "body": {"prompt": "x", "model": "leonardo/m"}},
        {"key": "c", "prompt": "y", "_note": [1]},
    ]
    found = rows(tmp_path, "a.jsonl", "\n\n".join(map(json.dumps, lines)))
    assert [(row.line, row.id, row.request["model"]) for row in found] == [
        (1, "7", "luma/uni-1"), (3, "b", "leonardo/m"), (5, "c", "luma/uni-1"),
    ]  # fmt: skip
    first, second, third = found
    assert first.request["references"] == ["a.png"]
    assert "seed" not in first.request
    assert set(second.request) == {"prompt", "model"}
    assert third.columns == {"_note": [1]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    """Excel writes UTF-8 with one, and UTF-16; neither gets into the first prompt."""
    assert told(rows(tmp_path, "a.txt", "ein Schloß\n🚣\n".encode(encoding))) == [
        (1, None, "ein Schloß", others()), (2, None, "🚣", others())
    ]  # fmt: skip
    assert [row.id for row in rows(tmp_path, "b.csv", "id,prompt\na,Schloß\n".encode(encoding))] == ["a"]


def test_another_encoding_is_said(tmp_path: Path) -> None:
    """Never guessed: a wrong guess is a wrong prompt, and paid for."""
    text = "one\nein Schloß\nthree\n".encode("cp1252")
    with pytest.raises(RowsError, match=r"line 2: byte 10 \(0xdf\) is not utf-8: save the file as UTF-8"):
        rows(tmp_path, "a.txt", text).check()
    assert [row[2] for row in told(rows(tmp_path, "a.txt", text, encoding="cp1252"))] == ["one", "ein Schloß", "three"]
    with pytest.raises(InputError, match="There is no encoding 'utf-99'"):
        rows(tmp_path, "a.txt", text, encoding="utf-99").check()
    with pytest.raises(RowsError, match="line 1: this is not utf-16"):
        rows(tmp_path, "a.txt", b"\xff\xfea").check()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"prompt": "x"}\n{"prompt": \n[1]\n{"prompt": NaN}', "3 rows.*line 2: this is no JSON.*"
         "line 3: this is no JSON object.*line 4: this is no JSON"),
        ("a.jsonl", '{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}', "line 2: the id 'a' stands in line 1"),
        ("a.jsonl", '{"id": "a", "custom_id": "b", "prompt": "x"}', "id and custom_id, which mean the same"),
        ("a.jsonl", '{"id": "", "prompt": "x"}', "its id has to be 1 to 200 printable"),
        ("a.jsonl", '{"id": null, "prompt": "x"}', "its id has to be 1 to 200 printable"),
        ("a.jsonl", json.dumps({"id": "a" * 201, "prompt": "x"}), "its id has to be 1 to 200 printable"),
        ("a.jsonl", '{"prompt": "x", "body": 3}', "its body is no JSON object"),
        ("a.jsonl", "[" * 100_000, "this is no JSON"),
        ("a.csv", "a boat\na barn\n", "line 1: the header has to name the columns"),
        ("a.csv", "prompt,seed,seed\nx,1,2\n", "the header names 'seed' twice"),
        ("a.csv", "prompt,seed\na boat, red,1\n", "line 2: it has 3 cells, and the header names 2"),
        ("a.csv", 'prompt,seed\n"a boat,1\nx,2\n', "line 2: this is no CSV"),
        ("a.csv", b"prompt\nx\n\xff\n", "line 3: byte 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    """All of it at once, before anything is sent."""
    with pytest.raises(RowsError, match=f"(?s){said}") as caught:
        rows(tmp_path, name, content).check()
    assert caught.value.problems


def test_many_problems_are_counted(tmp_path: Path) -> None:
    """The message stays readable; the error has them all."""
    with pytest.raises(RowsError, match=r"(?s)1,000 rows .* and 980 more") as caught:
        rows(tmp_path, "a.jsonl", "x\n" * 1000).check()
    assert len(caught.value.problems) == 1000


def test_without_a_model(tmp_path: Path) -> None:
    """Each row says it, or all of them get it."""
    with pytest.raises(RowsError, match="line 1: it names no model"):
        rows(tmp_path, "a.txt", "a boat", defaults=None).check()


@pytest.mark.parametrize("name", ["a.txt", "b.csv", "c.jsonl"])
def test_an_empty_list(tmp_path: Path, name: str) -> None:
    """Is a mistake."""
    content = "prompt\n" if name == "b.csv" else "\n\n"
    with pytest.raises(InputError, match="There is no row in"):
        rows(tmp_path, name, content).check()


def test_what_is_no_list(tmp_path: Path) -> None:
    """Not there, a folder, or of a kind that nobody knows."""
    with pytest.raises(InputError, match="No such file"):
        Rows(tmp_path / "none.txt").check()
    with pytest.raises(InputError, match="directory"):
        Rows(tmp_path).check()
    with pytest.raises(InputError, match="an ending of no known format"):
        Rows(tmp_path / "a.xlsx")
    assert rows(tmp_path, "a.prompts", "x", kind="txt").check() == 1


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    return lambda content: monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


@pytest.mark.parametrize(("content", "kind"), [(b"a boat\n", "txt"), (b'\xef\xbb\xbf {"prompt": "a boat"}\n', "jsonl")])
def test_standard_input_is_kept(stdin: Callable[[bytes], None], content: bytes, kind: str) -> None:
    """A pipe can be read once only, and rows are gone through more than once."""
    stdin(content)
    with Rows("-", defaults=MODEL) as found:
        assert found.kind == kind
        assert found.source == "standard input"
        assert found.check() == 1
        assert [row.request["prompt"] for row in found] == ["a boat"]


def test_rows_are_read_as_they_are_needed(tmp_path: Path) -> None:
    """The last row need not be read to have the first."""
    found = iter(rows(tmp_path, "a.jsonl", '{"prompt": "x"}\n' + "no row\n" * 10))
    assert next(found).request["prompt"] == "x"
    with pytest.raises(RowsError):
        next(found)
