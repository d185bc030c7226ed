"""What can be asked of Luma: keywords that are checked and translated, videos and layers as typed requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from providers.drive import names_of, sample_body

from aiogen import (
    InputError,
    LumaImage,
    LumaLayering,
    LumaRequest,
    LumaVideo,
    LumaVideoEdit,
    LumaVideoReframe,
    UnknownParameter,
)
from aiogen.exchange import Submission
from aiogen.providers import Luma, luma_models
from aiogen.references import Reference

LUMA = Luma(api_key="luma-api-0123456789")
PNG = b"\x89PNG\r\n\x1a\n"
FRAME = {"file_id": "frame"}
CLIP = {"file_id": "clip"}
URL = {"url": "https://example.com/walk.mp4", "media_type": "video/mp4"}


def submitted(model: str = "uni-1", **options: Any) -> Submission:
    """The create for keywords."""
    return LUMA.encode(LUMA.prepare(model, "a boat", options))


def body_of(model: str = "uni-1", **options: Any) -> dict[str, Any]:
    return dict(submitted(model, **options).body)


# --- what there is no parameter for

MISTAKES = [
    ("aspectratio", "16:9", "aspect_ratio"),
    ("aspectRatio", "16:9", "aspect_ratio"),
    ("aspect", "16:9", "aspect_ratio"),
    ("apsect_ratio", "16:9", "aspect_ratio"),
    ("ratio", "16:9", "aspect_ratio"),
    ("seeed", 7, "seed"),
    ("negativePrompt", "fog", "negative_prompt"),
    ("negative", "fog", "negative_prompt"),
    ("num_images", 4, "n"),
    ("quantity", 4, "n"),
    ("batch_size", 4, "n"),
    ("widht", 1024, "width"),
    ("outputformat", "png", "output_format"),
    ("format", "png", "output_format"),
    ("styles", "manga", "style"),
    ("websearch", True, "web_search"),
    ("image_refs", FRAME, "image_ref"),
    ("sorce", FRAME, "source"),
    ("guidances", {}, "references"),
    ("init_image", "x", "source"),
    ("user", "tenant-7", "user_id"),
    ("guidance_scale", 7, None),
    ("contrast", 3.5, None),
    ("alchemy", True, None),
    ("sampler", "euler", None),
]


@pytest.mark.parametrize(("name", "value", "meant"), MISTAKES, ids=[name for name, *_ in MISTAKES])
def test_a_misspelt_or_foreign_parameter_is_refused(name: str, value: Any, meant: str | None) -> None:
    """With what was probably meant, before anything is sent; `extra` sends it all the same."""
    with pytest.raises(UnknownParameter) as caught:
        LUMA.prepare("uni-1", "a boat", {name: value})
    assert (caught.value.parameter, caught.value.proposal) == (name, meant)
    helps = f"Did you mean {meant!r}?" if meant else "Its parameters are aspect_ratio, "
    assert str(caught.value).startswith(f"Luma has no parameter {name!r}. {helps}")
    assert f'extra={{"{name}": …}}' in str(caught.value)
    assert body_of(extra={name: value})[name] == value


def test_a_wrong_name_is_wrong_without_a_value_too() -> None:
    """None says nothing, but only of a parameter that is there."""
    with pytest.raises(UnknownParameter):
        LUMA.prepare("uni-1", "a boat", {"seeed": None})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"duration": "5s"}, "Luma has no parameter 'duration'. It is a parameter of the type 'video'."),
        ({"hdr": True}, "It is a parameter of the types 'video' and 'video_edit'."),
        ({"type": "video_reframe", "hdr": True}, "Luma's type 'video_reframe' has no parameter 'hdr'. It is a"),
        ({"type": "video_edit", "duration": "5s"}, "type 'video_edit' has no parameter 'duration'. It is a parameter"),
        ({"type": "video", "strength": "flex_1"}, "It is a parameter of the type 'video_edit'."),
        ({"type": "video", "source_position": {}}, "It is a parameter of the type 'video_reframe'."),
        ({"type": "video", "durations": "5s"}, "Luma's type 'video' has no parameter 'durations'. Did you mean 'durat"),
        ({"type": "layering", "resolutoin": "1k"}, "Did you mean 'resolution'?"),
    ],
)
def test_what_another_type_has_is_said_to_be_its(options: dict[str, Any], text: str) -> None:
    """A parameter of videos makes no picture better."""
    with pytest.raises(UnknownParameter) as caught:
        LUMA.prepare("uni-1", "a boat", options)
    assert text in str(caught.value)


# --- which type


@pytest.mark.parametrize(
    ("model", "options", "type_"),
    [
        ("uni-1", {}, "image"),
        ("uni-1", {"source": FRAME}, "image_edit"),
        ("uni-1", {"source": FRAME, "layering": {"resolution": "1k"}}, "layering"),
        ("uni-9", {}, "image"),
        ("ray-3.2", {}, "video"),
        ("ray-3.2", {"source": CLIP, "type": "video_edit"}, "video_edit"),
        ("ray-9", {"type": "video_upscale"}, "video_upscale"),
    ],
)
def test_the_type_follows_from_the_model(model: str, options: dict[str, Any], type_: str) -> None:
    """Where nobody says it; a word that is new is sent as it is."""
    submission = submitted(model, **options)
    assert (submission.kind, submission.body["type"]) == (type_, type_)


@pytest.mark.parametrize("type_", ["", " ", 5])
def test_a_type_that_is_none(type_: Any) -> None:
    with pytest.raises(InputError, match="type must not be empty"):
        LUMA.prepare("uni-1", "a boat", {"type": type_})


def test_a_type_of_next_year_has_a_request_too() -> None:
    """What all requests have, and the rest in `extra`."""
    request = LumaRequest(prompt="a boat", model="uni-9", type="sketch", user_id="t", extra={"lines": [1]})
    assert request.body() == {"prompt": "a boat", "model": "uni-9", "type": "sketch", "user_id": "t", "lines": [1]}
    with pytest.raises(InputError, match="options"):
        LumaRequest(prompt="a boat", model="uni-9", type="sketch", user_id=b"t")  # type: ignore[arg-type]


def test_a_video_of_a_video_has_to_say_which() -> None:
    """Edits and reframes cost differently, and nothing else tells them apart."""
    with pytest.raises(InputError, match="by the type 'video_edit' or 'video_reframe'"):
        LUMA.prepare("ray-3.2", "a boat", {"source": CLIP})


@pytest.mark.parametrize("type_", ["layering", "video_edit", "video_reframe"])
def test_what_begins_with_a_source_needs_one(type_: str) -> None:
    """Luma refuses it otherwise."""
    with pytest.raises(InputError, match=f"Type '{type_}' needs a source"):
        LUMA.prepare("ray-3.2", "a boat", {"type": type_})


# --- words that are common to all providers


@pytest.mark.parametrize(
    ("model", "size", "more", "ratio"),
    [
        ("uni-1", (1920, 1080), {}, "16:9"),
        ("uni-1", (1024, 1024), {}, "1:1"),
        ("uni-1", (800, 600), {}, "3:2"),
        ("uni-1", (3000, 900), {}, "3:1"),
        ("uni-1", (1920, 1080), {"style": "manga"}, "2:3"),
        ("ray-3.2", (800, 600), {}, "4:3"),
        ("ray-3.2", (3000, 900), {}, "21:9"),
        ("uni-9", (800, 600), {}, "4:3"),
    ],
)
def test_a_size_becomes_the_nearest_shape(model: str, size: tuple[int, int], more: Any, ratio: str) -> None:
    """Of those that the model takes; that the size is the vendor's is said."""
    submission = submitted(model, width=size[0], height=size[1], **more)
    assert submission.body["aspect_ratio"] == ratio
    assert not {"width", "height"} & set(submission.body)
    (warning,) = submission.warnings
    assert f"for {size[0]} x {size[1]} the nearest aspect ratio, {ratio}, was sent" in warning


