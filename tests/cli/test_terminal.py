"""What may be shown, and how."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest

from aiogen.cli.tables import Row
from aiogen.cli.terminal import Notes, Terminal, masked, without_job_log


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("luma-api-0123456789abcdef", "…cdef"),
        ("0123456789ab", "…9ab"),
        ("01234567", "…67"),
        ("0123", "…3"),
        ("abc", "…"),
    ],
)
def test_a_key_is_shown_by_its_last_characters(key: str, shown: str) -> None:
    assert masked(key) == shown


def test_no_key_comes_through_in_any_form(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    key = 'luma-api-"quoted\\key-1234'
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", key)
    terminal = Terminal()
    terminal.say(f"wrong key {key}!")
    terminal.complain(f"wrong key {key}!")
    terminal.line(key)
    terminal.record({"failure_reason": key})
    out, err = capsys.readouterr()
    assert "quoted" not in out + err
    assert out.splitlines() == ["…1234", '{"failure_reason": "\\u20261234"}'] or "…1234" in out
    assert err == "wrong key …1234!\naiogen: wrong key …1234!\n"


def test_a_value_too_short_for_a_key_does_not_spoil_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "a")
    Terminal().say("a banana")
    assert capsys.readouterr().err == "a banana\n"


def test_control_characters_of_a_vendor_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().complain("title \x1b]0;owned\x07")
    assert "\x1b" not in capsys.readouterr().err


EVIL = (
    "a\r\nFAKE\tcompleted\v\f\x1c\x85\u2028\u202egnp\u2066\u200b\ufeff\U000e0041\x9b31m"
    "\x1b]52;c;x\x07\x00\x7f [/b] :smile:"
)


@pytest.mark.parametrize("as_terminal", [True, False])
def test_words_of_others_make_no_line_no_column_and_no_escape(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], as_terminal: bool
) -> None:
    """In whatever they are shown; markup and signs of ours are words like any other."""
    if as_terminal:
        request.getfixturevalue("terminal")
    terminal = Terminal()
    terminal.say(EVIL)
    terminal.complain(EVIL)
    terminal.line(EVIL)
    terminal.trace("\n".join([EVIL.replace("\n", "")] * 2))
    if as_terminal:
        terminal.listing([Row(cells={"state": EVIL, "prompt": EVIL}, ids={"id": EVIL})])
    else:
        terminal.columns([EVIL, EVIL])
    terminal.table(("a", "b"), [(EVIL, EVIL)])
    out, err = capsys.readouterr()
    # Of ours there are only colours, and the tab between two columns.
    shown = re.sub(r"\x1b\[[0-9;]*m", "", out + err)
    assert {c for c in shown if not c.isprintable()} == ({"\n"} if as_terminal else {"\n", "\t"})
    assert not [line for line in shown.split("\n") if line.startswith("FAKE")]
    assert shown.count("\t") == (0 if as_terminal else 2)
    assert "[/b] :smile:" in err


def test_a_stream_that_cannot_say_a_character_says_another(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Terminal().line("a boat …")
    stream.flush()
    assert stream.buffer.getvalue() == b"a boat ?\n"


def test_a_stream_that_cannot_be_reconfigured_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "33")
    terminal = Terminal()
    terminal.line("a boat")
    assert stream.getvalue() == "a boat\n"
    assert terminal.out.width == 33


def test_a_table_on_a_terminal_keeps_what_must_be_whole(
    terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    Terminal().table(("id", "prompt"), [("x" * 36, "y" * 80)], whole=("id",))
    out = capsys.readouterr().out
    assert "x" * 36 in out
    assert "y" * 12 in out
    assert "…" in out


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("FORCE_COLOR", "")])
def test_nothing_is_drawn_where_it_cannot_be(
    terminal: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert Terminal().is_live
    monkeypatch.setenv(name, value)
    assert not Terminal().is_live


def test_notes_are_warnings_only() -> None:
    shown: list[str] = []
    logger = logging.getLogger("aiogen.test")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Notes(shown.append))
    logger.debug("how")
    logger.warning("state %r", "dreaming")
    assert shown == ["state 'dreaming'"]


def test_what_becomes_of_jobs_is_said_by_the_command_alone(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("aiogen")
    with without_job_log():
        logger.warning("it may be running", extra={"aiogen_event": "unknown"})
        logger.warning("the ledger does not answer")
    logger.warning("it may be running", extra={"aiogen_event": "unknown"})
    assert caplog.messages == ["the ledger does not answer", "it may be running"]
