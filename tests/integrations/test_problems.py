"""What is told of an error: to a client in words for clients, and to the server's log what only that may know."""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from integrations.web import MODEL, serving, whoever
from pictures import png

import aiogen
from aiogen import errors
from aiogen.integrations.fastapi import router
from aiogen.integrations.fastapi.asking import Terms, request_of
from aiogen.integrations.fastapi.bodies import NewGeneration
from aiogen.integrations.fastapi.problems import Refused, problem_of
from aiogen.integrations.fastapi.telling import EVERY, for_clients
from aiogen.sandbox import LEONARDO_KEY
from aiogen.stores.base import AtMost

ANN = {"x-user": "ann"}


# --- the log


async def test_what_is_not_told_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Of each kind once a minute, with how many there were; and never to the client."""
    async with serving() as web:

        async def fails(*_: Any, **__: Any) -> Any:
            raise aiogen.StoreError("The ledger /srv/images.db is locked.")

        web.session.store.find = fails  # type: ignore[method-assign]
        for _ in range(3):
            answer = await web.get("/generations/5b1c")
            assert (answer.status_code, answer.json()["detail"]) == (503, "The server cannot do this now.")
        await asyncio.sleep(EVERY + 1.0)
        await web.get("/generations/5b1c")
    said = [each.getMessage() for each in caplog.records if each.name == "aiogen" and "GET" in each.getMessage()]
    first = "GET /generations/{job_id}: 503 unavailable: StoreError: The ledger /srv/images.db is locked."
    assert said == [first, f"{first} (2 more of this kind since the last line)"]


async def test_what_the_disk_refuses_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The folder of uploads is gone, say: 503, and its reason is the operator's."""
    async with serving(uploads=tmp_path / "kept") as web:
        answer = await web.http.post("/uploads", content=png(), headers=ANN)
        (tmp_path / "kept").rename(tmp_path / "away")
        (tmp_path / "kept").write_bytes(b"")
        answer = await web.http.post("/uploads", content=png(), headers=ANN)
        assert answer.status_code == 503
        assert str(tmp_path) not in answer.text
    assert any("POST /uploads: 503 unavailable" in each.getMessage() for each in caplog.records)
    (tmp_path / "kept").unlink()


async def test_without_a_lifespan_it_is_said_to_who_runs_it(caplog: pytest.LogCaptureFixture) -> None:
    """An application that is mounted in another has its own; the client is told nothing of that."""
    app = FastAPI()
    app.include_router(router(scope=whoever, models=[MODEL]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http:
        problem = (await http.get("/generations", headers=ANN)).json()
    assert (problem["status"], problem["detail"]) == (503, "The server cannot do this now.")
    assert problem["action"] is None
    assert any("lifespan" in each.getMessage() for each in caplog.records if each.levelno == logging.WARNING)


# --- words


@pytest.mark.parametrize(
    ("parameters", "says", "hides"),
    [
        ({"references": ["http://here/a.png"]}, "is not https", "bytes."),
        ({"references": [5]}, "https address", "aiogen"),
        ({"references": [{"data": "%%"}]}, "not valid base64", "pass"),
    ],
)
async def test_a_client_is_not_told_how_python_does_it(parameters: dict[str, Any], says: str, hides: str) -> None:
    """The router takes no paths, no objects and no keywords."""
    async with serving() as web:
        answer = await web.post(parameters=parameters)
        assert answer.status_code == 422
        assert says in answer.json()["detail"]
        assert hides not in answer.json()["detail"]


def test_keywords_are_words() -> None:
    """As people write who send JSON."""
    assert for_clients("key= takes 1 to 256 characters.") == "key takes 1 to 256 characters."
    assert for_clients("It is luma/ray-3.2. Say scope=None.") == "It is luma/ray-3.2. Say scope=None."
    assert for_clients("Use session.adopt().") == "The request is invalid."


async def test_connections_and_scopes_are_the_servers_own() -> None:
    """What there is beside what was asked for, and by what name the application calls who asked."""
    async with serving(models=None) as web:
        for model in ("uni-1", "/uni-1", "luma/", "nobody/x", ""):
            problem = (await web.post(model=model)).json()
            assert (problem["status"], problem["code"]) == (422, "unknown_model")
            assert "Available" not in problem["detail"]
        key = {"idempotency-key": "aa"}
        await web.post(key, "the-tenant-17")
        problem = (await web.post(key, "the-tenant-17", prompt="a kite")).json()
        assert (problem["code"], "the-tenant" in problem["detail"]) == ("key_reused", False)


# --- what helps


async def test_what_another_request_makes_good_says_so(tmp_path: Path) -> None:
    """400, 413, 415 and 422 alike."""
    async with serving(uploads=tmp_path, max_body_bytes=5000) as web:
        for answer in (
            await web.http.post("/generations", content=b"{", headers=ANN | {"content-type": "application/json"}),
            await web.http.post("/generations", content=b" " * 9000, headers=ANN),
            await web.http.post("/uploads", content=b"no picture", headers=ANN),
            await web.post(prompt=""),
        ):
            assert answer.status_code in (400, 413, 415, 422)
            assert (answer.json()["action"], answer.json()["retryable"]) == ("change_input", False)


def test_a_cancel_that_was_not_heard_may_be_repeated() -> None:
    """The wish stays in the ledger, so the same request works later; and it is said when."""
    problem, pause = problem_of(errors.CancelTimeout("Nobody has answered.", job_id="j1"))
    assert (problem.status, problem.code, problem.action, problem.retryable) == (504, "cancel_timeout", "wait", True)
    assert pause is not None
    problem, pause = problem_of(errors.GenerationTimeout("Too late."))
    assert (problem.retryable, pause) == (False, None)


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"message": "No money left.", "account": 17}, "No money left."),
        ({"account": 17}, "Payment Required"),
        (["a", 1], "Payment Required"),
    ],
)
async def test_what_the_application_says_of_its_own_refusal(detail: Any, said: str) -> None:
    """Its dependency raises more than a text: nothing of it is lost."""

    async def refusing() -> str:
        raise HTTPException(402, detail)

    async with serving(scope=refusing) as web:
        problem = (await web.get("/generations")).json()
        assert (problem["status"], problem["detail"], problem["context"]) == (402, said, detail)


