"""The application that a test's own web server runs: our router, on a ledger and a provider that the test names."""

from __future__ import annotations

import json
import os
from typing import Annotated

from fastapi import FastAPI, Header

import aiogen
from aiogen.integrations.fastapi import health, lifespan, router
from aiogen.stores.base import AtMost

CONFIG = json.loads(os.environ["BACKEND"])


async def whoever(x_user: Annotated[str, Header()]) -> str:
    """Whose request it is."""
    return x_user


provider = aiogen.Luma(api_key=CONFIG["key"], base_url=CONFIG["url"], **CONFIG["provider"])
app = FastAPI(lifespan=lifespan([provider], store=CONFIG["ledger"], **CONFIG["session"]))
app.include_router(router(scope=whoever, models=["luma/uni-1"], at_most=AtMost(scope=500, total=5000)))
app.include_router(health())
