"""Commands that are printed work as they are printed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aiogen.cli.program import command, program


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `aiogen` in .venv/bin, which is not on the PATH."""
    file = tmp_path / ".venv" / "bin" / "aiogen"
    file.parent.mkdir(parents=True)
    file.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    return file


def called(monkeypatch: pytest.MonkeyPatch, word: str, *original: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", [word, "jobs"])
    monkeypatch.setattr(sys, "orig_argv", [*original, word, "jobs"])
    return program()


@pytest.mark.parametrize("word", [".venv/bin/aiogen", "./.venv/bin/aiogen"])
def test_what_is_not_on_the_path_is_named_as_it_was(installed: Path, monkeypatch, word: str) -> None:
    assert called(monkeypatch, word) == [word]
    assert command("wait", "luma", "a b") == f"{word} wait luma 'a b'"


def test_what_the_shell_finds_is_named_shortly(installed: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))
    assert called(monkeypatch, str(installed)) == ["aiogen"]
    assert called(monkeypatch, ".venv/bin/aiogen") == ["aiogen"]


def test_another_one_on_the_path_is_not_meant(installed: Path, tmp_path: Path, monkeypatch) -> None:
    other = tmp_path / "other" / "aiogen"
    other.parent.mkdir()
    other.touch(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert called(monkeypatch, str(installed)) == [str(installed)]


def test_a_module_is_named_with_its_interpreter(installed: Path, monkeypatch) -> None:
    package = str(Path("x", "aiogen", "__main__.py"))
    assert called(monkeypatch, package, ".venv/bin/python", "-m", "aiogen") == [".venv/bin/python", "-m", "aiogen"]


@pytest.mark.parametrize("word", ["pytest", "", "/x/pytest/__main__.py", "-c", "aiogen.py"])
def test_run_by_another_program_it_has_its_usual_name(monkeypatch, word: str) -> None:
    assert called(monkeypatch, word) == ["aiogen"]


def test_a_file_that_has_gone_is_named_as_it_was(installed: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))
    assert called(monkeypatch, os.path.join("gone", "aiogen")) == [os.path.join("gone", "aiogen")]


def test_errors_name_it_so(aiogen, installed: Path, monkeypatch) -> None:
    called(monkeypatch, ".venv/bin/aiogen")
    assert "See .venv/bin/aiogen get --help." in aiogen("get", "luma", "x", "--bogus").err
    assert "Without a key, .venv/bin/aiogen demo shows" in aiogen("get", "luma", "x").err
