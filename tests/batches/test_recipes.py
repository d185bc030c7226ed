"""The recipes of docs/cleanup.md as they stand there, each at an account with two thousand generations."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from ledger.in_loop import files_in_the_loop
from leonardo_account import KEY, Account, id_of, session_at
from serving import serving

import aiogen

PAGE = Path(__file__).parents[2] / "docs" / "cleanup.md"
RECIPES = dict(re.findall(r"^### (.+?)\n.*?^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def an_account(*, old: int) -> tuple[Account, set[int]]:
    """Every kind of them, in no order of their ages, one in `old` of any age; and the numbers of those that run."""
    account = Account()
    for number in range(2000):
        status = ("FAILED", "PENDING")[number % 2] if number % 10 in (1, 3, 4) else "COMPLETE"
        prompt = f"a TEST of boat {number}" if number % 7 == 0 else f"boat {number}" if number % 5 else None
        days = None if number % 13 == 0 else number * 37 % (90 if number % old == 0 else 29) + 0.5
        account.has(
            number, prompt, status=status, days=days, images=1 + number % 2, nsfw=(0,) if number % 4 == 0 else (),
        )  # fmt: skip
    return account, {n for n in range(2000) if account.rows[id_of(n)]["status"] == "PENDING"}


def failed(n: int) -> bool:
    return n % 10 == 4


def is_test(n: int) -> bool:
    return n % 7 == 0


def is_old(n: int) -> bool:
    return n % 13 != 0 and n * 37 % 90 + 0.5 > 30


CASES: dict[str, Callable[[int], bool]] = {
    "Test generations": is_test,
    "Failed generations, with an audit file": lambda n: failed(n) and is_old(n),
    "Older than a month, once they are on the disk": lambda n: is_old(n) and n % 20 == 0,
    "What other programs have left": lambda n: is_old(n) and n % 100 != 0,
}


def test_each_recipe_is_run() -> None:
    assert {*RECIPES} >= {*CASES}


@pytest.mark.parametrize("name", RECIPES)
def test_a_clean_up_is_four_lines(name: str) -> None:
    """Without imports, and as `ruff format` has it."""
    lines = [line for line in RECIPES[name].splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 4


async def run(recipe: str) -> None:
    imports = [line for line in recipe.splitlines() if line.startswith(("import", "from"))]
    rest = [line for line in recipe.splitlines() if line not in imports]
    names: dict[str, Any] = {}
    exec("\n".join([*imports, "async def program():", *(f"    {line}" for line in rest)]), names)
    await names["program"]()


@pytest.fixture
async def virtual_files() -> AsyncIterator[None]:
    """Ledgers in a file are in the test's own loop, and its virtual time."""
    with files_in_the_loop(asyncio.get_running_loop()):
        yield


@pytest.mark.usefixtures("virtual_files")
@pytest.mark.parametrize("name", CASES)
async def test_a_recipe_deletes_what_it_says_and_nothing_else(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """None is skipped, none is deleted that should stay, and the audit file has each."""
    account, running = an_account(old=20 if "save_first" in RECIPES[name] else 1)  # no more than a hundred
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEONARDO_API_KEY", KEY)
    before = {**account.rows}
    async with serving(account) as url:
        account.url = url
        monkeypatch.setenv("LEONARDO_BASE_URL", f"{url}/api/rest")
        if name.startswith("What"):
            async with aiogen.Session(store="jobs.db") as session:
                await session.wait_many("leonardo", [id_of(n) for n in range(0, 2000, 100)])
        await run(RECIPES[name])
    expected = {n for n in range(2000) if id_of(n) in before and CASES[name](n) and n not in running}
    assert len(expected) > 20
    assert {int(each[:8], 16) for each in account.deleted} == expected
    assert account.rows == {each: row for each, row in before.items() if int(each[:8], 16) not in expected}
    assert f"{len(expected):,} deleted" in capsys.readouterr().out
    if "audit=" in RECIPES[name]:
        lines = [json.loads(line) for line in Path("deleted.jsonl").read_text("utf-8").splitlines()]
        assert Counter(line["event"] for line in lines) == {"deleting": len(expected), "deleted": len(expected)}
        assert [line["provider_id"] for line in lines[1::2]] == account.deleted
    if "save_first=" in RECIPES[name]:
        wanted = [
            account.files[image["path"]] for each in account.deleted for image in before[each]["generated_images"]
        ]
        assert sorted(path.read_bytes() for path in Path("old").iterdir()) == sorted(wanted)


@pytest.mark.usefixtures("virtual_files")
async def test_the_other_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which it stands there, with a session."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    others = [block for block in blocks if block not in RECIPES.values()]
    assert len(others) == 3
    account = Account()
    made = [account.has(number, days=40 - number) for number in range(6)]
    noted = "1f0bba44-923a-69b0-b519-62a6710d46a9"
    account.rows[noted] = {**account.rows[made[0]], "id": noted}
    async with session_at(account, store=tmp_path / "jobs.db") as session:
        names: dict[str, Any] = {"aiogen": aiogen, "session": session}
        names["job"] = await session.attach("leonardo", made[1])
        names["generation"] = await session.get("leonardo", made[2])
        names["where"] = aiogen.Where(prompt_contains="boat")
        await names["job"]
        for block in others:
            exec("async def program():\n" + "".join(f"    {line}\n" for line in block.splitlines()), names)
            await names["program"]()
    assert account.deleted[0] == made[2]
    assert {*account.deleted[1:3]} == {made[1], noted}
    assert not account.rows
    assert len(list((tmp_path / "out").iterdir())) == 1
