"""The command costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiogen.cli.costing import parse_since
from aiogen.errors import InputError
from aiogen.sandbox import Fate, Rule


def test_what_was_spent(aiogen: Any, vendors: Any, tmp_path: Path) -> None:
    """By unit, connection, batch and time; a refunded failure costs nothing, and forgetting makes nothing cheaper."""
    none = aiogen("costs")
    assert (none.code, none.out, none.err) == (0, "", "")
    lost = Rule(fate=Fate(failure_code="generation_failed"), prompt="a lost boat", times=1)
    vendors.sandbox.script.rules.append(lost)
    assert aiogen("generate", "luma/uni-1", "a boat", "--batch", "fleet", "--no-download").code == 0
    assert aiogen("generate", "luma/uni-1", "a lost boat", "--no-download").code == 1
    assert aiogen("generate", "leonardo/gemini-image-2", "a fox", "--scope", "ann", "--no-download").code == 0
    (record,) = aiogen("costs", "--json").records
    assert record == {"amounts": {"DOLLARS": "0.0551"}, "count": 2, "estimated": 1, "unknown": 0}
    said = aiogen("costs")
    assert said.out == "$0.0551\tDOLLARS\n"
    assert "1 job is in it by published prices" in said.err
    assert aiogen("costs", "--connection", "leonardo").out == "$0.0147\tDOLLARS\n"
    assert aiogen("costs", "--batch", "fleet").out == "$0.0404\tDOLLARS\n"
    assert aiogen("costs", "--scope", "ann", "--since", "1h").out == "$0.0147\tDOLLARS\n"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert aiogen("costs", "--since", tomorrow).out == ""
    ids = [json.loads(line)["id"] for line in aiogen("jobs", "--json").out.splitlines()]
    assert aiogen("forget", *ids).code == 0
    assert aiogen("costs", "--since", "1h").out == "$0.0551\tDOLLARS\n"


def test_what_is_no_time_is_refused(aiogen: Any) -> None:
    said = aiogen("costs", "--since", "soon")
    assert said.code == 2
    assert "write 24h, 30d or 2026-11-01" in said.err


def test_a_time_is_an_age_or_a_day() -> None:
    """A day begins by the clock of whoever types it."""
    assert parse_since("30d") == timedelta(days=30)
    assert parse_since("2026-11-01") == datetime(2026, 11, 1).astimezone()
    assert parse_since("2026-11-01T10:00+00:00") == datetime(2026, 11, 1, 10, tzinfo=UTC)
    for wrong in ("2026-13-01", "2026-11-01T", "yesterday", "", "9999-99-99"):
        with pytest.raises(InputError):
            parse_since(wrong)
