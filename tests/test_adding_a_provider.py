"""The package that docs/adding-a-provider.md builds from nothing works as it is printed there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from outside.test_battery import check_imports
from outside.wheels import build

PAGE = Path(__file__).parent.parent / "docs" / "adding-a-provider.md"
FOUND = """
import os
os.environ["LANTERN_API_KEY"] = "lantern-0123456789"
import aiogen
print(aiogen.Session().connections.find("lantern").facts.vendor)
"""


def files_of(page: Path) -> dict[str, str]:
    """The files that a page shows in parts: a name, then a block."""
    files: dict[str, str] = {}
    text = page.read_text(encoding="utf-8")
    for name, block in re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        files[name] = f"{files[name]}\n\n{block}" if name in files else block
    return files


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, written down."""
    folder = tmp_path_factory.mktemp("lantern")
    for name, text in files_of(PAGE).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def installed(project: Path) -> dict[str, str]:
    """An environment where it is installed."""
    with zipfile.ZipFile(build(project, project)) as wheel:
        wheel.extractall(project / "installed")
    path = os.pathsep.join(filter(None, [str(project / "installed"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_the_page_shows_a_whole_package(project: Path) -> None:
    """Each of its files, and public names alone in the provider."""
    assert sorted(path.name for path in project.glob("*.*")) == [
        "aiogen_lantern.py", "lantern_sandbox.py", "pyproject.toml", "test_lantern.py",
    ]  # fmt: skip
    check_imports(project / "aiogen_lantern.py")


def test_its_tests_pass(project: Path, installed: dict[str, str]) -> None:
    """With pytest and nothing else."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_lantern.py"]
    said = subprocess.run(command, cwd=project, env=installed, capture_output=True, text=True, timeout=100)
    assert said.returncode == 0, said.stdout
    assert " passed" in said.stdout


def test_it_is_found_by_its_name(project: Path, installed: dict[str, str]) -> None:
    """Through the entry point of the page."""
    said = subprocess.run(
        [sys.executable, "-c", FOUND], cwd=project, env=installed, capture_output=True, text=True, timeout=50
    )
    assert (said.stdout, said.stderr) == ("Lantern\n", "")
