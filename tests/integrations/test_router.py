"""The router for FastAPI: one job for one wish, one body for it everywhere, and nobody else's."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from integrations.web import MODEL, Web, serving
from pictures import png

import aiogen
from aiogen._content.media import HEAD_BYTES, recognise
from aiogen.integrations.fastapi import router
from aiogen.integrations.fastapi.files import headers_of, kind_headers
from aiogen.models import Cost
from aiogen.sandbox import Fate, Rule, Script
from aiogen.stores import SqliteStore
from aiogen.stores.base import AtMost

ANN = {"x-user": "ann"}


def doing(**fate: Any) -> Script:
    """The vendor does this to every job."""
    return Script(rules=[Rule(fate=Fate(**fate))])


async def test_a_job_is_made_and_looked_at() -> None:
    """202 with where it is and when to ask; and the same body there."""
    async with serving() as web:
        answer = await web.post()
        assert answer.status_code == 202
        body = answer.json()
        path = f"/generations/{body['id']}"
        assert answer.headers["location"] == body["links"]["self"] == path
        assert 1 <= int(answer.headers["retry-after"]) <= 3600
        assert (body["model"], body["state"], body["outputs"], body["failure"]) == (MODEL, "pending", [], None)
        done = (await web.get(path, {"prefer": "wait=60"})).json()
        assert done["state"] == "completed"
        assert done["outputs"][0]["url"] == f"{path}/outputs/0"
        assert all(done["times"][name] for name in ("created", "accepted", "finished"))
        assert (await web.get("/generations")).json() == {"items": [done], "next": None}


async def test_a_client_may_wait() -> None:
    """200 when it is over in time, 202 when it is not."""
    async with serving() as web:
        answer = await web.post({"prefer": "respond-async, wait=60"})
        assert (answer.status_code, answer.json()["state"]) == (200, "completed")
        assert answer.headers["preference-applied"] == "wait=60"
    async with serving(doing(processing=500)) as web:
        answer = await web.post({"prefer": "wait=100"})
        assert (answer.status_code, answer.json()["state"]) == (202, "processing")
        assert answer.headers["preference-applied"] == "wait=60"


# --- repeated


async def test_the_same_key_is_the_same_job() -> None:
    """Also while it runs, and when it is over: then it is 200."""
    async with serving() as web:
        key = {"idempotency-key": "boat-1"}
        first, second = await web.post(key), await web.post(key)
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.headers["location"] == second.headers["location"]
        await web.get(first.headers["location"], {"prefer": "wait=60"})
        third = await web.post(key)
        assert (third.status_code, third.json()["id"]) == (200, first.json()["id"])
        assert web.paid == 1
        assert (await web.post(key, user="ben")).json()["id"] != first.json()["id"]


@pytest.mark.parametrize("other", [{"prompt": "a kite"}, {"parameters": {"aspect_ratio": "16:9"}}])
async def test_a_key_for_other_content_is_refused(other: dict[str, Any]) -> None:
    """422, with the job that it stands for; nothing is paid for it."""
    async with serving() as web:
        first = (await web.post({"idempotency-key": "boat-1", "prefer": "wait=60"})).json()
        answer = await web.post({"idempotency-key": "boat-1"}, **other)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["code"], problem["retryable"], problem["job"]) == ("key_reused", False, first["id"])
        assert web.paid == 1


@pytest.mark.looptime(noop_cycles=4)
@pytest.mark.usefixtures("virtual_files")
async def test_a_key_outlives_what_came_of_its_job(tmp_path: Path) -> None:
    """One body for it on every route, in this worker and in the next one; nobody asks the provider for it again."""
    key, path = {"idempotency-key": "boat-1", "prefer": "wait=60"}, ""

    async def told(web: Web) -> None:
        asked = len(web.box.requests)
        body = (await web.get(path, {"prefer": "wait=60"})).json()
        assert (body["state"], body["expired"], body["outputs"]) == ("completed", True, [])
        again = await web.post(key)
        assert (again.status_code, again.json()) == (200, body)
        assert (await web.get("/generations")).json()["items"] == [body]
        events = await web.get(f"{path}/events")
        assert [json.loads(each[6:]) for each in events.text.split("\n") if each.startswith("data: ")] == [body]
        assert (await web.get(path)).json() == body
        for answer in (await web.get(f"{path}/outputs/0"), await web.http.head(f"{path}/outputs/0", headers=ANN)):
            assert answer.status_code == 410
        assert (await web.get(f"{path}/outputs/0")).json()["code"] == "expired"
        assert (await web.delete(path)).status_code == 409
        other = await web.post(key, prompt="a kite")
        assert (other.status_code, other.json()["code"]) == (422, "key_reused")
        assert len(web.box.requests) == asked

    async with serving(store=SqliteStore(tmp_path / "aiogen.db", keep_finished=30.0)) as web:
        first = (await web.post(key)).json()
        path = first["links"]["self"]
        assert (first["state"], first["expired"]) == ("completed", False)
        while (await web.session.store.get(first["id"])).generation is not None:  # type: ignore[union-attr]
            await asyncio.sleep(1.0)
        await told(web)
    async with serving(store=SqliteStore(tmp_path / "aiogen.db", keep_finished=30.0)) as web:
        await told(web)


# --- what a failure is


async def test_a_failed_generation_is_no_error_of_the_request() -> None:
    """200, with why and what helps."""
    async with serving(doing(failure_code="content_moderated", failure_reason="Not this.")) as web:
        answer = await web.post({"prefer": "wait=60"})
        body = answer.json()
        assert (answer.status_code, body["state"], body["outputs"]) == (200, "failed", [])
        assert body["failure"] == {"code": "content_moderated", "reason": "Not this.", "action": "change_input"}
        assert (await web.get(body["links"]["self"])).json() == body


async def test_what_nobody_knows_is_said() -> None:
    """The create's answer never came: it may run, so it is neither failed nor asked for again."""
    async with serving(doing(create_fault="cut-after")) as web:
        body = (await web.post({"prefer": "wait=60"})).json()
        assert (body["state"], body["failure"]["code"], body["failure"]["action"]) == ("unknown", "unknown", "give_up")
        assert (await web.delete(body["links"]["self"])).status_code == 409


