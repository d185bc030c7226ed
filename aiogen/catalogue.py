"""What models there are, and what is known of each: for people who choose one and programs that list them.  Pure."""

from __future__ import annotations

from typing import Any

import attrs

from aiogen._schema import fields_as_json
from aiogen._wording import lines, plain
from aiogen.models import Cost


@attrs.frozen(kw_only=True)
class Parameter:
    """One parameter of a model, as far as it is known."""

    name: str
    """As `submit` takes it."""
    about: str | None = None
    """What it is, its unit and its range, in a sentence."""
    choices: tuple[Any, ...] = ()
    """The values that are known to be taken; empty if any may be."""
    minimum: float | None = None
    """The smallest number that is taken, where there is one."""
    maximum: float | None = None
    """The largest number that is taken, where there is one."""
    default: Any = None
    """What the vendor takes where nothing is said; None if that is not known."""
    required: bool = False
    """Whether a create without it is refused."""


@attrs.frozen(kw_only=True)
class ModelInfo:
    """One model of a vendor's.  What is None, or empty, is not known."""

    name: str
    """What model strings have after the connection's name."""
    provider_id: str | None = None
    """The vendor's id of the model, where that is not its name."""
    title: str | None = None
    """What the vendor calls it for people."""
    kind: str = "image"
    """"image", "video", or the vendor's word for something else."""
    about: str | None = None
    """What it is for, in a sentence."""
    takes_prompt: bool | None = None
    """Whether it takes a prompt at all; None if that is not known."""
    max_outputs: int | None = None
    """Most outputs of one generation."""
    max_references: int | None = None
    """Most images that one request may refer to; 0 if none."""
    parameters: tuple[Parameter, ...] = ()
    """Those that are known; it may take others."""
    price: Cost | None = None
    """Of one generation as it is by default, by published prices."""
    seconds: float | None = None
    """How long half of its generations take: as learned here, else as the vendor says or as a rule."""
    seen: int = 0
    """How many generations `seconds` was learned from; 0 if it was not learned here."""
    source: str | None = None
    """Where this is from, and of which day."""

    def to_dict(self) -> dict[str, Any]:
        """What is known, as JSON has it."""
        found = fields_as_json(self, "price", "parameters")
        found["parameters"] = [fields_as_json(each) for each in self.parameters]
        return found | {"price": None if self.price is None else fields_as_json(self.price)}

    def describe(self) -> str:
        """Everything that is known, one fact per line, for people."""
        prompt = {True: "yes", False: "no: leave it out", None: None}[self.takes_prompt]
        references = {None: None, 0: "none"}.get(self.max_references, f"up to {self.max_references}")
        learned = f" (learned here from {self.seen:,})" if self.seen else ""
        known = {
            "title": self.title,
            "kind": self.kind,
            "about": self.about,
            "id": self.provider_id,
            "prompt": prompt,
            "outputs": f"up to {self.max_outputs}" if self.max_outputs else None,
            "references": references,
            "price": str(self.price) if self.price is not None else None,
            "usually takes": f"{self.seconds:,.0f} s{learned}" if self.seconds is not None else None,
            "parameters": ", ".join(each.name for each in self.parameters) or None,
            "source": self.source,
        }
        return lines(plain(self.name, 80), known.items())


__all__ = ["ModelInfo", "Parameter"]
