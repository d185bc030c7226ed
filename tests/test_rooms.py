"""The rooms of the package: imports point one way, there is no circle, and a pure room stays pure.

A room is a folder of `aiogen/`, or a module at its top.  What counts is read from the source, imports that are only for
type checkers included: who reads a file follows those, too.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePath

import pytest
from coverage_gate import PURE as COVERED_WHOLE

import aiogen

pytestmark = pytest.mark.no_cover  # the package is read here, and not run

PACKAGE = Path(aiogen.__file__).parent

HARMLESS = frozenset({
    "__future__", "base64", "binascii", "bisect", "collections", "dataclasses", "decimal", "difflib", "enum",
    "functools", "hashlib", "heapq", "hmac", "html", "ipaddress", "itertools", "json", "math", "operator", "re",
    "string", "types", "typing", "unicodedata", "urllib.parse", "zlib",
    "datetime.UTC", "datetime.date", "datetime.datetime", "datetime.timedelta", "datetime.timezone",
    "email.utils.parsedate_to_datetime", "http.HTTPStatus", "os.PathLike", "os.fspath", "pathlib.Path",
    "pathlib.PurePath", "uuid.NAMESPACE_DNS", "uuid.NAMESPACE_URL", "uuid.UUID", "uuid.uuid5",
    "attrs", "cattrs", "rich.cells", "rich.text", "yarl",
})  # fmt: skip
"""What a pure module may take from elsewhere: whole modules, or of a module these names alone.  The rest is refused, so
that what nobody has thought of is seen, too."""

REACHING_OUT = frozenset({"__import__", "breakpoint", "compile", "eval", "exec", "help", "input", "open", "print"})
"""Built-in names that need no import to leave the module."""

ASKING = frozenset({"now", "utcnow", "today"})
"""Methods that look at the clock."""

ON_DISK = frozenset(set(dir(Path)) - set(dir(PurePath)) - {"group", "home", "owner", "replace"})
"""Methods of a path that look at the disk, without those that other things have as well.  A path as such is a name."""

EXCEPTIONS = {
    ("aiogen.providers.environment", "os.environ"): "a key is read from the environment when a connection is made",
    ("aiogen.providers.registry", "importlib.metadata.entry_points"): "providers of other packages, when one is named",
    ("aiogen.providers.registry", "importlib.metadata.EntryPoint"): "its type",
    ("aiogen.providers.comfyui", "uuid.uuid4"): "the vendor takes the client's id, which has to be in the request",
    ("aiogen._hooks.verifying", "importlib.import_module"): "the package `cryptography`, which need not be installed",
    ("aiogen.stores.unread", "logging"): "what it is for: rows that were left out are named in the log",
    ("aiogen.sandbox.script.rules", ".read_text"): "Script.load, which is public, and the shell around Script.read",
    (
        "aiogen.sandbox.vendors",
        "pkgutil.iter_modules",
    ): "a vendor of the sandbox is a folder, and nothing else names it",
}
"""What a pure module has beyond that, and why.  One that is not needed any more is refused, too."""

FLOORS = (
    ("_codes", "_wording", "_content", "_schema"),
    ("models",),
    ("errors",),
    ("exchange", "_checks", "references", "catalogue", "costs"),
    ("_safety", "_options"),
    ("_hooks",),
    ("_polling", "_limits", "providers"),
    ("_answers",),
    ("_clock", "_binding", "_checkpoint"),
    ("stores",),
    ("_account",),
    ("_transfer", "_ledger"),
    ("_engine",),
    ("_jobs",),
    ("_batch",),
    ("_lifetime",),
    ("_session",),
    ("session",),
    ("batch", "webhooks", "sync", "testing", "sandbox"),
    ("integrations",),
    ("cli",),
    ("__main__",),
)
"""From the bottom up: a room imports those on floors below its own, and nothing beside it."""

PURE = (
    "_codes", "_wording", "_schema", "models", "errors", "exchange", "_checks", "references", "catalogue", "costs",
    "_content", "_safety", "_options", "_polling", "_limits", "_hooks", "providers", "_answers", "_account",
)  # fmt: skip
"""Rooms with no clock, no chance, no socket, no disk, no thread, no event loop; every module in them."""

ALONE = ("sandbox",)
"""Rooms that import nothing of ours: an error in reading a vendor's documents must not agree with itself."""


