"""The program itself: help, version, what is missing, what is broken."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import aiogen as package
from aiogen.cli import main

COMMANDS = (
    "account", "delete", "demo", "doctor", "download", "generate", "get", "list", "sandbox", "wait",
)  # fmt: skip


def test_help_lists_the_commands_and_the_exit_codes(aiogen) -> None:
    said = aiogen("--help")
    assert said.code == 0
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", said.out)
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert re.search(rf"^ +{code}  \w|^{code}  \w", said.out, re.MULTILINE)


def test_nothing_at_all_is_help(aiogen) -> None:
    assert aiogen().out == aiogen("--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_and_stands_in_the_page(aiogen, command: str) -> None:
    said = aiogen(command, "--help")
    assert said.code == 0
    assert "--json" in said.out
    assert f"`aiogen {command}" in Path(__file__, "../../../docs/cli.md").resolve().read_text()


def test_version(aiogen) -> None:
    assert aiogen("--version").out == f"aiogen {package.__version__}\n"


def test_an_unknown_command_is_code_2_with_a_guess(aiogen) -> None:
    said = aiogen("generte")
    assert said.code == 2
    assert '"generate"' in said.err
    assert said.out == ""


def test_a_wrong_option_points_to_the_help_of_its_command(aiogen) -> None:
    assert aiogen("generate", "luma/uni-1", "-x").err.endswith("See aiogen generate --help.\n")
    assert aiogen("generte").err.endswith("See aiogen --help.\n")


def test_python_m_aiogen_is_the_same_program(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["aiogen", "--version"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("aiogen", run_name="__main__")
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("aiogen ")


def without(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The program where a module is not installed."""
    code = f"import sys; sys.modules[{module!r}] = None; from aiogen.cli import main; sys.exit(main({list(words)!r}))"
    return subprocess.run([sys.executable, "-c", code], check=False, timeout=20, capture_output=True, text=True)


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    ran = without(missing, "--version")
    assert ran.returncode == 3
    assert ran.stderr == 'The command line needs two more packages: pip install "aiogen-sdk[cli]"\n'


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_without_pillow_it_says_what_to_install(command: str, tmp_path: Path) -> None:
    ran = without("PIL", command)
    assert ran.returncode == 3
    assert 'pip install "aiogen-sdk[cli,sandbox]"' in ran.stderr


@pytest.fixture
def app_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "aiogen.cli.app", raising=False)


def test_the_absence_is_noticed_by_name(app_not_imported: None, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    assert main(["--version"]) == 3
    assert "aiogen-sdk[cli]" in capsys.readouterr().err


def test_another_missing_module_is_not_taken_for_the_extra(app_not_imported: None, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "aiogen.cli.program", None)
    with pytest.raises(ModuleNotFoundError):
        main(["--version"])


def test_a_bug_is_told_as_one(aiogen, vendors, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("impossible")

    monkeypatch.setattr("aiogen.cli.generations.get", broken)
    said = aiogen("get", "luma", "x")
    assert said.code == 70
    assert said.err == "aiogen: This is a bug in aiogen: RuntimeError: impossible. AIOGEN_DEBUG=1 shows where.\n"
    monkeypatch.setenv("AIOGEN_DEBUG", "1")
    assert "Traceback" in aiogen("get", "luma", "x").err


def test_debug_shows_where_an_error_comes_from(aiogen, monkeypatch) -> None:
    monkeypatch.setenv("AIOGEN_DEBUG", "1")
    said = aiogen("get", "luma", "x")
    assert said.code == 3
    assert "Traceback" in said.err
    assert said.err.rstrip().splitlines()[-1].startswith("aiogen: There is no connection")


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_whoever_reads_may_go(vendors) -> None:
    vendors.make(*["a boat"] * 3)
    with subprocess.Popen(
        [sys.executable, "-m", "aiogen", "list", "leonardo", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr.read() == ""


def test_it_does_not_need_the_command_line_s_packages_to_import_the_package() -> None:
    code = "import sys, aiogen; sys.exit('rich' in sys.modules or 'cyclopts' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=20).returncode == 0
