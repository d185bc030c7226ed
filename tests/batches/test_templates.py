"""Names of files by a template: what people asked for, and never outside of the folder."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aiogen
from aiogen import InputError
from aiogen._batch.templates import DEFAULT, Template, safe
from aiogen.sandbox import Sandbox

FIELDS = {"index": 7, "key": "boat", "id": "4f2a", "n": 1, "model": "uni-1", "connection": "luma"}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (DEFAULT, "boat-1"),
        ("{index:04}-{n}.{ext}", "0007-1"),
        ("{connection}/{model}/{key}_{n:02d}.{ext}", "luma/uni-1/boat_01"),
        ("{_title}-{index}-{n}.{ext}", "The_boat-7-1"),
        ("{key}{{x}}{n}.{ext}", "boat{x}1"),
        ("//{key}/{n}.{ext}".lstrip("/"), "boat/1"),
    ],
)
def test_names(template: str, name: str) -> None:
    """Fields where they are named."""
    assert Template.of(template).stem({**FIELDS, "_title": "The boat"}) == name


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{key}-{n}", r"end with \.\{ext\}"),
        ("{ext}-{key}-{n}.{ext}", r"end with \.\{ext\}"),
        ("{n}.{ext}", "all rows one name"),
        ("{key}.{ext}", "all outputs of one row one name"),
        ("{title}-{n}.{ext}", r"names \{title\}; there are \{index\}.*begin with _"),
        ("{key.__class__}-{n}.{ext}", "names"),
        ("{}-{n}.{ext}", "names"),
        ("{key-{n}.{ext}", "cannot be read"),
        ("{key:>9}-{n}.{ext}", "only index and n take a width"),
        ("{index:999999d}-{n}.{ext}", "only index and n take a width"),
        ("/tmp/{key}-{n}.{ext}", "leaves the folder"),
        ("../{key}-{n}.{ext}", "leaves the folder"),
        ("a/../../{key}-{n}.{ext}", "leaves the folder"),
        ("a\\{key}-{n}.{ext}", "no name of a file can have"),
        ("{key}:{n}.{ext}", "no name of a file can have"),
    ],
)
def test_what_is_no_template(template: str, said: str) -> None:
    """Said with the way out, before anything is sent."""
    with pytest.raises(InputError, match=said):
        Template.of(template)


@pytest.mark.parametrize(
    "text", ["..", "../../etc/passwd", "/etc/passwd", "C:\\x", "con", "NUL.txt", "a\0b", "a\nb", "é" * 300]
)
def test_fields_are_made_safe(text: str) -> None:
    """Path letters, devices of Windows, and what no name can hold."""
    name = Template.of("{key}-{n}.{ext}").stem({**FIELDS, "key": text})
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert len(name.encode()) <= 220
    assert not PureWindowsPath(name).is_reserved()


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_texts_never_share_a_name(one: str, other: str) -> None:
    """What was changed to be safe carries a mark of what it was."""
    if one.strip() != other.strip() and one.replace(" ", "_") != other.replace(" ", "_"):
        assert safe(one) != safe(other)


@given(st.text(max_size=400))
def test_it_stays_below_the_folder(text: str) -> None:
    """Whatever stands in a field, and on this machine it can be written."""
    name = Template.of("{_t}/{key}-{n}.{ext}").stem({**FIELDS, "key": text, "_t": text})
    path = os.path.normpath(os.path.join("/folder", name))
    assert path.startswith("/folder/")
    assert Path(path).parent.parent == Path("/folder")


@pytest.mark.looptime(False)
async def test_a_download_under_a_name_by_a_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any generation, in folders if the template says so; kept if it is there."""
    async with Sandbox(speed=100.0) as box:
        for name, value in box.environment.items():
            monkeypatch.setenv(name, value)
        async with aiogen.Session() as session:
            done = await session.generate("luma/uni-1", "a boat")
            template = "{connection}/{model}/{id}_{n}.{ext}"
            paths = await session.download(done, tmp_path, template=template)
            assert await session.download(done, tmp_path, template=template) == paths
            with pytest.raises(InputError, match=r"end with \.\{ext\}"):
                await session.download(done, tmp_path, template="x")
    assert [str(path.relative_to(tmp_path)) for path in paths] == [f"luma/uni-1/{done.provider_id}_0.png"]
