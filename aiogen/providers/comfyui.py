"""ComfyUI, the server of one's own that runs graphs of nodes: our words here, theirs there.  Pure.

Sources, as named in the comments: answers of a server of version 0.3.64, and the server's source (`server.py`,
`execution.py`, `comfy_execution/jobs.py`) of that version and of 2026.  Every route is there under `/api`, too.

No key, no price, no rate limit, and one job at a time: all others wait in the server's memory, as does what it knows
of finished ones.  So a server that was started again knows none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import uuid4

import attrs

from aiogen._checks import check_id, check_json, path_of
from aiogen.catalogue import ModelInfo
from aiogen.errors import APIError, InputError, ProtocolError
from aiogen.exchange import (
    Accepted,
    Cancelled,
    Deleted,
    Exchange,
    Multipart,
    Page,
    Part,
    Response,
    Snapshot,
    Submission,
    Ticket,
)
from aiogen.models import AccountInfo, State, Typical
from aiogen.providers.base import Provider
from aiogen.providers.comfyui_answers import read_entry, refusal_of, sentence_of
from aiogen.providers.comfyui_graph import ComfyGraph
from aiogen.providers.comfyui_models import LOADER, checkpoints_in, models_of
from aiogen.providers.comfyui_request import ComfyImage, with_values
from aiogen.providers.facts import Facts
from aiogen.providers.reading import parse_json, parse_object, read_page, unreadable

MAX_UPLOAD_BYTES = 100 * 1024 * 1024
"""What the server takes unless it was started with another `--max-upload-size`."""

_TYPICAL_OTHER = Typical(median=20.0, spread=1.0)
_TIMEOUT = 7200.0
"""Seconds; ours.  It counts from the acceptance, and a job waits for all before it."""

_LIST_PAGE = 50

_STATES = {"pending": State.QUEUED, "in_progress": State.PROCESSING}
"""Of the newer `/api/jobs`."""
_ENDS = frozenset({"completed", "failed", "cancelled"})
"""Of the same; how it ended is in the history in full."""


@attrs.frozen(kw_only=True)
class ComfyUI(Provider):
    """A ComfyUI server (`http://127.0.0.1:8188`), without a key.

    Args:
        api_key: none; a server that asks for one has a proxy in front of it, see `extra_headers`.
        base_url: by default from COMFYUI_BASE_URL, else this machine's port 8188.
        name: what model strings begin with, "comfyui" by default; for a second server.
        max_active: jobs in the server's queue at once, 50 by default; more wait here.
        creates_per_minute: in any 60 seconds; the server has no such limit.
        requests_per_minute: of any kind; the server has no such limit.
        allow_insecure: allow plain http to another machine; prompts and pictures then travel unencrypted.
        extra_headers: sent with every request to base_url, such as what a proxy asks for; kept as secret as a key.
        previous_keys: none, for there is no key.
        typical_seconds: how long a model usually takes there: `{"sd_xl_base_1.0.safetensors": 45.0}`.

    Raises:
        ConfigurationError: the base url cannot be used, or a key was given.
        InputError: a number is out of its range.
    """

    facts: ClassVar[Facts] = Facts(
        vendor="ComfyUI",
        name="comfyui",
        url="http://127.0.0.1:8188",
        request_type=ComfyImage,
        key_variable=None,
        # Any number may be queued; few enough that stopping all of them, or following them again, stays cheap.
        max_active=50,
        creates_per_minute=100_000,
        requests_per_minute=100_000,
        max_reference_bytes=MAX_UPLOAD_BYTES,
        # Nothing is charged, and the id is looked up before: it is not run twice either.
        resend_is_free=True,
        list_page=_LIST_PAGE,
        poll_cost=0.001,
        poll_floor=0.2,
        poll_ceiling=10.0,
        # The server puts a job into its queue before it answers, and moves it to the history in one step: what is in
        # neither is gone.  The grace is only for a proxy that lags.
        not_found_grace=2.0,
    )

    @property
    def slots(self) -> int | None:
        """One: the server has a single worker, and its jobs wait for each other."""
        return 1

    def prepare(self, model: str, prompt: str | None, options: Mapping[str, Any]) -> ComfyImage:
        """The typed request for keywords.

        `graph` and `slots` say what runs and where values go (see `ComfyGraph`), `extra` has further fields of the
        request; every other keyword is a value, by the name of its slot or by its place (`"5.width"`).

        The common words go to the slots that mean the same: `n` to "batch_size", `negative_prompt` to "negative",
        `aspect_ratio` to "width" and "height", `references` to those of images.  The graph is known to `encode`: it
        warns of those that have no slot there, and refuses every other unknown name (`UnknownParameter`).
        """
        values = dict(options)
        graph, slots, extra = (values.pop(name, None) for name in ("graph", "slots", "extra"))
        if graph is None and slots is not None:
            raise InputError("slots= says where values go in a graph; give graph= as well.")
        if graph is not None:
            graph = graph if isinstance(graph, ComfyGraph) else ComfyGraph(graph)
            graph = graph if slots is None else graph.with_slots(slots)
        return ComfyImage(model=model, prompt=prompt, graph=graph, values=values, extra=extra or {})

    def encode(self, request: ComfyImage) -> Submission:
        """The graph with its values, and the files that are uploaded before it is sent."""
        graph = request.graph
        assert graph is not None
        shipped = graph.shipped
        chosen = uuid4()
        seed = chosen.int % (shipped.seeds if shipped is not None else 2**32)
        filled = request.filled(seed=seed, prefix=f"aiogen/{str(chosen)[:8]}")
        count = filled.values.get("batch_size")
        check_json(filled.nodes, "graph")
        return Submission(
            model=request.model,
            kind="image",
            prompt=request.prompt,
            endpoint="prompt",
            body={"graph": filled.nodes, "files": filled.files, "extra": dict(request.extra)},
            provider_id=str(chosen),
            outputs=count if shipped is not None and type(count) is int else None,
            timeout=_TIMEOUT,
            warnings=filled.warnings,
            typical=self.typical(request.model, shipped.typical if shipped is not None else _TYPICAL_OTHER),
        )

    def create(self, submission: Submission) -> Exchange[Accepted]:
        """`POST /upload/image` for each file, then `POST /prompt` with an id of ours."""
        body = submission.body
        names: dict[str, str] = {}
        for file in body["files"]:
            name = yield from self._upload(file)
            names |= dict.fromkeys(file["places"], name)
        posted = {**body["extra"], "prompt": with_values(body["graph"], names), "prompt_id": submission.provider_id}
        response = yield self.request("create", "POST", "/prompt", body=posted)
        document = self._object(response, "create")
        try:
            id_ = check_id(document.get("prompt_id"))
        except InputError:
            raise unreadable(response, "create", "no valid prompt_id", "$.prompt_id") from None
        left_out = sentence_of(document.get("node_errors"))
        return Accepted(
            snapshot=Snapshot(
                provider_id=id_,
                state=State.QUEUED,
                kind=submission.kind,
                warnings=(f"the server leaves out a part of the graph: {left_out}",) if left_out else (),
            ),
            reference={"partial": True} if left_out else None,
        )

    def _upload(self, file: Mapping[str, Any]) -> Exchange[str]:
        """The name by which the server knows the file from now on."""
        image = Part(name="image", base64=file["data"], filename=file["name"], media_type=file["media_type"])
        form = Multipart((image, Part(name="type", text="input")))
        response = yield self.request("upload", "POST", "/upload/image", body=form)
        document = self._object(response, "upload")
        name, folder = document.get("name"), document.get("subfolder")
        if not isinstance(name, str) or not name:
            raise unreadable(response, "upload", "no name", "$.name")
        # Not the name that was asked for: another file may have had it, and then it is "… (1).png".
        return f"{folder}/{name}" if isinstance(folder, str) and folder else name

    def get(self, ticket: Ticket) -> Exchange[Snapshot]:
        """`GET /history/{id}`; what is not there is asked for with `GET /api/jobs/{id}`, in older versions `/queue`.

        The history comes first, for it alone says in every version how a job ended.  Which version it is is found out
        each time, by a request that costs less than a millisecond: a provider keeps nothing in mind.
        """
        id_ = check_id(ticket.provider_id)
        snapshot = yield from self._ended(id_)
        if snapshot is None:
            snapshot = yield from self._waiting(id_)
        if snapshot is None:
            # It may have ended between the two questions.
            snapshot = yield from self._ended(id_, or_missing=True)
            assert snapshot is not None
        reference = ticket.reference or {}
        asked = ticket.outputs or 0
        is_partial = reference.get("partial") is True or 0 < len(snapshot.outputs) < asked
        return attrs.evolve(snapshot, partial=snapshot.state is State.COMPLETED and is_partial)

    def _ended(self, id_: str, *, or_missing: bool = False) -> Exchange[Snapshot | None]:
        """What the history says; None, or NotFound, if it says nothing."""
        response = yield self.request("retrieve", "GET", f"/history/{path_of(id_)}")
        document = self._object(response, "retrieve")
        if not document:
            if or_missing:
                raise self.refusal(
                    response,
                    "retrieve",
                    "The server has no such job, neither waiting nor finished. It was deleted there, or the server was "
                    "started again since, which forgets them all; files that were saved are still in its folder. If it "
                    "was not finished, submit it again",
                    status=404,
                )
            return None
        entry = document.get(id_)
        if not isinstance(entry, Mapping):
            raise unreadable(response, "retrieve", "no entry of this job", f"$.{id_}")
        return read_entry(entry, id_, self.base_url, response)

    def _waiting(self, id_: str) -> Exchange[Snapshot | None]:
        """Whether it waits or runs; None if it does neither."""
        response = yield self.request("retrieve", "GET", f"/api/jobs/{path_of(id_)}")
        job = _json_object(response)
        if response.status == 200 and job is not None and job.get("id") == id_:
            word = job.get("status")
            if not isinstance(word, str):
                raise unreadable(response, "retrieve", "a status that is no word", "$.status")
            return None if word in _ENDS else _waiting(id_, _STATES.get(word, State.PROCESSING), word)
        if response.status == 404 and job is not None and "error" in job:
            return None
        # Older than that call.  Its queue lists whole graphs, so it is the second choice.
        return (yield from self._queued(id_))

    def _queued(self, id_: str) -> Exchange[Snapshot | None]:
        response = yield self.request("retrieve", "GET", "/queue")
        running, pending = self._queue(response, "retrieve")
        if id_ in running:
            return _waiting(id_, State.PROCESSING)
        return _waiting(id_, State.QUEUED) if id_ in pending else None

    def list(self, user_id: str | None, offset: int, limit: int) -> Exchange[Page]:
        """`GET /queue`, then `GET /history?max_items=`: jobs that wait, the one that runs, and finished ones.

        Newest first, which the server has no word for: its history is asked for up to the end of the page, oldest
        first, and turned round.
        """
        response = yield self.request("list", "GET", "/queue")
        running, pending = self._queue(response, "list")
        # Asked second, so that no job is missed that ends between the two; such a one is in both, and has ended.
        response = yield self.request("list", "GET", "/history", query={"max_items": str(offset + limit)})
        ended = self._object(response, "list")
        going = [(id_, State.QUEUED) for id_ in reversed(pending)] + [(id_, State.PROCESSING) for id_ in running]
        rows: list[Any] = [_waiting(id_, state) for id_, state in going if id_ not in ended]
        rows += reversed(ended.items())

        def read(row: Any, _: int) -> Snapshot:
            if isinstance(row, Snapshot):
                return row
            id_, entry = row
            if not isinstance(entry, Mapping):
                raise unreadable(response, "list", "an entry that is no object", f"$.{id_}")
            return read_entry(entry, id_, self.base_url, response)

        return read_page(rows[offset : offset + limit], read)

    def resembles(self, submission: Submission, snapshot: Snapshot) -> bool:
        """By the id, which was chosen here."""
        return submission.provider_id is None or submission.provider_id == snapshot.provider_id

    def cancel(self, ticket: Ticket) -> Exchange[Cancelled]:
        """`POST /api/jobs/{id}/cancel`; in older versions taken from the queue, or interrupted if it runs.

        A job that runs ends at its next step.
        """
        id_ = check_id(ticket.provider_id)
        response = yield self.request("cancel", "POST", f"/api/jobs/{path_of(id_)}/cancel")
        answer = _json_object(response)
        if response.status == 200 and answer is not None and isinstance(answer.get("cancelled"), bool):
            return Cancelled(stopped=answer["cancelled"])
        if response.status not in (200, 404, 405):
            raise self._refusal(response, "cancel")
        was_queued = False
        for _ in range(2):  # it may begin to run while it is taken from the queue
            response = yield self.request("cancel", "GET", "/queue")
            running, pending = self._queue(response, "cancel")
            if id_ in running:
                # With the id: without it, whatever runs by now would be interrupted.
                response = yield self.request("cancel", "POST", "/interrupt", body={"prompt_id": id_})
                self._done(response, "cancel")
                return Cancelled(stopped=True)
            if id_ not in pending:
                break
            was_queued = True
            response = yield self.request("cancel", "POST", "/queue", body={"delete": [id_]})
            self._done(response, "cancel")
        if not was_queued:
            return Cancelled(stopped=False)
        # Taken from the queue, unless it was quick enough to run to its end meanwhile.
        response = yield self.request("cancel", "GET", f"/history/{path_of(id_)}")
        return Cancelled(stopped=not self._object(response, "cancel"))

    def delete(self, provider_id: str) -> Exchange[Deleted]:
        """`POST /history` with its id: the entry alone; the files stay in the server's folder."""
        id_ = check_id(provider_id)
        response = yield self.request("delete", "GET", f"/history/{path_of(id_)}")
        if not self._object(response, "delete"):
            return Deleted(found=False)
        response = yield self.request("delete", "POST", "/history", body={"delete": [id_]})
        self._done(response, "delete")
        return Deleted(found=True)

    def read_account(self) -> Exchange[AccountInfo]:
        """`GET /system_stats`: there is no account; `raw` has the version, the devices and their memory."""
        response = yield self.request("retrieve", "GET", "/system_stats")
        document = self._object(response, "retrieve")
        if not isinstance(document.get("system"), Mapping):
            raise unreadable(response, "retrieve", "no system", "$.system")
        return AccountInfo(provider=self.facts.name, connection=self.name, raw=document)

    def models(self) -> Exchange[tuple[ModelInfo, ...]]:
        """`GET /models/checkpoints`, and the graph that needs none; older servers list them with the node that loads
        them.  Nothing is charged, so no price is known.
        """
        source = "GET /models/checkpoints"
        response = yield self.request("retrieve", "GET", f"/{source.partition('/')[2]}")
        if response.status == 404:
            source = f"GET /object_info/{LOADER}"
            response = yield self.request("retrieve", "GET", f"/{source.partition('/')[2]}")
            names = checkpoints_in(self._object(response, "retrieve"))
        else:
            self._check(response, "retrieve")
            document = parse_json(response, "retrieve")
            names = document if isinstance(document, list) else None
        if names is None:
            raise unreadable(response, "retrieve", "no list of checkpoints")

        return tuple(models_of(names, self.typical, f"the server itself ({source})"))

    # --- answers

    def _object(self, response: Response, verb: str) -> dict[str, Any]:
        self._check(response, verb)
        return parse_object(response, verb)

    def _check(self, response: Response, verb: str) -> None:
        if 300 <= response.status < 400:
            raise unreadable(response, verb, "a redirect, which is not followed")
        if not 200 <= response.status < 300:
            raise self._refusal(response, verb)

    def _done(self, response: Response, verb: str) -> None:
        """A call that changes something has an empty answer; text is from something in between, such as a proxy."""
        self._check(response, verb)
        if response.body.strip():
            raise unreadable(response, verb, "text where an empty answer is expected")

    def _refusal(self, response: Response, verb: str) -> APIError:
        details, is_theirs = refusal_of(response, verb)
        return self.refusal(response, verb, details, from_api=is_theirs)

    def _queue(self, response: Response, verb: str) -> tuple[Sequence[str], Sequence[str]]:
        """The ids that run, and those that wait, in the order in which they run."""
        document = self._object(response, verb)
        running, pending = (document.get(f"queue_{name}") for name in ("running", "pending"))
        if not isinstance(running, list) or not isinstance(pending, list):
            raise unreadable(response, verb, "no lists of jobs", "$.queue_pending")
        return _ids(running), _ids(sorted(pending, key=_number))


def _waiting(id_: str, state: State, word: str | None = None) -> Snapshot:
    return Snapshot(provider_id=id_, state=state, unknown_state=word if word and word not in _STATES else None)


def _number(item: Any) -> float:
    """By which the server orders its queue; the list that it gives out is in the order of a heap."""
    number = item[0] if isinstance(item, list) and item else None
    return number if isinstance(number, int | float) else 0.0


def _ids(items: list[Any]) -> list[str]:
    """The ids of a part of the queue, whose items are `[number, id, graph, extra data, output nodes]`."""
    return [item[1] for item in items if isinstance(item, list) and len(item) > 1 and isinstance(item[1], str)]


def _json_object(response: Response) -> dict[str, Any] | None:
    """The answer of a call that older versions do not have."""
    try:
        document = parse_json(response, "retrieve")
    except ProtocolError:
        return None
    return document if isinstance(document, dict) else None


__all__ = ["ComfyGraph", "ComfyImage", "ComfyUI"]
