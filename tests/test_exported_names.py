"""What is public: the names of the package, and a docstring for each."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import aiogen
import aiogen.exchange
import aiogen.providers
import aiogen.stores
import aiogen.testing
from aiogen.providers import checks, parameters, reading
from aiogen.providers.registry import BUILT_IN

PACKAGE = Path(aiogen.__file__).parent
PAGES = [
    "__init__.py",
    "session.py",
    "models.py",
    "_codes.py",
    "errors.py",
    "exchange.py",
    *(f"providers/{path.name}" for path in sorted((PACKAGE / "providers").glob("*.py"))),
    "integrations/statuses.py",
    "integrations/uploaded.py",
    "integrations/uploads.py",
    *(f"integrations/fastapi/{path.name}" for path in sorted((PACKAGE / "integrations" / "fastapi").glob("*.py"))),
    "testing/__init__.py",
    *(f"testing/providers/{path.name}" for path in sorted((PACKAGE / "testing" / "providers").glob("*.py"))),
    *(
        f"testing/stores/{name}.py"
        for name in ("setup", "battery", "jobs", "looking", "deliveries", "workers", "sharing")
    ),
]
FOR_PROVIDERS = [aiogen.exchange, checks, parameters, reading, aiogen.testing]
"""What those import who write a provider, beside the package itself."""


def public_names(module: ModuleType) -> set[str]:
    return {n for n, o in vars(module).items() if not n.startswith("_") and not isinstance(o, ModuleType)}


def public_parts(
    node: ast.AST, path: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every public class, function and method below a node, but for overloads, which have no words of their own."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            if not any("overload" in ast.unparse(decorator) for decorator in child.decorator_list):
                yield f"{path}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public_parts(child, f"{path}{child.name}.")


def test_the_list_of_names_is_the_truth() -> None:
    """`__all__` has every public name of the package, once, and no other: sorted, then those of the providers."""
    assert set(aiogen.__all__) == public_names(aiogen) | {"__version__"}
    own = list(aiogen.__all__)[: -len(aiogen.providers.__all__)]
    assert sorted(own) == own
    assert list(aiogen.__all__) == [*own, *aiogen.providers.__all__]
    assert len(set(aiogen.__all__)) == len(aiogen.__all__)


def test_the_list_of_providers_is_the_truth() -> None:
    """`aiogen.providers` lists what it has, and every provider there is exported by the package too."""
    assert set(aiogen.providers.__all__) == public_names(aiogen.providers)
    assert all(getattr(aiogen, cls.__name__) is cls for cls in BUILT_IN)


@pytest.mark.parametrize("module", FOR_PROVIDERS, ids=lambda module: module.__name__)
def test_what_a_provider_needs_is_public(module: ModuleType) -> None:
    """By names that are listed, in order, and are there."""
    assert sorted(module.__all__) == list(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__doc__ or name in ("AccountExchange", "Body", "Exchange"), name


@pytest.mark.parametrize("module", [aiogen.stores, aiogen.testing])
def test_the_lists_of_other_rooms_are_the_truth(module: ModuleType) -> None:
    """Whoever writes a store finds in them what it takes."""
    assert set(module.__all__) == {name for name in module.__all__ if getattr(module, name)}  # some load what they name
    assert set(module.__all__) == public_names(module)


@pytest.mark.parametrize("name", [name for name in aiogen.__all__ if name != "__version__"])
def test_every_name_is_explained(name: str) -> None:
    """Each public name has a docstring of its own, in whole sentences."""
    text = vars(getattr(aiogen, name)).get("__doc__") or ""
    assert text.strip()
    assert not text.startswith(f"{name}(")  # the signature that attrs or enum would put there


def test_every_error_is_exported() -> None:
    """Whatever is raised can be caught by a name of the package."""
    raised = {n for n in public_names(aiogen.errors) if isinstance(getattr(aiogen.errors, n), type)}
    errors = {n for n in raised if issubclass(getattr(aiogen.errors, n), aiogen.AiogenError)}
    assert errors <= set(aiogen.__all__)


@pytest.mark.parametrize("file", PAGES)
def test_every_public_thing_is_explained(file: str) -> None:
    """In the files that users read, each module, public class, function and method has a docstring."""
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert [path for path, part in public_parts(tree) if not ast.get_docstring(part)] == []


@pytest.mark.parametrize("provider", BUILT_IN)
def test_help_of_a_provider_tells_every_argument(provider: type) -> None:
    """Its `__init__` is attrs' work, so the class says what it takes."""
    text = inspect.getdoc(provider) or ""
    for name in inspect.signature(provider).parameters:
        assert f"    {name}: " in text
