"""What was typed, put into the order that cyclopts reads correctly; and ids that come from stdin.

To cyclopts an option after the first positional word ends a list of ids.  So options go first here, each
in one word with its value, then `--`, then everything else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App

from aiogen._checks import MAX_ID_LENGTH
from aiogen.errors import InputError

_SHARED = {"--json": False, "--store": True}
"""Options that may also stand before the command, and whether a value follows."""
_END = "--"
_MOST_BYTES = 4 * 1024 * 1024
"""Bytes of ids on stdin: some hundred thousand ids of the usual length."""


def options_first(app: App, tokens: Sequence[str]) -> list[str]:
    """The command, its options, `--`, and the positional words in their order."""
    tokens = _shared_last(tokens)
    chain, apps, rest = app.parse_commands(tokens)
    if not chain or chain[-1].startswith("-") or apps[-1].default_command is None:
        return tokens  # nothing, --help or --version
    has_value = {
        name: argument.token_count()[0] > 0
        for argument in apps[-1].assemble_argument_collection()
        for name in argument.names
    }
    options, words = list[str](), list[str]()
    i = 0
    while i < len(rest):
        token = rest[i]
        i += 1
        if token == _END:
            words += rest[i:]
            break
        if not token.startswith("-") or token == "-":
            words.append(token)
        elif has_value.get(token) and i < len(rest) and rest[i] not in has_value and rest[i] != _END:
            # In one word: a value may begin with a dash, too.
            options.append(f"{token}={rest[i]}" if token.startswith(_END) else f"{token}{rest[i]}")
            i += 1
        else:
            options.append(token)
    return [*chain, *options, *([_END, *words] if words else [])]


def _shared_last(tokens: Sequence[str]) -> list[str]:
    """Options of every command that come before the command, moved behind it: `aiogen --json get …`."""
    rest, moved = list(tokens), []
    while rest and rest[0].partition("=")[0] in _SHARED:
        moved.append(rest.pop(0))
        if _SHARED[moved[-1].partition("=")[0]] and "=" not in moved[-1] and rest:
            moved.append(rest.pop(0))
    return [*rest[:1], *moved, *rest[1:]]


def with_stdin(ids: Sequence[str]) -> list[str]:
    """The ids, each once, with those from stdin in place of `-`: one per line; white space around them and empty lines
    are ignored.

    Raises:
        InputError: stdin is closed, is not text, has more than 4 MiB, or has a line that cannot be one id.
    """
    found = list[str]()
    for word in ids:
        found += _from_stdin() if word == "-" else [word]
    return list(dict.fromkeys(found))


def _from_stdin() -> list[str]:
    if sys.stdin is None:
        raise InputError("There is no stdin to read ids from.")
    source = getattr(sys.stdin, "buffer", sys.stdin)
    try:
        read = source.read(_MOST_BYTES + 1)
        text = read.decode("utf-8-sig") if isinstance(read, bytes) else read
    except UnicodeDecodeError:
        raise InputError("The input on stdin is not text; write one id per line.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"Stdin cannot be read: {error}.") from None
    if len(read) > _MOST_BYTES:
        raise InputError(f"More than {_MOST_BYTES // 1024 // 1024} MiB came on stdin; write one id per line.")
    ids = list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        word = line.strip()
        if not word:
            continue
        if len(word) > MAX_ID_LENGTH or len(word.split()) > 1:
            raise InputError(f"Line {number} of stdin is not an id; write one id per line.")
        ids.append(word)
    return ids
