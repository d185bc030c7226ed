"""Carries out a script: which fate for which create, which storm for which request."""

from __future__ import annotations

import random
from collections import Counter

import attrs

from .directives import Directives
from .fate import USUAL, Fate
from .faults import Fault, fault_at
from .rules import Rule, Script, Storm


class Director:
    """Decides by a script, and counts what has happened already. The same seed decides the same."""

    def __init__(self, script: Script, seed: int) -> None:
        self._seed = seed
        self.follow(script)

    def follow(self, script: Script) -> None:
        """Uses another script from now on; all counts start again at 0."""
        self.script = script
        self._dice = random.Random(f"{self._seed}/script")
        self._fitted: Counter[Rule | Storm] = Counter()
        self._given: Counter[Rule | Storm] = Counter()
        self._created: Counter[tuple[str, str]] = Counter()

    def fate(self, provider: str, model: str, prompt: str, directives: Directives) -> Fate:
        """The fate of one create; each call counts as one create."""
        fate = directives.fate.over(self._by_rule(provider, model, prompt))
        if directives.create_faults:
            fault = fault_at(directives.create_faults, self._created[provider, prompt])
            self._created[provider, prompt] += 1
            fate = attrs.evolve(fate, create_fault=fault)
        return fate

    def storm(self, since_start: float, provider: str, method: str, action: str) -> Fault | None:
        """The fault that a storm has for one request; each call counts as one request."""
        for storm in self.script.storms:
            if storm.fits(since_start, provider, method, action) and self._is_given(storm):
                return storm.fault
        return None

    def _by_rule(self, provider: str, model: str, prompt: str) -> Fate:
        for rule in self.script.rules:
            if not rule.fits(provider, model, prompt):
                continue
            position = self._fitted[rule]
            self._fitted[rule] += 1
            if (not rule.nth or position in rule.nth) and self._is_given(rule):
                return rule.fate
        return USUAL

    def _is_given(self, what: Rule | Storm) -> bool:
        if what.times is not None and self._given[what] >= what.times:
            return False
        if what.probability < 1 and self._dice.random() >= what.probability:
            return False
        self._given[what] += 1
        return True
