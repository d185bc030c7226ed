"""The page: a template that is filled in.  Everything is escaped there; nothing is marked as safe anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from aiogen._wording import count, duration
from aiogen.errors import ConfigurationError

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATE = "page.html.jinja"
_EXTRA = 'A report needs {name}: pip install "aiogen-sdk[report]"'


def check_installed() -> None:
    """What is needed is there.

    Raises:
        ConfigurationError: it is not; the message names the extra.
    """
    for module, name in (("jinja2", "jinja2"), ("PIL.Image", "Pillow")):
        try:
            __import__(module)
        except ImportError:
            raise ConfigurationError(_EXTRA.format(name=name)) from None


def write_page(to: TextIO, values: Mapping[str, Any]) -> None:
    """Fill it in, piece by piece: the whole page is never in memory."""
    stream = _environment().get_template(_TEMPLATE).stream(values)
    stream.enable_buffering(64)
    for piece in stream:
        to.write(piece)


def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "duration": duration, "day": _day}
    return environment


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y, %H:%M UTC")
