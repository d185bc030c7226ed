"""What the demo asks for, and what shall go wrong on the way."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import attrs

from aiogen import Leonardo, Luma, Provider
from aiogen._checks import check_number
from aiogen.models import FailureCode
from aiogen.sandbox import Fate, LeonardoSettings, Rule, Sandbox, Script, Storm

MOST_LUMA = 30
"""Luma takes 30 creates a minute; one more would have to wait for the next."""

LUMA_SECONDS = {"uni-1": 30.0, "uni-1-max": 80.0}
LEONARDO_SECONDS = 24.0
"""The vendor's recipes wait 20 to 30 seconds for an image."""

# No subject ends another one and no light begins another one: a rule finds its prompt by looking inside.
_SUBJECTS = (
    "a lighthouse", "a paper boat", "a mountain hut", "an old sailing ship", "a bamboo forest", "a harbour town",
    "a glass greenhouse", "a stone bridge", "a field of sunflowers", "a night train", "a windmill", "a frozen lake",
    "a desert caravan", "a tea house", "a red bicycle", "a hot air balloon", "a fishing village", "a cliff monastery",
    "a rowing crew", "a lavender farm", "an island ferry", "a snow fox", "a canyon river", "a rooftop garden",
)  # fmt: skip
_LIGHTS = (
    "at dawn", "in soft rain", "under the northern lights", "at noon", "in the blue hour", "in autumn mist",
    "by moonlight", "after a storm", "in golden light", "in deep winter",
)  # fmt: skip
_RATIOS = ("16:9", "1:1", "3:2", "2:3", "16:9", "2:1")
_SIZES = ((1024, 1024), (1216, 832), (1152, 896), (832, 1216), (1344, 768))
_LEONARDO_MODELS = ("gemini-image-2", "lucid-origin", "flux-pro-2.0")


@attrs.frozen(kw_only=True)
class Incident:
    """Something that happens at real providers, too."""

    what: str
    """A sentence for the board and the report."""
    fate: Fate = attrs.field(factory=Fate)
    ends: FailureCode | None = None
    """The failure that it ends in; None if the generation completes all the same."""
    sign: tuple[str, int] = ("poll", 200)
    """The action and the status by which it shows among the requests that the sandbox saw."""


# What matters most comes first: a demo of few generations has room for few incidents.
_AT_LUMA = (
    Incident(
        what="a prompt was moderated",
        fate=Fate(failure_code="content_moderated"),
        ends=FailureCode.CONTENT_MODERATED,
    ),
    Incident(
        what="status requests were answered with HTTP 500 and 502: repeated",
        fate=Fate(poll_faults="500,502"),
        sign=("poll", 502),
    ),
    Incident(
        what="a generation failed at the provider",
        fate=Fate(failure_code="generation_failed"),
        ends=FailureCode.GENERATION_FAILED,
    ),
    Incident(
        what="the address of an image had expired: a fresh one was requested",
        fate=Fate(download_faults="403"),
        sign=("download", 403),
    ),
    Incident(
        what="a generation had the unknown state 'dreaming': it counted as running",
        fate=Fate(unknown_state="dreaming", unknown_polls=2),
    ),
    Incident(
        what="the budget was exhausted",
        fate=Fate(failure_code="budget_exhausted"),
        ends=FailureCode.BUDGET_EXHAUSTED,
    ),
)
_AT_LEONARDO = (
    Incident(
        what="a generation completed without an image",
        fate=Fate(missing_output="empty"),
        ends=FailureCode.OUTPUT_NOT_FOUND,
    ),
    Incident(
        what="the storage answered HTTP 503: the download was repeated",
        fate=Fate(download_faults="503"),
        sign=("download", 503),
    ),
    Incident(
        what="a prompt was moderated",
        fate=Fate(failure_code="content_moderated"),
        ends=FailureCode.CONTENT_MODERATED,
    ),
    Incident(
        what="a download broke off after 4,000 bytes: only the rest was downloaded",
        fate=Fate(download_faults="cut@4000"),
        sign=("download", 206),
    ),
    Incident(
        what="a generation failed without a reason",
        fate=Fate(failure_code="generation_failed"),
        ends=FailureCode.GENERATION_FAILED,
    ),
)

