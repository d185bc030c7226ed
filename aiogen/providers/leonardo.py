"""Leonardo.Ai Production API: our words here, theirs there.  Pure.

Sources, as named in the comments: the reference and guides at docs.leonardo.ai, the published OpenAPI, the official
SDK 7.0.0, and answers recorded by others.  Creating is v2 for every current model (v1 for the older ones, named by
UUID); reading, listing and deleting are v1 for both.  HTTP 200 does not mean success: v2 reports errors as a JSON
array of GraphQL errors with status 200.

Not documented and so treated with care: the body of a 429, why a generation failed, what a missing id looks like,
whether a failure is refunded, the order and the longest page of the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from uuid import UUID

import attrs

from aiogen._checks import check_extra, check_id, check_json, check_number, check_prompt, path_of
from aiogen._content.expiry import url_expiry
from aiogen._wording import shorten
from aiogen.errors import APIError, ConfigurationError, InputError, NotFound, ProtocolError, Throttle
from aiogen.exchange import Accepted, Deleted, Exchange, Failure, Page, Response, Snapshot, Submission, Ticket
from aiogen.models import AccountInfo, Action, Cost, FailureCode, Output, State, Typical
from aiogen.providers.base import Provider
from aiogen.providers.facts import Facts
from aiogen.providers.reading import (
    check_outputs,
    objects_in,
    parse_amount,
    parse_json,
    parse_time,
    plain_details,
    read,
    read_page,
    read_part,
    unread_in,
    unreadable,
)

STATES = {
    "PENDING": State.QUEUED,  # queued and running are both PENDING; nothing distinguishes them
    "COMPLETE": State.COMPLETED,
    "COMPLETED": State.COMPLETED,  # the word of the blueprint calls
    "FAILED": State.FAILED,
}

# Webhook guide: 4 s for a small image; official recipes wait 20-30 s for images and 180-300 s for videos.
_TYPICAL_IMAGE = Typical(median=12.0, spread=0.7)
_TYPICAL_VIDEO = Typical(median=120.0, spread=0.6)
_TIMEOUT_IMAGE, _TIMEOUT_VIDEO = 600.0, 1800.0
_VIDEO_WORDS = (
    "motion",
    "video",
    "kling",
    "veo",
    "sora",
    "seedance",
    "hailuo",
    "wan-",
    "ltx",
    "ray-",
    "runway",
    "pika",
)

PAGE = 50
"""Most generations per list request (two public clients; the documented default is 10)."""

# A field of the create, and where reading shows it again (recorded).
_ECHOED = (
    ("modelId", "modelId"),
    ("width", "imageWidth"),
    ("height", "imageHeight"),
    ("seed", "seed"),
)

# Where the new id stands, in order: v2 as recorded, v1, videos, v2 as published.
_CREATED = ("generate", "sdGenerationJob", "motionVideoGenerationJob", "motionSvdGenerationJob")

_EMPTY = frozenset({"generations_by_pk", "delete_generations_by_pk"})
"""What a call answers about a generation that is not there: one of these with `null`."""

# What the words of an error mean, first match wins (error messages page; texts reported by public clients).
_WORDS: tuple[tuple[re.Pattern[str], FailureCode], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"authorization hook|authentication hook|access-denied", FailureCode.AUTH),
        (r"content moderation|inappropriate content|moderation_blocked", FailureCode.CONTENT_MODERATED),
        (r"not enough api tokens|insufficient (tokens|credit|balance|funds)", FailureCode.BUDGET_EXHAUSTED),
        (r"rate.?limit|too.?many.?(requests|concurrent|pending|generations|jobs)|throttl|queue (is )?full",
         FailureCode.RATE_LIMITED),
        (r"validation-failed|bad-request|unexpected variable|badrequestexception|validation_error|bad_request|"
         r"invalid dimensions|not supported within the production api", FailureCode.INVALID_REQUEST),
        # The words for a full queue are not documented; after the parameter that may have this name.
        (r"concurren", FailureCode.RATE_LIMITED),
        (r"\bnot_found\b", FailureCode.NOT_FOUND),
    )
)  # fmt: skip

NsfwPolicy = Literal["keep", "drop", "fail"]


@attrs.frozen(kw_only=True)
class LeonardoImage:
    """One create: `POST /v2/generations` for a model slug, `POST /v1/generations` for a model UUID.

    Only what no field could carry is refused here; sizes and counts are checked by Leonardo, per model.
    """

    prompt: str = attrs.field(repr=False)
    model: str
    width: int | None = None
    height: int | None = None
    num_images: int = 1
    """How many pictures.  Sent always: without it v1 makes, and charges for, four."""
    seed: int | None = None
    negative_prompt: str | None = None
    public: bool = False
    """True shows the picture in the community feed."""
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    """Further fields as Leonardo names them: in the body on v1, in `parameters` on v2."""

    def __attrs_post_init__(self) -> None:
        check_prompt(self.prompt)
        if not isinstance(self.model, str) or not self.model.strip():
            raise InputError("The Leonardo model is a slug such as 'gemini-image-2', or the UUID of an older model.")
        for name in ("width", "height", "num_images"):
            value = getattr(self, name)
            if value is not None:
                if not isinstance(value, int):
                    raise InputError(f"{name} has to be a whole number, not {value!r}.")
                check_number(value, name, 1, 100_000)
        check_json([self.seed, self.negative_prompt, self.public], "options")
        check_extra(self.extra)

    def references(self) -> tuple[()]:
        """Images are named by id in `extra`; there is nothing to read from this machine."""
        return ()


# --- their shapes; nearly everything may be null or absent (SDK issues 76, 80, 86 report nulls that the schema forbids)


@attrs.frozen
class _Image:
    url: str | None = None
    id: str | None = None
    nsfw: Any = None
    motionMP4URL: str | None = None  # noqa: N815  - theirs


@attrs.frozen
class _Row:
    id: str
    status: str
    prompt: str | None = None
    modelId: str | None = None  # noqa: N815
    createdAt: str | None = None  # noqa: N815
    motion: bool | None = None


@attrs.frozen(kw_only=True)
class Leonardo(Provider):
    """Leonardo.Ai's Production API (`https://cloud.leonardo.ai/api/rest`).

    Args:
        api_key: by default from the environment variable LEONARDO_API_KEY.
        base_url: by default from LEONARDO_BASE_URL, else the vendor's.
        name: what model strings begin with, "leonardo" by default; for a second key at the same provider.
        max_active: jobs at the vendor at once, 180 by default; more wait here.
        creates_per_minute: in any 60 seconds, 90 by default.
        requests_per_minute: of any kind, 1500 by default.
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

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> LeonardoImage:
        """The typed request for keywords; `n` and `quantity` mean `num_images`, the rest is passed on."""
        options = dict(options)
        for other in ("n", "quantity"):
            if other in options:
                options.setdefault("num_images", options.pop(other))
        known = {a.name for a in attrs.fields(LeonardoImage)} - {"prompt", "model", "extra"}
        given = {name: options.pop(name) for name in known & options.keys()}
        given = {name: value for name, value in given.items() if value is not None}
        extra = {**(options.pop("extra", None) or {}), **options}
        return LeonardoImage(prompt=check_prompt(prompt), model=model, extra=extra, **given)

    def encode(self, request: LeonardoImage) -> Submission:
        """The body of the create, in the words of the version that the model belongs to."""
        is_v1 = _is_uuid(request.model)
        common = {
            "prompt": request.prompt,
            "width": request.width,
            "height": request.height,
            "num_images" if is_v1 else "quantity": request.num_images,
            "seed": request.seed,
            "negative_prompt": request.negative_prompt,
        }
        fields = {name: value for name, value in common.items() if value is not None}
        body: dict[str, Any]
        if is_v1:
            body = {"modelId": request.model, "public": request.public, **fields, **request.extra}
        else:
            extra = dict(request.extra)
            fields |= {**(extra.pop("parameters", None) or {}), **extra}
            body = {"model": request.model, "public": request.public, "parameters": fields}
        outputs = body.get("num_images") if is_v1 else fields.get("quantity")
        is_video = any(word in request.model.lower() for word in _VIDEO_WORDS)
        return Submission(
            model=request.model,
            kind="video" if is_video else "image",
            prompt=request.prompt,
            endpoint="v1" if is_v1 else "v2",
            body=body,
            outputs=outputs if isinstance(outputs, int) else None,
            timeout=_TIMEOUT_VIDEO if is_video else _TIMEOUT_IMAGE,
            typical=self.typical(request.model, _TYPICAL_VIDEO if is_video else _TYPICAL_IMAGE),
        )

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """`POST /v1/generations` or `/v2/generations`."""
        response = yield self.request("create", "POST", f"/{submission.endpoint}/generations", body=submission.body)
        job = _accepted(response)
        if job is None:
            job = _created(self._answer(response, "create"))
        if job is None:
            raise unreadable(response, "create", "no generationId", "$")
        snapshot = Snapshot(
            provider_id=job["generationId"], state=State.QUEUED, kind=submission.kind, cost=_cost(job), raw=job
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
        if asked.get("enhancePrompt"):  # which prompt the list shows then is not documented
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
        error = _error_in(document)
        if error is not None:
            raise self._refusal(response, verb, error)
        if response.status >= 300:
            # `null` and the empty answers are theirs, too; JSON of any other shape came from something in between.
            is_empty = document in (None, []) or (isinstance(document, dict) and not _EMPTY.isdisjoint(document))
            from_api = is_empty and response.status == 404
            raise self.refusal(response, verb, shorten(str(document), 300), from_api=from_api)
        return document

    def _refusal(self, response: Response, verb: str, error: _Error) -> APIError:
        status = error.status or response.status
        text = f"{error.message} {error.code}"
        code = next((code for words, code in _WORDS if words.search(text)), None)
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
        row = read(_Row, item, response, verb, where)
        if not row.id.strip():
            raise unreadable(response, verb, "an empty id", where + ".id")
        state = STATES.get(row.status.upper())
        listed = item.get("generated_images")
        images = [(raw, read_part(_Image, raw)) for raw in objects_in(listed)]
        found = [output for raw, image in images for output in _outputs(image, raw)]
        if state is State.COMPLETED:
            urls = ("url", "motionMP4URL")
            check_outputs(listed, len(found), urls, response, verb, where + ".generated_images")
        outputs = tuple(output for output in found if not (output.nsfw and self.nsfw == "drop"))
        asked = ticket.outputs if ticket is not None else None
        failure = self._failure(state, item, any(_flag(image.nsfw) for _, image in images), outputs)
        return Snapshot(
            provider_id=row.id,
            state=State.FAILED if failure else state or State.QUEUED,
            unknown_state=None if state else row.status,
            model=row.modelId,
            kind="video" if any(image.motionMP4URL for _, image in images) or row.motion else None,
            prompt=row.prompt,
            outputs=outputs,
            partial=state is State.COMPLETED and asked is not None and len(outputs) < asked,
            failure=failure,
            warnings=unread_in(listed, len(found)) if state is State.COMPLETED else (),
            created_at=parse_time(row.createdAt),
            raw=item,
        )

    def _failure(
        self, state: State | None, item: Mapping[str, Any], any_nsfw: bool, outputs: tuple[Output, ...]
    ) -> Failure | None:
        """Why it failed.  There is no code in it; the one hint is `prompt_moderations` (recorded, undocumented)."""
        flagged = _classifications(item.get("prompt_moderations"))
        moderated = Failure(
            code=FailureCode.CONTENT_MODERATED,
            reason="moderated: " + ", ".join(flagged) if flagged else "all images were withheld as nsfw",
            vendor_code=",".join(flagged) or None,
        )
        if state is State.FAILED:
            reason = _hint(item)
            return moderated if flagged else Failure(code=FailureCode.GENERATION_FAILED, reason=reason)
        if state is not State.COMPLETED:
            return None
        if self.nsfw == "fail" and any_nsfw:
            return attrs.evolve(moderated, reason="images were flagged nsfw, and this connection has nsfw='fail'")
        if outputs:
            return None
        if flagged or any_nsfw:
            return moderated
        # Three independent clients saw this after moderation; nothing in the answer says so.
        return Failure(
            code=FailureCode.OUTPUT_NOT_FOUND,
            reason="completed without any image, probably because of moderation",
            action=Action.CHANGE_INPUT,
        )


@attrs.frozen(kw_only=True)
class _Error:
    message: str
    code: str = ""
    status: int | None = None
    from_api: bool = True
    """False if its shape alone does not say that it is theirs; then its words have to."""


def _error_in(document: Any) -> _Error | None:
    """The error in an answer, if it is one: v1's object, a GraphQL array, the same inside `errors`."""
    if isinstance(document, dict):
        if document.get("error"):
            code = document.get("code")
            return _Error(message=str(document["error"]), code=str(code or ""), from_api=_is_hasura(document))
        errors = document.get("errors")
        return _worst(errors) if isinstance(errors, list) and errors else None
    return _worst(document) if isinstance(document, list) and _is_graphql(document) else None


def _is_hasura(document: Mapping[str, Any]) -> bool:
    """Theirs has a word as code and a path into the request beside it (recorded).

    Gateways say `{"error": "Unauthorized"}` as well, with the status as code, or with the path of the address.
    """
    code, path = document.get("code"), document.get("path")
    is_word = isinstance(code, str) and re.fullmatch("[a-z][a-z_-]*", code, re.IGNORECASE) is not None
    return is_word or (isinstance(path, str) and path.startswith("$"))


def _is_graphql(errors: list[Any]) -> bool:
    first = errors[0] if errors else None
    return isinstance(first, dict) and ("message" in first or "extensions" in first)


def _worst(errors: list[Any]) -> _Error:
    """The first of several errors, unless another of them is a 429: that one says to wait."""
    read = [attrs.evolve(_graphql(error), from_api=_is_graphql(errors)) for error in errors]
    return next((error for error in read if error.status == 429), read[0])


def _graphql(error: Any) -> _Error:
    if not isinstance(error, dict):
        return _Error(message=str(error))
    extensions = error.get("extensions") or {}
    if not isinstance(extensions, dict):
        extensions = {}
    details = extensions.get("details")
    message = error.get("message") or "An error occurred."
    inner: dict[str, Any] = details if isinstance(details, dict) else {}
    listed = inner.get("errors")
    if isinstance(listed, list) and listed and isinstance(listed[0], dict) and listed[0].get("message"):
        message = listed[0]["message"]
    elif inner.get("message"):
        message = inner["message"]
    elif isinstance(details, str) and not details.startswith("An error occurred"):
        message = details
    status = extensions.get("statusCode") or inner.get("statusCode") or error.get("statusCode")
    if isinstance(status, str) and re.fullmatch("[0-9]{3}", status):
        status = int(status)
    return _Error(
        message=str(message),
        code=f"{extensions.get('code') or ''} {inner.get('code') or ''}".strip(),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
    )


def _accepted(response: Response) -> dict[str, Any] | None:
    """The job of an answer that has an id: whatever else is in it, that job runs and is paid for."""
    try:
        return _created(parse_json(response, "create")) if response.status < 300 else None
    except ProtocolError:
        return None


def _created(document: Any) -> dict[str, Any] | None:
    """The object that holds the new generation's id, wherever this version of the API puts it."""
    if isinstance(document, list):
        return _created(document[0]) if len(document) == 1 else None
    if not isinstance(document, dict):
        return None
    for candidate in (*(document.get(name) for name in _CREATED), document):
        if isinstance(candidate, dict):
            try:
                return {**candidate, "generationId": check_id(candidate.get("generationId"))}
            except InputError:
                continue  # none, or one that cannot be asked about
    return None


def _cost(job: Mapping[str, Any]) -> Cost | None:
    cost = job.get("cost")
    if isinstance(cost, Mapping):
        amount = parse_amount(cost.get("amount"))
        if amount is not None:
            return Cost(amount, str(cost.get("unit") or "DOLLARS"))
    credits_cost = parse_amount(job.get("apiCreditCost"))
    # Live video creates answered 0 and no cost; 0 alone does not mean free.
    return Cost(credits_cost, "CREDITS") if credits_cost else None


def _outputs(image: _Image, raw: Mapping[str, Any]) -> list[Output]:
    """For a video `motionMP4URL` is the film and `url` its poster."""
    url, kind = (image.motionMP4URL, "video") if image.motionMP4URL else (image.url, "image")
    if not url:
        return []
    # Leonardo's own do not expire; one that is signed says when it does.
    expires_at = url_expiry(url)
    return [Output(kind=kind, url=url, expires_at=expires_at, provider_id=image.id, nsfw=_flag(image.nsfw), raw=raw)]


def _flag(value: object) -> bool | None:
    """A flag in any of the forms that layers give it: a user who wants such pictures dropped must not get one."""
    word = str(value).lower() if isinstance(value, bool | int | float | str) else ""
    return {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}.get(word)


def _classifications(moderations: Any) -> list[str]:
    """The words in `prompt_moderations`, which is a list, or in other layers one object."""
    items = moderations if isinstance(moderations, list) else [moderations]
    words = [item.get("moderationClassification") for item in items if isinstance(item, dict)]
    return [str(word) for found in words if isinstance(found, list) for word in found]


def _hint(item: Mapping[str, Any]) -> str | None:
    """Any words about a failure, under the names seen in other layers of this API."""
    for name in ("failedReason", "error", "message", "notes"):
        found = item.get(name)
        if found:
            return shorten(found if isinstance(found, str) else str(found), 300)
    return None


def _is_uuid(model: str) -> bool:
    try:
        UUID(model)
    except ValueError:
        return False
    return True


__all__ = ["PAGE", "Leonardo", "LeonardoImage", "NsfwPolicy"]
