"""Options anywhere among the ids, and ids from stdin."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from aiogen import InputError
from aiogen.cli import arguments
from aiogen.cli.app import app
from aiogen.cli.arguments import options_first, with_stdin


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("", ""),
        ("--store", "--store"),
        ("--version", "--version"),
        ("get --help", "get --help"),
        ("generte --json x", "generte --json x"),
        ("jobs --limit 3", "jobs --limit=3"),
        ("get luma x --json", "get --json -- luma x"),
        ("--json get luma x", "get --json -- luma x"),
        ("--store :memory: --json get luma x", "get --store=:memory: --json -- luma x"),
        ("--store=:memory: get luma x", "get --store=:memory: -- luma x"),
        ("delete leonardo --yes A B", "delete --yes -- leonardo A B"),
        ("delete leonardo A --yes B", "delete --yes -- leonardo A B"),
        ("delete leonardo A --store x B --yes C", "delete --store=x --yes -- leonardo A B C"),
        ("delete leonardo --yes -- -A --json", "delete --yes -- leonardo -A --json"),
        ("wait luma - --timeout -3 A", "wait --timeout=-3 -- luma - A"),
        ("generate luma/uni-1 -p a=-1 boat", "generate -pa=-1 -- luma/uni-1 boat"),
        ("generate m p --param --json", "generate --param --json -- m p"),  # its value is missing
        ("get luma x --store", "get --store -- luma x"),
        ("get luma -x", "get -x -- luma"),
    ],
)
def test_options_go_first(typed: str, read: str) -> None:
    assert options_first(app, typed.split()) == read.split()


@pytest.mark.parametrize("words", ["leonardo --yes {}", "--yes leonardo {}", "leonardo {} --yes", "leonardo {0} --yes"])
def test_every_order_deletes_all_of_them(aiogen, vendors, words: str) -> None:
    """As xargs writes it, too."""
    made = vendors.make("a boat", "a lake", "a hill")
    first, *others = made
    typed = words.format(" ".join(made)).split() if "{}" in words else words.format(first).split() + others
    said = aiogen("delete", *typed)
    assert (said.code, said.err) == (0, "")
    assert all(job.deleted_at is not None for job in vendors.jobs)


@pytest.mark.parametrize(
    ("option", "value"), [("--out", None), ("--store", ":memory:"), ("--json", ""), ("--overwrite", "")]
)
def test_an_option_between_the_connection_and_the_ids(aiogen, vendors, tmp_path: Path, option: str, value) -> None:
    made = vendors.make("a boat [[processing=0]]", "a lake [[processing=0]]")
    words = [option, *([tmp_path if value is None else value] if value != "" else [])]
    more = [] if value is None else ["--out", tmp_path]
    assert aiogen("download", "leonardo", *words, *made, *more).code == 0
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("missing", [["--store"], ["--timeout"], ["--out", "--json"]])
def test_an_option_without_its_value_is_code_2(aiogen, vendors, missing: list[str]) -> None:
    said = aiogen("wait", "luma", "x", *missing)
    assert said.code == 2
    assert missing[0] in said.err


def test_what_begins_with_one_dash_may_come_after_two(aiogen, vendors) -> None:
    said = aiogen("get", "luma", "-x")
    assert said.code == 2
    assert "goes after --" in said.err
    assert aiogen("get", "luma", "--", "-x").code == 5
    assert "goes after --" not in aiogen("get", "luma", "--bogus").err


# --- stdin


class Bytes(io.TextIOWrapper):
    """A standard input with these bytes, where nobody sits."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"a\nb\n", ["x", "a", "b", "y"]),
        (b"a\r\nb", ["x", "a", "b", "y"]),
        (b"\n  a \t\n\n\nb\n\n", ["x", "a", "b", "y"]),
        (b"\xef\xbb\xbfa\n", ["x", "a", "y"]),
        (b"a\nx\na\n", ["x", "a", "y"]),
        (b"", ["x", "y"]),
    ],
)
def test_ids_come_from_stdin_one_a_line(monkeypatch, content: bytes, read: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", Bytes(content))
    assert with_stdin(["x", "-", "y"]) == read


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"a\nb c\n", "Line 2"),
        (b"a" * 257, "Line 1"),
        (b"\xff\xfe", "not text"),
        (b"a\n" * 51, "More than"),
    ],
)
def test_what_cannot_be_ids_is_refused(monkeypatch, content: bytes, hint: str) -> None:
    monkeypatch.setattr(arguments, "_MOST_BYTES", 100 if content.startswith(b"a\na") else 1000)
    monkeypatch.setattr(sys, "stdin", Bytes(content))
    with pytest.raises(InputError, match=hint):
        with_stdin(["-"])


def test_a_stdin_that_is_closed_or_broken_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="no stdin"):
        with_stdin(["-"])
    stream = io.StringIO("x")
    stream.close()
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(InputError, match="cannot be read"):
        with_stdin(["-"])


def test_a_list_is_deleted_through_a_pipe(aiogen, vendors, monkeypatch) -> None:
    """Nobody can be asked there."""
    made = vendors.make("a boat", "a lake")
    lines = "".join(f"{line.split()[0]}\n" for line in aiogen("list", "leonardo").out.splitlines()).encode()
    monkeypatch.setattr(sys, "stdin", Bytes(lines))
    assert "--yes" in aiogen("delete", "leonardo", "-").err
    monkeypatch.setattr(sys, "stdin", Bytes(lines))
    said = aiogen("delete", "leonardo", "-", "--yes")
    assert sorted(line.split("\t")[2] for line in said.out.splitlines()) == sorted(made)


@pytest.mark.parametrize(
    "words",
    [
        ("get", "luma"), ("wait", "luma"), ("download", "luma"), ("delete", "leonardo", "--yes"), ("forget",),
        ("reconcile",), ("reconcile", "--resend", "--yes"),
    ],
)  # fmt: skip
def test_no_ids_on_stdin_is_nothing_to_do(aiogen, vendors, monkeypatch, words: tuple[str, ...]) -> None:
    """Above all not "all of them"."""
    monkeypatch.setattr(sys, "stdin", Bytes(b"\n"))
    said = aiogen(*words, "-")
    assert (said.code, said.out, said.err) == (0, "", "No ids came on stdin; nothing to do.\n")
    assert vendors.sandbox.requests == []


def test_an_answer_is_only_taken_from_somebody(aiogen, vendors, monkeypatch) -> None:
    [made] = vendors.make("a boat")
    for nobody in (None, io.StringIO()):
        if nobody is not None:
            nobody.close()
        monkeypatch.setattr(sys, "stdin", nobody)
        said = aiogen("delete", "leonardo", made)
        assert (said.code, "--yes" in said.err) == (2, True)