class Tree:
    """The source of a package, read but not run; and not before a test asks, for each worker collects this file."""

    def __init__(self, folder: Path) -> None:
        self.paths = {self.name_of(path.relative_to(folder)): path for path in sorted(folder.rglob("*.py"))}
        self._packages = {name for name, path in self.paths.items() if path.stem == "__init__"}
        self._imported: dict[str, set[str]] = {}

    @cached_property
    def texts(self) -> dict[str, str]:
        return {name: path.read_text(encoding="utf-8") for name, path in self.paths.items()}

    @cached_property
    def modules(self) -> dict[str, ast.Module]:
        return {name: ast.parse(text) for name, text in self.texts.items()}

    @staticmethod
    def name_of(path: Path) -> str:
        """What a file of the package is called by those that import it."""
        parts = ["aiogen", *path.with_suffix("").parts]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def planted(self, module: str, line: str) -> Tree:
        """The same with one more line at the end of a module; the files stay as they are.

        At the end of a class body it would be seen as well.
        """
        name = self.name_of(Path(module))
        tree = copy.copy(self)
        tree.texts = self.texts | {name: f"{self.texts[name]}\n{line}\n"}
        tree.modules = self.modules | {name: ast.parse(tree.texts[name])}
        tree._imported = {other: found for other, found in self._imported.items() if other != name}
        return tree

    def imported(self, name: str) -> set[str]:
        """What a module imports anywhere in it, by full names."""
        if name not in self._imported:
            self._imported[name] = self._read(name)
        return self._imported[name]

    def _read(self, name: str) -> set[str]:
        found = set()
        for node in ast.walk(self.modules[name]):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                module = ".".join([*self._parents(name, node.level), *filter(None, [node.module])])
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    found.add(inner if inner in self.modules else module)
        return found

    def _parents(self, name: str, level: int) -> list[str]:
        """What the dots of a relative import mean; nothing for an absolute one."""
        if level == 0:
            return []
        parts = name.split(".")
        return parts[: len(parts) - (level - 1 if name in self._packages else level)]

    def ours(self, name: str) -> set[str]:
        return {found for found in self.imported(name) if found.partition(".")[0] == "aiogen"}


def room_of(module: str) -> str:
    """`aiogen` itself has no room: it joins what stands up to the session."""
    return module.split(".")[1] if "." in module else ""