def test_an_aspect_ratio_goes_before_a_size() -> None:
    """It is what Luma takes; one side alone says nothing of a shape."""
    both = submitted(aspect_ratio="3:1", width=512, height=512)
    assert both.body["aspect_ratio"] == "3:1"
    assert "width and height was not sent" in both.warnings[0]
    one = submitted(width=512)
    assert "aspect_ratio" not in one.body
    assert "width was not sent" in one.warnings[0]


@pytest.mark.parametrize("size", [{"width": 0}, {"height": "512"}, {"width": 5.5, "height": 5}])
def test_a_size_is_a_whole_number_of_pixels(size: Any) -> None:
    with pytest.raises(InputError, match="has to be a whole number"):
        LUMA.prepare("uni-1", "a boat", size)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n": 4}, "submit it 4 times for 4 of them"),
        ({"seed": 7}, "Luma takes no seed"),
        ({"seed": 0}, "Luma takes no seed"),
        ({"negative_prompt": "fog"}, "Luma takes no negative prompt"),
    ],
)
def test_what_luma_cannot_honour_is_a_warning(options: dict[str, Any], text: str) -> None:
    """It is not sent, and not silent."""
    submission = submitted(**options)
    assert submission.body == {"prompt": "a boat", "type": "image", "model": "uni-1"}
    assert len(submission.warnings) == 1
    assert text in submission.warnings[0]


