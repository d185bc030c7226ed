"""What may import what: pure modules stay pure, and imports point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import aiogen

PACKAGE = Path(aiogen.__file__).parent
IMPURE = {"asyncio", "aiohttp", "time", "random"}

PURE = (
    "aiogen._safety.address", "aiogen._polling.timers", "aiogen._answers.matching", "aiogen.providers.connections", "aiogen.providers.reading",
    "aiogen._polling.curves", "aiogen._polling.durations", "aiogen._content.entity", "aiogen._content.expiry", "aiogen._polling.vendor_queue", "aiogen._polling.listing",
    "aiogen._content.media", "aiogen._answers.outcomes", "aiogen._answers.pages", "aiogen._polling.phases", "aiogen._polling.plan", "aiogen._safety.proxies",
    "aiogen._safety.redact", "aiogen.references", "aiogen._limits.retry", "aiogen._polling.schedule", "aiogen._safety.secret", "aiogen._polling.survival",
    "aiogen._limits.shared_budget", "aiogen._answers.states", "aiogen._content.whole", "aiogen._limits.window", "aiogen.exchange", "aiogen._wording",
    "aiogen.errors", "aiogen.models", "aiogen.providers", "aiogen.providers.base", "aiogen.providers.leonardo",
    "aiogen.providers.luma", "aiogen.stores.sqlite.identity", "aiogen.stores.sqlite.rows", "aiogen.stores.sqlite.schema",
)  # fmt: skip

# From the bottom up: a module imports its own layer and those below.
LAYERS = (
    (
        "aiogen.models", "aiogen.errors", "aiogen._safety.address", "aiogen._content.entity", "aiogen._content.expiry", "aiogen._content.media",
        "aiogen._safety.secret", "aiogen._polling.survival", "aiogen._content.whole", "aiogen._wording",
    ),
    ("aiogen.exchange", "aiogen._answers.states", "aiogen._polling.timers", "aiogen._polling.vendor_queue", "aiogen._polling.listing", "aiogen._limits.shared_budget"),
    ("aiogen._binding",),
    ("aiogen._polling.curves", "aiogen._polling.plan", "aiogen._safety.redact"),
    ("aiogen._polling.durations", "aiogen._polling.phases"),
    (
        "aiogen.providers", "aiogen._polling.schedule", "aiogen._limits.window", "aiogen._limits.retry", "aiogen.providers.reading",
        "aiogen.references", "aiogen._safety.proxies", "aiogen.stores",
    ),
    (  # what the shell keeps
        "aiogen._clock", "aiogen._engine.job", "aiogen._engine.log", "aiogen._ledger.lease", "aiogen._engine.account", "aiogen._ledger.learned",
    ),
    ("aiogen._", "aiogen._engine.coordinator", "aiogen._engine.create", "aiogen._engine.eta", "aiogen._engine.poll", "aiogen._engine.sweep"),
    ("aiogen.session", "aiogen.webhooks"),
    ("aiogen.sandbox", "aiogen.testing", "aiogen.integrations", "aiogen.cli", "aiogen.__main__"),
)  # fmt: skip
# Every other private module belongs to the shell, the layer of "aiogen._".


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, read but not run."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ["aiogen", *path.relative_to(PACKAGE).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def walk(node: ast.AST, *, types_too: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if types_too or not is_for_types(child):
            yield child
            yield from walk(child, types_too=types_too)


def parents_of(name: str, level: int) -> list[str]:
    """What the dots of a relative import mean; nothing for an absolute one."""
    if level == 0:
        return []
    up = level - 1 if is_package(name) else level
    parts = name.split(".")
    return parts[: len(parts) - up]


def is_package(name: str) -> bool:
    return PACKAGE.parent.joinpath(*name.split("."), "__init__.py").is_file()


@cache
def imported(name: str, *, types_too: bool = False) -> frozenset[str]:
    """What a module imports anywhere in it, by full names; what is only for type checkers if asked for."""
    found = set()
    for node in walk(modules()[name], types_too=types_too):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = ".".join([*parents_of(name, node.level), *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                found.add(inner if inner in modules() else module)
    return frozenset(found)


def reached(name: str) -> dict[str, str]:
    """Everything that is imported with a module, through other modules of ours, with the one that imports it."""
    via: dict[str, str] = {}
    todo = [name]
    while todo:
        module = todo.pop()
        for found in imported(module) - via.keys():
            via[found] = module
            if found in modules() and found != "aiogen":
                todo.append(found)
    return via


def layer_of(name: str) -> int:
    exact = [i for i, names in enumerate(LAYERS) for n in names if name == n or name.startswith(f"{n}.")]
    return exact[0] if exact else next(i for i, names in enumerate(LAYERS) if "aiogen._" in names)


def ours(names: frozenset[str]) -> list[str]:
    return sorted(name for name in names if name == "aiogen" or name.startswith("aiogen."))


SAYING_SO = [name for name, tree in modules().items() if "Pure." in (ast.get_docstring(tree) or "")]
every_pure_module = pytest.mark.parametrize("name", sorted({*PURE, *SAYING_SO}))

# --- purity


@every_pure_module
def test_a_pure_module_is_pure(name: str) -> None:
    """No clock, no chance, no socket, no event loop: neither imported, nor through another module of ours."""
    found = {module: via for module, via in reached(name).items() if module.partition(".")[0] in IMPURE}
    assert not found


@every_pure_module
def test_a_pure_module_asks_nobody_for_the_time(name: str) -> None:
    """The one clock that can be asked without importing `time` is not asked either."""
    asked = [
        ast.unparse(node)
        for node in ast.walk(modules()[name])
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
    ]
    assert not asked


# --- direction


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_one_way(name: str) -> None:
    """No module imports one of a layer above its own; the package itself imports no further than the session."""
    layer = layer_of("aiogen.session" if name == "aiogen" else name)
    above = [found for found in ours(imported(name, types_too=True)) if found != "aiogen" and layer_of(found) > layer]
    assert not above


@pytest.mark.parametrize("name", [name for name in sorted(modules()) if layer_of(name) < layer_of("aiogen.sandbox")])
def test_nobody_below_imports_the_package_itself(name: str) -> None:
    """`import aiogen` runs everything, so only what stands above the session may say it."""
    assert "aiogen" not in imported(name, types_too=True)


@pytest.mark.parametrize("name", [name for name in sorted(modules()) if name.startswith("aiogen.providers")])
def test_a_provider_never_sends(name: str) -> None:
    """A provider file imports nothing of the shell, and no provider imports another."""
    assert "aiogen._transfer.transport" not in reached(name)
    others = {n for n in reached(name) if n.startswith("aiogen.providers.")} - {name, "aiogen.providers.base"}
    assert name == "aiogen.providers" or not others


@pytest.mark.parametrize("name", ["_durations", "_phases", "_schedule", "_listing", "_line", "_window"])
def test_what_decides_knows_no_provider(name: str) -> None:
    """When to ask, and how much is allowed, is decided without knowing whom."""
    assert not [found for found in reached(f"aiogen.{name}") if found.startswith("aiogen.providers")]


def test_every_module_that_says_it_is_pure_is_listed() -> None:
    """What is checked and covered whole is not left to a word in a docstring."""
    assert {name for name in SAYING_SO if not name.startswith(("aiogen.sandbox.", "aiogen.cli."))} <= set(PURE)


@pytest.mark.parametrize("name", sorted(modules()))
def test_only_the_command_line_knows_the_sandbox(name: str) -> None:
    """What imitates the providers is imported by the command line and by itself, and by nothing else."""
    if not name.startswith(("aiogen.sandbox", "aiogen.cli")):
        assert not [found for found in imported(name) if found.startswith("aiogen.sandbox")]


@pytest.mark.parametrize("name", sorted(modules()))
def test_one_file_sends(name: str) -> None:
    """Below the session aiohttp is imported by the transport, by what it is made of, and by the download alone."""
    if layer_of(name) <= layer_of("aiogen._transfer.transport") and "aiohttp" in imported(name):
        assert name.removeprefix("aiogen.") in ("_transport", "_sessions", "_failures", "_download", "_guard")


def test_the_retrying_library_is_imported_once() -> None:
    """`backoff` is used in one module, so that its continuation can take its place."""
    assert [name for name in sorted(modules()) if "backoff" in imported(name)] == ["aiogen._transfer.transport"]
