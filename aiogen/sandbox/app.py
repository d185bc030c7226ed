"""The sandbox itself: one server on the loopback interface that is both vendors and their storage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

from aiohttp import web

from .answering import RecordedRequest
from .clock import Clock
from .control import control_routes
from .director import Director
from .jobs import SandboxJob
from .script import Script
from .settings import LEONARDO_KEY, LUMA_KEY, KeyKind, LeonardoSettings, LumaSettings
from .worker import Worker
from .world import ROUTES, Route, World

LARGEST_BODY = 100 * 1024 * 1024
"""Bytes; 50 MB of image are 67 MB of base64."""


class Sandbox:
    """Luma and Leonardo on this machine.

    All times are those of the running loop. `speed` shortens jobs, the lifetimes of URLs and the pruning of slots;
    the windows of the rate limits have their own `window_seconds`, and latencies are never shortened. The same seed
    gives the same ids, durations and throws of the script's dice.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        speed: float = 1.0,
        script: Script | None = None,
        luma: LumaSettings | None = None,
        leonardo: LeonardoSettings | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        max_requests: int = 200_000,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be greater than 0, not {speed}")
        self.seed = seed
        self.speed = speed
        self.luma: LumaSettings = luma or LumaSettings()
        self.leonardo: LeonardoSettings = leonardo or LeonardoSettings()
        self.max_requests = max_requests
        self._host = host
        self._port = port
        self._script = script if script is not None else Script()
        self._director = Director(self._script, seed)
        self._runner: web.AppRunner | None = None
        self._running: tuple[Clock, Worker, asyncio.Future[None]] | None = None
        self._world: World | None = None

    # --- what one may ask it ---

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def luma_url(self) -> str:
        return f"{self.url}/luma/v1"

    @property
    def leonardo_url(self) -> str:
        return f"{self.url}/leonardo/api/rest"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which clients find it and are let in."""
        return {
            "LUMA_AGENTS_API_KEY": _valid_key(self.luma.api_keys, LUMA_KEY),
            "LUMA_BASE_URL": self.luma_url,
            "LEONARDO_API_KEY": _valid_key(self.leonardo.api_keys, LEONARDO_KEY),
            "LEONARDO_BASE_URL": self.leonardo_url,
        }

    @property
    def jobs(self) -> list[SandboxJob]:
        """In order of acceptance."""
        return self._here.jobs.all

    @property
    def requests(self) -> list[RecordedRequest]:
        """In order of arrival; the oldest are dropped when they become too many."""
        return self._here.requests

    @property
    def clock(self) -> Clock:
        return self._parts[0]

    @property
    def script(self) -> Script:
        return self._script

    @script.setter
    def script(self, script: Script) -> None:
        self._script = script
        self._director.follow(script)

    @property
    def _here(self) -> World:
        if self._world is None:
            raise RuntimeError("the sandbox has not been started: use it with `async with`")
        return self._world

    @property
    def _parts(self) -> tuple[Clock, Worker, asyncio.Future[None]]:
        if self._running is None:
            raise RuntimeError("the sandbox has not been started: use it with `async with`")
        return self._running

    # --- its life ---

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens from now on, with nothing remembered. Does nothing if it listens already."""
        if self._runner is not None:
            return
        application = web.Application(client_max_size=LARGEST_BODY)
        for route in ROUTES:
            application.router.add_route(route.method, route.path, self._receiver(route))
        application.add_routes(control_routes(self))
        # handler_cancellation: a client that goes away ends what hangs or pours for it. Handlers have their effect in
        # one go, with no await within, so this leaves nothing half done.
        # shutdown_timeout: stop() asks the handlers to end, so there is nothing to be patient for.
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            self._runner = None
            raise
        self._port = self._runner.addresses[0][1]
        loop = asyncio.get_running_loop()
        self._running = Clock(loop, speed=self.speed), Worker(), loop.create_future()
        self.reset()

    async def stop(self) -> None:
        """Ends every connection. What was seen can still be read."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        _, worker, closing = self._parts
        closing.set_result(None)
        try:
            await runner.cleanup()
        finally:
            await worker.close()

    def reset(self) -> None:
        """Forgets jobs, files, requests, limits in use, and what the script has counted."""
        clock, worker, closing = self._parts
        self._director.follow(self._script)
        self._world = World(
            url=self.url,
            seed=self.seed,
            luma=self.luma,
            leonardo=self.leonardo,
            clock=clock,
            director=self._director,
            worker=worker,
            closing=closing,
            max_requests=self.max_requests,
        )

    def _receiver(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def receive(request: web.Request) -> web.StreamResponse:
            return await self._here.receive(route, request)

        return receive


def _valid_key(keys: Mapping[str, KeyKind], usual: str) -> str:
    return next((key for key, kind in keys.items() if kind == "valid"), usual)