def test_what_asks_for_nothing_special_is_no_warning() -> None:
    assert submitted(n=1, seed=None, width=None, aspect_ratio="1:1").warnings == ()
    with pytest.raises(InputError, match="n has to be a whole number from 1 to 1,000"):
        LUMA.prepare("uni-1", "a boat", {"n": 0})


def test_references() -> None:
    """One word everywhere: paths, bytes, addresses, ids."""
    references = [PNG, "https://example.com/a.png", Reference(generation_id="g"), Path("b.png")]
    request = LUMA.prepare("uni-1", "a boat", {"references": references})
    loaded = request.with_files({Path("b.png"): Reference(data=PNG)})
    png = {"data": "iVBORw0KGgo=", "media_type": "image/png"}
    assert LUMA.encode(loaded).body["image_ref"] == [
        png, {"url": "https://example.com/a.png"}, {"generation_id": "g"}, png,
    ]  # fmt: skip
    assert body_of(references="https://example.com/a.png")["image_ref"] == [{"url": "https://example.com/a.png"}]
    assert body_of(source=FRAME, references=[FRAME])["image_ref"] == [FRAME]


@pytest.mark.parametrize(
    ("model", "options", "text"),
    [
        ("uni-1", {"image_ref": FRAME}, "references and image_ref mean the same"),
        ("ray-3.2", {}, "takes no references; its pictures go into start_frame, end_frame or keyframes"),
        ("uni-1", {"type": "layering", "source": FRAME}, "its pictures go into source"),
    ],
)
def test_references_without_a_place_are_refused(model: str, options: dict[str, Any], text: str) -> None:
    """Left out, the picture would be another one, and paid for."""
    with pytest.raises(InputError, match=text):
        LUMA.prepare(model, "a boat", {**options, "references": [FRAME]})


# --- videos


def test_a_video_from_keywords() -> None:
    """They stand in the object `video`, and frames are written as references."""
    body = body_of("ray-3.2", duration="5s", resolution="720p", start_frame=PNG, loop=True, aspect_ratio="21:9")
    assert body["aspect_ratio"] == "21:9"
    assert body["video"] == {
        "duration": "5s",
        "resolution": "720p",
        "loop": True,
        "start_frame": {"data": "iVBORw0KGgo=", "media_type": "image/png"},
    }
    assert "video" not in body_of("ray-3.2")


