"""One server on the loopback interface for the APIs of all vendors, their storage and the control API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from aiohttp import web

from .clock import Clock
from .context import RecordedRequest
from .control import control_routes
from .jobs import SandboxJob
from .script import Script
from .script.director import Director
from .vendor import AnyVendor, Route
from .webhooks import SentWebhook, WebhookSender
from .worker import Worker
from .world import World, routes

LARGEST_BODY = 100 * 1024 * 1024
"""Bytes; 50 MB of image are 67 MB of base64."""


class Server:
    """Serves the given vendors."""

    def __init__(
        self,
        vendors: Sequence[AnyVendor],
        *,
        seed: int,
        speed: float,
        script: Script | None,
        host: str,
        port: int,
        max_requests: int,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be greater than 0, not {speed}")
        self.seed = seed
        self.speed = speed
        self.max_requests = max_requests
        self._vendors = {vendor.name: vendor for vendor in vendors}
        self._host = host
        self._port = port
        self._script = script if script is not None else Script()
        self._director = Director(self._script, seed)
        self._runner: web.AppRunner | None = None
        self._running: tuple[Clock, Worker, asyncio.Future[None]] | None = None
        self._webhooks: WebhookSender | None = None
        self._world: World | None = None

    # --- what can be read ---

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which clients find the APIs, and keys that are valid."""
        variables: dict[str, str] = {}
        for name, vendor in self._vendors.items():
            variables |= vendor.environment(self.api_url(name))
        return variables

    @property
    def titles(self) -> list[str]:
        """Of the vendors, for people to read."""
        return [vendor.title for vendor in self._vendors.values()]

    @property
    def jobs(self) -> list[SandboxJob]:
        """In order of acceptance."""
        return self._here.jobs.all

    @property
    def requests(self) -> list[RecordedRequest]:
        """In order of arrival; the oldest are dropped when there are more than `max_requests`."""
        return self._here.requests

    @property
    def webhooks(self) -> list[SentWebhook]:
        """The calls that vendors have made, in the order of their sending."""
        return self._webhooks.sent if self._webhooks is not None else []

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

    def api_url(self, vendor: str) -> str:
        """Where the API of the vendor of this name is."""
        return f"{self.url}{self._vendors[vendor].base_path}"

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

    # --- start, stop, reset ---

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts to listen, with nothing remembered. Does nothing if it listens already. Raises OSError."""
        if self._runner is not None:
            return
        application = web.Application(client_max_size=LARGEST_BODY)
        for owner, route in routes([*self._vendors.values()]):
            application.router.add_route(route.method, route.path, self._receiver(owner, route))
        application.add_routes(control_routes(self))
        # handler_cancellation: a client that disconnects ends what hangs or streams for it. Handlers have their effect
        # in one go, with no await within, so this leaves nothing half done.
        # shutdown_timeout: stop() asks the handlers to end, so there is nothing to wait for.
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
        clock = Clock(loop, speed=self.speed)
        self._running, self._webhooks = (clock, Worker(), loop.create_future()), WebhookSender(clock)
        self.reset()

    async def stop(self) -> None:
        """Closes every connection. Jobs and requests can still be read."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        _, worker, closing = self._parts
        closing.set_result(None)
        try:
            await runner.cleanup()
        finally:
            await worker.close()
            if self._webhooks is not None:
                await self._webhooks.close()

    def reset(self) -> None:
        """Forgets jobs, files, requests, limits in use, and the counts of the script."""
        clock, worker, closing = self._parts
        assert self._webhooks is not None
        self._webhooks.forget()
        self._director.follow(self._script)
        self._world = World(
            [*self._vendors.values()],
            url=self.url,
            seed=self.seed,
            clock=clock,
            director=self._director,
            worker=worker,
            webhooks=self._webhooks,
            closing=closing,
            max_requests=self.max_requests,
        )

    def restart(self, vendor: str) -> None:
        """Restarts the vendor's server at once: what it keeps only in memory is lost.

        Raises:
            ValueError: this vendor's API shows nothing of a restart.
        """
        if (restart := self._vendors[vendor].restart) is None:
            raise ValueError(f"{vendor} cannot be restarted")
        restart(self._here.api(vendor))

    def _receiver(self, owner: str, route: Route[Any]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def receive(request: web.Request) -> web.StreamResponse:
            return await self._here.receive(owner, route, request)

        return receive
