"""Leonardo's ways to say no, for statuses that faults ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from aiogen.sandbox import LeonardoSettings
from aiogen.sandbox.vendors.leonardo.errors import LeonardoErrorFormat


def body(response: web.Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_v1_says_it_with_an_object() -> None:
    response = LeonardoErrorFormat(LeonardoSettings(), 1).refuse(503, {"Retry-After": "3"})
    assert (response.status, response.headers["Retry-After"]) == (503, "3")
    assert body(response) == {"error": "Service Error", "path": "$", "code": "unexpected"}


def test_v2_says_a_status_with_that_status_whatever_the_shape() -> None:
    response = LeonardoErrorFormat(LeonardoSettings(), 2).refuse(402, {})
    assert response.status == 402
    assert body(response) == [
        {"message": "Insufficient tokens", "path": [], "extensions": {"code": "HttpException", "statusCode": 402}}
    ]


@pytest.mark.parametrize("version", [1, 2])
def test_error_inside_a_200_is_an_array(version: int) -> None:
    response = LeonardoErrorFormat(LeonardoSettings(), version).error_inside_200(429)
    assert response.status == 200
    assert body(response)[0]["extensions"]["statusCode"] == 429


def test_limits_speak_alike() -> None:
    error_format = LeonardoErrorFormat(LeonardoSettings(), 1)
    assert [error_format.limited(kind, None).status for kind in ("rpm", "concurrency", "abuse", "pending")] == [429] * 4
    assert error_format.limited("rpm", 7).headers["Retry-After"] == "7"
