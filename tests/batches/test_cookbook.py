"""The page about batches: its program, as it is printed there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import aiogen
import aiogen.batch
from aiogen.sandbox import Rule, Sandbox, Script
from aiogen.sandbox.script import Fate

PAGE = Path(__file__).parents[2] / "docs" / "batches.md"


def program() -> str:
    return PAGE.read_text(encoding="utf-8").split("```python\n")[1].partition("```")[0]


def test_three_hundred_rows_take_eight_lines() -> None:
    """So says the page."""
    assert len(program().splitlines()) <= 8


@pytest.mark.no_cover
@pytest.mark.usefixtures("virtual_files")
async def test_the_program_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures of all that did not fail; run again it makes nothing."""
    monkeypatch.chdir(tmp_path)
    rows = [f'boat{i},"a boat, number {i}",{"16:9" if i % 2 else ""}\n' for i in range(24)]
    Path("boats.csv").write_text("id,prompt,aspect_ratio\n" + "".join(rows), encoding="utf-8")
    names: dict[str, Any] = {"aiogen": aiogen}
    exec("async def program():\n" + "".join(f"    {line}\n" for line in program().splitlines()), names)
    failing = Rule(nth=(7,), provider="luma", fate=Fate(failure_code="content_moderated"))
    async with Sandbox(script=Script(rules=[failing])) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        await names["program"]()
        assert len(list(Path("boats").glob("*.png"))) == 23
        await names["program"]()
        assert len(sandbox.jobs) == 24
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in said if line.startswith("boat")] == ["boat7", "boat7"]
    assert sum("23" in line and "completed" in line for line in said) == 2
    assert len(Path("boats/results.jsonl").read_text().splitlines()) == 24