def test_keyframes() -> None:
    """Each with the frame at which it stands; local files are read like any other."""
    video = LumaVideo(prompt="a boat", duration="5s", keyframes=[Path("a.png"), FRAME], keyframe_indexes=[0, 120])
    loaded = video.with_files({Path("a.png"): Reference(file_id="a")})
    assert loaded.body()["video"] == {
        "duration": "5s",
        "keyframes": [{"file_id": "a"}, FRAME],
        "keyframe_indexes": [0, 120],
    }


def test_an_edit_of_a_video() -> None:
    """What changes how far it goes from its source stands in `video.edit`."""
    edit = LumaVideoEdit(
        prompt="in winter",
        source=CLIP,
        resolution="540p",
        strength="flex_2",
        controls={"pose": {"enabled": True, "strength": "coarse"}},
        keyframes=[FRAME],
        keyframe_indexes=[300],
    )
    assert edit.body() == {
        "prompt": "in winter",
        "type": "video_edit",
        "model": "ray-3.2",
        "source": CLIP,
        "video": {
            "resolution": "540p",
            "edit": {
                "strength": "flex_2",
                "controls": {"pose": {"enabled": True, "strength": "coarse"}},
                "keyframes": [FRAME],
                "keyframe_indexes": [300],
            },
        },
    }


def test_controls_are_a_mapping() -> None:
    with pytest.raises(InputError, match="controls takes a mapping"):
        LUMA.prepare("ray-3.2", "in winter", {"type": "video_edit", "source": CLIP, "controls": "face"})


def test_a_reframe() -> None:
    """The new shape, and where in it the source stands."""
    at = {"x_norm": 0.0, "y_norm": -0.5, "w_norm": 1.0, "h_norm": 2}
    body = body_of("ray-3.2", type="video_reframe", source=URL, source_position=at, aspect_ratio="9:16")
    assert (body["video"], body["aspect_ratio"], body["source"]) == ({"source_position": at}, "9:16", URL)


def test_extra_adds_to_what_the_fields_come_to() -> None:
    """What is new in `video` stands beside what is known, and goes before it; any other field is replaced."""
    body = body_of("ray-3.2", duration="5s", resolution="540p", extra={"video": {"duration": "20s", "guide": FRAME}})
    assert body["video"] == {"duration": "20s", "resolution": "540p", "guide": FRAME}
    assert body_of(image_ref=FRAME, extra={"image_ref": [CLIP]})["image_ref"] == [CLIP]
    assert body_of("ray-3.2", web_search=True)["web_search"] is True


EXCLUSIONS: list[tuple[dict[str, Any], str]] = [
    ({"keyframes": [FRAME], "keyframe_indexes": [0], "start_frame": FRAME}, "keyframes and start_frame exclude each"),
    (
        {"keyframes": [FRAME], "keyframe_indexes": [0], "end_frame": FRAME, "loop": True},
        "and end_frame and loop exclude",
    ),
    ({"keyframes": [FRAME, FRAME], "keyframe_indexes": [0]}, "keyframes has 2, and keyframe_indexes 1"),
    ({"keyframes": [FRAME] * 65, "keyframe_indexes": list(range(65))}, "There are 65 keyframes; Luma takes at most 64"),
    ({"keyframes": [FRAME] * 2, "keyframe_indexes": [5, 5]}, "Two keyframes have the same index"),
    ({"keyframes": [FRAME], "keyframe_indexes": [121], "duration": "5s"}, "0 to 120, not 121"),
    ({"keyframes": [FRAME], "keyframe_indexes": [241]}, "0 to 240, not 241"),
    ({"keyframes": [FRAME], "keyframe_indexes": [True]}, "not True"),
    ({"keyframes": [FRAME], "keyframe_indexes": -1}, "not -1"),
    ({"loop": True, "duration": "10s"}, "A video of 10s cannot loop; take the duration 5s"),
    ({"loop": True, "hdr": True}, "A video with hdr cannot loop"),
    ({"hdr": True, "resolution": "360p"}, "There is no hdr in 360p; take 540p"),
    ({"exr_export": True}, "exr_export needs hdr as well"),
]


