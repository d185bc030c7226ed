"""What a script consists of, and how it is read from JSON. Pure. (Only `Script.load` reads a file.)"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from . import validators
from .fate import USUAL, Fate
from .faults import Fault, read_fault
from .validators import ScriptError

T = TypeVar("T")


# Rules and storms are counted, each by itself, so two with equal fields are still two.
@attrs.frozen(kw_only=True, eq=False)
class Rule:
    """Gives a fate to the creates that it fits."""

    fate: Fate = attrs.field(default=USUAL, validator=validators.is_a("a Fate", lambda value: isinstance(value, Fate)))
    provider: str | None = attrs.field(default=None, validator=validators.vendor)
    model: str | None = attrs.field(default=None, validator=validators.text)
    prompt: str | None = attrs.field(default=None, validator=validators.text)
    """A part of the prompt."""
    nth: tuple[int, ...] = attrs.field(default=(), converter=validators.as_tuple, validator=validators.positions)
    """Which of the creates that fit the conditions above, counted from 0 by each rule for itself; all if empty."""
    probability: float = attrs.field(default=1.0, validator=validators.probability)
    times: int | None = attrs.field(default=None, validator=validators.count)
    """The largest number of creates that get the fate; None: any number."""

    def fits(self, provider: str, model: str, prompt: str) -> bool:
        return (
            self.provider in (None, provider)
            and self.model in (None, model)
            and (self.prompt is None or self.prompt in prompt)
        )


def _required_fault(value: Fault | str | int) -> Fault:
    fault = read_fault(value)
    if fault is None:
        raise ValueError("fault: a storm needs one")
    return fault


@attrs.frozen(eq=False)
class Storm:
    """Answers every request of some kind with one fault, for a while. Keys and limits are checked after it."""

    fault: Fault = attrs.field(converter=_required_fault, validator=validators.fault)
    after: float = attrs.field(default=0.0, kw_only=True, validator=validators.moment)
    """Seconds since the sandbox's start, not shortened."""
    until: float = attrs.field(default=float("inf"), kw_only=True, validator=validators.moment)
    """Seconds since the sandbox's start, not shortened."""
    provider: str | None = attrs.field(default=None, kw_only=True, validator=validators.provider)
    methods: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=validators.as_tuple, validator=validators.texts
    )
    """All if empty."""
    actions: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=validators.as_tuple, validator=validators.actions
    )
    """All if empty."""
    probability: float = attrs.field(default=1.0, kw_only=True, validator=validators.probability)
    times: int | None = attrs.field(default=None, kw_only=True, validator=validators.count)
    """The largest number of requests that it answers; None: any number."""

    def fits(self, since_start: float, provider: str, method: str, action: str) -> bool:
        return (
            self.after <= since_start < self.until
            and self.provider in (None, provider)
            and (not self.methods or method in self.methods)
            and (not self.actions or action in self.actions)
        )


@attrs.define
class Script:
    """Rules, of which the first that fits applies, and storms. Both lists may be changed while the sandbox runs."""

    rules: list[Rule] = attrs.field(factory=list)
    storms: list[Storm] = attrs.field(factory=list)

    @classmethod
    def load(cls, path: str | Path) -> Script:
        """Reads a JSON file. Raises OSError or ScriptError."""
        try:
            return cls.read(json.loads(Path(path).read_text(encoding="utf-8")))
        except ValueError as error:
            raise ScriptError(f"{path}: {error}") from error

    @classmethod
    def read(cls, raw: object) -> Script:
        """Reads a value that was parsed from JSON. Raises ScriptError, which says where, for anything unknown."""
        fields = _object(raw, "script", cls)
        rules = _list(fields.get("rules", []), "rules")
        storms = _list(fields.get("storms", []), "storms")
        return cls(
            [_read_rule(rule, f"rules[{position}]") for position, rule in enumerate(rules)],
            [_build(Storm, storm, f"storms[{position}]") for position, storm in enumerate(storms)],
        )

    def extend(self, other: Script) -> None:
        """Adds the other's rules after these, and its storms."""
        self.rules.extend(other.rules)
        self.storms.extend(other.storms)


def _object(raw: object, where: str, cls: type[Any]) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ScriptError(f"{where}: expected an object, not {raw!r}")
    known = [field.name for field in attrs.fields(cls)]
    for key in raw:
        if key not in known:
            raise ScriptError(f"{where}: unknown key {key!r}; the known keys are {', '.join(known)}")
    return dict(raw)


def _list(raw: object, where: str) -> list[Any]:
    if not isinstance(raw, list):
        raise ScriptError(f"{where}: expected a list, not {raw!r}")
    return raw


def _build(cls: type[T], raw: object, where: str) -> T:
    fields = _object(raw, where, cls)
    try:
        return cls(**fields)
    except (ValueError, TypeError) as error:
        raise ScriptError(f"{where}: {error}") from error


def _read_rule(raw: object, where: str) -> Rule:
    if isinstance(raw, Mapping) and "fate" in raw:
        raw = {**raw, "fate": _build(Fate, raw["fate"], f"{where}.fate")}
    return _build(Rule, raw, where)
