"""Where images are saved: a folder, or the file of a name; checked before anything is paid for."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from aiogen._content.media import type_of_name
from aiogen._transfer.saving import in_the_way
from aiogen.errors import InputError

_SEPARATORS = tuple({os.sep, os.altsep or os.sep})


@attrs.frozen
class Place:
    """Where `--out` leads."""

    path: Path
    is_file: bool = False
    """True for the name of one generation's file; False for a folder, whose files have names of ours."""

    @property
    def folder(self) -> Place:
        """The folder itself, or the one that the file is in."""
        return Place(self.path.parent) if self.is_file else self

    def check_for(self, count: int) -> None:
        """Check that one file is not named for several generations.

        Raises:
            InputError: it is.
        """
        if self.is_file and count > 1:
            raise InputError(
                f"--out {self.path} names one file, and there are {count} generations. Name a folder, such as "
                f"--out {self.path.with_suffix('')}."
            )


def checked_out(out: str, count: int, *, overwrite: bool | None = None) -> Place:
    """Where `count` generations are saved, as it was typed.

    A name with the ending of a picture or film is a file, unless there is a folder of that name or a slash behind it.

    Args:
        out: what was typed.
        count: of generations, as far as that is known.
        overwrite: whether a file may be replaced; None if the command has no option for that.

    Raises:
        InputError: it cannot be written to, is there already, or is one file for several generations.
    """
    path = Path(out)
    if out.endswith(_SEPARATORS) or type_of_name(path.name) is None or path.is_dir():
        return Place(checked_folder(path))
    place = Place(path, is_file=True)
    place.check_for(count)
    checked_folder(path.parent)
    if (why := in_the_way(path, overwrite=overwrite or False)) is not None:
        or_replace = "; --overwrite replaces this one" if overwrite is False and path.is_file() else ""
        raise InputError(f"Nothing can be saved as {out!r}: {why}. Name another file{or_replace}.")
    return place


def checked_folder(folder: Path) -> Path:
    """A folder that can be written to, created if necessary.

    Raises:
        InputError: it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {str(folder)!r} cannot be created: {error.strerror or error}.") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"The folder {str(folder)!r} cannot be written to.")
    return folder
