"""Luma's files."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from aiogen.sandbox import LumaSettings
from aiogen.sandbox.vendors.luma.files import INGEST_SECONDS

from ...conftest import Caller, Visiting

BYTES = b"\x89PNG" + bytes(96)


async def presigned(caller: Caller, **fields: Any) -> Any:
    body = {"mime_type": "image/png", "size_bytes": len(BYTES), "purpose": "input", "filename": "cup.png", **fields}
    answer = await caller.luma("POST", "/files", json=body)
    assert answer.status == 201, answer.text
    return answer.json


async def uploaded(caller: Caller) -> str:
    created = await presigned(caller)
    upload = created["upload"]
    await caller.ask(upload["method"], upload["url"], data=BYTES, headers=upload["headers"])
    await caller.luma("POST", f"/files/{created['id']}/complete")
    return str(created["id"])


async def test_presigned_upload_from_begin_to_use(visiting: Visiting) -> None:
    async with visiting() as caller:
        created = await presigned(caller)
        assert created["state"] == "pending"
        assert set(created["file"]) == {
            "id",
            "created_at",
            "mime_type",
            "purpose",
            "size_bytes",
            "state",
            "filename",
            "user_id",
            "failure_reason",
            "expires_at",
            "deleted_at",
        }
        upload = created["upload"]
        assert (upload["method"], upload["headers"]) == ("PUT", {"Content-Type": "image/png"})
        assert (await caller.ask("PUT", upload["url"], data=BYTES)).status == 200
        file = (await caller.luma("POST", f"/files/{created['id']}/complete")).json
        assert file["state"] == "ready"
        assert (await caller.luma("GET", f"/files/{created['id']}")).json == file
        assert (await caller.create(image_ref=[{"file_id": created["id"]}])).status == 201


async def test_completed_without_an_upload_it_fails(visiting: Visiting) -> None:
    async with visiting() as caller:
        created = await presigned(caller)
        for _ in range(2):
            file = (await caller.luma("POST", f"/files/{created['id']}/complete")).json
            assert file["state"] == "failed"
            assert file["failure_reason"]


async def test_upload_refuses_a_key_a_forgery_and_lateness(visiting: Visiting) -> None:
    async with visiting() as caller:
        url = (await presigned(caller))["upload"]["url"]
        key = {"Authorization": "Bearer x"}
        assert (await caller.ask("PUT", url, data=BYTES, headers=key)).status == 400
        assert (await caller.ask("PUT", url.replace("Signature=", "Signature=0"), data=BYTES)).status == 403
        await asyncio.sleep(900)
        assert (await caller.ask("PUT", url, data=BYTES)).status == 403


async def test_inline_upload(visiting: Visiting) -> None:
    async with visiting() as caller:
        form = aiohttp.FormData({"purpose": "reference"})
        form.add_field("file", BYTES, filename="cup.png", content_type="image/png")
        answer = await caller.luma("POST", "/files", data=form)
        assert answer.status == 201
        file = answer.json["file"]
        assert (answer.json["state"], answer.json["upload"]) == ("pending", None)
        assert (file["state"], file["size_bytes"], file["purpose"]) == ("pending", len(BYTES), "reference")
        assert (file["filename"], file["mime_type"]) == ("cup.png", "image/png")
        assert (await caller.create(image_ref=[{"file_id": file["id"]}])).status == 400
        await asyncio.sleep(INGEST_SECONDS)
        assert (await caller.luma("GET", "/files", params={"state": "ready"})).json["data"][0]["id"] == file["id"]
        assert (await caller.luma("GET", f"/files/{file['id']}")).json["state"] == "ready"
        assert (await caller.create(image_ref=[{"file_id": file["id"]}])).status == 201


async def test_inline_upload_without_a_file(visiting: Visiting) -> None:
    async with visiting() as caller:
        with aiohttp.MultipartWriter("form-data") as form:
            form.append("x").set_content_disposition("form-data", name="purpose")
        assert (await caller.luma("POST", "/files", data=form)).status == 400


@pytest.mark.parametrize("body", [[], {}, {"mime_type": "image/png", "size_bytes": 0}, {"size_bytes": 5}])
async def test_incomplete_requests_are_refused(visiting: Visiting, body: Any) -> None:
    async with visiting() as caller:
        assert (await caller.luma("POST", "/files", json=body)).status == 400


async def test_list_goes_backwards_in_pages(visiting: Visiting) -> None:
    async with visiting() as caller:
        ids = [(await presigned(caller))["id"] for _ in range(5)]
        seen: list[str] = []
        query: dict[str, str] = {"limit": "2"}
        for more in (True, True, False):
            page = (await caller.luma("GET", "/files", params=query)).json
            seen += [file["id"] for file in page["data"]]
            assert page["has_more"] is more
            query["cursor"] = page["next_cursor"] or ""
        assert seen == ids[::-1]


async def test_list_by_purpose_and_state(visiting: Visiting) -> None:
    async with visiting() as caller:
        reference = (await presigned(caller, purpose="reference"))["id"]
        ready = await uploaded(caller)

        async def listed(**query: str) -> list[str]:
            return [file["id"] for file in (await caller.luma("GET", "/files", params=query)).json["data"]]

        assert await listed(purpose="reference") == [reference]
        assert await listed(state="ready") == [ready]
        assert await listed() == [ready, reference]


@pytest.mark.parametrize("limit", ["0", "101", "many"])
async def test_list_has_limits(visiting: Visiting, limit: str) -> None:
    async with visiting() as caller:
        assert (await caller.luma("GET", "/files", params={"limit": limit})).status == 400


async def test_deleted_softly(visiting: Visiting) -> None:
    async with visiting() as caller:
        file_id = await uploaded(caller)
        answer = await caller.luma("DELETE", f"/files/{file_id}")
        assert (answer.status, answer.content) == (204, b"")
        file = (await caller.luma("GET", f"/files/{file_id}")).json
        assert file["state"] == "deleted"
        assert file["deleted_at"]
        assert (await caller.luma("GET", "/files")).json["data"] == []
        assert len((await caller.luma("GET", "/files", params={"state": "deleted"})).json["data"]) == 1
        assert (await caller.create(image_ref=[{"file_id": file_id}])).status == 400


async def test_unknown_files(visiting: Visiting) -> None:
    async with visiting() as caller:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/complete")):
            answer = await caller.luma(method, f"/files/182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e{path}")
            assert answer.status == 404


async def test_lenient_knows_every_file(visiting: Visiting) -> None:
    async with visiting(luma=LumaSettings(lenient=True)) as caller:
        path = "/files/182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
        assert (await caller.luma("GET", path)).json["state"] == "ready"
        assert (await caller.luma("POST", f"{path}/complete")).status == 200
        assert (await caller.luma("DELETE", path)).status == 204
        created = await presigned(caller)
        assert (await caller.luma("POST", f"/files/{created['id']}/complete")).json["state"] == "ready"
