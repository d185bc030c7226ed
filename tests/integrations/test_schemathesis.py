"""The application does what its description says, asked by Schemathesis: all of its default checks, on every route.

The requests are Schemathesis' own, right ones and wrong ones; they are sent within a virtual clock, and not by its own
in-process client, which keeps a thread for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import looptime
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings, strategies
from integrations.web import MODEL, Web, serving, whoever
from pictures import png
from schemathesis.specs.openapi.checks import positive_data_acceptance

from aiogen.integrations.fastapi import health, router
from aiogen.integrations.uploaded import KINDS

pytestmark = [pytest.mark.looptime(False), pytest.mark.no_cover]

EXAMPLES = 10


def described() -> dict[str, Any]:
    """The description of an application whose router has everything."""
    app = FastAPI()
    app.include_router(router(scope=whoever, models=[MODEL], uploads="nowhere", erase=True))
    app.include_router(health())
    found: dict[str, Any] = app.openapi()
    return found


for kind in KINDS:
    schemathesis.openapi.media_type(kind, strategies.binary() | strategies.just(png()))
schema = schemathesis.openapi.from_dict(described())


@attrs.frozen
class Asked:
    """The application in a loop of its own, with a job and an upload that are there."""

    runner: asyncio.Runner
    web: Web
    has: dict[str, str]

    def check(self, case: schemathesis.Case) -> None:
        """All default checks."""
        response = self.send(case)
        assert response.status_code != 401
        case.validate_response(
            response, excluded_checks=[positive_data_acceptance] if is_said_in_words(response) else []
        )

    def send(self, case: schemathesis.Case) -> httpx.Response:
        """The request as Schemathesis would send it."""
        sent = requests.Request(**case.as_transport_kwargs("http://here", headers={"x-user": "ann"})).prepare()
        headers = [  # a client may send any bytes
            (str(name).encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in sent.headers.items()
        ]
        return self.runner.run(
            self.web.http.request(sent.method or "", sent.url or "", content=sent.body, headers=headers)
        )


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        stack = serving(uploads=tmp_path, erase=True)
        web = runner.run(stack.__aenter__())
        try:
            job = runner.run(web.made())
            picture = runner.run(web.http.post("/uploads", content=png(), headers={"x-user": "ann"})).json()
            yield Asked(runner, web, {"job_id": job["id"], "upload_id": picture["id"], "n": "0"})
        finally:
            runner.run(stack.__aexit__(None, None, None))


# What is not refused or taken as the description says, because JSON Schema cannot say it.
SAID_IN_WORDS = {
    "The prompt cannot be empty": "there are models that take none, and blanks are no prompt",
    "U+0000": "no text has a NUL in it, at any depth",
    "is no cursor": "which cursors came with a page only the ledger knows",
    "key_reused": "a key that stood for another request is not taken for this one",
    "unknown_kind": "what is a picture its bytes say, and they are any bytes to a description",
    "incomplete": "and so they do whether all of it is there",
    "not_allowed": "there are parameters that only some models have, and only some applications allow",
    "unknown_parameter": "each model has its own; the description is one for all of them",
}


def is_said_in_words(response: httpx.Response) -> bool:
    """Whether a request that fits the description was refused for one of the reasons above."""
    return response.status_code in (415, 422) and any(reason in response.text for reason in SAID_IN_WORDS)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_it_does_what_it_says(case: schemathesis.Case, asked: Asked) -> None:
    """Each answer is one that is described: its status, its type, its body; what is wrong is refused."""
    asked.check(case)
    if case.path_parameters and case.meta is not None and case.meta.generation.mode.is_positive:
        case.path_parameters.update({name: asked.has[name] for name in case.path_parameters})
        asked.check(case)
