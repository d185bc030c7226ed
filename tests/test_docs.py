"""What the documents name is there: files, sections, tests and modules."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import aiogen

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
RELIABILITY = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The sections of a page, as links name them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every file and every section that a page links to is there."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in link:
            continue
        name, _, section = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not section or section in anchors(target), link


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]+)`", RELIABILITY))))
def test_each_promise_has_its_test(name: str) -> None:
    """The tests beside the promises exist."""
    path, _, test = name.partition("::")
    assert (ROOT / path).exists()
    if test:
        function, _, case = test.removesuffix("]").partition("[")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"\bdef {function}\(", text)
        assert case in text


def test_the_tree_is_the_package() -> None:
    """The design page names every module, and no other."""
    tree = DESIGN[DESIGN.index("```\naiogen/") :].removeprefix("```\n").partition("```")[0]
    package = Path(aiogen.__file__).parent
    modules = [path for path in package.rglob("*.py") if path.name != "__init__.py" or path.parent == package]
    assert Counter(re.findall(r"\w+\.py\b", tree)) == Counter(path.name for path in modules)
