"""Leonardo's uploads."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from ...conftest import Answer, Caller, Visiting

BYTES = b"\x89PNG" + bytes(96)


async def presigned(caller: Caller) -> Any:
    return (await caller.leonardo("POST", "/v1/init-image", json={"extension": "png"})).json["uploadInitImage"]


async def send(caller: Caller, url: str, fields: dict[str, str], *, file_first: bool = False, **headers: str) -> Answer:
    form = aiohttp.FormData()
    if file_first:
        form.add_field("file", BYTES, filename="a.png")
    for name, value in fields.items():
        form.add_field(name, value)
    if not file_first:
        form.add_field("file", BYTES, filename="a.png")
    return await caller.ask("POST", url, data=form, headers=headers)


async def test_from_begin_to_use_and_end(visiting: Visiting) -> None:
    async with visiting() as caller:
        upload = await presigned(caller)
        assert (await caller.create_v1(init_image_id=upload["id"])).json["error"] == "invalid init image id"
        sent = await send(caller, upload["url"], json.loads(upload["fields"]))
        assert (sent.status, sent.content) == (204, b"")
        assert (await caller.create_v1(init_image_id=upload["id"])).status == 200
        path = f"/v1/init-image/{upload['id']}"
        shown = (await caller.leonardo("GET", path)).json["init_images_by_pk"]
        assert (shown["id"], set(shown)) == (upload["id"], {"createdAt", "id", "url"})
        assert (await caller.leonardo("DELETE", path)).json == {"delete_init_images_by_pk": {"id": upload["id"]}}
        assert (await caller.leonardo("DELETE", path)).json == {"delete_init_images_by_pk": None}
        assert (await caller.leonardo("GET", path)).json == {"init_images_by_pk": None}


@pytest.mark.parametrize("body", [{"extension": ".png"}, {"extension": "gif"}, {}, []])
async def test_extension_is_one_of_four(visiting: Visiting, body: Any) -> None:
    async with visiting() as caller:
        answer = await caller.leonardo("POST", "/v1/init-image", json=body)
        assert (answer.status, answer.json["error"]) == (400, "invalid file extension")


async def test_form_is_checked_as_s3_does(visiting: Visiting) -> None:
    async with visiting() as caller:
        upload = await presigned(caller)
        url, fields = upload["url"], json.loads(upload["fields"])
        assert (await send(caller, url, fields, Authorization="Bearer x")).status == 403
        assert (await send(caller, url, {**fields, "X-Amz-Signature": "0"})).status == 403
        assert (await send(caller, url, {**fields, "key": "elsewhere"})).status == 400
        assert (await send(caller, url, fields, file_first=True)).status == 400


async def test_two_minutes_are_all_one_has(visiting: Visiting) -> None:
    async with visiting() as caller:
        upload = await presigned(caller)
        await asyncio.sleep(120)
        late = await send(caller, upload["url"], json.loads(upload["fields"]))
        assert (late.status, "Policy expired" in late.text) == (403, True)
