"""Keys and other attempts on the command line."""

from __future__ import annotations

from typing import Any

from aiogen.sandbox import Fate, Rule


def test_the_same_command_again_pays_for_nothing(aiogen: Any, vendors: Any, tmp_path: Any) -> None:
    """With a key: one generation, the same files; another prompt under it is refused."""
    command = ("generate", "luma/uni-1", "a boat", "--key", "boat", "--count", "2", "--out", tmp_path, "--json")
    first, second = aiogen(*command), aiogen(*command)
    assert (first.code, second.code) == (0, 0)
    assert {each["id"] for each in first.records} == {each["id"] for each in second.records}  # in the order of ends
    assert len(vendors.jobs) == 2
    refused = aiogen("generate", "luma/uni-1", "another", "--key", "boat/1", "--no-download")
    assert refused.code == 2
    assert "already stands for another request" in refused.err
    assert len(vendors.jobs) == 2


def test_another_attempt(aiogen: Any, vendors: Any, tmp_path: Any) -> None:
    """`aiogen retry` sends what failed once more."""
    vendors.sandbox.script.rules.append(Rule(fate=Fate(failure_code="generation_failed"), prompt="a boat", times=1))
    failed = aiogen("generate", "luma/uni-1", "a boat", "--json", "--no-download")
    assert failed.code == 1
    said = aiogen("retry", failed.records[0]["id"], "--out", tmp_path, "--json")
    assert said.code == 0
    assert said.records[0]["state"] == "completed"
    assert len(vendors.jobs) == 2
    assert aiogen("retry", said.records[0]["id"]).code == 2