@pytest.mark.parametrize(("options", "text"), EXCLUSIONS)
def test_what_excludes_each_other_is_refused(options: dict[str, Any], text: str) -> None:
    """Before anything is sent, with what would be right."""
    for make in (lambda: LumaVideo(prompt="a boat", **options), lambda: submitted("ray-3.2", **options)):
        with pytest.raises(InputError, match=text):
            make()


@pytest.mark.parametrize(
    ("position", "text"),
    [
        ({"x_norm": 0}, "source_position has exactly x_norm, y_norm, w_norm, h_norm"),
        ({"x_norm": 0, "y_norm": 0, "w_norm": 0, "h_norm": 1}, "source_position.w_norm has to be more than 0"),
        ({"x_norm": 3, "y_norm": 0, "w_norm": 1, "h_norm": 1}, "source_position.x_norm has to be from -2 to 2"),
        (5, "source_position has exactly"),
    ],
)
def test_a_position_that_cannot_be_one(position: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        LumaVideoReframe(prompt="a boat", source=CLIP, source_position=position)


def test_a_video_by_its_address_needs_its_media_type() -> None:
    """Luma does not look into it; the message says how to write it, and a picture's is no video's."""
    for source in ("https://example.com/walk.mp4", {**URL, "media_type": "image/png"}):
        for cls in (LumaVideoEdit, LumaVideoReframe):
            with pytest.raises(InputError, match='"media_type": "video/mp4"'):
                cls(prompt="a boat", source=source)
        with pytest.raises(InputError, match="needs the media type of a source that is an address"):
            LumaImage(prompt="a boat", type="video_edit", source=source)
    assert LumaVideoEdit(prompt="a boat", source=URL).body()["source"] == URL
    assert LumaVideoEdit(prompt="a boat", source=CLIP).body()["source"] == CLIP


def test_a_media_type_that_was_given_is_sent() -> None:
    """Of a picture by its address, too."""
    url = {"url": "https://example.com/a", "media_type": "image/webp"}
    assert body_of(image_ref=url)["image_ref"] == [url]


# --- prices


PRICES: list[tuple[str, dict[str, Any], str | None]] = [
    ("uni-1", {}, "0.0404"),
    ("uni-1", {"references": [FRAME]}, "0.0434"),
    ("uni-1", {"references": [FRAME] * 9}, "0.0674"),
    ("uni-1", {"source": FRAME}, "0.0434"),
    ("uni-1", {"source": FRAME, "references": [FRAME] * 2}, "0.0494"),
    ("uni-1-max", {}, "0.1000"),
    ("uni-1-max", {"source": FRAME}, "0.1030"),
    ("uni-1", {"extra": {"image_ref": [FRAME] * 2}}, "0.0464"),
    ("uni-1", {"source": FRAME, "type": "layering"}, None),
    ("uni-9", {}, None),
    ("ray-3.2", {}, None),
    ("ray-3.2", {"duration": "5s"}, None),
    ("ray-3.2", {"duration": "5s", "resolution": "540p"}, "0.15"),
    ("ray-3.2", {"duration": "10s", "resolution": "1080p"}, "3.60"),
    ("ray-3.2", {"duration": "5s", "resolution": "720p", "hdr": True}, "0.60"),
    ("ray-3.2", {"duration": "5s", "resolution": "1080p", "hdr": True, "exr_export": True}, "3.60"),
    ("ray-3.2", {"duration": "5s", "resolution": "360p"}, None),
    ("ray-3.2", {"duration": "5s", "resolution": "540p", "hdr": True}, None),
    ("ray-3.2", {"type": "video_edit", "source": CLIP, "resolution": "540p"}, None),
    ("ray-3.2", {"type": "video_reframe", "source": CLIP, "resolution": "540p"}, None),
]


@pytest.mark.parametrize(("model", "options", "amount"), PRICES)
def test_the_price_is_known_before(model: str, options: dict[str, Any], amount: str | None) -> None:
    """By the published prices, and marked as an estimate; what they do not say is not made up."""
    estimate = submitted(model, **options).estimate
    if amount is None:
        assert estimate is None
        return
    assert estimate is not None
    assert (str(estimate.amount), estimate.unit, estimate.is_estimate) == (amount, "DOLLARS", True)


# --- models


def test_the_models_are_known_without_asking() -> None:
    """The API has no call for them; each is told with its parameters, its price and where that is from."""
    with pytest.raises(StopIteration) as end:
        next(LUMA.models())
    models = {model.name: model for model in end.value.value}
    assert {name: model.kind for name, model in models.items()} == {
        "uni-1": "image", "uni-1-max": "image", "ray-3.2": "video",
    }  # fmt: skip
    assert str(models["uni-1"].price) == "about 0.0404 dollars"
    assert models["ray-3.2"].price is None
    assert all(model.source and "2026-11" in model.source and model.takes_prompt for model in models.values())
    ratios = {parameter.name: parameter.choices for parameter in models["ray-3.2"].parameters}["aspect_ratio"]
    assert "21:9" in ratios
    assert "3:1" not in ratios


def test_every_parameter_that_is_listed_is_taken() -> None:
    """What the table tells of a model is a keyword of one of its types, and each of these is in the table."""
    with pytest.raises(StopIteration) as end:
        next(LUMA.models())
    sources = {"image": {}, "video": {}}
    for model in end.value.value:
        types = next(parameter.choices for parameter in model.parameters if parameter.name == "type")
        made = [LUMA.prepare(model.name, "p", {"type": each, **sources.get(each, {"source": CLIP})}) for each in types]
        taken = {field.name for request in made for field in attrs.fields(type(request))}
        assert taken - {"prompt", "model", "extra", "warnings"} == {parameter.name for parameter in model.parameters}


def test_layers() -> None:
    assert LumaLayering(prompt="a cup", source=FRAME).body() == {
        "prompt": "a cup", "type": "layering", "model": "uni-1", "source": FRAME,
    }  # fmt: skip


# --- the table against what is recorded, and the page against the table


@pytest.mark.parametrize("name", names_of("luma", "request_"))
def test_nothing_that_is_recorded_is_refused(name: str) -> None:
    """Each recorded request comes out of keywords as it is: no table of ours is older than what Luma takes."""
    recorded = sample_body(name)
    options = {key: value for key, value in recorded.items() if key not in ("prompt", "model")}
    request = LUMA.prepare(recorded.get("model", "uni-1"), recorded["prompt"], options)
    assert LUMA.encode(request).body == {"type": "image", "model": "uni-1", **recorded}
    assert request.warnings == ()


def test_the_page_has_what_the_table_has() -> None:
    """Every parameter, every ratio and every price of the models stands on the page for people."""
    page = (Path(__file__).parents[2] / "docs" / "providers" / "luma.md").read_text(encoding="utf-8")
    with pytest.raises(StopIteration) as end:
        next(LUMA.models())
    for model in end.value.value:
        assert f"`{model.name}`" in page
        for parameter in model.parameters:
            assert f"`{parameter.name}`" in page
            for choice in parameter.choices if parameter.name in ("aspect_ratio", "resolution", "duration") else ():
                assert f"`{choice}`" in page
    clips = [amount for of_size in luma_models.VIDEOS.values() for amount in of_size.values()]
    for amount in (*luma_models.PICTURES.values(), luma_models.REFERENCE, *clips):
        assert f" {amount}" in page
