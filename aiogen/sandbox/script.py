"""What shall happen to which job.

A `Script` is an ordered list of rules, the first that fits a create gives the job its `Fate`, and a list of storms,
in which every request of some kind is answered with a fault for a while. It comes from Python, from a JSON file with
the same names, or from the control API:

    {"rules":  [{"provider": "luma", "model": "uni-1", "prompt": "boat", "nth": [0, 3], "probability": 0.5, "times": 2,
                 "fate": {"processing": 3, "failure_code": "content_moderated", "poll_faults": "500,html*2"}}],
     "storms": [{"fault": "429@7", "after": 10, "until": 20, "provider": "leonardo", "actions": ["list"]}]}

Faults are written as `aiogen.sandbox.faults` says. A prompt may carry its own fate, in double brackets anywhere in it;
what stands there wins over the script, and is not painted:

    a boat [[fail=content_moderated processing=3]]

    fail=CODE             failed with this code; null: without a code; any word, known or not
    reason="TEXT"         failure_reason
    queued=S              seconds in the queue, of the vendor's time
    processing=S          seconds of work, of the vendor's time
    outputs=N             so many outputs
    state=WORD            a state that nobody knows, until the end; state=WORD*2: for the first 2 polls
    missing=empty         finished without outputs; missing=absent: without the field; ...*2: for 2 polls after the end
    nsfw=all              flagged outputs (Leonardo); nsfw=1: so many of them
    moderation=A,B        moderation classes (Leonardo)
    null-enums            null for scheduler, sdVersion, presetStyle (Leonardo)
    not-found=N           the first N polls do not know the job
    create=FAULTS         for the first creates with this very prompt, then it is accepted
    poll=FAULTS           for the first polls
    delete=FAULTS         for the first deletes
    download=FAULTS       for the first downloads of each output
    url-lifetime=S        of the outputs, in the vendor's time
    latency=S             before each answer about this job, not shortened

Pure, and without memory: `Director` counts and throws the dice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs

from .faults import OF_DOWNLOADS, ONLY_OF_DOWNLOADS, Fault, Faults, read_fault, read_faults

T = TypeVar("T")
Check = Callable[[Any, Any, Any], None]

ACTIONS = ("create", "poll", "list", "delete", "download", "upload", "account")
"""What a request is for; `upload` is all about files, `account` reads who one is."""

PROVIDERS = ("luma", "leonardo", "storage")


class ScriptError(ValueError):
    """A script that says something the sandbox does not understand; the message says where."""


def _is(expected: str, test: Callable[[Any], bool]) -> Check:
    """A validator for attrs that names what it expects."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not test(value):
            raise ValueError(f"{attribute.name}: expected {expected}, not {value!r}")

    return check


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_seconds = _is("seconds, 0 or more", lambda value: value is None or (_is_number(value) and value >= 0))
_lifetime = _is("seconds, more than 0", lambda value: value is None or (_is_number(value) and value > 0))
_count = _is("a whole number, 0 or more", lambda value: value is None or _is_count(value))
_text = _is("a text", lambda value: value is None or isinstance(value, str))
_texts = _is("texts", lambda value: all(isinstance(one, str) for one in value))
_yes_or_no = _is("true or false", lambda value: isinstance(value, bool))
_probability = _is("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
_moment = _is("seconds since the start", _is_number)
_gap = _is('"empty" or "absent"', lambda value: value in (None, "empty", "absent"))
_flagged = _is('a whole number or "all"', lambda value: value in (None, "all") or _is_count(value))
_vendor = _is("luma or leonardo", lambda value: value in (None, "luma", "leonardo"))
_provider = _is(f"one of {', '.join(PROVIDERS)}", lambda value: value is None or value in PROVIDERS)
_actions = _is(f"some of {', '.join(ACTIONS)}", lambda value: all(action in ACTIONS for action in value))
_positions = _is("positions, from 0", lambda value: all(_is_count(one) for one in value))
_one_fault = _is(
    "a fault that is not of downloads only", lambda value: value is None or value.word not in ONLY_OF_DOWNLOADS
)
_faults = _is(
    f"no fault of downloads only ({', '.join(ONLY_OF_DOWNLOADS)})",
    lambda value: all(fault.word not in ONLY_OF_DOWNLOADS for fault in value),
)
_download_faults = _is(
    f"faults of downloads: statuses, {', '.join(OF_DOWNLOADS)}",
    lambda value: all(fault.status is not None or fault.word in OF_DOWNLOADS for fault in value),
)


def _several(value: Any) -> tuple[Any, ...]:
    """A tuple, also of a single text or number: "POST" is one method, not four."""
    return (value,) if isinstance(value, str | int) else tuple(value)


@attrs.frozen(kw_only=True)
class Fate:
    """What shall happen to one job. Whatever is not said happens as usual.

    Seconds are the vendor's, and are shortened by the sandbox's `speed`, but for `latency`.
    """

    queued: float | None = attrs.field(default=None, validator=_seconds)
    processing: float | None = attrs.field(default=None, validator=_seconds)
    failure_code: str | None = attrs.field(default=None, validator=_text)
    """One of the vendor's codes, any other word, or "null" for a failure without a code. Leonardo tells no codes:
    there the job fails, and `content_moderated` shows in the moderation classes."""
    failure_reason: str | None = attrs.field(default=None, validator=_text)
    outputs: int | None = attrs.field(default=None, validator=_count)
    unknown_state: str | None = attrs.field(default=None, validator=_text)
    """A word in place of the true state, until the job ends."""
    unknown_polls: int | None = attrs.field(default=None, validator=_count)
    """For so many polls only."""
    missing_output: Literal["empty", "absent"] | None = attrs.field(default=None, validator=_gap)
    missing_polls: int | None = attrs.field(default=None, validator=_count)
    """For so many polls after the end; None: always."""
    nsfw: int | Literal["all"] | None = attrs.field(default=None, validator=_flagged)
    """How many outputs are flagged (Leonardo)."""
    moderation: tuple[str, ...] = attrs.field(default=(), converter=_several, validator=_texts)
    """Moderation classes of the ended job (Leonardo)."""
    null_enums: bool = attrs.field(default=False, validator=_yes_or_no)
    not_found_polls: int = attrs.field(default=0, validator=_count)
    create_fault: Fault | None = attrs.field(default=None, converter=read_fault, validator=_one_fault)
    """For every create that gets this fate; `Rule.times` and `Rule.nth` say for which."""
    poll_faults: Faults = attrs.field(default=(), converter=read_faults, validator=_faults)
    """For successive polls."""
    delete_faults: Faults = attrs.field(default=(), converter=read_faults, validator=_faults)
    download_faults: Faults = attrs.field(default=(), converter=read_faults, validator=_download_faults)
    """For successive downloads of each output."""
    url_lifetime: float | None = attrs.field(default=None, validator=_lifetime)
    latency: float | None = attrs.field(default=None, validator=_seconds)
    """Before each answer about this job, downloads included."""

    def over(self, other: Fate) -> Fate:
        """Both fates in one; where both say something, this one wins."""
        said = {
            field.name: getattr(self, field.name)
            for field in attrs.fields(Fate)
            if getattr(self, field.name) != field.default
        }
        return attrs.evolve(other, **said)


USUAL = Fate()


# Rules and storms are counted, each by itself, so two that say the same are still two.
@attrs.frozen(kw_only=True, eq=False)
class Rule:
    """Gives a fate to the creates that it fits."""

    fate: Fate = attrs.field(default=USUAL, validator=_is("a Fate", lambda value: isinstance(value, Fate)))
    provider: str | None = attrs.field(default=None, validator=_vendor)
    model: str | None = attrs.field(default=None, validator=_text)
    prompt: str | None = attrs.field(default=None, validator=_text)
    """A part of the prompt."""
    nth: tuple[int, ...] = attrs.field(default=(), converter=_several, validator=_positions)
    """Which of the creates that fit the conditions above, counted from 0 by each rule for itself; all if empty."""
    probability: float = attrs.field(default=1.0, validator=_probability)
    times: int | None = attrs.field(default=None, validator=_count)
    """At most so often."""

    def fits(self, provider: str, model: str, prompt: str) -> bool:
        return (
            self.provider in (None, provider)
            and self.model in (None, model)
            and (self.prompt is None or self.prompt in prompt)
        )


def _storms_fault(value: Fault | str | int) -> Fault:
    fault = read_fault(value)
    if fault is None:
        raise ValueError("fault: a storm needs one")
    return fault


@attrs.frozen(eq=False)
class Storm:
    """Answers every request of some kind with one fault, for a while. It comes before keys and limits are looked at."""

    fault: Fault = attrs.field(converter=_storms_fault, validator=_one_fault)
    after: float = attrs.field(default=0.0, kw_only=True, validator=_moment)
    """Seconds since the sandbox's start, not shortened."""
    until: float = attrs.field(default=float("inf"), kw_only=True, validator=_moment)
    provider: str | None = attrs.field(default=None, kw_only=True, validator=_provider)
    methods: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=_several, validator=_texts)
    """All if empty."""
    actions: tuple[str, ...] = attrs.field(default=(), kw_only=True, converter=_several, validator=_actions)
    """All if empty."""
    probability: float = attrs.field(default=1.0, kw_only=True, validator=_probability)
    times: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    """At most so often."""

    def fits(self, since_start: float, provider: str, method: str, action: str) -> bool:
        return (
            self.after <= since_start < self.until
            and self.provider in (None, provider)
            and (not self.methods or method in self.methods)
            and (not self.actions or action in self.actions)
        )


@attrs.define
class Script:
    """Rules, the first that fits wins, and storms. Both lists may be changed while the sandbox runs."""

    rules: list[Rule] = attrs.field(factory=list)
    storms: list[Storm] = attrs.field(factory=list)

    @classmethod
    def load(cls, path: str | Path) -> Script:
        """Reads a JSON file."""
        try:
            return cls.read(json.loads(Path(path).read_text(encoding="utf-8")))
        except ValueError as error:
            raise ScriptError(f"{path}: {error}") from error

    @classmethod
    def read(cls, raw: object) -> Script:
        """Reads what JSON gave. Raises ScriptError, which says where, for anything unknown."""
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
            raise ScriptError(f"{where}: unknown key {key!r}; known are {', '.join(known)}")
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
