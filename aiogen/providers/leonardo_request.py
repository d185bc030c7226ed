"""What is asked of Leonardo: a create on v2 for a model slug, on v1 for the UUID of an older model.  Pure.

Whatever a model certainly does not take is refused here, by name; what is not known is Leonardo's business, and `extra`
passes anything on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from aiogen._checks import check_extra, check_json, check_number, check_prompt
from aiogen.errors import InputError, UnknownParameter
from aiogen.providers.leonardo_models import (
    MODELS,
    SLUGS,
    V1_FIELDS,
    V2_WORDS,
    is_retired,
    is_uuid,
    slug_of,
)
from aiogen.providers.leonardo_references import (
    as_guidances,
    as_images,
    check_references,
    loaded,
    references_in,
    with_files,
)
from aiogen.providers.leonardo_sizes import read_ratio
from aiogen.providers.parameters import proposal, take_extra, unknown
from aiogen.references import Reference

VENDOR = "Leonardo AI"
MOST_ON_V1 = 8
"""Pictures of one create on v1 (reference); 4 if a side is longer than 768 pixels."""

AspectRatio = Literal[
    "1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "5:4", "4:5", "21:9", "9:21", "2:1", "1:2", "3:1", "1:3"
]
PromptEnhance = Literal["ON", "OFF", "AUTO"]
Quality = Literal["LOW", "MEDIUM", "HIGH", "TURBO", "BALANCED", "QUALITY"]
Mode = Literal["FAST", "QUALITY", "RESOLUTION_480", "RESOLUTION_720", "RESOLUTION_1080"]
Contrast = Literal["LOW", "MEDIUM", "HIGH"]

_V2_ONLY = ("style_ids", "guidances", "prompt_enhance", "quality", "mode", "duration")
_ON_V1 = {
    "style_ids": "On v1 a style is presetStyle.",
    "prompt_enhance": "On v1 it is enhancePrompt, true or false.",
    "guidances": "On v1 pictures are uploaded before, and named in controlnets.",
}
_PICTURES = "Pictures to go by are references=[…]; guidances={…} says what each is for."
_HINTS = {
    **dict.fromkeys(
        ("source", "image", "images", "image_ref", "image_url", "image_reference", "input_image", "init_image",
         "reference", "start_frame", "end_frame"), _PICTURES,
    ),
    "modelId": "The model is said in the model string, as in 'leonardo/<UUID>'.",
    "webhook": "A webhook is set up with the API key, for all creates.",
    "webhookUrl": "A webhook is set up with the API key, for all creates.",
}  # fmt: skip
"""Names that people try, and what they mean here."""
_MEANT = {
    **dict.fromkeys(("num_outputs", "batch_size"), "num_images"),
    **dict.fromkeys(("cfg", "cfg_scale"), "guidance_scale"),
    "steps": "num_inference_steps",
}
"""What others call what is called otherwise here, where the version of the API has it."""


def _as_ids(value: Any) -> tuple[str, ...] | None:
    """Ids; one may stand alone."""
    if value is None:
        return None
    ids = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not ids or not all(isinstance(each, str) for each in ids):
        raise InputError(f"style_ids takes the ids of styles, ['111dc692-…'], not {type(value).__name__}.")
    return ids


@attrs.frozen(kw_only=True)
class LeonardoImage:
    """One create: `POST /v2/generations` for a model slug, `POST /v1/generations` for a model UUID.

    Sources: the description and the guides of API v2 (June to October 2026), the reference of v1.

    Raises:
        InputError: a value is not valid, or this model certainly does not take it.
        UnknownParameter: this model certainly has no such parameter.
    """

    prompt: str | None = attrs.field(default=None, repr=False)
    """What to make, in words.  Up to 1,500 characters on v1 (error page); on v2 it differs by model.  Left out for
    `remove-bg` and the two upscalers, which have none."""
    model: str
    """A slug of v2 such as "gemini-image-2", or the UUID of an older model, which is created on v1."""
    aspect_ratio: AspectRatio | None = None
    """Width to height, from 1:4 to 4:1.  Leonardo takes pixels, so it becomes a width and a height of about one
    megapixel (for films: 720 pixels on the short side).  With one of `width` and `height` the other follows."""
    width: int | None = None
    """Pixels.  v1: 32 to 1536, a multiple of 8.  v2: by model, some take a few sizes only.  For an upscaler: those of
    the picture that is given."""
    height: int | None = None
    """Pixels, as `width`."""
    num_images: int | None = None
    """How many outputs: 1 by default, 1 to 8 by model (4 on v1 if a side is longer than 768 pixels), 1 for films.  Sent
    always where a model can make several: without it v1 makes, and charges for, four."""
    n: int | None = None
    """As `num_images`, in the word common to all providers: of what exceeds the model's maximum the maximum is sent,
    and a warning says so."""
    seed: int | None = None
    """A whole number.  v1: up to 9,999,999,998 (FLUX: 2,147,483,637).  Not taken by GPT Image, Recraft and some
    others: a warning then says so."""
    negative_prompt: str | None = None
    """What not to show.  v1, and on v2 the vendor's own XL and Phoenix models and Ideogram 3; for others a warning says
    that it was not sent."""
    images: tuple[Reference, ...] = attrs.field(default=(), converter=as_images, alias="references")
    """Pictures to go by, as `references=`: paths, bytes, https urls or `Reference(…)`; v2 only.  Up to 7 MB each where
    they are sent along; 1 to 16 by model.  `generation_id` means the id of one picture (`Output.provider_id`),
    `file_id` one that was uploaded.  They go to the model's `image_reference`, or to the only guidance that it has."""
    guidances: Mapping[str, Any] = attrs.field(factory=dict, converter=as_guidances)
    """Pictures by what they are for, v2 only: `{"style": [Path("a.png")], "content": [{"image": Path("b.png"),
    "strength": "HIGH"}]}`.  Which ones, and how many of each, differs by model; films have `start_frame` and
    `end_frame`."""
    style_ids: tuple[str, ...] | None = attrs.field(default=None, converter=_as_ids)
    """UUIDs of styles; most image models of v2."""
    prompt_enhance: PromptEnhance | None = None
    """Whether Leonardo rewrites the prompt; many models of v2 ("AUTO": some films)."""
    quality: Quality | None = None
    """v2: GPT Image takes LOW, MEDIUM and HIGH; Ideogram 3 TURBO, BALANCED and QUALITY."""
    mode: Mode | None = None
    """v2: FAST or QUALITY for the vendor's own models, a resolution for films.  GPT Image 1.5 and Ideogram 3 refuse it
    since May 2026; they take `quality`."""
    contrast: Contrast | float | None = None
    """Phoenix: LOW, MEDIUM or HIGH on v2; 1 to 4.5 on v1 (2.5 and more with `alchemy`)."""
    duration: float | None = None
    """Seconds, of films and sounds on v2; which values differs by model."""
    public: bool = False
    """True shows the result in the community feed."""
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    """Further fields as Leonardo names them, which nobody checks: in the body on v1, in `parameters` on v2."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise InputError("The Leonardo model is a slug such as 'gemini-image-2', or the UUID of an older model.")
        for name in ("width", "height", "num_images", "n"):
            value = getattr(self, name)
            if value is not None:
                if not isinstance(value, int):
                    raise InputError(f"{name} has to be a whole number, not {value!r}.")
                check_number(value, name, 1, 100_000)
        if self.aspect_ratio is not None:
            read_ratio(self.aspect_ratio)
            if self.width is not None and self.height is not None:
                raise InputError("Give an aspect_ratio, or a width and a height; all three can contradict each other.")
        if self.duration is not None:
            check_number(self.duration, "duration", 0.01, 86_400)
        check_json([self.seed, self.negative_prompt, self.public], "options")
        check_json([self.style_ids, self.prompt_enhance, self.quality, self.mode, self.contrast], "options")
        check_extra(self.extra)
        if is_uuid(self.model):
            _check_v1(self)
        else:
            _check_v2(self)

    def references(self) -> Iterator[Reference]:
        """Every picture it refers to."""
        yield from self.images
        yield from references_in(self.guidances)

    def with_files(self, files: Mapping[Path, Reference]) -> LeonardoImage:
        """The same request with local files replaced by their bytes."""
        return attrs.evolve(
            self,
            references=tuple(loaded(image, files) for image in self.images),
            guidances=with_files(self.guidances, files),
        )


def whose(model: str) -> str:
    """A model, as messages name it."""
    return f"{VENDOR}'s model {model!r}"


def _check_v1(request: LeonardoImage) -> None:
    check_prompt(request.prompt)
    for name in _V2_ONLY:
        if getattr(request, name):
            raise unknown(whose(request.model), name, V1_FIELDS, _ON_V1.get(name))
    if request.images:
        slug = slug_of(request.model)
        same = f" The same model takes them on v2: its name there is {slug!r}." if slug in MODELS else ""
        raise InputError(
            f"{whose(request.model)} is created on v1, which takes pictures only by the ids of uploads: name one in "
            f'extra={{"init_image_id": …}}.{same}'
        )
    if request.num_images is not None and request.num_images > MOST_ON_V1:
        raise InputError(
            f"{whose(request.model)} makes at most {MOST_ON_V1} pictures at once, not {request.num_images}."
        )


def _check_v2(request: LeonardoImage) -> None:
    model = MODELS.get(request.model)
    if request.prompt is not None:
        check_prompt(request.prompt)
    has_pictures = bool(request.images or request.guidances)
    more = request.extra.get("parameters")
    if more is not None and not isinstance(more, Mapping):
        raise InputError(f"parameters= takes fields by name, {{'mode': 'FAST'}}, not {type(more).__name__}.")
    said = {**(more or {}), **request.extra}
    if model is not None and model.takes_prompt is False:
        if request.prompt is not None:
            raise UnknownParameter(
                f"{whose(request.model)} takes no prompt; leave it out. To send it all the same, pass "
                'extra={"prompt": …}.',
                parameter="prompt",
            )
        if not has_pictures and "guidances" not in said:
            raise InputError(
                f"{whose(request.model)} needs a picture: references=[Path('a.png')], or its https address."
            )
    elif request.prompt is None and "prompt" not in said and (not has_pictures or (model and model.takes_prompt)):
        check_prompt(None)  # of a model that nobody knows a picture may be enough
    check_references(request.model, request.images, request.guidances)
    if model is None:
        return
    if request.style_ids and model.styles is False:
        raise unknown(whose(request.model), "style_ids", (), "It takes no styles.")
    if request.mode is not None and is_retired(request.model, "mode"):
        raise unknown(whose(request.model), "mode", (), "Since 4 May 2026 it is quality.")
    if request.num_images is not None and request.num_images > model.max_quantity:
        raise InputError(
            f"{whose(request.model)} makes at most {model.max_quantity} at once, not {request.num_images}. Submit "
            "several jobs."
        )


def from_keywords(model: str, prompt: str | None, options: Mapping[str, Any]) -> LeonardoImage:
    """The typed request for keywords; `quantity` means `num_images`, fields of this version of the API are passed on.

    Raises:
        UnknownParameter: nothing at Leonardo is called so.
        InputError: a value is not valid.
    """
    options = {name: value for name, value in _checked(model, options).items() if value is not None}
    extra = take_extra(options)
    for other in ("quantity", "n"):
        if "num_images" in options:
            options.pop(other, None)
        elif other == "quantity" and other in options:
            options["num_images"] = options.pop(other)
    given = {name: options.pop(name) for name in _FIELDS & options.keys()}
    return LeonardoImage(prompt=prompt, model=model, extra={**extra, **options}, **given)


_FIELDS = frozenset(field.alias for field in attrs.fields(LeonardoImage) if field.alias) - {"prompt", "model", "extra"}
_ALSO = {"extra", "quantity"}
# Of v2's own fields v1 says itself, by name, what there is in their place.
_ON_V2_KNOWN = (_FIELDS | V2_WORDS | _ALSO | {"parameters"}) - {"prompt"}
_ON_V1_KNOWN = (_FIELDS | V1_FIELDS | _ALSO) - {"prompt", "modelId"}


def _checked(model: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, once each of them is known to be a parameter of something that this version of the API creates."""
    is_v1 = isinstance(model, str) and is_uuid(model)
    known = _ON_V1_KNOWN if is_v1 else _ON_V2_KNOWN
    for name in options:
        if name not in known:
            raise _refused(model, name, known - _ALSO - (set(_V2_ONLY) if is_v1 else set()), is_v1=is_v1)
    return options


def _refused(model: str, name: str, known: frozenset[str], *, is_v1: bool) -> UnknownParameter:
    hint = _HINTS.get(name)
    if hint is None and name in V1_FIELDS:
        hint = "It belongs to the older models, which are named by their UUIDs."
    meant = _MEANT.get(name)
    meant = meant if meant in known else proposal(name, known)
    if hint is None and meant is None:
        hint = f"Those that most models have are {', '.join(sorted(_FIELDS & known))}."
    return unknown(whose(model) if is_v1 else VENDOR, name, known, hint, meant=meant)


__all__ = [
    "SLUGS",
    "AspectRatio",
    "Contrast",
    "LeonardoImage",
    "Mode",
    "PromptEnhance",
    "Quality",
    "from_keywords",
    "whose",
]
