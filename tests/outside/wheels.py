"""Wheels without a build backend and without network: a module, its metadata and its entry points (PEP 427)."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def build(project: Path, folder: Path) -> Path:
    """A wheel of the modules beside a `pyproject.toml`."""
    stated = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    modules = {path.name: path.read_text(encoding="utf-8") for path in sorted(project.glob("aiogen_*.py"))}
    return write(folder, stated["name"], stated["version"], modules, stated["entry-points"]["aiogen.providers"])


def write(folder: Path, name: str, version: str, modules: Mapping[str, str], providers: Mapping[str, str]) -> Path:
    """A wheel of these modules, which offers these providers."""
    stem = f"{name.replace('-', '_')}-{version}"
    points = "".join(f"{point} = {value}\n" for point, value in providers.items())
    files = {
        **modules,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": f"[aiogen.providers]\n{points}",
    }
    record = f"{stem}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in (*files, record))
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def install(wheels: list[Path], target: Path) -> None:
    """Into a folder of their own, from nowhere but these files."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", str(target), *map(str, wheels)]
    subprocess.run(command, check=True, timeout=100)
