"""A router for FastAPI whose retries do not pay twice, with live events, limits, and one owner for each job.

    from aiogen.integrations.fastapi import health, lifespan, router

    app = FastAPI(lifespan=lifespan(store="images.db"))
    app.include_router(router(scope=current_user, models=["luma/uni-1"]))
    app.include_router(health())

Needs the extra `fastapi`.  docs/web.md shows a whole program.
"""

try:
    from fastapi import sse as _sse  # noqa: F401
except ImportError as _error:
    raise ImportError(
        'aiogen.integrations.fastapi needs FastAPI 0.135 or later: pip install "aiogen-sdk[fastapi]"'
    ) from _error

from aiogen.integrations.fastapi.bodies import ErasedBody, GenerationBody, NewGeneration, PageBody, UploadBody
from aiogen.integrations.fastapi.erasing import erase
from aiogen.integrations.fastapi.health import health
from aiogen.integrations.fastapi.problem_route import ProblemRoute
from aiogen.integrations.fastapi.problems import Problem
from aiogen.integrations.fastapi.routes import router
from aiogen.integrations.fastapi.sessions import SessionDep, lifespan
from aiogen.integrations.fastapi.shutdown import Shutdown, ShutdownDep, begin_shutdown
from aiogen.integrations.fastapi.webhooks import webhook_router
from aiogen.integrations.statuses import http_status
from aiogen.integrations.uploads import Uploads

__all__ = [
    "ErasedBody",
    "GenerationBody",
    "NewGeneration",
    "PageBody",
    "Problem",
    "ProblemRoute",
    "SessionDep",
    "Shutdown",
    "ShutdownDep",
    "UploadBody",
    "Uploads",
    "begin_shutdown",
    "erase",
    "health",
    "http_status",
    "lifespan",
    "router",
    "webhook_router",
]
