"""What a prompt may say about its own job."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aiogen.sandbox import Fate, Fault, ScriptError
from aiogen.sandbox.script import __doc__ as grammar
from aiogen.sandbox.script.directives import read_prompt


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("fail=content_moderated", {"failure_code": "content_moderated"}),
        ("fail=null", {"failure_code": "null"}),
        ('reason="too red, sorry"', {"failure_reason": "too red, sorry"}),
        ("queued=2 processing=3.5", {"queued": 2, "processing": 3.5}),
        ("outputs=3", {"outputs": 3}),
        ("state=pondering", {"unknown_state": "pondering"}),
        ("state=pondering*2", {"unknown_state": "pondering", "unknown_polls": 2}),
        ("missing=empty", {"missing_output": "empty"}),
        ("missing=absent*2", {"missing_output": "absent", "missing_polls": 2}),
        ("nsfw=all", {"nsfw": "all"}),
        ("nsfw=1", {"nsfw": 1}),
        ("moderation=NSFW,EXTREME_VIOLENCE", {"moderation": ("NSFW", "EXTREME_VIOLENCE")}),
        ("null-enums", {"null_enums": True}),
        ("not-found=2", {"not_found_polls": 2}),
        ("poll=500,502,html", {"poll_faults": "500,502,html"}),
        ("delete=500", {"delete_faults": "500"}),
        ("download=cut@1000,403", {"download_faults": "cut@1000,403"}),
        ("url-lifetime=5", {"url_lifetime": 5}),
        ("webhook=twice,late@5", {"webhook": ("twice", "late@5")}),
        ("latency=1.5", {"latency": 1.5}),
    ],
)
def test_each_directive(text: str, fields: dict[str, Any]) -> None:
    assert read_prompt(f"a boat [[{text}]]").fate == Fate(**fields)


def test_faults_of_creates_are_a_row() -> None:
    read = read_prompt("a boat [[create=503*2,cut-after]]")
    assert read.create_faults == (Fault("503", times=2), Fault("cut-after"))
    assert read.fate == Fate()


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("a boat", "a boat"),
        ("a boat [[fail=null]]", "a boat"),
        ("[[fail=null]] a boat", "a boat"),
        ("a [[fail=null]] boat", "a boat"),
        ("a boat [[ fail=null\n outputs=2 ]]", "a boat"),
        ("a [single] bracket", "a [single] bracket"),
        ("[[fail=null]]", ""),
    ],
)
def test_directives_are_taken_out_of_the_prompt(text: str, prompt: str) -> None:
    assert read_prompt(text).prompt == prompt


def test_there_may_be_several_blocks() -> None:
    assert read_prompt("a [[outputs=2]] boat [[queued=1]]").fate == Fate(outputs=2, queued=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[explode=now]]", "unknown directive 'explode'; the known ones are fail, reason, queued"),
        ("[[=3]]", "unknown directive '=3'"),
        ("[[outputs=many]]", "outputs: invalid literal"),
        ("[[outputs=-1]]", "outputs: expected a whole number"),
        ("[[poll=boom]]", "there is no fault 'boom'"),
        ("[[state=a*b]]", r"state: expected a word, or a word\*N"),
        ("[[download=null]]", "faults of downloads"),
    ],
)
def test_mistakes_are_named(text: str, said: str) -> None:
    with pytest.raises(ScriptError, match=said):
        read_prompt(f"a boat {text}")


def test_the_grammar_is_documented() -> None:
    with pytest.raises(ScriptError) as caught:
        read_prompt("[[?]]")
    known = str(caught.value).rpartition("the known ones are ")[2].split(", ")
    assert set(re.findall(r"^    ([a-z-]+)(?:=\S+)? {2,}", grammar or "", re.MULTILINE)) == set(known)
