"""What may be shown, and how."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from aiogen.cli.terminal import Notes, Terminal, masked, telling_of_jobs


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
    told: list[str] = []
    logger = logging.getLogger("aiogen.test")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Notes(told.append))
    logger.debug("how")
    logger.warning("state %r", "dreaming")
    assert told == ["state 'dreaming'"]


def test_what_becomes_of_jobs_is_said_by_the_command_alone(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("aiogen")
    with telling_of_jobs():
        logger.warning("it may be running", extra={"aiogen_event": "unknown"})
        logger.warning("the ledger does not answer")
    logger.warning("it may be running", extra={"aiogen_event": "unknown"})
    assert caplog.messages == ["the ledger does not answer", "it may be running"]
