"""An account at a vendor: takes creates, keeps to its limits to the second, and has the faults that were drawn."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import deque
from email.utils import formatdate
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import web

from . import edge, faults, lives, quotes
from .lives import EPOCH, USER, Life
from .network import Process, port_of, reset
from .scenario import VendorPlan
from .talk import Answer, Ask

if TYPE_CHECKING:
    from .world import World

KEYS = {"luma": "luma-api-sim/8Q+v&3=zT0", "leonardo": "leonardo-sim/5w+J&7=kX9"}
_MINUTE = 60.0


class Vendor:
    """One account; a handler of requests for `aiohttp.web.Server`."""

    def __init__(self, world: World, plan: VendorPlan, port: int) -> None:
        self.world = world
        self.plan = plan
        self.name = plan.name
        self.is_luma = plan.name == "luma"
        self.port = port
        self.key = KEYS[plan.name]
        """What its users show it."""
        self._quoting = dict(plan.quotes)
        self._accepted: dict[Process | None, Answer] = {}
        """The last create of each process of which it was surely told."""
        self.lives: dict[str, Life] = {}
        self.made: dict[int, list[Life]] = {}
        """What was carried out, by the numbers of jobs."""
        self.refusals: list[tuple[float, str, Process | None]] = []
        """Genuine 429s."""
        self.served = 0
        self.under_way = 0
        self._counts: dict[tuple[str, str], int] = {}
        self._creates: deque[float] = deque()
        self._requests: deque[float] = deque()
        self._slots: list[float] = [0.0] * plan.slots
        self._born = 0

    @property
    def now(self) -> float:
        return self.world.loop.time()

    def url(self) -> str:
        """What a connection is told."""
        return f"http://127.0.0.1:{self.port}" + ("/v1" if self.is_luma else "")

    def chance(self, *what: object) -> Random:
        """The same for the same request of the same story, whatever else happens."""
        return Random(f"{self.world.plan.seed} {self.name} {what}")

    # --- one request

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.under_way += 1
        try:
            ask = self._understood(request, await request.read())
            self.world.laws.arrived(self, ask)
            return await self._serve(request, ask)
        finally:
            self.under_way -= 1

    async def _serve(self, request: web.BaseRequest, ask: Ask) -> web.StreamResponse:
        r = self.chance(ask.kind, ask.key, ask.nth)
        word = edge.word(self, self.plan.edge, ask) if self.plan.edge is not None else None
        if word is not None:
            return await self._serve_at_the_edge(request, ask, word)
        fault = self._fault(r, ask)
        too_many = self._too_many()
        if fault in ("cut", "stall"):
            self.tell(ask, fault)
            return await (self._cut(request, ask) if fault == "cut" else self._stall(request))
        low, high = self.plan.latency
        way = r.uniform(low, high)
        await asyncio.sleep(way * r.random())
        answer = too_many or faults.instead(self, ask, fault, r) or self._answer(ask, fault)
        answer = faults.spoiled(self, ask, fault, answer, r)
        if fault == "slow":
            await asyncio.sleep(r.uniform(0.5, 20.0))
        await asyncio.sleep(way * r.random())
        if fault in ("cut after", "stall after") and answer.life is not None:
            self.tell(ask, fault)
            return await (self._cut(request, ask) if fault == "cut after" else self._stall(request))
        return self._deliver(request, ask, answer, fault)

    async def _serve_at_the_edge(self, request: web.BaseRequest, ask: Ask, word: edge.Word) -> web.StreamResponse:
        low, high = self.plan.latency
        await asyncio.sleep(low)
        answer = word.answer
        if answer is None or word.passes_on:
            answer = word.instead_of(self._too_many() or self._answer(ask, None), self._accepted.get(ask.process))
        await asyncio.sleep(high - low)
        return self._deliver(request, ask, answer, "the edge's word")

    def _deliver(self, request: web.BaseRequest, ask: Ask, answer: Answer, fault: str | None) -> web.StreamResponse:
        transport = request.transport
        body = answer.document if isinstance(answer.document, bytes) else json.dumps(answer.document).encode()
        if transport is None or transport.is_closing():
            self.tell(ask, f"{answer.status} {answer.means}, but nobody listens any more")
            return web.Response()
        if answer.is_dated and answer.wait is not None:
            answer.headers["Retry-After"] = formatdate(EPOCH + self.now + answer.wait, usegmt=True)
        if self._quoting:
            body = self._quote(body, answer)
        kinds = {b"<": "text/html", b"e": "text/plain"}
        response = web.Response(
            status=answer.status,
            body=body,
            headers=answer.headers,
            content_type=kinds.get(body[:1], "application/json"),
        )
        if "broken header" in self._quoting and self.chance("header", ask.kind, ask.key, ask.nth).random() < 0.1:
            self.tell(ask, f"{answer.status} {answer.means}, in a broken header")
            key = quotes.WAYS[self._quoting["broken header"]](self.key)
            transport.write(f"HTTP/1.1 200 OK\r\nX Debug: Bearer {key}\r\nContent-Length: 0\r\n\r\n".encode())
            transport.close()
            self.world.laws.cut(ask)
            return response
        if fault == "half" and len(body) > 1:
            self.tell(ask, f"half of {answer.status} {answer.means}")
            head = (
                f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            transport.write(head.encode() + body[: len(body) // 2])
            transport.close()
            self.world.laws.cut(ask)
            return response
        if self.world.laws.is_confused(ask.port):
            response.force_close()
        elif fault in ("twice", "twice late") and answer.means in ("runs", "over"):
            copy = (
                f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            later = 0.0 if fault == "twice" else self.chance("late", ask.key, ask.nth).uniform(0.0, 3.0)
            self.world.loop.call_later(later, _write, transport, copy.encode() + body)
            self.world.laws.confused(ask.port)
        words = f"{answer.status} {answer.means}" + (f", {fault}" if fault else "")
        self.tell(ask, words + (f", wait {answer.wait:g} s ({answer.scope})" if answer.wait is not None else ""))
        self.served += 1
        self.world.laws.answered(self, ask, answer)
        if answer.means == "accepted":
            self._accepted[ask.process] = answer
        return response

    def _quote(self, body: bytes, answer: Answer) -> bytes:
        """It repeats the key that it was shown."""
        if way := self._quoting.get("request id"):
            answer.headers = {**answer.headers, "X-Request-Id": f"for {quotes.WAYS[way](self.key)}"}
        return quotes.into(body, self.key, self._quoting)

    async def _cut(self, request: web.BaseRequest, ask: Ask) -> web.StreamResponse:
        self.world.laws.cut(ask)
        reset(request)
        return web.Response()

    async def _stall(self, request: web.BaseRequest) -> web.StreamResponse:
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.5)
        return web.Response()

    def tell(self, ask: Ask, words: str) -> None:
        """For the log."""
        what = f"{ask.kind} {ask.key}" if ask.kind != "list" else f"list from {ask.offset}"
        self.world.say(self.name, f"{what} of {ask.process} -> {words}")

    def _fault(self, r: Random, ask: Ask) -> str | None:
        plan, now = self.plan, self.now
        if any(o.how == "503" and o.begin <= now < o.end for o in plan.outages):
            return "503"
        kinds = {"create": plan.create_faults, "read": plan.read_faults, "list": plan.list_faults}.get(ask.kind)
        if kinds is None:
            kinds = ("500", "503", "cut", "html", "stall")
        if r.random() >= plan.roughness:
            return None
        fault = r.choice(kinds)
        if fault in ("401", "402") and r.random() < 0.8:
            return None
        return fault

    # --- what is said

    def _answer(self, ask: Ask, fault: str | None) -> Answer:
        match ask.kind:
            case "create":
                return self._create(ask, fault)
            case "read":
                return self._read(ask, self.now)
            case "list":
                return self.listed(ask, self.now - self.plan.list_lag)
            case _ if self.is_luma:
                return Answer(200, {"data": []})
            case _:
                details = {"user": {"id": USER, "username": "sim"}, "apiConcurrencySlots": self.plan.slots}
                return Answer(200, {"user_details": [details]})

    def _create(self, ask: Ask, fault: str | None) -> Answer:
        plan, now = self.plan, self.now
        while self._creates and self._creates[0] <= now - _MINUTE:
            self._creates.popleft()
        if len(self._creates) >= plan.creates:
            wait = math.ceil(self._creates[0] + _MINUTE - now)
            return self.refusal("creates" if self.is_luma else "all", wait if plan.tells_wait else None, genuine=True)
        active = sum(life.is_active(now, frees_by_poll=plan.frees_by_poll) for life in self.lives.values())
        if active >= plan.active:
            return self.refusal("place", 60 if plan.tells_wait else None, genuine=True)
        number = int(ask.key)
        life = self.carry_out(number, ask.body)
        self._creates.append(now)
        if fault == "at once" and self.is_luma and life.fate == "completed":
            life.starts_at = life.ends_at = life.known_from = now
        self.tell(ask, f"carried out as {life.id}, {life.fate} after {life.ends_at - now:.3f} s")
        self.world.laws.carried_out(self, number, life)
        if self.is_luma:
            left = {
                "X-RateLimit-Limit": str(plan.creates),
                "X-RateLimit-Remaining": str(plan.creates - len(self._creates)),
            }
            return Answer(201, lives.luma(life, now), "accepted", headers=left, life=life)
        name = "sdGenerationJob" if "modelId" in ask.body else "generate"
        return Answer(200, {name: {"generationId": life.id}}, "accepted", life=life)

    def carry_out(self, number: int | None, body: Any) -> Life:
        """A new generation."""
        self._born += 1
        r = self.chance("born", number, len(self.made.get(number, ())) if number is not None else self._born)
        fields = {**body, **body.get("parameters", {})}
        life = lives.born(
            r,
            self.plan,
            key=f"{self.name[:2]}-{self._born:03d}-{r.getrandbits(32):08x}",
            number=number,
            model=fields.get("model") or fields.get("modelId") or "",
            prompt=fields["prompt"],
            images=fields.get("num_images") or fields.get("quantity") or 1,
            at=self.now,
        )
        if not self.is_luma:  # it begins when one of the slots is free
            duration = life.ends_at - life.accepted_at
            life.starts_at = max(self.now, heappop(self._slots))
            life.ends_at = life.starts_at + duration
            heappush(self._slots, life.ends_at)
        self.lives[life.id] = life
        if number is not None:
            self.made.setdefault(number, []).append(life)
        return life

    def _read(self, ask: Ask, at: float) -> Answer:
        life = self.lives.get(ask.key)
        if life is None or not life.is_found(self.now):
            return self.missing(ask)
        return self.shown(life, at)

    def shown(self, life: Life, at: float) -> Answer:
        """How it was at some moment."""
        document = (lives.luma if self.is_luma else lives.leonardo)(life, at)
        is_over = life.is_over(at)
        if is_over and at == self.now:
            life.seen_over = True
        is_hollow = self.is_luma and document["state"] == "completed" and not document["output"]
        life.hollow_reads += is_hollow
        means = ("nothing" if is_hollow else "over") if is_over else "runs"
        return Answer(200, document if self.is_luma else {"generations_by_pk": document}, means, life=life)

    def missing(self, ask: Ask) -> Answer:
        """It knows no such generation."""
        if self.is_luma:
            return Answer(404, {"detail": "Generation not found"}, "missing")
        return Answer(200, {"generations_by_pk": None}, "missing")

    def listed(self, ask: Ask, at: float) -> Answer:
        """One page of the list, as it was at some moment."""
        newest = [life for life in reversed(self.lives.values()) if life.accepted_at <= at < life.lost_at]
        page = newest[ask.offset : ask.offset + ask.limit]
        rows = [lives.leonardo(life, at) for life in page]
        over = [life for life, row in zip(page, rows, strict=True) if row["status"] == "COMPLETE"]
        return Answer(200, {"generations": rows}, "page", page=[life for life in over if life.given == life.images])

    def refusal(self, scope: str, wait: float | None, *, genuine: bool = False, dated: bool = False) -> Answer:
        """A 429."""
        words = {"creates": "Rate limit exceeded", "place": "Too many concurrent jobs"}.get(scope, "Too Many Requests")
        headers = {"X-RateLimit-Remaining": "0"} if scope == "creates" else {}
        if wait is not None:
            headers["Retry-After"] = f"{wait:g}"
        document = {"detail": words} if self.is_luma else {"error": words, "code": "too-many"}
        # Leonardo's words do not say which limit it is: everything waits.
        scope = scope if self.is_luma else "all"
        return Answer(
            429, document, "throttled", headers=headers, wait=wait, is_dated=dated, scope=scope, is_genuine=genuine
        )

    # --- inside

    def _too_many(self) -> Answer | None:
        now = self.now
        while self._requests and self._requests[0] <= now - _MINUTE:
            self._requests.popleft()
        if len(self._requests) >= self.plan.requests:
            wait = math.ceil(self._requests[0] + _MINUTE - now) if self.plan.tells_wait else None
            return self.refusal("all", wait, genuine=True)
        self._requests.append(now)
        return None

    def _understood(self, request: web.BaseRequest, body: bytes) -> Ask:
        kind, key, offset, limit, content = "account", "", 0, 0, None
        parts = request.path.strip("/").split("/")
        if request.method == "POST":
            content = json.loads(body)
            prompt = content.get("prompt") or content["parameters"]["prompt"]
            found = re.search(r"picture (\d+)", prompt)
            kind, key = "create", found[1] if found else "?"
        elif parts[1:2] == ["generations"] and parts[2:3] == ["user"]:
            kind, offset, limit = "list", int(request.query["offset"]), int(request.query["limit"])
        elif parts[1:2] == ["generations"]:
            kind, key = "read", parts[2]
        nth = self._counts[kind, key] = self._counts.get((kind, key), 0) + 1
        return Ask(self.world.loop.sender(request), port_of(request), self.now, kind, key, nth, content, offset, limit)


def _write(transport: asyncio.WriteTransport, data: bytes) -> None:
    if not transport.is_closing():
        transport.write(data)
