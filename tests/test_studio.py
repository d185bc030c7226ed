"""The studio without a browser: whom it answers, what it lets a page do, and that its colours can be read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import aiogen
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, Sandbox

STUDIO = Path(__file__).parent.parent / "examples" / "studio"
STATIC = sorted((STUDIO / "static").iterdir())
pytest.importorskip("fastapi")


@pytest.fixture(autouse=True)
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package can be imported."""
    monkeypatch.syspath_prepend(str(STUDIO.parent))


@asynccontextmanager
async def opened(leonardo_key: str = LEONARDO_KEY) -> AsyncIterator[httpx.AsyncClient]:
    """The application beside a sandbox, asked without a server around it; with the cookie of a visitor."""
    from studio.app import make_app

    async with Sandbox() as box:
        luma = aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url)
        leonardo = aiogen.Leonardo(api_key=leonardo_key, base_url=box.leonardo_url)
        app = make_app([luma, leonardo], store=":memory:")
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=300) as client:
                client.cookies.set("studio", "a" * 43)
                yield client


# --- whose pictures they are


async def test_a_visitor_is_a_cookie_that_no_script_reads() -> None:
    """A new visitor gets one, who has one keeps it; what is no cookie of ours is nobody's request."""
    from fastapi import Response
    from starlette.requests import Request
    from studio.visitors import welcome

    def met(cookie: str, scheme: str = "http") -> str:
        answer = Response()
        headers = [(b"cookie", cookie.encode())] if cookie else []
        scope = {"type": "http", "scheme": scheme, "headers": headers, "path": "/", "server": ("localhost", 1)}
        welcome(Request(scope), answer)
        return answer.headers["set-cookie"]

    first, second = met(""), met("")
    assert first.partition(";")[0] != second.partition(";")[0]
    assert "HttpOnly" in first
    assert "SameSite=strict" in first
    assert "Secure" not in first
    assert "Secure" in met("", "https")
    assert met(f"studio={'b' * 43}").startswith(f"studio={'b' * 43};")
    assert not met("studio=short").startswith("studio=short;")
    async with opened() as client:
        for cookie in ("", "short", "a" * 43 + "\u00e4", "../" + "a" * 40):
            client.cookies.clear()
            headers = {"cookie": f"studio={cookie}".encode()} if cookie else {}
            for path in ("/api/studio", "/api/spent", "/api/generations"):
                assert (await client.get(path, headers=headers)).status_code == 401


async def test_the_ledger_does_not_hold_the_cookie() -> None:
    """Who reads the ledger cannot be one of the visitors."""
    async with opened() as client:
        answer = await client.post("/api/generations", json={"model": "luma/uni-1", "prompt": "a boat"})
        assert answer.status_code == 202
        session: aiogen.Session = client._transport.app.state.aiogen  # type: ignore[union-attr]
        page = await session.page()
        assert [len(record.scope) for record in page.records] == [64]


async def test_pages_of_others_cannot_reach_it() -> None:
    """A name on the internet that leads to this machine is refused: its page would spend the owner's money."""
    async with opened() as client:
        for host, status in (("localhost:8000", 200), ("127.0.0.1", 200), ("evil.example", 400)):
            assert (await client.get("/api/studio", headers={"host": host})).status_code == status


# --- what there is to choose from


async def test_every_model_that_is_offered_can_be_estimated() -> None:
    """With each value that the form offers for each of its fields, the model and its provider take the request."""
    async with opened() as client:
        known = (await client.get("/api/studio")).json()
        assert known["actions"]["change_input"].startswith("Change the prompt")
        for connection in known["connections"]:
            assert connection["problem"] is None
            for model in connection["models"][:6] + connection["models"][-3:]:
                for parameters in [{}, *_answers(model["fields"])]:
                    body = {"model": f"{connection['name']}/{model['name']}", "parameters": parameters}
                    answer = await client.post("/api/estimate", json=body)
                    assert answer.status_code == 200, (body, answer.text)


