"""Which fate for which create, and which storm for which request."""

from __future__ import annotations

from aiogen.sandbox import Fate, Rule, Script, Storm
from aiogen.sandbox.script.directives import read_prompt
from aiogen.sandbox.script.director import Director


def fates(director: Director, *prompts: str, provider: str = "luma", model: str = "uni-1") -> list[Fate]:
    return [director.fate(provider, model, prompt, read_prompt(prompt)) for prompt in prompts]


def outputs(director: Director, *prompts: str) -> list[int | None]:
    return [fate.outputs for fate in fates(director, *prompts)]


def test_first_rule_that_fits_wins() -> None:
    director = Director(Script([Rule(prompt="boat", fate=Fate(outputs=1)), Rule(fate=Fate(outputs=2))]), 0)
    assert outputs(director, "a boat", "a train") == [1, 2]


def test_without_a_rule_everything_is_as_usual() -> None:
    assert fates(Director(Script(), 0), "a boat") == [Fate()]


def test_nth_counts_the_creates_that_fit() -> None:
    director = Director(Script([Rule(prompt="boat", nth=(1, 2), fate=Fate(outputs=9))]), 0)
    assert outputs(director, "boat", "train", "boat", "boat", "boat") == [None, None, 9, 9, None]


def test_times_bounds_a_rule_and_the_next_takes_over() -> None:
    director = Director(Script([Rule(times=2, fate=Fate(outputs=1)), Rule(fate=Fate(outputs=2))]), 0)
    assert outputs(director, "a", "a", "a") == [1, 1, 2]


def test_equal_rules_are_counted_apart() -> None:
    rules = [Rule(times=1, fate=Fate(outputs=1)), Rule(times=1, fate=Fate(outputs=1))]
    assert outputs(Director(Script(rules), 0), "a", "a", "a") == [1, 1, None]


def test_probability_is_thrown_with_the_seeds_dice() -> None:
    def thrown(seed: int) -> list[int | None]:
        return outputs(Director(Script([Rule(probability=0.3, fate=Fate(outputs=1))]), seed), *["a"] * 400)

    assert thrown(1) == thrown(1) != thrown(2)
    assert 80 < thrown(1).count(1) < 160


def test_the_prompt_wins_over_the_script() -> None:
    director = Director(Script([Rule(fate=Fate(outputs=2, processing=5, create_fault="500"))]), 0)
    [fate] = fates(director, "boat [[outputs=3 create=502]]")
    assert (fate.outputs, fate.processing) == (3, 5)
    assert fate.create_fault is not None
    assert fate.create_fault.word == "502"


def test_create_faults_of_a_prompt_are_used_up_by_that_prompt() -> None:
    director = Director(Script(), 0)
    prompts = ["boat [[create=503*2,html]]"] * 4
    words = [fate.create_fault and fate.create_fault.word for fate in fates(director, *prompts)]
    assert words == ["503", "503", "html", None]
    [other] = fates(director, "another boat [[create=503]]")
    assert other.create_fault is not None


def test_create_fault_of_a_rule_is_for_each_of_its_creates() -> None:
    director = Director(Script([Rule(times=2, fate=Fate(create_fault="503"))]), 0)
    assert [fate.create_fault is not None for fate in fates(director, "a", "a", "a")] == [True, True, False]


def test_storms_are_counted_too() -> None:
    director = Director(Script(storms=[Storm("500", times=1), Storm("502", actions="list")]), 0)
    words = [fault and fault.word for fault in (director.storm(0, "luma", "GET", "poll") for _ in range(2))]
    assert words == ["500", None]
    storm = director.storm(0, "leonardo", "GET", "list")
    assert storm is not None
    assert storm.word == "502"


def test_another_script_starts_counting_again() -> None:
    script = Script([Rule(times=1, fate=Fate(outputs=1))])
    director = Director(script, 0)
    assert outputs(director, "a", "a") == [1, None]
    director.follow(script)
    assert outputs(director, "a") == [1]


def test_rules_may_be_added_while_it_runs() -> None:
    script = Script()
    director = Director(script, 0)
    script.rules.append(Rule(fate=Fate(outputs=4)))
    assert outputs(director, "a") == [4]
