"""The provider from outside passes the battery, and imports public names alone."""

from __future__ import annotations

import ast
import importlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import aiogen
from aiogen.testing import ProviderBattery, answer

SOURCE = Path(__file__).parent / "package" / "aiogen_darkroom.py"


def read_from(path: Path) -> ModuleType:
    """The module of that file, without a name that others could import it by."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


darkroom = read_from(SOURCE)
QUEUE = "https://api.darkroom.example/v1/queue/p-1"


class TestDarkroom(ProviderBattery):
    provider = darkroom.Darkroom(api_key="darkroom-0123456789")
    request = darkroom.DarkroomPrint(model="silver", prompt="a paper boat", extra={"grain": [1, None]})
    accepted = answer({"print": "p-1", "status_url": f"{QUEUE}/status", "result_url": f"{QUEUE}/result"}, status=202)
    running = answer({"state": "DEVELOPING"}, status=202)
    completed = (
        answer({"state": "READY"}),
        answer({"pictures": [{"href": "https://files.darkroom.example/1.png"}]}),
    )
    failed = (answer({"state": "READY"}), answer({"error": {"message": "out of silver"}}, status=422))
    refused = answer({"error": {"message": "it is so"}}, status=400)
    cancelled = answer({"stopped": True})
    account = answer({"name": "printer"})


PUBLIC = {
    "aiogen", "aiogen.exchange", "aiogen.providers", "aiogen.providers.checks", "aiogen.providers.parameters",
    "aiogen.providers.reading",
}  # fmt: skip


def check_imports(path: Path) -> None:
    """Of public modules alone, and what they list."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.startswith("aiogen.")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiogen"):
            assert node.module in PUBLIC
            assert {alias.name for alias in node.names} <= set(importlib.import_module(node.module).__all__)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "aiogen":
            assert node.attr in aiogen.__all__


def test_it_imports_public_names_alone() -> None:
    """Of public modules, and what they list."""
    check_imports(SOURCE)
