"""The rooms inside the sandbox: imports point one way, no vendor knows another, and nothing else names a vendor.

A room is a folder or a module of `aiogen/sandbox/`; in `vendors/` each folder is one. As in tests/test_rooms.py,
imports that are only for type checkers count.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator

import pytest
from test_rooms import PACKAGE, THE_PACKAGE, Tree
from test_rooms import circles as circles_of_the_package

import aiogen.sandbox
from aiogen.sandbox import Sandbox
from aiogen.sandbox.app import IMITATIONS
from aiogen.sandbox.vendors import NAMES

pytestmark = pytest.mark.no_cover  # the package is read here, and not run

SANDBOX = "aiogen.sandbox"
FOLDERS = sorted(path.parent.name for path in (PACKAGE / "sandbox/vendors").glob("*/__init__.py"))
VENDORS = tuple(f"vendors.{name}" for name in FOLDERS)

FLOORS = (
    ("vendors",),  # only their names; a script may contain those
    ("clock", "limits", "settings", "painting", "script"),
    ("worker", "jobs", "webhooks"),
    ("context",),
    ("answering",),
    ("storage",),
    ("vendor",),
    VENDORS,
    ("control", "world"),
    ("server",),
    ("app",),
    ("",),  # the package itself: the public names
)
"""From the bottom up: a room imports those on floors below its own, and nothing beside it."""

NAMING = VENDORS
"""The rooms that may name a vendor. A new one is a folder; `vendors/typed.pyi` tells type checkers of it."""


def room_of(module: str) -> str:
    parts = module.removeprefix(SANDBOX).split(".")[1:]
    return ".".join(parts[:2] if parts[:1] == ["vendors"] else parts[:1])


def floor_of(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def modules(tree: Tree) -> list[str]:
    return [name for name in tree.paths if name == SANDBOX or name.startswith(f"{SANDBOX}.")]


# --- the rules; each yields what breaks it


def upwards(tree: Tree) -> Iterator[str]:
    """Imports of a room on the same floor, or on one above."""
    for name in modules(tree):
        for found in tree.ours(name) & set(modules(tree)):
            if room_of(found) != room_of(name) and floor_of(room_of(found)) >= floor_of(room_of(name)):
                yield f"{name} imports {found}"


def circles(tree: Tree) -> Iterator[str]:
    """Modules of the sandbox that cannot be read one after the other."""
    part = copy.copy(tree)
    part.modules = {name: tree.modules[name] for name in modules(tree)}
    yield from circles_of_the_package(part)


def naming(tree: Tree) -> Iterator[str]:
    """Lines with a vendor in them: code, comments and docstrings alike."""
    vendor = re.compile("|".join(NAMES), re.IGNORECASE)
    for name in modules(tree):
        if room_of(name) not in NAMING:
            for number, line in enumerate(tree.texts[name].splitlines(), 1):
                if vendor.search(line):
                    yield f"{name}:{number}: {line}"


RULES = (upwards, circles, naming)


@pytest.mark.parametrize("rule", RULES)
def test_the_sandbox_keeps_it(rule: object) -> None:
    assert callable(rule)
    assert not list(rule(THE_PACKAGE))


@pytest.mark.parametrize(
    ("rule", "module", "line"),
    [
        (upwards, "context.py", "from aiogen.sandbox.world import World"),
        (upwards, "context.py", "def late():\n    from .answering import answer"),
        (upwards, "control.py", "if TYPE_CHECKING:\n    from .app import Sandbox"),
        (upwards, "control.py", "from .world import World"),
        (upwards, "storage/s3.py", "from ..vendors.luma.settings import LumaSettings"),
        (upwards, "script/rules.py", "import aiogen.sandbox"),
        (upwards, "vendors/luma/api.py", "from ..leonardo.checks import UUID"),
        (
            upwards,
            "vendors/leonardo/bodies.py",
            "if TYPE_CHECKING:\n    from aiogen.sandbox.vendors.luma import bodies",
        ),
        (upwards, "vendors/luma/api.py", "from ...server import Server"),
        (circles, "script/faults.py", "if TYPE_CHECKING:\n    from .fate import Fate"),
        (circles, "vendors/luma/settings.py", "from .api import Luma"),
        (naming, "storage/s3.py", 'PATH = "/storage/luma/uploads"'),
        (naming, "world.py", "from .vendors.luma import LumaSettings"),
        (naming, "world.py", "def late(leonardo): ..."),
        (naming, "jobs.py", "class LumaJob: ..."),
        (naming, "server.py", "Server(luma=None)"),
        (naming, "app.py", "from .vendors.luma import LumaSettings"),
        (naming, "__init__.py", "from .vendors.leonardo import LEONARDO_KEY"),
        (naming, "script/fate.py", "# reported by Leonardo only"),
        (naming, "vendors/__init__.py", 'NAMES = ("luma",)'),
    ],
)
def test_a_planted_fault_is_seen(rule: object, module: str, line: str) -> None:
    assert callable(rule)
    assert list(rule(THE_PACKAGE.planted(f"sandbox/{module}", line)))


# --- what is more than direction


@pytest.mark.parametrize("name", modules(THE_PACKAGE))
def test_every_module_has_a_room_on_a_floor(name: str) -> None:
    assert floor_of(room_of(name)) >= 0


def test_every_folder_is_a_vendor_that_scripts_and_the_sandbox_know() -> None:
    assert sorted(NAMES) == FOLDERS
    sandbox = Sandbox()
    for name in NAMES:
        assert IMITATIONS[name].name == name
        assert sandbox.api_url(name) == getattr(sandbox, f"{name}_url")
        assert sandbox.api_url(name).startswith(f"{sandbox.url}/{name}")
        assert isinstance(getattr(sandbox, name), IMITATIONS[name].settings)


def test_type_checkers_know_what_runs() -> None:
    """Type checkers read a stub instead of the folders; whatever it says of a vendor is so."""
    stub = ast.parse((PACKAGE / "sandbox/vendors/typed.pyi").read_text(encoding="utf-8"))
    exports = {export for imitation in IMITATIONS.values() for export in imitation.exports}
    (said,) = (ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    assert set(said) == exports
    assert exports <= set(aiogen.sandbox.__all__)
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    keywords = [node.target.id for node in classes["SettingsByName"].body if isinstance(node, ast.AnnAssign)]
    attributes = [node.name for node in classes["ByName"].body if isinstance(node, ast.FunctionDef)]
    assert keywords == FOLDERS
    assert sorted(attributes) == sorted([*FOLDERS, *(f"{name}_url" for name in FOLDERS)])