def _answers(fields: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What a visitor may say in one field."""
    for field in fields:
        kind, name = field["kind"], field["name"]
        for choice in field["choices"]:
            yield {name: choice} | ({"aspect_ratio": "9:16"} if choice == "manga" else {})
        if kind == "switch":
            yield {name: True} | ({"hdr": True, "resolution": "720p"} if name == "exr_export" else {})
        if kind in ("whole", "number"):
            yield {name: field["maximum"] or field["minimum"] or 1024}


async def test_an_estimate_takes_what_the_form_can_say() -> None:
    """And nothing else: no model that is not listed, no name of a file, no value of another kind."""
    async with opened() as client:
        for parameters in (
            {"source": "/etc/hostname"},
            {"image_ref": ["/etc/hostname"]},
            {"style": "other"},
            {"style": ["auto"]},
            {"web_search": "yes"},
            {"extra": {"a": 1}},
        ):
            answer = await client.post("/api/estimate", json={"model": "luma/uni-1", "parameters": parameters})
            assert answer.status_code == 422, parameters
        assert (await client.post("/api/estimate", json={"model": "luma/other"})).status_code == 422
        known = (await client.post("/api/estimate", json={"model": "luma/uni-1"})).json()
        assert known == {"amounts": [{"amount": "0.0404", "unit": "DOLLARS"}], "is_estimate": True, "unknown": 0}


async def test_a_provider_that_cannot_be_asked_is_said_to_be_so() -> None:
    """In words that help and name no key; the others can be chosen all the same."""
    async with opened(leonardo_key="sk-revoked-long-ago") as client:
        luma, leonardo = (await client.get("/api/studio")).json()["connections"]
        assert (luma["problem"], bool(luma["models"])) == (None, True)
        assert (leonardo["problem"], leonardo["models"]) == (aiogen.Action.FIX_KEY.help_text, [])


# --- the page's files


async def test_the_page_runs_its_own_files_alone() -> None:
    """By its headers; each file that it names is there."""
    async with opened() as client:
        page = await client.get("/")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"https?:|data:|\*", policy)
        for path in re.findall(r'(?:src|href)="(/[^"]*)"', page.text):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", STATIC, ids=lambda path: path.name)
def test_no_text_becomes_markup(path: Path) -> None:
    """Nothing that reads markup or runs text, nothing inline, and nothing from elsewhere."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", text)
    assert not re.search(r"\sstyle=|<style|\son\w+=\"", text)
    assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.]+\.\w+/", text)


def themes() -> dict[str, dict[str, str]]:
    """The colours of the page by their names, light and dark."""
    text = (STUDIO / "static" / "studio.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)[:2]
    named = {"light": dict(re.findall(r"--([\w-]+): (#\w{6})", light))}
    return named | {"dark": named["light"] | dict(re.findall(r"--([\w-]+): (#\w{6})", dark))}


def luminance(colour: str) -> float:
    """Relative, by WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_colours_can_be_read(theme: str) -> None:
    """Text 4.5 to 1 against each ground that it stands on, edges, bars and the focus 3 to 1 (WCAG 2.2, AA)."""
    colours = themes()[theme]
    grounds = {
        "ink": ("paper", "surface", "sunk", "accent-soft"),
        "soft": ("paper", "surface", "sunk", "bad-soft"),
        "bad": ("paper", "surface", "bad-soft"),
        "warm": ("surface", "warm-soft"),
        "paper": ("ink", "accent"),
        "edge": ("surface",),
        "focus": ("paper", "surface", "sunk"),
        "accent": ("sunk", "line"),
    }
    for name, under in grounds.items():
        for ground in under:
            a, b = luminance(colours[name]), luminance(colours[ground])
            ratio = (max(a, b) + 0.05) / (min(a, b) + 0.05)
            least = 3.0 if name in ("edge", "focus", "accent") else 4.5
            assert ratio >= least, (name, ground, round(ratio, 2))
