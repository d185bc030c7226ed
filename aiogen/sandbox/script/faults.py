"""The ways in which one answer can go wrong, each with a word. Pure.

A fault is written as `word` or `word@argument`, followed by `*N` if it happens N times in a row (`*` alone: always).
Commas separate successive faults: `500,429@7*2,html`.

    500  402  ...         that HTTP status, refused before anything was done; argument: Retry-After, in seconds, or
                          `date` (an HTTP date 5 s ahead) or `date+7`
    504-after             the same status, but the request was carried out first
    rpm                   429 of the rate window, with its headers
    concurrency           429 of the active jobs
    abuse                 429 of the abuse ceiling
    cut-before            the connection is closed, nothing was done
    cut-after             carried out, then the connection is closed without an answer
    hang                  carried out, and never answered
    slow@3                carried out, answered after 3 s
    html                  200 and a page of HTML, as a proxy would send; nothing was done
    error-200@429         200 and an error inside, with that status in it; nothing was done
    huge@200              200 and a body of 200 MB; nothing was done
    half-json             carried out; half of the answer, as if it were complete
    empty                 carried out; no body
    list                  carried out; a list in place of an object
    null                  carried out; `null`
    wrong-types           carried out; every value has another type than documented

For downloads the words are statuses, `cut-before`, `hang`, `slow`, `html`, `empty`, `huge`, and two of their own:

    cut@1000              the connection is closed after 1000 bytes
    wrong-type            the right bytes under Content-Type text/plain

"Carried out" matters for a create: the job exists and costs money, whatever the client received.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

REFUSALS = ("rpm", "concurrency", "abuse")
NOT_DONE = ("cut-before", "html", "error-200", "huge", *REFUSALS)
SPOILED = ("half-json", "empty", "list", "null", "wrong-types")
DONE = ("cut-after", "hang", "slow", *SPOILED)
ONLY_OF_DOWNLOADS = ("cut", "wrong-type")
OF_DOWNLOADS = ("cut-before", "hang", "slow", "html", "empty", "huge", *ONLY_OF_DOWNLOADS)

_WORDS = (*NOT_DONE, *DONE, *ONLY_OF_DOWNLOADS)
_STATUS = re.compile(r"([1-5]\d\d)(-after)?")
_WRITTEN = re.compile(r"(?P<word>[a-z0-9-]+)(?:@(?P<argument>[a-z0-9.+]+))?(?P<star>\*(?P<times>\d*))?")
_DATE = re.compile(r"date(?:\+(\d+(?:\.\d+)?))?")

_USUAL_AMOUNTS = {"slow": 3.0, "huge": 200.0, "error-200": 429.0, "cut": 1000.0}

Repeats = int | Literal["ever"]


def _known_word(instance: object, attribute: attrs.Attribute[str], word: str) -> None:
    if not _STATUS.fullmatch(word) and word not in _WORDS:
        raise ValueError(
            f"there is no fault {word!r}; "
            f"a fault is an HTTP status, a status with '-after', or one of {', '.join(_WORDS)}"
        )


@attrs.frozen
class Fault:
    """One way to go wrong."""

    word: str = attrs.field(validator=_known_word)
    retry_after: float | Literal["date"] | None = attrs.field(default=None, kw_only=True)
    """For a status: seconds for Retry-After, or "date" for an HTTP date, `amount` seconds ahead."""
    amount: float = attrs.field(
        default=attrs.Factory(lambda fault: _USUAL_AMOUNTS.get(fault.word, 5.0), takes_self=True), kw_only=True
    )
    """Seconds (slow, date), megabytes (huge), bytes (cut), the inner status (error-200)."""
    times: Repeats = attrs.field(default=1, kw_only=True)

    @property
    def status(self) -> int | None:
        """The HTTP status, if the fault is one."""
        match = _STATUS.fullmatch(self.word)
        return int(match[1]) if match else None

    @property
    def carried_out(self) -> bool:
        """Whether the request has its effect nevertheless."""
        return self.word in DONE or self.word.endswith("-after")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Reads `word@argument*times`."""
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not a fault: {text!r}; expected something like 500, 429@7, slow@3*2 or html*")
        word, argument = match["word"], match["argument"]
        times: Repeats = 1
        if match["star"]:
            times = int(match["times"]) if match["times"] else "ever"
        if argument is None:
            return cls(word, times=times)
        if _STATUS.fullmatch(word):
            if date := _DATE.fullmatch(argument):
                return cls(word, retry_after="date", amount=float(date[1] or 5), times=times)
            return cls(word, retry_after=_number(argument, text), times=times)
        if word in REFUSALS:
            return cls(word, retry_after=_number(argument, text), times=times)
        return cls(word, amount=_number(argument, text), times=times)


def _number(argument: str, text: str) -> float:
    try:
        return float(argument)
    except ValueError:
        raise ValueError(f"{argument!r} in the fault {text!r} is not a number") from None


Faults = tuple[Fault, ...]
"""They happen one after the other, each `times` times; after the last there are no more faults."""


def read_fault(value: Fault | str | int | None) -> Fault | None:
    """A fault in any of its notations: "429@7", 500, or a Fault."""
    if value is None or isinstance(value, Fault):
        return value
    if isinstance(value, str | int):
        return Fault.parse(str(value))
    raise ValueError(f"not a fault: {value!r}")


def read_faults(value: str | int | Fault | Iterable[Fault | str | int] | None) -> Faults:
    """Faults in any of their notations: "500,html*2", or any number of values that `read_fault` takes."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    elif isinstance(value, Fault | int):
        value = [value]
    faults = (read_fault(one) for one in value)
    return tuple(fault for fault in faults if fault is not None)


def fault_at(faults: Sequence[Fault], position: int) -> Fault | None:
    """The fault for the `position`-th time, from 0."""
    for fault in faults:
        if fault.times == "ever" or position < fault.times:
            return fault
        position -= fault.times
    return None
