"""What a prompt sets for its own job, in double brackets. `script` documents the grammar. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

from .fate import USUAL, Fate
from .faults import Faults, read_faults
from .validators import ScriptError

_DIRECTIVES = re.compile(r"\s*\[\[(.*?)\]\]", re.DOTALL)
_DIRECTIVE = re.compile(r'(?P<name>[\w-]+)(?:=(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+)))?(?:\s+|$)')
_STARRED = re.compile(r"(?P<word>[^*]+)(?:\*(?P<times>\d+))?")


@attrs.frozen
class Directives:
    """What a prompt sets for its own job."""

    prompt: str
    """Without the directives."""
    fate: Fate = USUAL
    create_faults: Faults = ()
    """For the first creates with exactly this prompt."""


def _starred(field: str, times_field: str) -> Callable[[str], dict[str, Any]]:
    def read(text: str) -> dict[str, Any]:
        match = _STARRED.fullmatch(text)
        if match is None:
            raise ValueError(f"expected a word, or a word*N, not {text!r}")
        return {field: match["word"], times_field: int(match["times"]) if match["times"] else None}

    return read


_READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "fail": lambda text: {"failure_code": text},
    "reason": lambda text: {"failure_reason": text},
    "queued": lambda text: {"queued": float(text)},
    "processing": lambda text: {"processing": float(text)},
    "outputs": lambda text: {"outputs": int(text)},
    "state": _starred("unknown_state", "unknown_polls"),
    "missing": _starred("missing_output", "missing_polls"),
    "nsfw": lambda text: {"nsfw": text if text == "all" else int(text)},
    "moderation": lambda text: {"moderation": tuple(text.split(","))},
    "null-enums": lambda text: {"null_enums": text in ("", "true")},
    "not-found": lambda text: {"not_found_polls": int(text)},
    "create": lambda text: {"create": read_faults(text)},
    "poll": lambda text: {"poll_faults": text},
    "delete": lambda text: {"delete_faults": text},
    "download": lambda text: {"download_faults": text},
    "url-lifetime": lambda text: {"url_lifetime": float(text)},
    "webhook": lambda text: {"webhook": tuple(text.split(","))},
    "latency": lambda text: {"latency": float(text)},
}


def read_prompt(text: str) -> Directives:
    """Takes the directives out of a prompt. Raises ScriptError for an unknown one; its message lists the known ones."""
    fields: dict[str, Any] = {}
    for block in _DIRECTIVES.findall(text):
        position = 0
        block = block.strip()
        while position < len(block):
            match = _DIRECTIVE.match(block, position)
            if match is None or match["name"] not in _READERS:
                wrong = match["name"] if match else block[position:]
                raise ScriptError(f"[[{block}]]: unknown directive {wrong!r}; the known ones are {', '.join(_READERS)}")
            value = match["quoted"] if match["quoted"] is not None else match["plain"] or ""
            try:
                fields |= _READERS[match["name"]](value)
            except ValueError as error:
                raise ScriptError(f"[[{block}]]: {match['name']}: {error}") from error
            position = match.end()
    create_faults = fields.pop("create", ())
    try:
        fate = Fate(**fields)
    except (ValueError, TypeError) as error:
        raise ScriptError(f"{text!r}: {error}") from error
    return Directives(_DIRECTIVES.sub("", text).strip(), fate, create_faults)