def floor_of(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


# --- the rules; each yields what breaks it


def upwards(tree: Tree) -> Iterator[str]:
    """Imports of a room on the same floor, or on one above."""
    for name in tree.modules:
        room = room_of(name)
        floor = floor_of(room) if room else floor_of("session") + 1
        for found in tree.ours(name):
            other = room_of(found)
            if not other:
                if room and floor <= floor_of("session"):
                    yield f"{name} imports the package itself, which runs everything"
            elif other != room and floor_of(other) >= floor:
                yield f"{name} imports {found}"


def circles(tree: Tree) -> Iterator[str]:
    """Modules that cannot be read one after the other."""
    graph: Mapping[str, set[str]] = {name: tree.ours(name) - {name, "aiogen"} for name in tree.modules if "." in name}
    try:
        TopologicalSorter(_without_own_package(graph)).prepare()
    except CycleError as error:
        yield " <- ".join(error.args[1])


def _without_own_package(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """`from aiogen.room import module` names the room, too; that is no import of what the room exports."""
    return {name: {other for other in found if not name.startswith(f"{other}.")} for name, found in graph.items()}


def impure(tree: Tree) -> Iterator[str]:
    """What a pure module has from elsewhere that is not known to be harmless, anywhere in it."""
    for name, module in tree.modules.items():
        if is_pure(name, module):
            known = HARMLESS | {what for exception, what in EXCEPTIONS if exception == name}
            for found in sorted(reached(module)):
                imported = found.removeprefix("import ")
                names_of_it = imported != found and any(each.startswith(f"{imported}.") for each in known)
                if not (_parts(imported) & known or names_of_it):
                    yield f"{name} is pure, and has {found}"


def reached(module: ast.Module) -> set[str]:
    """What a module has from outside the package, by full names, and what it does with the clock and the disk."""
    bound: dict[str, str] = {}
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.partition(".")[0]
                bound[alias.asname or package] = alias.name if alias.asname else package
                found |= {f"import {alias.name}"} if package != "aiogen" else set()
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    inner = {node.value for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and node.id in REACHING_OUT:
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in ASKING | ON_DISK:
            found.add(f".{node.attr}")
        if isinstance(node, ast.Name | ast.Attribute) and node not in inner:  # `a.b.c` as one
            first, dot, rest = ast.unparse(node).partition(".")
            if first in bound:
                found.add(bound[first] + dot + rest)
    return {each for each in found if each.partition(".")[0] != "aiogen"}


def _parts(name: str) -> set[str]:
    """`a.b.c`, and what it is a part of."""
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)} - {""}


def is_pure(name: str, module: ast.Module) -> bool:
    """By its room; a module of another room may say so of itself, and is then held to it."""
    return room_of(name) in PURE or "Pure." in (ast.get_docstring(module) or "")


def through(tree: Tree) -> Iterator[str]:
    """A pure module that reaches an impure one through others of ours."""
    for name, module in tree.modules.items():
        if is_pure(name, module):
            for found in tree.ours(name) - {"aiogen"}:
                if not is_pure(found, tree.modules[found]):
                    yield f"{name} is pure, and imports {found}, which is not"


RULES = (upwards, circles, impure, through)
THE_PACKAGE = Tree(PACKAGE)


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_it(rule: object) -> None:
    assert callable(rule)
    assert not list(rule(THE_PACKAGE))


# --- and each rule sees what it is there for


@pytest.mark.parametrize(
    ("rule", "module", "line"),
    [
        (upwards, "_polling/plan.py", "from aiogen._engine import job"),
        (upwards, "_polling/plan.py", "from .._engine.job import Job"),
        (upwards, "_polling/plan.py", "from aiogen._limits import window"),
        (upwards, "_engine/poll.py", "if TYPE_CHECKING:\n    from aiogen.session import Session"),
        (upwards, "_engine/poll.py", "def late():\n    import aiogen"),
        (upwards, "session.py", "from aiogen.sandbox import app"),
        (upwards, "models.py", "import aiogen.errors"),
        (circles, "_polling/survival.py", "from aiogen._polling.schedule import Schedule"),
        (circles, "_polling/survival.py", "if TYPE_CHECKING:\n    from .schedule import Schedule"),
        (circles, "sandbox/clock.py", "from aiogen.sandbox import app"),
        (impure, "_polling/plan.py", "import asyncio"),
        (impure, "_limits/window.py", "from time import monotonic"),
        (impure, "providers/luma.py", "def late():\n    import aiohttp"),
        (impure, "models.py", "AT = datetime.now()"),
        (impure, "_limits/rate.py", "import socket"),
        (impure, "_limits/rate.py", "from uuid import uuid4"),
        (impure, "_limits/rate.py", "import uuid\nID = uuid.uuid4()"),
        (impure, "_limits/rate.py", "import uuid as ids\nID = ids.uuid1()"),
        (impure, "_limits/rate.py", "import secrets"),
        (impure, "_limits/rate.py", "import concurrent.futures"),
        (impure, "_limits/rate.py", "from subprocess import run"),
        (impure, "_limits/rate.py", "import urllib.request"),
        (impure, "_limits/rate.py", "from urllib import request"),
        (impure, "_limits/rate.py", "import urllib.parse\nurllib.request.urlopen('http://127.0.0.1')"),
        (impure, "_limits/rate.py", "import os\nKEY = os.environ['HOME']"),
        (impure, "_limits/rate.py", "from os import environ"),
        (impure, "_limits/rate.py", "import os\ngiven = os"),
        (impure, "references.py", "import os\nNAME = os.getenv('HOME')"),
        (impure, "providers/registry.py", "import os\nKEY = os.environ"),
        (impure, "_limits/rate.py", "open('/dev/null')"),
        (impure, "_limits/rate.py", "read = open"),
        (impure, "_limits/rate.py", "__import__('asyncio')"),
        (impure, "_polling/plan.py", "import importlib\nimportlib.import_module('asyncio')"),
        (impure, "_polling/plan.py", "from importlib import import_module"),
        (impure, "references.py", "def late(path):\n    return path.read_bytes()"),
        (impure, "_polling/plan.py", "import an_unknown_package"),
        (impure, "stores/rows.py", "import logging"),
        (through, "stores/rows.py", "from aiogen.stores.sqlite import file"),
    ],
)
def test_a_planted_fault_is_seen(rule: object, module: str, line: str) -> None:
    assert callable(rule)
    assert list(rule(THE_PACKAGE.planted(module, line)))


@pytest.mark.parametrize(
    "line",
    [
        "import json\njson.dumps(1)",
        "from uuid import UUID",
        "import os\nos.fspath('a')",
        "import urllib.parse\nurllib.parse.quote('a')",
        "import urllib.parse as words\nwords.quote('a')",
        "from pathlib import Path\nisinstance(1, Path)",
        "import re\nre.compile('a')",
    ],
)
def test_what_is_harmless_is_let_through(line: str) -> None:
    assert not list(impure(THE_PACKAGE.planted("_limits/rate.py", line)))


def test_an_exception_is_needed_and_has_a_reason() -> None:
    for (name, what), reason in EXCEPTIONS.items():
        assert reason
        assert any(what in _parts(each) for each in reached(THE_PACKAGE.modules[name])), f"{name} has {what} no more"


# --- what is more than direction


def test_what_is_pure_has_to_be_covered_whole() -> None:
    """`make test` asks for it; a room that is forgotten there would lose its tests unseen."""
    rooms = [name for name in COVERED_WHOLE if not name.startswith("stores/")]  # of that room it is some modules
    assert [name.removesuffix(".py").removesuffix("/") for name in rooms] == list(PURE)


@pytest.mark.parametrize("name", sorted(THE_PACKAGE.paths))
def test_every_module_has_a_room_on_a_floor(name: str) -> None:
    if room := room_of(name):
        assert floor_of(room) >= 0


@pytest.mark.parametrize("room", ALONE)
def test_what_stands_alone_imports_nothing_of_ours(room: str) -> None:
    for name in THE_PACKAGE.modules:
        if room_of(name) == room:
            assert all(room_of(found) == room for found in THE_PACKAGE.ours(name)), name


def test_only_the_command_line_knows_the_sandbox() -> None:
    knowing = {
        room_of(name) for name in THE_PACKAGE.modules if any(room_of(f) == "sandbox" for f in THE_PACKAGE.ours(name))
    }
    assert knowing <= {"sandbox", "cli"}


def test_nothing_needs_what_only_tests_need() -> None:
    """`aiogen.testing` imports pytest and hypothesis; nothing else does, nor imports it."""
    for name in THE_PACKAGE.modules:
        if room_of(name) != "testing":
            found = THE_PACKAGE.imported(name)
            assert not [each for each in found if each.partition(".")[0] in ("pytest", "hypothesis")], name
            assert not [each for each in found if room_of(each) == "testing" and each.startswith("aiogen.")], name


def test_no_provider_imports_another() -> None:
    vendors = ("luma", "leonardo", "comfyui")
    for vendor in vendors:
        others = {f"aiogen.providers.{other}" for other in (*vendors, "connections")} - {f"aiogen.providers.{vendor}"}
        assert not THE_PACKAGE.ours(f"aiogen.providers.{vendor}") & others


def test_what_decides_knows_no_provider() -> None:
    """When to ask, and how much is allowed, is decided without knowing whom."""
    for name in THE_PACKAGE.modules:
        if room_of(name) in ("_polling", "_limits"):
            assert not [found for found in THE_PACKAGE.ours(name) if room_of(found) == "providers"], name


def test_one_room_sends() -> None:
    """Below the session aiohttp is imported by the room of the transport alone."""
    for name in THE_PACKAGE.modules:
        room = room_of(name)
        if room and floor_of(room) < floor_of("session") and "aiohttp" in THE_PACKAGE.imported(name):
            assert room == "_transfer"


def test_the_retrying_library_is_imported_once() -> None:
    """`backoff` is used in one module, so that its continuation can take its place."""
    using = [name for name in sorted(THE_PACKAGE.modules) if "backoff" in THE_PACKAGE.imported(name)]
    assert using == ["aiogen._transfer.transport"]