# --- keys and texts


@pytest.mark.parametrize("key", ["\u65e5\u672c", "\u00fc", "a\u0085", "", "x" * 257, "a\tb"])
async def test_a_key_is_plain_text(key: str) -> None:
    """Servers read other bytes as other letters than their client has written."""
    async with serving() as web:
        asked = {"model": MODEL, "prompt": "x"}
        headers = [(b"x-user", b"ann"), (b"idempotency-key", key.encode())]
        answer = await web.http.post("/generations", json=asked, headers=headers)
        assert (answer.status_code, web.paid) == (422, 0)
        assert "key=" not in answer.text


async def test_of_two_keys_neither_counts() -> None:
    """Which of them names the job nobody can know."""
    async with serving() as web:
        headers = [("x-user", "ann"), ("idempotency-key", "a"), ("idempotency-key", "b")]
        answer = await web.http.post("/generations", json={"model": MODEL, "prompt": "x"}, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (422, "A request has one Idempotency-Key.")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"negative_prompt": "x" * 100}, None),
        ({"negative_prompt": "x" * 101}, "text_too_long"),
        ({"negative_prompt": "data:" + "x" * 101}, "text_too_long"),
        ({"style_ids": ["y", "x" * 101]}, "text_too_long"),
        ({"references": ["data:image/png;base64," + base64.b64encode(png(200)).decode()]}, None),
        ({"extra": {"story": "x" * 101}}, None),
    ],
)
async def test_no_text_is_longer_than_a_prompt(parameters: dict[str, Any], code: str | None) -> None:
    """Whichever parameter has it; a picture may be, and what the application lets through unread."""
    wanted = NewGeneration(model="leonardo/gpt-image-2", prompt="a boat", parameters=parameters)
    terms = Terms(models=None, allow=frozenset({"extra"}), longest_prompt=100, at_most=AtMost(scope=1))
    async with aiogen.Session([aiogen.Leonardo(api_key=LEONARDO_KEY)]) as session:
        if code is None:
            request_of(session, wanted, terms)
            return
        with pytest.raises(Refused) as caught:
            request_of(session, wanted, terms)
    assert caught.value.problem.code == code


# --- what a client has already


async def test_what_is_known_is_not_sent_again(tmp_path: Path) -> None:
    """304 for an upload as for an output, and for a look at one."""
    async with serving(uploads=tmp_path) as web:
        upload = (await web.http.post("/uploads", content=png(), headers=ANN)).json()["url"]
        output = (await web.made())["outputs"][0]["url"]
        for method, path in (("GET", upload), ("GET", output), ("HEAD", output)):
            first = await web.http.request(method, path, headers=ANN)
            assert first.status_code == 200
            again = await web.http.request(method, path, headers=ANN | {"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
            other = await web.http.request(method, path, headers=ANN | {"if-none-match": '"other"'})
            assert other.status_code == 200
