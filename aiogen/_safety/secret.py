"""A key that does not show itself: not by `repr`, in tracebacks with locals, by `pickle` or `attrs.asdict`.  Pure.

Error reporters print the locals of every frame of a traceback, shortened, taken apart or pickled; what they print here
is a mask.
"""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, Self

MASK = "[the key]"
SHORTEST = 8
"""Characters; no vendor's key is shorter, and a shorter one would be found by chance in any text."""


class Masked(str):
    """Text that contains a secret, such as a header's value: it is sent as it is, and shown as a mask.

    `str()` and concatenation give the text, for that is how it comes into a request.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)

    def __getitem__(self, part: Any) -> str:
        return MASK[part]  # rich shortens a long string before it asks for its repr

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (MASK,)

    def __reduce_ex__(self, protocol: Any) -> tuple[type[str], tuple[str]]:
        return self.__reduce__()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self


class Secret:
    """Holds a key; its text is given only by `text`."""

    __slots__ = ("_text",)

    def __init__(self, text: object) -> None:
        self._text = Masked(text) if isinstance(text, str) else text

    @property
    def text(self) -> str:
        """The key, masked wherever it is shown; empty if what was given is no text."""
        return self._text if isinstance(self._text, str) else ""

    def __bool__(self) -> bool:
        return bool(self._text)

    def stands_in(self, text: object) -> bool:
        """True if the key, as it is, stands in this text; one too short for a vendor's would by chance."""
        return isinstance(text, str) and len(self.text) >= SHORTEST and self.text in text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.text.encode(), other.text.encode())

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return MASK

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A connection holds an API key and cannot be pickled: create it where it is needed.")


def to_secret(text: str | Secret) -> Secret:
    """The secret itself, or one that holds this text."""
    return text if isinstance(text, Secret) else Secret(text)
