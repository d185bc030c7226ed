"""Lists of generations at every width: what is read first stands first, and no id is cut in two."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from aiogen.cli.tables import Row, draw, fitted

OURS = "a3b068c0-adb9-42d5-95ea-a33ef047bf19"
THEIRS = "670f2f62-a561-4ca1-a2db-103152e8192b"
WIDE = "eine Hütte 山小屋 im Schnee, sehr weit oben am Hang, mit Rauch und Licht und vielen Spuren " * 2


def row(prompt: str = WIDE, **more: str) -> Row:
    cells = {"state": "completed", "age": "59m", "cost": "8 credits", "prompt": prompt, "at": "leonardo", **more}
    return Row(cells=cells, ids={"job": OURS, "provider's id": THEIRS}, style="green")


def drawn(rows: list[Row], width: int, short: str | None = "job") -> list[str]:
    return [line.plain for line in draw(rows, width, short=short)]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160, 300])
@pytest.mark.parametrize("short", ["job", None])
def test_state_age_cost_and_prompt_stand_first(width: int, short: str | None) -> None:
    heading, *lines = drawn([row(), row("short")], width, short)
    assert heading.split()[:4] == ["state", "age", "cost", "prompt"]
    rows = [line for line in lines if line.startswith("completed")]
    assert [re.split(r"  +", line)[:3] for line in rows] == [["completed", "59m", "8 credits"]] * 2
    assert all("eine Hü" in line or "short" in line for line in rows)


@pytest.mark.parametrize("width", [60, 80, 100, 160, 300])
@pytest.mark.parametrize("short", ["job", None])
def test_no_line_is_broken_and_no_id_cut_in_two(width: int, short: str | None) -> None:
    """What is longer than a line is only the ids' own, on which they stand whole."""
    for line in drawn([row(), row("a boat")], width, short):
        ids = re.findall(r"[0-9a-f]{8}[0-9a-f-]*", line)
        assert all(each in (OURS, THEIRS, OURS[:8]) for each in ids)
        assert cell_len(line) <= width or line.split() == [OURS, THEIRS]
        assert line == line.rstrip()


def test_ids_stand_whole_where_there_is_room() -> None:
    assert OURS in drawn([row()], 160)[1]
    assert THEIRS in drawn([row()], 160)[1]
    assert drawn([row()], 80)[1].endswith(f"  {OURS[:8]}")


def test_where_a_beginning_does_not_do_they_have_a_line_of_their_own() -> None:
    lines = drawn([row(), row()], 80, None)
    assert [line.strip() for line in lines[2::2]] == [f"{OURS}  {THEIRS}"] * 2


@pytest.mark.parametrize(("width", "there"), [(60, False), (80, False), (100, True)])
def test_a_long_column_behind_the_prompt_goes_before_the_prompt_does(width: int, there: bool) -> None:
    assert ("b24e16ff" in drawn([row(at="b24e16ff-06e3-43eb-8d33-4416c2d75876")], width, None)[1]) is there


@pytest.mark.parametrize(
    ("text", "size", "shown"),
    [("boat", 6, "boat  "), ("boat", 4, "boat"), ("boats", 4, "boa…"), ("山小屋", 6, "山小屋"), ("山小屋", 5, "山小…")],
)
def test_characters_of_two_columns_count_as_two(text: str, size: int, shown: str) -> None:
    assert fitted(text, size) == shown
    assert cell_len(fitted(text, size)) == size


# --- the commands


@pytest.mark.parametrize("width", [60, 80, 160])
def test_jobs_and_list_at_the_usual_widths(aiogen, vendors, terminal: None, monkeypatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    prompt = "a lighthouse at dawn, oil on canvas, thick strokes, seen from the sea"
    assert aiogen("generate", "leonardo/lucid-origin", prompt, "--no-download").code == 0
    [theirs] = [job.id for job in vendors.jobs]
    for words in (("jobs",), ("list", "leonardo")):
        out = re.sub(r"\x1b\[[0-9;]*m", "", aiogen(*words).out)
        heading, first, *rest = out.splitlines()
        assert heading.split()[:4] == ["state", "age", "cost", "prompt"]
        assert first.startswith("completed  ")
        assert "a lighthouse" in first
        assert max(map(len, [first, *rest])) <= width
        assert theirs in out or words == ("jobs",)


def test_on_a_pipe_the_columns_stay_what_they_were(aiogen, vendors) -> None:
    assert aiogen("generate", "leonardo/lucid-origin", "a\tboat", "--no-download").code == 0
    [known] = aiogen("jobs", "--json").records
    state, job, at, theirs, age, prompt, cost = aiogen("jobs").out.rstrip("\n").split("\t")
    assert (state, job, at, theirs) == ("completed", known["id"], "leonardo", known["provider_id"])
    assert (age[-4:], prompt, cost[0]) == (" ago", "a boat", "$")
