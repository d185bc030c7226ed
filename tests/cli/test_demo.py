"""The demo, small and fast; and its parts."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from aiogen import InputError
from aiogen.cli.demo.overview import draw_overview
from aiogen.cli.demo.plan import MOST_LUMA, Plan, plan
from aiogen.cli.demo.report import Part, report
from aiogen.models import FailureCode
from aiogen.sandbox import Fate, Rule, Sandbox, Script

# --- the plan


def test_sixty_are_half_at_each_provider_and_no_prompt_comes_twice() -> None:
    pieces = plan(60, seed=0).pieces
    assert Counter(piece.connection for piece in pieces) == {"luma": 30, "leonardo": 30}
    assert len({piece.prompt for piece in pieces}) == 60


def test_no_prompt_is_found_inside_another_one() -> None:
    """A rule of the sandbox looks for its prompt inside the prompt."""
    prompts = [piece.prompt for piece in plan(120, seed=0).pieces]
    assert not [(a, b) for a in prompts for b in prompts if a != b and a in b]


def test_the_failures_are_of_many_kinds() -> None:
    ends = {piece.ends for piece in plan(60, seed=0).pieces} - {None}
    assert ends == {
        FailureCode.CONTENT_MODERATED, FailureCode.GENERATION_FAILED, FailureCode.BUDGET_EXHAUSTED,
        FailureCode.OUTPUT_NOT_FOUND,
    }  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 7, 61, 120])
def test_any_count_is_met_within_luma_s_limit(count: int) -> None:
    pieces = plan(count, seed=1).pieces
    assert len(pieces) == count
    assert 1 <= sum(piece.connection == "luma" for piece in pieces) <= MOST_LUMA


@pytest.mark.parametrize("count", [0, 1, 121])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(InputError):
        plan(count, seed=0)


def test_another_seed_gives_other_prompts() -> None:
    assert plan(10, seed=1) == plan(10, seed=1)
    assert plan(10, seed=1) != plan(10, seed=2)


# --- the whole


def test_it_needs_no_key_keeps_files_and_tells_what_to_do_next(
    aiogen, often: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "luma-api-of-my-own-1234")
    monkeypatch.setenv("LUMA_BASE_URL", "https://not.asked.example/v1")
    (tmp_path / "mine.txt").write_text("mine")
    said = aiogen("demo", "--count", 30, "--speed", 60, "--out", tmp_path)
    assert said.code == 0
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert len(list(tmp_path.glob("*-0.*"))) == 24
    with Image.open(tmp_path / "overview.png") as overview:
        assert overview.width == 1920
    assert "luma" in said.out
    assert "12 of 15" in said.out
    assert "1 × content_moderated" in said.out
    assert "24 images are in" in said.out
    sandbox, key, generate = said.out.rstrip().splitlines()[-3:]
    assert sandbox == "  aiogen sandbox"
    assert "LUMA_AGENTS_API_KEY" in key
    assert generate == "  aiogen generate luma/uni-1 'a lighthouse at dawn'"
    assert "\x1b" not in said.out + said.err
    for sign in ("500 and 502", "expired", "dreaming", "503", "broke off"):
        assert sign in said.out
        assert sign in said.err


def test_on_a_terminal_it_is_drawn_in_place(aiogen, often: None, terminal: None, tmp_path: Path) -> None:
    said = aiogen("demo", "--count", 6, "--speed", 60, "--out", tmp_path)
    assert said.code == 0
    assert "\x1b[?25l" in said.err
    assert "leonardo" in said.err


def test_json_leaves_stdout_to_the_records(aiogen, often: None, tmp_path: Path) -> None:
    said = aiogen("demo", "--count", 4, "--speed", 60, "--json", "--out", tmp_path)
    assert said.code == 0
    assert len(said.records) == 4
    assert "overview.png" in said.err


def test_what_ends_otherwise_than_planned_is_told_by_the_code(
    aiogen, often: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = Plan.sandbox

    def with_another_script(self: Plan, speed: float) -> Sandbox:
        running = sandbox(self, speed)
        running.script = Script(rules=[Rule(provider="luma", fate=Fate(failure_code="corrupt_input"))])
        return running

    monkeypatch.setattr(Plan, "sandbox", with_another_script)
    said = aiogen("demo", "--count", 4, "--speed", 60, "--out", tmp_path)
    assert said.code == 1
    assert "corrupt_input" in said.err
    assert "did not fail" in said.err


@pytest.mark.parametrize("words", [["--count", "1"], ["--speed", "0"], ["--out", "/dev/null/x"]])
def test_what_it_cannot_do_is_code_2(aiogen, words: list[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert aiogen("demo", *words).code == 2


# --- the parts


def test_the_overview_leaves_out_what_is_no_image_and_fills_the_width(tmp_path: Path) -> None:
    files = []
    for number in range(9):
        files.append(tmp_path / f"{number}.png")
        Image.new("RGB", (300 + 40 * number, 200), (255, 0, 0)).save(files[-1])
    (tmp_path / "broken.png").write_bytes(b"nothing of the kind")
    draw_overview([*files, tmp_path / "broken.png", tmp_path / "missing.png"], tmp_path / "overview.png", "Nine")
    with Image.open(tmp_path / "overview.png") as sheet:
        assert sheet.width == 1920
        # Each row ends at the same right edge.
        assert sheet.getpixel((1911, 100)) == (255, 0, 0)
        assert sheet.getpixel((1911, sheet.height - 30)) == (255, 0, 0)


def test_an_overview_of_nothing_is_a_heading(tmp_path: Path) -> None:
    draw_overview([], tmp_path / "overview.png", "None")
    with Image.open(tmp_path / "overview.png") as sheet:
        assert sheet.height < 100


def test_a_report_without_trouble_has_no_headings_for_it() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(report([Part(name="luma", endings=[], seconds=1.0, requests=2)], [], 0, Path("x/overview.png")))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "what helps" not in text
    assert "on the way" not in text
