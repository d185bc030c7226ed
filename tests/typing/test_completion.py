"""What an editor offers to whoever writes a request: asked of jedi, which completes in many of them.

pyright, which completes in others, says what it knows in `make types`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jedi  # type: ignore[import-untyped]
import pytest

pytestmark = [
    pytest.mark.no_cover,
    pytest.mark.looptime(False),
]

INSIDE = "import aiogen\n\n\nasync def main(session: aiogen.Session) -> None:\n    "
JOB = {"connection", "timeout", "poll_cost", "batch", "key", "scope", "metadata", "retry", "retries", "priority"}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What jedi remembers of files it writes to disk, and not into the home of whoever runs this."""
    before = jedi.settings.cache_directory
    jedi.settings.cache_directory = str(tmp_path_factory.mktemp("jedi"))
    yield
    jedi.settings.cache_directory = before


def completed(line: str) -> dict[str, Any]:
    """What is offered at the end of a line, by name."""
    code = INSIDE + line
    # In this process: an environment of its own would be another one.
    script = jedi.Script(code, environment=jedi.InterpreterEnvironment(), path=Path("editor.py"))
    return {found.name.removesuffix("="): found for found in script.complete()}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("aiogen.LumaImage(asp", {"aspect_ratio"}),
        ("aiogen.LumaVideo(key", {"keyframes", "keyframe_indexes"}),
        ("aiogen.LeonardoImage(neg", {"negative_prompt"}),
        ("aiogen.LeonardoImage(prompt='a boat', asp", {"aspect_ratio"}),
        ("aiogen.ComfyImage(val", {"values"}),
        ("session.gener", {"generate"}),
        ("session.submit(aiogen.LumaImage(prompt=''), ", JOB),
        ("session.generate('luma/uni-1', 'a boat', ", JOB),
        ("(await session.submit('luma/uni-1', 'a boat')).acc", {"accepted"}),
        ("(await session.generate(aiogen.LumaImage(prompt=''))).outp", {"outputs"}),
    ],
)
def test_what_is_offered(line: str, offered: set[str]) -> None:
    """Fields of typed requests, keywords of jobs, and what comes of them."""
    assert offered <= set(completed(line))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("aiogen.LumaImage.aspect_ra", "Width to height; None lets the model decide."),
        ("aiogen.LeonardoImage.width", "Pixels.  v1: 32 to 1536, a multiple of 8."),
        ("aiogen.ComfyImage.extra", "Further fields of `POST /prompt`"),
        ("session.subm", "priority: which of the waiting jobs is sent first"),
        ("session.gener", "The arguments are those of `submit`."),
    ],
)
def test_what_is_said_of_it(line: str, said: str) -> None:
    """Beside a name stands what it means, in what unit and range."""
    (found,) = completed(line).values()
    assert said in found.docstring()