async def test_what_is_not_sent_is_told_at_once() -> None:
    """The model takes some of it only: the answer to the request says so, and so does everything after it."""
    async with serving(doing(processing=30)) as web:
        answer = await web.post(parameters={"n": 4, "negative_prompt": "dogs", "seed": 3})
        body = answer.json()
        assert (answer.status_code, body["partial"], len(body["warnings"])) == (202, False, 3)
        assert "Luma takes no seed" in " ".join(body["warnings"])
        path = body["links"]["self"]
        assert (await web.get(path)).json()["warnings"] == body["warnings"]
        done = (await web.get(path, {"prefer": "wait=60"})).json()
        assert (done["state"], done["warnings"]) == ("completed", body["warnings"])
        (listed,) = (await web.get("/generations")).json()["items"]
        assert listed == done
        assert (await web.made())["warnings"] == []


async def test_what_is_not_charged_costs_nothing() -> None:
    """Withdrawn before it was sent, and refused; what is charged, or may be, costs what it costs."""
    async with serving(doing(processing=30)) as web:
        body = (await web.post()).json()
        assert body["cost"] == {"amount": "0.0404", "unit": "DOLLARS", "is_estimate": True}
        body = (await web.delete(body["links"]["self"])).json()
        free = {"amount": "0", "unit": "DOLLARS", "is_estimate": False}
        assert (body["state"], body["cost"]) == ("cancelled", free)
        assert (await web.get("/generations")).json()["items"][0]["cost"] == free
    async with serving(doing(failure_code="content_moderated")) as web:
        body = (await web.post({"prefer": "wait=60"})).json()
        assert (body["state"], body["cost"]) == ("failed", free)


