"""The application: the router of aiogen, the page, and the three things that the page wants to know beside."""

# Annotations are read when a route is made, for some name what `make_app` was given: so they are not put off here.
import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict
from starlette.middleware.trustedhost import TrustedHostMiddleware

import aiogen
from aiogen.integrations.fastapi import ProblemRoute, SessionDep, Uploads, health, lifespan, router
from studio.catalogue import Catalogue
from studio.vendors import are_real, chosen
from studio.visitors import visitor, welcome

STATIC = Path(__file__).parent / "static"
HEADERS = {
    # Nothing but our own files, no style or script within the page: text of others can never become either.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
HOSTS = ("localhost", "127.0.0.1")


class Assets(StaticFiles):
    """The page's files, with the page's headers; asked for again each time, and then mostly not changed (304)."""

    def file_response(self, *args: Any, **options: Any) -> Any:
        """With our headers."""
        answer = super().file_response(*args, **options)
        answer.headers.update(HEADERS)
        return answer


class Wanted(BaseModel):
    """What the form says so far."""

    model_config = ConfigDict(extra="forbid")

    model: str
    parameters: dict[str, Any] = {}


def amounts_of(costs: aiogen.Costs) -> dict[str, Any]:
    """As the page adds and shows them."""
    return {
        "amounts": [{"amount": f"{amount:f}", "unit": unit} for unit, amount in sorted(costs.amounts.items())],
        "is_estimate": costs.estimated > 0,
        "unknown": costs.unknown,
    }


def make_app(
    providers: Sequence[aiogen.Provider] | None = None,
    *,
    store: str | None = None,
    uploads: str | None = None,
    is_sandbox: bool = False,
    hosts: Sequence[str] = HOSTS,
) -> FastAPI:
    """The studio.

    Args:
        providers: whom to ask; by default those of the environment, or the sandbox.
        store: the file of the ledger; by default "studio.db", and a temporary one at the sandbox, which forgets its
            pictures just as well.
        uploads: the folder of the pictures that visitors send; by default "studio-uploads", and a temporary one where
            the ledger is none that stays.
        is_sandbox: whether these providers are imitated, as the page says.
        hosts: by which names browsers may reach it.  Any other is refused: a page on the internet whose name leads to
            this machine could otherwise spend your money.
    """

    stays = are_real(providers) and store != ":memory:"
    passing = Path(tempfile.gettempdir(), f"studio-{secrets.token_hex(16)}")  # made with the first picture
    kept = Uploads(uploads or ("studio-uploads" if stays else passing))

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        async with chosen(providers) as (asked, is_imitated):
            app.state.is_sandbox = is_sandbox or is_imitated
            app.state.catalogue = Catalogue()
            with tempfile.TemporaryDirectory(prefix="studio-") as beside:
                usual = Path(beside, "studio.db") if is_imitated else "studio.db"
                async with lifespan(asked, store=store or usual)(app):
                    yield
            await asyncio.to_thread(shutil.rmtree, passing, ignore_errors=True)

    app = FastAPI(title="aiogen studio", lifespan=opened)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    # Every model of the connections: whoever reaches this page chooses the price.  Before others than you can reach
    # it, list the models, say `max_cost=`, and give the lifespan a `budget=`.
    app.include_router(router(scope=visitor, models=None, uploads=kept, prefix="/api"))
    app.include_router(_beside(kept), prefix="/api")
    app.include_router(health())

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> FileResponse:
        answer = FileResponse(STATIC / "index.html", headers=HEADERS)
        welcome(request, answer)
        return answer

    app.mount("/static", Assets(directory=STATIC))
    return app


def _beside(uploads: Uploads) -> APIRouter:
    made = APIRouter(route_class=ProblemRoute, tags=["studio"])

    @made.get("/studio", dependencies=[Depends(visitor)])
    async def studio(request: Request, session: SessionDep) -> dict[str, Any]:
        """What there is to choose from, and aiogen's words for what helps."""
        connections = await request.app.state.catalogue.of(session)
        return {
            "is_sandbox": request.app.state.is_sandbox,
            "connections": connections,
            "max_upload_bytes": uploads.max_bytes,
            "actions": {action: action.help_text for action in aiogen.Action},
        }

    @made.post("/estimate", dependencies=[Depends(visitor)])
    async def estimate(wanted: Wanted, request: Request, session: SessionDep) -> dict[str, Any]:
        """What that would cost; nothing is made."""
        asked = await request.app.state.catalogue.checked(session, wanted.model, wanted.parameters)
        return amounts_of(await session.estimate(asked))

    @made.get("/spent")
    async def spent(session: SessionDep, scope: Annotated[str, Depends(visitor)]) -> dict[str, Any]:
        """What this visitor's pictures have cost."""
        async with asyncio.timeout(10):
            return amounts_of(await session.spent(scope=scope))

    return made


app = make_app()
