"""Leonardo.Ai Production API: our words here, theirs there.  Pure.

Sources, as named in the comments: the reference and guides at docs.leonardo.ai, the published OpenAPI, the official
SDK 7.0.0, and answers recorded by others.  Creating is v2 for every current model (v1 for the older ones, named by
UUID); reading, listing and deleting are v1 for both.  HTTP 200 does not mean success: v2 reports errors as a JSON
array of GraphQL errors with status 200.

Not documented and so treated with care: the body of a 429, why a generation failed, what a missing id looks like,
whether a failure is refunded, the order and the longest page of the list.

What is asked: `leonardo_request`, `leonardo_body`, `leonardo_references`, `leonardo_sizes`.  How answers are read:
`leonardo_answers`, `leonardo_errors`.  What is known of the models: `leonardo_models`, `leonardo_catalogue`,
`leonardo_prices`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs

from aiogen._checks import check_id, check_number, path_of
from aiogen._hooks.judging import WebhookFormat
from aiogen._wording import shorten
from aiogen.catalogue import ModelInfo
from aiogen.errors import APIError, ConfigurationError, InputError, NotFound, ProtocolError, Throttle
from aiogen.exchange import Accepted, Deleted, Exchange, Page, Response, Snapshot, Submission, Ticket
from aiogen.models import AccountInfo, Cost, FailureCode, Generation, State, Typical
from aiogen.providers.base import Provider
from aiogen.providers.facts import Facts
from aiogen.providers.leonardo_answers import NsfwPolicy, accepted, beside_outputs, cost_of, created, snapshot_of
from aiogen.providers.leonardo_body import body_of
from aiogen.providers.leonardo_catalogue import joined
from aiogen.providers.leonardo_errors import VendorError, code_of, error_in
from aiogen.providers.leonardo_prices import answered, question
from aiogen.providers.leonardo_references import MAX_INLINE_BYTES
from aiogen.providers.leonardo_request import LeonardoImage, from_keywords
from aiogen.providers.leonardo_webhooks import WEBHOOKS
from aiogen.providers.reading import parse_json, plain_details, read_page, unreadable

# Webhook guide: 4 s for a small image; official recipes wait 20-30 s for images and 180-300 s for videos.  Of sounds
# and solids nothing is documented.
_TYPICAL = {
    "image": Typical(median=12.0, spread=0.7),
    "video": Typical(median=120.0, spread=0.6),
    "audio": Typical(median=30.0, spread=0.9),
    "3d": Typical(median=120.0, spread=0.9),
}
_TIMEOUT_IMAGE, _TIMEOUT_OTHER = 600.0, 1800.0

PAGE = 50
"""Most generations per list request (two public clients; the documented default is 10)."""

# A field of the create, and where reading shows it again (recorded).
_ECHOED = (
    ("modelId", "modelId"),
    ("width", "imageWidth"),
    ("height", "imageHeight"),
    ("seed", "seed"),
)

_EMPTY = frozenset({"generations_by_pk", "delete_generations_by_pk"})
"""What a call answers about a generation that is not there: one of these with `null`."""


@attrs.frozen(kw_only=True)
class Leonardo(Provider):
    """Leonardo.Ai's Production API (`https://cloud.leonardo.ai/api/rest`).

    Args:
        api_key: by default from the environment variable LEONARDO_API_KEY.
        base_url: by default from LEONARDO_BASE_URL, else the vendor's.
        name: what model strings begin with, "leonardo" by default; for a second key at the same provider.
        max_active: jobs at the vendor at once, 180 by default; more wait here.
        creates_per_minute: in any 60 seconds, 90 by default.
        requests_per_minute: of any kind, 1500 by default, up to 2000 if the other limits are raised.
        running_at_once: images that your plan runs at a time, 10 by default; the others wait in the vendor's queue.
        nsfw: pictures flagged nsfw are kept ("keep"), dropped ("drop"), or make the generation fail ("fail").
        allow_insecure: allow plain http to another machine; the key then travels unencrypted.
        extra_headers: sent with every request to base_url, such as what a proxy asks for; kept as secret as the key.
        previous_keys: keys that this account had before, which are never sent; jobs of them that the ledger has are
            followed with the present key, if Leonardo.Ai shows them to it, which is not documented.
        typical_seconds: how long a model usually takes, where you know better: `{"lucid-origin": 45.0}`.

    Raises:
        ConfigurationError: the key is missing or not valid, or the base url cannot be used.
        InputError: a number is out of its range.
    """

    facts: ClassVar[Facts] = Facts(
        vendor="Leonardo AI",
        name="leonardo",
        url="https://cloud.leonardo.ai/api/rest",
        request_type=LeonardoImage,
        key_variable="LEONARDO_API_KEY",
        # Limits page of July 2026: 100 creates and 2,000 requests a minute, 200 pending; a little below each.
        max_active=180,
        creates_per_minute=90,
        requests_per_minute=1500,
        most_requests_per_minute=2000,
        max_reference_bytes=MAX_INLINE_BYTES,
        list_page=PAGE,
        poll_floor=1.0,
        poll_ceiling=30.0,
        not_found_grace=15.0,
    )

    running_at_once: int = 10
    """How many images the vendor runs at once, 1 or more (limits page; more on custom plans).  Its answers do not
    distinguish queued from running jobs, so this says which ones can end next.  The rest is learned from what ends."""
    nsfw: NsfwPolicy = attrs.field(default="keep")
    """What to do with pictures flagged nsfw: keep them (flagged), drop them, or call the generation failed."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_number(self.running_at_once, "running_at_once", 1, 1_000_000)
        if self.nsfw not in ("keep", "drop", "fail"):
            raise ConfigurationError(f"nsfw= must be 'keep', 'drop' or 'fail', not {self.nsfw!r}.", action=None)
        # The vendor's own SDK takes the v1 address as its base; the versions are added here.
        object.__setattr__(self, "base_url", re.sub(r"/v[12]$", "", self.base_url))

    @property
    def slots(self) -> int | None:
        """See `Provider.slots`."""
        return self.running_at_once

    @property
    def webhooks(self) -> WebhookFormat | None:
        """See `Provider.webhooks`."""
        return WEBHOOKS

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> LeonardoImage:
        """The typed request for keywords; `n` and `quantity` mean `num_images`.

        Fields that this version of the API is known to have are passed on beside the typed ones.
        """
        return from_keywords(model, prompt, options)

    def encode(self, request: LeonardoImage) -> Submission:
        """The body of the create, in the words of the version that the model belongs to."""
        said = body_of(request)
        return Submission(
            model=request.model,
            kind=said.kind,
            prompt=request.prompt,
            endpoint="v1" if said.is_v1 else "v2",
            body=said.body,
            outputs=said.outputs,
            timeout=_TIMEOUT_IMAGE if said.kind == "image" else _TIMEOUT_OTHER,
            typical=self.typical(request.model, _TYPICAL[said.kind]),
            warnings=said.warnings,
        )

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """`POST /v1/generations` or `/v2/generations`."""
        response = yield self.request("create", "POST", f"/{submission.endpoint}/generations", body=submission.body)
        job = accepted(response)
        if job is None:
            job = created(self._answer(response, "create"))
        if job is None:
            raise unreadable(response, "create", "no generationId", "$")
        snapshot = Snapshot(
            provider_id=job["generationId"], state=State.QUEUED, kind=submission.kind, cost=cost_of(job), raw=job
        )
        return Accepted(snapshot=snapshot)

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """`GET /v1/generations/{id}`, whichever version created it."""
        path = f"/v1/generations/{path_of(check_id(ticket.provider_id))}"
        response = yield self.request("retrieve", "GET", path)
        document = self._answer(response, "retrieve")
        row = document.get("generations_by_pk") if isinstance(document, dict) else document
        if row is None or row == []:
            missing = document == [] or (isinstance(document, dict) and "generations_by_pk" in document)
            if not missing:
                raise unreadable(response, "retrieve", "no generations_by_pk", "$.generations_by_pk")
            raise self.refusal(response, "retrieve", "Generation not found", status=404)
        return self._snapshot(row, response, "retrieve", "$.generations_by_pk", ticket)

    def list(self, user_id: str | None, offset: int, limit: int) -> Exchange[Page]:
        """`GET /v1/generations/user/{id}`; without a user id, the key's own user is looked up first."""
        if user_id is None:
            user_id = (yield from self.read_account()).user_id or ""
        path = f"/v1/generations/user/{path_of(check_id(user_id, 'User'))}"
        query = {"offset": str(offset), "limit": str(min(limit, PAGE))}
        response = yield self.request("list", "GET", path, query=query)
        document = self._answer(response, "list")
        rows = document.get("generations") if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise unreadable(response, "list", "no list of generations", "$.generations")
        return read_page(rows, lambda row, i: self._snapshot(row, response, "list", f"$.generations[{i}]", None))

    def resembles(self, submission: Submission, snapshot: Snapshot) -> bool:
        """By prompt, model, size and seed, as far as both give them."""
        body = submission.body
        asked = {**body, **(body.get("parameters") or {})}
        pairs = [(asked.get(ours), snapshot.raw.get(theirs)) for ours, theirs in _ECHOED]
        if asked.get("enhancePrompt") or asked.get("prompt_enhance") in (
            "ON",
            "AUTO",
        ):  # which prompt the list shows then is not documented
            snapshot = attrs.evolve(snapshot, prompt=None)
        return super().resembles(submission, snapshot) and all(a is None or b is None or a == b for a, b in pairs)

    def delete(self, provider_id: str) -> Exchange[Deleted]:
        """`DELETE /v1/generations/{id}`: permanent, and takes the images along."""
        path = f"/v1/generations/{path_of(check_id(provider_id))}"
        response = yield self.request("delete", "DELETE", path)
        try:
            document = self._answer(response, "delete")
        except NotFound as error:
            if not error.from_api and not self.is_at_home:
                raise  # something in between said so, and knows nothing about the generation
            return Deleted(found=False)
        if not isinstance(document, dict) or "delete_generations_by_pk" not in document:
            raise unreadable(response, "delete", "no delete_generations_by_pk", "$.delete_generations_by_pk")
        return Deleted(found=document["delete_generations_by_pk"] is not None)

    def with_every_output(self) -> Self:
        """With `nsfw="keep"`."""
        return self if self.nsfw == "keep" else attrs.evolve(self, nsfw="keep")

    def kept_beside(self, generation: Generation) -> str | None:
        """Outputs that cannot be read, and variations such as upscales, which stand below their images."""
        return beside_outputs(generation)

    def read_account(self) -> Exchange[AccountInfo]:
        """`GET /v1/me`."""
        response = yield self.request("retrieve", "GET", "/v1/me")
        document = self._answer(response, "retrieve")
        try:
            details = document["user_details"][0]
            user = details["user"]
            user_id, username = check_id(user["id"], "User"), user.get("username")
        except (KeyError, IndexError, TypeError, AttributeError, InputError):
            raise unreadable(response, "retrieve", "no user", "$.user_details[0].user") from None
        slots = details.get("apiConcurrencySlots")
        return AccountInfo(
            provider=self.facts.name,
            connection=self.name,
            user_id=user_id,
            username=username if isinstance(username, str) else None,
            balances={k: v for k, v in details.items() if k.lower().endswith("tokens") and v is not None},
            concurrency_slots=slots if type(slots) is int and 0 < slots < 1_000_000 else None,
            raw=document,
        )

    def models(self) -> Exchange[tuple[ModelInfo, ...]]:
        """`GET /v2/models` and `GET /v1/platformModels`, joined with what is known of each model."""
        response = yield self.request("retrieve", "GET", "/v2/models")
        listed = self._listed(response, "productionApiAvailableModels")
        response = yield self.request("retrieve", "GET", "/v1/platformModels")
        return joined(listed, self._listed(response, "custom_models"), self._seconds)

    def _listed(self, response: Response, name: str) -> Any:
        document = self._answer(response, "retrieve")
        listed = document.get(name) if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise unreadable(response, "retrieve", "no list of models", f"$.{name}")
        return listed

    def _seconds(self, model: str, kind: str) -> float:
        return self.typical(model, _TYPICAL.get(kind, _TYPICAL["image"])).median

    def quote(self, submission: Submission) -> Exchange[Cost | None]:
        """`POST /v1/pricing-calculator`, for the older models that it knows; nobody quotes those of v2."""
        asked = question(submission.body) if submission.endpoint == "v1" else None
        if asked is None:
            return submission.estimate
        response = yield self.request("retrieve", "POST", "/v1/pricing-calculator", body=asked)
        return answered(self._answer(response, "retrieve"))

    def _answer(self, response: Response, verb: str) -> Any:
        """The answer's JSON, once it is sure that it is no error in one of the four shapes."""
        if 300 <= response.status < 400:
            raise unreadable(response, verb, "a redirect, which is not followed because the request contains the key")
        try:
            document = parse_json(response, verb)
        except ProtocolError:
            if response.status < 300:
                raise
            raise self.refusal(response, verb, plain_details(response), from_api=False) from None
        error = error_in(document)
        if error is not None:
            raise self._refusal(response, verb, error)
        if response.status >= 300:
            # `null` and the empty answers are theirs, too; JSON of any other shape came from something in between.
            is_empty = document in (None, []) or (isinstance(document, dict) and not _EMPTY.isdisjoint(document))
            from_api = is_empty and response.status == 404
            raise self.refusal(response, verb, shorten(str(document), 300), from_api=from_api)
        return document

    def _refusal(self, response: Response, verb: str, error: VendorError) -> APIError:
        status = error.status or response.status
        text = f"{error.message} {error.code}"
        code = code_of(text)
        # Words alone say why it was turned away; that nothing was carried out, only the API itself can say.
        is_turned_away = 400 <= status < 500 and status != 408
        if not error.from_api and (code is None or not is_turned_away):
            return self.refusal(response, verb, shorten(error.message, 500), status=status, from_api=False)
        if status == 429:
            code = FailureCode.RATE_LIMITED
        elif status >= 500 and code is not FailureCode.AUTH:
            # Whatever it says, it is unknown whether a create was carried out; "authorization hook" comes before.
            code = None
        elif code is None and status == 403 and verb == "create":
            # The documented 403s of a create are blocked prompts, in words that change: it concerns this job alone.
            code = FailureCode.INVALID_REQUEST
        elif code is None and status < 300:
            # An error inside HTTP 200 of which nothing says that the request was at fault.
            code = FailureCode.PROVIDER_ERROR
        # "not enough api tokens userId: …": the user's id does not belong in a log.
        details = shorten(re.sub(r"userId:\s*\S+", "userId: …", error.message), 500)
        context: dict[str, Any] = {"throttle": Throttle.ACCOUNT} if code is FailureCode.RATE_LIMITED else {}
        return self.refusal(response, verb, details, status=status, code=code, **context)

    def _snapshot(self, item: Any, response: Response, verb: str, where: str, ticket: Ticket | None) -> Snapshot:
        return snapshot_of(item, response, verb, where, ticket, self.nsfw)


__all__ = ["PAGE", "Leonardo", "LeonardoImage", "NsfwPolicy"]