async def test_a_providers_addresses_are_cut_out_of_its_words() -> None:
    """Also where they stand in the reason of a failure."""
    reason = "Not found: https://cdn.example/a.png?sig=s3cret (see HTTP://status.example/x)"
    async with serving(doing(failure_code="generation_failed", failure_reason=reason)) as web:
        body = (await web.post({"prefer": "wait=60"})).json()
        assert body["failure"]["reason"] == "Not found: (address) (see (address)"


# --- whose it is


async def test_nobody_reaches_the_job_of_another() -> None:
    """Each route says that there is none, as of one that never was; and it goes on."""
    async with serving() as web:
        body = await web.made()
        path = body["links"]["self"]
        for way in (path, f"{path}/events", f"{path}/outputs/0"):
            theirs, none = await web.get(way, user="ben"), await web.get(way.replace(body["id"], "0"), user="ben")
            assert (theirs.status_code, theirs.json()) == (404, none.json())
            assert (await web.http.get(way)).status_code == 401
        assert (await web.delete(path, user="ben")).status_code == 404
        assert (await web.get("/generations", user="ben")).json()["items"] == []
        assert (await web.get(path)).status_code == 200


async def test_who_is_not_known_has_no_jobs() -> None:
    """What the application's dependency says is kept, and what is no name is nobody's."""
    async with serving() as web:
        answer = await web.http.post("/generations", json={"model": MODEL, "prompt": "a boat"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "Say who you are."
        assert (await web.post(user="")).status_code == 403
        assert (await web.post(user="x" * 257)).status_code == 403
        assert web.paid == 0


async def test_without_a_scope_no_router_is_made() -> None:
    """It has to be said that all clients are one; then they are."""
    with pytest.raises(aiogen.InputError, match="scope=None"):
        router(models=[MODEL])
    async with serving(scope=None) as web:
        answer = await web.http.post("/generations", json={"model": MODEL, "prompt": "a boat"})
        assert (await web.http.get(answer.headers["location"])).status_code == 200


# --- what is refused


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({"aspect_ratio": "16:9"}, "invalid_request", "body.aspect_ratio"),
        ({"parameters": {"aspekt_ratio": "16:9"}}, "unknown_parameter", "'aspect_ratio'"),
        ({"parameters": {"scope": "ben"}}, "unknown_parameter", "scope"),
        ({"parameters": {"prompt": "a kite"}}, "unknown_parameter", "prompt"),
        ({"parameters": {"references": 5}}, "invalid_request", "reference"),
        ({"parameters": {"n": 5}}, "too_many_outputs", "4"),
        ({"parameters": {"num_images": 1e9}}, "too_many_outputs", "4"),
        ({"prompt": " "}, "invalid_request", "prompt cannot be empty"),
        ({"prompt": None}, "invalid_request", "prompt cannot be empty"),
        ({"prompt": "x" * 10_001}, "prompt_too_long", "10,000"),
        ({"prompt": "a\0boat"}, "invalid_request", "U+0000"),
        ({"parameters": {"aspect_ratio": "16:9\0"}}, "invalid_request", ""),
        ({"model": "luma/uni-1\0"}, "unknown_model", MODEL),
        ({"model": "luma/ray-2"}, "unknown_model", MODEL),
        ({"model": "leonardo/gemini-image-2"}, "unknown_model", MODEL),
        ({"parameters": {"extra": {"a": 1}}}, "not_allowed", "extra"),
        ({"parameters": {"graph": {"a": 1}}}, "not_allowed", "graph"),
        ({"parameters": {"5.image": "theirs.png"}}, "not_allowed", "5.image"),
        ({"parameters": {"references": ["/etc/passwd"]}}, "not_allowed", "never a path"),
        ({"parameters": {"references": ["boat.png"]}}, "not_allowed", "never a path"),
        ({"parameters": {"source": "boat.png"}}, "not_allowed", "never a path"),
        ({"parameters": {"references": [{"path": "/etc/passwd"}]}}, "not_allowed", "never a path"),
        ({"parameters": {"references": [{"generation_id": "g1"}]}}, "not_allowed", "ids of pictures"),
        ({"parameters": {"video": {"generation_id": "g1"}}}, "not_allowed", "ids of pictures"),
        ({"parameters": {"references": ["http://here/a.png"]}}, "invalid_request", "not https"),
        ({"parameters": {"references": ["file:///etc/passwd"]}}, "invalid_request", "not https"),
        ({"parameters": {"style": [[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]}}, "invalid_request", "nested"),
    ],
)
async def test_what_a_client_may_not_say(body: dict[str, Any], code: str, says: str) -> None:
    """422, with what is wrong; nothing is sent."""
    async with serving() as web:
        answer = await web.post(**body)
        problem = answer.json()
        assert (answer.status_code, problem["status"], problem["code"]) == (422, 422, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert says in problem["detail"]
        assert (problem["action"], problem["retryable"]) == ("change_input", False)
        assert web.paid == 0


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[]", b'{"model": "\\ud800"}', b'{"model": NaN, "prompt": 1}', b"[" * 9000]
)
async def test_what_is_no_request_is_told(sent: bytes) -> None:
    """Never a 500, and never what was sent."""
    async with serving() as web:
        headers = {"x-user": "ann", "content-type": "application/json"}
        answer = await web.http.post("/generations", content=sent, headers=headers)
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_what_the_application_allows_is_sent() -> None:
    """Fields that nobody checks, pictures as bytes and as addresses."""
    async with serving(allow=["extra"]) as web:
        picture = "data:image/png;base64," + base64.b64encode(png(200)).decode()
        parameters = {"extra": {"user_id": "u1"}, "references": [picture, "https://pictures.example/a.png"]}
        assert (await web.post({"prefer": "wait=60"}, parameters=parameters)).status_code == 200
        assert web.paid == 1


async def test_a_body_has_a_limit() -> None:
    """413, whether the length is announced or not; and what is not read is not kept."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    async with serving(max_body_bytes=5000) as web:
        headers = {"x-user": "ann", "content-type": "application/json"}
        for content in (b" " * 10_000, pieces()):
            answer = await web.http.post("/generations", content=content, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "options",
    [
        {"models": MODEL},
        {"allow": "extra"},
        {"allow": ["everything"]},
        {"max_body_bytes": 0},
        {"max_prompt": 0},
        {"priority": "first"},
        {"max_outputs": 0},
        {"max_cost": 1},
        {"at_most": 5},
    ],
)
def test_an_option_that_cannot_be_right(options: dict[str, Any]) -> None:
    """Is refused when the router is made."""
    with pytest.raises(aiogen.InputError):
        router(**{"scope": None, "models": [MODEL]} | options)


# --- limits


async def test_unfinished_jobs_have_a_limit() -> None:
    """429 for a scope, 503 for all, each with when to ask again; a key's own job is returned all the same."""
    async with serving(doing(processing=500), at_most=AtMost(scope=2, total=3)) as web:
        assert [(await web.post()).status_code for _ in range(2)] == [202, 202]
        mine = await web.post()
        problem = mine.json()
        assert (mine.status_code, problem["code"], problem["retryable"]) == (429, "too_many_jobs", True)
        assert int(mine.headers["retry-after"]) >= 1
        key = {"idempotency-key": "k"}
        third = await web.post(key, "ben")
        assert third.status_code == 202
        assert (await web.post(key, "ben")).json()["id"] == third.json()["id"]
        full = await web.post(user="cy")
        assert (full.status_code, full.json()["code"]) == (503, "too_many_jobs")
        assert int(full.headers["retry-after"]) >= 1
        assert "3" not in full.json()["detail"]


async def test_one_job_may_cost_so_much() -> None:
    """By its estimate, in one unit; what nobody can say in it is refused, and nothing is sent."""
    for most, status in (
        (Cost(Decimal(10), "DOLLARS"), 202),
        (Cost(Decimal("0.001"), "DOLLARS"), 422),
        (Cost(Decimal(10), "CREDITS"), 422),
    ):
        async with serving(max_cost=most) as web:
            answer = await web.post()
            assert answer.status_code == status, answer.text
            if status == 422:
                assert answer.json()["code"] == "too_expensive"
                assert web.paid == 0


async def test_jobs_go_before_those_of_a_batch() -> None:
    """Somebody waits for them."""
    async with serving() as web:
        body = (await web.post()).json()
        record = await web.session.store.get(body["id"])
        assert record is not None
        assert (record.priority, record.scope) == (7, "ann")


# --- listed


async def test_a_list_has_pages_and_states() -> None:
    """The newest first, each as it is by itself."""
    async with serving() as web:
        made = [(await web.made(prompt=f"boat {n}"))["id"] for n in range(3)]
        await web.post(prompt="a slow boat [[processing=900]]")
        first = (await web.get("/generations?limit=2&state=completed&state=failed")).json()
        assert [each["id"] for each in first["items"]] == made[:0:-1]
        rest = (await web.get(f"/generations?limit=2&state=completed&cursor={first['next']}")).json()
        assert ([each["id"] for each in rest["items"]], rest["next"]) == (made[:1], None)
        assert len((await web.get("/generations")).json()["items"]) == 4
        for query in ("state=lost", "limit=0", "limit=101", "cursor=x", f"cursor={'x' * 300}"):
            assert (await web.get(f"/generations?{query}")).status_code == 422, query


# --- cancelled


async def test_what_waits_is_withdrawn() -> None:
    """200, as often as it is said; what is on its way is not stopped where the vendor cannot, and says so."""
    async with serving() as web:
        body = (await web.post()).json()
        path = body["links"]["self"]
        answer = await web.delete(path)
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        assert (await web.delete(path)).status_code == 200
        assert (await web.get(path)).json()["state"] == "cancelled"
        assert web.paid == 0


async def test_what_cannot_be_stopped_says_why() -> None:
    """409, with the job: it runs where the vendor has no such call, or it is over."""
    async with serving(doing(processing=100)) as web:
        path = (await web.post({"prefer": "wait=20"})).json()["links"]["self"]
        answer = await web.delete(path)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "unsupported")
        assert "no API call that cancels" in problem["detail"]
        assert path.endswith(problem["job"])
        await web.get(path, {"prefer": "wait=60"})
        await web.get(path, {"prefer": "wait=60"})
        answer = await web.delete(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "completed" in answer.json()["detail"]


# --- outputs


async def test_the_bytes_are_handed_out() -> None:
    """From our address, shown and never run, kept by the browser; the vendor's address is nowhere."""
    async with serving() as web:
        body = await web.made()
        assert "http" not in str(body)
        path = body["outputs"][0]["url"]
        answer = await web.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.content.startswith(b"\x89PNG")
        assert answer.headers["content-disposition"].startswith("inline")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox"
        assert {"private", "immutable"} <= set(answer.headers["cache-control"].split(", "))
        again = await web.get(path, {"if-none-match": f'"x", W/{answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        for n in ("1", "-1", "9999999999999999999999"):
            assert (await web.get(f"{body['links']['self']}/outputs/{n}")).status_code == 404


async def test_what_is_not_there_is_not_handed_out() -> None:
    """409 while it runs and when it failed, 502 where the storage fails."""
    async with serving(doing(failure_code="generation_failed")) as web:
        path = (await web.post({"prefer": "wait=60"})).json()["links"]["self"]
        assert (await web.get(f"{path}/outputs/0")).status_code == 409
    async with serving(doing(download_faults="500*")) as web:
        path = (await web.made())["outputs"][0]["url"]
        answer = await web.get(path)
        assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (502, "download_failed", "wait")
        assert "http" not in answer.text.replace("about:blank", "")


@pytest.mark.parametrize(
    "data",
    [b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", b"<html><script/></html>", b"%PDF-1.7", b"", b"GIF8"],
)
def test_what_a_browser_might_run_is_an_attachment(data: bytes) -> None:
    """Whatever the vendor calls it."""
    headers = kind_headers("j1", 0, recognise(data[:HEAD_BYTES]))
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers_of("x")["Content-Security-Policy"] == "sandbox"


# --- the description


async def test_the_description_knows_the_bodies() -> None:
    """Generated clients have one type for a job, and one for a problem."""
    async with serving() as web:
        found = (await web.http.get("/openapi.json")).json()
        paths = found["paths"]
        body = {"$ref": "#/components/schemas/GenerationBody"}
        for way, method, status in (
            ("/generations", "post", "202"),
            ("/generations", "post", "200"),
            ("/generations/{job_id}", "get", "200"),
            ("/generations/{job_id}", "delete", "200"),
        ):
            assert paths[way][method]["responses"][status]["content"]["application/json"]["schema"] == body
        for way in paths:
            if way.startswith("/generations"):
                for route in paths[way].values():
                    assert "application/problem+json" in route["responses"]["4XX"]["content"]
                    assert "422" not in route["responses"]
        wanted = found["components"]["schemas"]["NewGeneration"]
        assert not wanted["additionalProperties"]
        assert wanted["properties"]["model"]["enum"] == [MODEL]
        for name in re.findall(r'"\$ref": "([^"]+)"', json.dumps(found)):
            assert name.removeprefix("#/components/schemas/") in found["components"]["schemas"]


async def test_the_application_keeps_its_own_errors() -> None:
    """Problem details are of this router alone."""
    async with serving() as web:
        answer = await web.get("/nowhere")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize(
    "tenant", ["%E6%97%A5%E6%9C%AC", "a%20b", "x%3Fa=1%23", "%0d%0aset-cookie:%20a=b", "%FF", "a@b"]
)
async def test_links_hold_whatever_a_prefix_has_in_it(tenant: str) -> None:
    """A prefix with a parameter: what a client writes there stands in `Location` so that it means the same."""
    async with serving(prefix="/t/{tenant}") as web:
        answer = await web.http.post(
            f"/t/{tenant}/generations", json={"model": MODEL, "prompt": "x"}, headers={**ANN, "prefer": "wait=60"}
        )
        assert answer.status_code == 200
        path = answer.headers["location"]
        assert path.isascii()
        assert re.fullmatch(r"/t/[^/?#\s]+/generations/[0-9a-f-]{36}", path)
        assert (await web.get(path)).json() == answer.json()
        assert (await web.get(answer.json()["outputs"][0]["url"])).status_code == 200
        assert (await web.get(answer.json()["links"]["events"])).status_code == 200
        (listed,) = (await web.get(f"/t/{tenant}/generations")).json()["items"]
        assert listed["links"] == answer.json()["links"]


@pytest.mark.parametrize("is_in_path", [False, True])
async def test_links_have_the_applications_root(is_in_path: bool) -> None:
    """A proxy takes `/api` off, and `FastAPI(root_path="/api")` says so; uvicorn's option of that name puts it back."""
    async with serving() as web:
        transport = httpx.ASGITransport(web.app, root_path="/api")
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            way = f"{'/api' if is_in_path else ''}/generations"
            answer = await http.post(way, json={"model": MODEL, "prompt": "x"}, headers=ANN)
            assert answer.headers["location"] == f"/api/generations/{answer.json()['id']}"


async def test_links_hold_under_any_prefix() -> None:
    """Included below a prefix, and mounted in another application."""
    async with serving(prefix="/v1") as web:
        body = (
            await web.http.post("/v1/generations", json={"model": MODEL, "prompt": "x"}, headers={"x-user": "a"})
        ).json()
        assert body["links"]["self"] == f"/v1/generations/{body['id']}"
        outer = FastAPI()
        outer.mount("/inner", web.app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://here") as http:
            inner = (await http.get(f"/inner{body['links']['self']}", headers={"x-user": "a"})).json()
            assert inner["links"]["self"] == f"/inner{body['links']['self']}"
