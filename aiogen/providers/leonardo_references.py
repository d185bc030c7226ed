"""Pictures that a create at Leonardo refers to: inline, by address, or by the vendor's own ids.  Pure.

On v2 they stand in `guidances`, by what they are for; how they are written is said in the published description of v2
(31 August 2026).  A picture from disk needs no upload there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aiogen._checks import check_json
from aiogen._content.portions import as_base64
from aiogen.errors import InputError
from aiogen.providers.leonardo_models import MODELS, kind_of, reference_key
from aiogen.references import Reference

MAX_INLINE_BYTES = 7_000_000
"""Of a picture inside the request.  About 7.5 MB are documented for remove-bg, nothing for others."""

_BINARY = (bytes, bytearray, memoryview, Path, Reference)


def as_images(value: Any) -> tuple[Reference, ...]:
    """One reference or several, in any of the forms that `Reference.of` takes."""
    if value is None:
        return ()
    return tuple(Reference.of(item) for item in (value if isinstance(value, list | tuple) else [value]))


def as_guidances(value: Any) -> Mapping[str, Any]:
    """Lists by their guidance, with every picture in them a reference.

    A single item may stand without its list, a picture without `{"image": …}`, and text in a picture's place is an
    address or a path.  What already is as the vendor wants it stays so.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(
            f"guidances= takes pictures by what they are for, {{'image_reference': [Path('a.png')]}}, "
            f"not {type(value).__name__}."
        )
    return {key: [_as_item(item) for item in _listed(items)] for key, items in value.items() if items is not None}


def _listed(items: Any) -> list[Any]:
    return list(items) if isinstance(items, list | tuple) else [items]


def _as_item(item: Any) -> dict[str, Any]:
    if isinstance(item, (str, *_BINARY)):
        return {"image": Reference.of(item)}
    if not isinstance(item, Mapping):
        raise InputError(f"A guidance takes pictures or objects as Leonardo documents them, not {type(item).__name__}.")
    return {name: _as_media(each) for name, each in item.items()}


def _as_media(value: Any) -> Any:
    if isinstance(value, _BINARY):
        return Reference.of(value)
    check_json(value, "guidances")
    return value


def references_in(guidances: Mapping[str, Any]) -> Iterator[Reference]:
    """Every reference in guidances that `as_guidances` made."""
    for items in guidances.values():
        for item in items:
            yield from (value for value in item.values() if isinstance(value, Reference))


def with_files(guidances: Mapping[str, Any], files: Mapping[Path, Reference]) -> dict[str, Any]:
    """The same guidances with local files replaced by their bytes."""
    return {
        key: [{name: loaded(value, files) for name, value in item.items()} for item in items]
        for key, items in guidances.items()
    }


def loaded(value: Any, files: Mapping[Path, Reference]) -> Any:
    """A reference to a local file replaced by its bytes; anything else as it is."""
    return files[value.path] if isinstance(value, Reference) and value.path is not None else value


def check_references(model: str, images: tuple[Reference, ...], guidances: Mapping[str, Any]) -> None:
    """Whether this model can be given them, as far as that is known.

    Raises:
        InputError: it certainly takes none, or fewer; or it is not clear what they are for.
    """
    for reference in (*images, *references_in(guidances)):
        if reference.data is not None and len(reference.data) > MAX_INLINE_BYTES:
            raise InputError(
                f"A reference has {len(reference.data):,} bytes; inside a request Leonardo takes about "
                f"{MAX_INLINE_BYTES:,}. Make it smaller, or pass its https address."
            )
    if images:
        _key_for(model, {})
    known = MODELS.get(model)
    if known is None or known.guidances is None:
        return
    counts = {key: len(items) for key, items in guidances.items()}
    if images:
        key = _key_for(model, {})
        counts[key] = counts.get(key, 0) + len(images)
    for key, count in counts.items():
        most = known.guidances.get(key)
        if most is None:
            has = ", ".join(known.guidances) or "none"
            raise InputError(
                f"Leonardo AI's model {model!r} has no guidance {key!r}; it has {has}. To send it all the same, pass "
                'it in extra={"guidances": …}.'
            )
        if count > most:
            raise InputError(f"Leonardo AI's model {model!r} takes at most {most} of {key}, not {count}.")


def _key_for(model: str, parameters: Mapping[str, Any]) -> str:
    """The guidance that `references=` goes to."""
    known = MODELS.get(model)
    kind = kind_of(model, parameters)
    key = reference_key(known) if known is not None or kind in ("image", "3d") else None
    if key is not None:
        return key
    if known is not None and known.guidances == {}:
        raise InputError(f"Leonardo AI's model {model!r} takes no references. Leave them out, or take another model.")
    keys = list(known.guidances) if known is not None and known.guidances else ["start_frame", "image_reference"]
    has = f"it has {', '.join(keys)}" if known is not None and known.guidances else "a film's may also be its frames"
    raise InputError(
        f"It is not clear what the references are for at Leonardo AI's model {model!r}: {has}. Say it in place of "
        f"references=, as in guidances={{{keys[0]!r}: [Path('a.png')]}}."
    )


def guidances_of(model: str, images: tuple[Reference, ...], guidances: Mapping[str, Any]) -> dict[str, Any]:
    """The `guidances` of a create on v2."""
    said = {key: [{name: _said(value) for name, value in item.items()} for item in items]
            for key, items in guidances.items()}  # fmt: skip
    if images:
        key = _key_for(model, {})
        said[key] = [{"image": _said(image)} for image in images] + said.get(key, [])
    return said


def _said(value: Any) -> Any:
    """A reference in the vendor's words; anything else as it is."""
    if not isinstance(value, Reference):
        return value
    if value.data is not None:
        return {"type": "BASE64", "data": as_base64(value.data)}
    if value.url is not None:
        return {"type": "URL", "url": value.url}
    if value.generation_id is not None:
        return {"type": "GENERATED", "id": value.generation_id}
    if value.file_id is not None:
        return {"type": "UPLOADED", "id": value.file_id}
    raise InputError(f"The file {str(value.path)!r} has not been read.")


__all__ = [
    "MAX_INLINE_BYTES",
    "as_guidances",
    "as_images",
    "check_references",
    "guidances_of",
    "loaded",
    "references_in",
    "with_files",
]
