"""Two scopes: on every route that the router has, one asks for what is the other's.

The routes are read from the application's own description, so that a new one is asked here, too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from integrations.web import MODEL, Web, serving, whoever
from pictures import png

from aiogen.integrations.fastapi import router


def described() -> list[tuple[str, str]]:
    """Each method and path of a router that has everything."""
    app = FastAPI()
    app.include_router(router(scope=whoever, models=[MODEL], uploads="nowhere", erase=True))
    return sorted((method, path) for path, methods in app.openapi()["paths"].items() for method in methods)


ROUTES = described()
OF_ONE = [(method, path) for method, path in ROUTES if "{" in path]
OF_ALL = [(method, path) for method, path in ROUTES if "{" not in path]


async def begun(web: Web) -> dict[str, str]:
    """What ann has: by the names of the paths' parameters."""
    job = await web.made()
    answer = await web.http.post("/uploads", content=png(), headers={"x-user": "ann"})
    return {"job_id": job["id"], "n": "0", "upload_id": answer.json()["id"]}


async def untouched(web: Web, has: dict[str, str]) -> None:
    """It is all still there, for her."""
    assert (await web.get(f"/generations/{has['job_id']}")).json()["state"] == "completed"
    assert (await web.get(f"/uploads/{has['upload_id']}")).content == png()
    assert has["job_id"] in [each["id"] for each in (await web.get("/generations")).json()["items"]]


@pytest.mark.parametrize(("method", "path"), OF_ONE)
async def test_a_strangers_is_not_there(tmp_path: Path, method: str, path: str) -> None:
    """404, in the words that stand for what never was; and who is nobody has nothing at all."""
    async with serving(uploads=tmp_path, erase=True) as web:
        has = await begun(web)
        never = {"job_id": "0" * 8, "n": "0", "upload_id": "0" * 64}

        async def asked(ids: dict[str, str], **headers: str) -> Any:
            return await web.http.request(method.upper(), path.format(**ids), headers=headers)

        theirs, none = await asked(has, **{"x-user": "ben"}), await asked(never, **{"x-user": "ben"})
        assert (theirs.status_code, theirs.content) == (404, none.content)
        assert {name: value for name, value in theirs.headers.items() if name in ("etag", "location")} == {}
        assert (await asked(has)).status_code == 401
        await untouched(web, has)


async def list_is_empty(web: Web, has: dict[str, str]) -> None:
    """And a cursor of hers leads to nothing."""
    (record,) = await web.session.records()
    for query in ("", f"?cursor={record.cursor}", "?state=completed"):
        assert (await web.get(f"/generations{query}", user="ben")).json() == {"items": [], "next": None}


async def nothing_is_erased(web: Web, has: dict[str, str]) -> None:
    """Of hers."""
    answer = await web.delete("/generations", user="ben")
    assert answer.json() == {"generations": 0, "running": 0, "uploads": 0}


async def another_is_made(web: Web, has: dict[str, str]) -> None:
    """Under the same key as hers, and nothing of hers can be named."""
    key = {"idempotency-key": "k"}
    mine = (await web.post(key, user="ben")).json()
    hers = (await web.post(key)).json()
    assert len({mine["id"], hers["id"], has["job_id"]}) == 3
    for name in (f"/uploads/{has['upload_id']}", f"/generations/{has['job_id']}/outputs/0"):
        answer = await web.post(user="ben", parameters={"references": [name]})
        assert answer.status_code == 422


async def another_is_sent(web: Web, has: dict[str, str]) -> None:
    """The same picture: it is his own, and hers stays when his goes."""
    answer = await web.http.post("/uploads", content=png(), headers={"x-user": "ben"})
    assert (answer.status_code, answer.json()["id"]) == (201, has["upload_id"])
    assert (await web.delete(answer.json()["url"], user="ben")).status_code == 204


PLANS: dict[tuple[str, str], Callable[[Web, dict[str, str]], Any]] = {
    ("get", "/generations"): list_is_empty,
    ("delete", "/generations"): nothing_is_erased,
    ("post", "/generations"): another_is_made,
    ("post", "/uploads"): another_is_sent,
}
"""What is to be seen on a route that names nobody's own."""


@pytest.mark.parametrize(("method", "path"), OF_ALL)
async def test_what_all_may_ask_for_is_each_ones_own(tmp_path: Path, method: str, path: str) -> None:
    """Hers stays as it was."""
    async with serving(uploads=tmp_path, erase=True) as web:
        has = await begun(web)
        await PLANS[method, path](web, has)
        assert (await web.http.request(method.upper(), path)).status_code == 401
        await untouched(web, has)