# Meets whichever create is next, not a piece of the plan: a storm is answered before anything else, so it does not
# count among the minute's thirty creates, as at the vendor.
CROWDED = (
    "luma",
    Incident(what="too many jobs at once (429): the create waited for a slot", sign=("create", 429)),
)
_CROWDED_AFTER = 2.0


@attrs.frozen(kw_only=True)
class Piece:
    """One generation of the demo."""

    connection: str
    model: str
    prompt: str
    options: Mapping[str, Any]
    incident: Incident | None = None

    @property
    def ends(self) -> FailureCode | None:
        """How it fails, if it is meant to."""
        return self.incident.ends if self.incident is not None else None


@attrs.frozen
class Plan:
    """All of it, in the order of submission."""

    pieces: Sequence[Piece]
    seed: int

    def sandbox(self, speed: float) -> Sandbox:
        """The imitated providers, with the plan as their script."""
        rules = [
            Rule(provider=p.connection, prompt=p.prompt, fate=p.incident.fate)
            for p in self.pieces
            if p.incident is not None
        ]
        crowded = Storm("concurrency", provider=CROWDED[0], actions=("create",), after=_CROWDED_AFTER, times=1)
        return Sandbox(
            seed=self.seed,
            speed=speed,
            script=Script(rules=rules, storms=[crowded]),
            leonardo=LeonardoSettings(durations={"image": (LEONARDO_SECONDS, 0.3)}),
        )

    def providers(self, sandbox: Sandbox, speed: float) -> list[Provider]:
        """The connections, with the shorter durations of this demo, because nothing has been learned yet."""
        keys = sandbox.environment
        return [
            Luma(
                api_key=keys["LUMA_AGENTS_API_KEY"],
                base_url=sandbox.luma_url,
                typical_seconds={model: seconds / speed for model, seconds in LUMA_SECONDS.items()},
            ),
            Leonardo(
                api_key=keys["LEONARDO_API_KEY"],
                base_url=sandbox.leonardo_url,
                # Ten run at once there while the others wait in the queue, so most take much longer than one alone.
                typical_seconds=dict.fromkeys(_LEONARDO_MODELS, 2 * LEONARDO_SECONDS / speed),
            ),
        ]


def plan(count: int, seed: int) -> Plan:
    """Half of it at Luma, as far as its limit goes, the rest at Leonardo.

    Raises:
        InputError: `count` is out of range.
    """
    check_number(count, "--count", 2, 120)
    dice = random.Random(seed)
    prompts = [" ".join(pair) for pair in dice.sample(list(product(_SUBJECTS, _LIGHTS)), count)]
    at_luma = min(count // 2, MOST_LUMA)
    luma = [
        Piece(
            connection="luma",
            # The slow model early, so that no straggler is waited for at the end.
            model="uni-1-max" if i % 2 and i < 0.4 * at_luma else "uni-1",
            prompt=prompt,
            options={"aspect_ratio": _RATIOS[i % len(_RATIOS)]},
        )
        for i, prompt in enumerate(prompts[:at_luma])
    ]
    leonardo = [
        Piece(
            connection="leonardo",
            model=_LEONARDO_MODELS[i % len(_LEONARDO_MODELS)],
            prompt=prompt,
            options=dict(zip(("width", "height"), _SIZES[i % len(_SIZES)], strict=True)),
        )
        for i, prompt in enumerate(prompts[at_luma:])
    ]
    return Plan([*_with(luma, _AT_LUMA), *_with(leonardo, _AT_LEONARDO)], seed)


def _with(pieces: Sequence[Piece], incidents: Sequence[Incident]) -> list[Piece]:
    """The pieces with the incidents spread evenly over them, at most one each."""
    chosen = incidents[: len(pieces)]
    at = {int((k + 0.5) * len(pieces) / len(chosen)): incident for k, incident in enumerate(chosen)}
    return [attrs.evolve(piece, incident=at.get(i)) for i, piece in enumerate(pieces)]
