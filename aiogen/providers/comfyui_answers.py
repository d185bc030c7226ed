"""What a ComfyUI server says about a job, and why it refuses one, in words that help.  Pure.

A history entry holds more than it should: `execution_error` has the traceback of the server and the values of the
node's inputs, which name folders and quote prompts.  These are left out before anything is kept or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from aiogen._wording import shorten
from aiogen.errors import ProtocolError
from aiogen.exchange import Failure, Response, Snapshot
from aiogen.models import Action, FailureCode, Output, State
from aiogen.providers.reading import objects_in, parse_json, plain_details, unreadable

_SECRET = frozenset({"traceback", "current_inputs", "current_outputs"})
_STATUSES = {"success": State.COMPLETED, "error": State.FAILED}
_NO_MEMORY = re.compile(r"out\s?of\s?memory|can't allocate memory|allocation on device", re.IGNORECASE)
_NO_PICTURE = "UnidentifiedImageError"
"""Of the library that reads pictures, for an upload that is not a picture."""
_FOLDERS = re.compile(r"""(?<![\w/.])(?:[A-Za-z]:)?(?:[\\/][^\\/\s'",:;]+)+(?=[\\/])[\\/]""")
_MODEL_FILE = re.compile(r".+\.(safetensors|sft|ckpt|pt|pt2|pth|bin|gguf|onnx)", re.IGNORECASE)

_KINDS = {
    "video": ("mp4", "webm", "mov", "mkv", "avi", "m4v"),
    "audio": ("flac", "mp3", "wav", "ogg", "opus", "m4a"),
    "3d": ("glb", "gltf", "obj", "fbx", "usdz", "stl", "ply"),
    "image": ("png", "jpg", "jpeg", "webp", "gif", "avif", "bmp", "tif", "tiff", "exr"),
}
_KIND_OF = {extension: kind for kind, extensions in _KINDS.items() for extension in extensions}
_KIND_OF_KEY = {"images": "image", "gifs": "video", "video": "video", "videos": "video", "audio": "audio", "3d": "3d"}


# --- a job that is over


def read_entry(entry: Mapping[str, Any], provider_id: str, base_url: str, response: Response) -> Snapshot:
    """A job's entry in the history: it is there only once the job is over.

    Raises:
        ProtocolError: it says neither how it ended nor what it made.
    """
    status, listed = entry.get("status"), entry.get("outputs")
    status = status if isinstance(status, Mapping) else {}
    if not isinstance(listed, Mapping) and not status:
        raise unreadable(response, "retrieve", "an entry with neither status nor outputs", f"$.{provider_id}")
    messages = list(_messages(status))
    outputs = _outputs(listed, base_url)
    files = [file for _, file in _files(listed)]
    unread = len(files) - sum(map(_can_be_asked_for, files))
    word = status.get("status_str")
    state = _STATUSES.get(word) if isinstance(word, str) else State.COMPLETED
    known: dict[str, Any] = {
        "provider_id": provider_id,
        "created_at": _created_at(entry.get("prompt")),
        "raw": _kept(entry, messages),
    }
    if state is None:
        return Snapshot(state=State.PROCESSING, unknown_state=str(word), **known)
    if state is State.FAILED:
        events = dict(messages)
        if "execution_interrupted" in events and "execution_error" not in events:
            return Snapshot(state=State.CANCELLED, **known)
        return Snapshot(state=State.FAILED, failure=_failure(events.get("execution_error", {})), **known)
    if unread:
        known["warnings"] = (f"{unread} of {len(files)} outputs could not be read; raw has what the server sent",)
        if not outputs:
            raise unreadable(response, "retrieve", "files whose names cannot be sent", f"$.{provider_id}.outputs")
    if not outputs:
        return Snapshot(state=State.FAILED, failure=_NOTHING_SAVED, **known)
    kinds = {output.kind for output in outputs}
    return Snapshot(state=State.COMPLETED, outputs=outputs, kind=kinds.pop() if len(kinds) == 1 else None, **known)


_NOTHING_SAVED = Failure(
    code=FailureCode.OUTPUT_NOT_FOUND,
    reason="the graph ran to its end, but saved no file; it needs a node such as SaveImage",
    action=Action.CHANGE_INPUT,
)


def _messages(status: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a job, in order, without what must not be kept."""
    listed = status.get("messages")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, list) and len(item) >= 2 and isinstance(item[0], str) and isinstance(item[1], dict):
            yield item[0], {name: value for name, value in item[1].items() if name not in _SECRET}


def _kept(entry: Mapping[str, Any], messages: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """What of the entry may be kept: not the extra data either, in which keys of paid nodes may be."""
    kept = {name: entry[name] for name in ("outputs", "meta") if name in entry}
    status = entry.get("status")
    if isinstance(status, Mapping):
        kept["status"] = {**status, "messages": [list(message) for message in messages]}
    prompt = entry.get("prompt")
    if isinstance(prompt, list) and len(prompt) > 2:
        kept["graph"] = prompt[2]
    return kept


def _created_at(prompt: Any) -> datetime | None:
    """When it was submitted, by the server's clock: newer versions note it, in milliseconds."""
    extra = prompt[3] if isinstance(prompt, list) and len(prompt) > 3 else None
    at = extra.get("create_time") if isinstance(extra, Mapping) else None
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 < at < 10**13:
        return None
    return datetime.fromtimestamp(at / 1000, UTC)


def _failure(error: Mapping[str, Any]) -> Failure:
    kind, text = str(error.get("exception_type") or ""), str(error.get("exception_message") or "")
    # The first line says what is wrong; the others are folders, tensors and advice for developers.
    said = _without_folders(next((line for line in text.splitlines() if line.strip()), ""), 300)
    node = f"node {error.get('node_id')} ({error.get('node_type')})"
    if _NO_MEMORY.search(f"{kind} {text}"):
        return Failure(
            code=FailureCode.PROVIDER_ERROR,
            reason=f"the server ran out of memory in {node}; a smaller picture or batch needs less",
            vendor_code=kind or None,
            action=Action.RETRY,
        )
    return Failure(
        code=FailureCode.CORRUPT_INPUT if _NO_PICTURE in kind else FailureCode.GENERATION_FAILED,
        reason=f"{node} failed: {said or kind or 'no reason given'}" if error else None,
        vendor_code=kind or None,
        action=Action.CHANGE_INPUT,  # a graph that failed once fails again
    )


def _without_folders(text: str, limit: int) -> str:
    """The server's words on one line, with the names of its files, but not where on its disk they are."""
    return shorten(_FOLDERS.sub("…/", text[: 10 * limit]), limit)


def _outputs(listed: Any, base_url: str) -> tuple[Output, ...]:
    """The files of all nodes; those that are only previews ("temp") count if there are no others."""
    found = [(key, file) for key, file in _files(listed) if _can_be_asked_for(file)]
    for kind in ("output", "temp"):
        if chosen := [(key, file) for key, file in found if file.get("type", "output") == kind]:
            return tuple(_output(key, file, base_url) for key, file in chosen)
    return ()


def _files(listed: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for made in listed.values() if isinstance(listed, Mapping) else ():
        for key, items in made.items() if isinstance(made, Mapping) else ():
            for file in objects_in(items) if isinstance(items, list) else ():
                if isinstance(file.get("filename"), str) and file["filename"]:
                    yield key, file


def _can_be_asked_for(file: Mapping[str, Any]) -> bool:
    """False for a name in which half of a surrogate pair stands, which no address can say."""
    try:
        f"{file['filename']}{file.get('subfolder')}{file.get('type')}".encode()
    except UnicodeEncodeError:
        return False
    return True


def _output(key: str, file: dict[str, Any], base_url: str) -> Output:
    name = file["filename"]
    # By its name first: newer versions list films under "images", too.
    kind = _KIND_OF.get(name.rpartition(".")[2].lower()) or _KIND_OF_KEY.get(key, key)
    place = {"filename": name, "subfolder": file.get("subfolder") or "", "type": file.get("type") or "output"}
    return Output(kind=kind, url=f"{base_url}/view?{urlencode(place)}", raw=file)


# --- refusals


def refusal_of(response: Response, verb: str) -> tuple[str, bool]:
    """Why it was refused, and whether ComfyUI itself says so: an `error` with a type, or aiohttp's page for a bug."""
    try:
        document = parse_json(response, verb)
    except ProtocolError:
        return _plain(response)
    error = document.get("error") if isinstance(document, Mapping) else None
    if isinstance(error, Mapping) and isinstance(error.get("type"), str):
        return shorten(_words(error, document.get("node_errors")), 1000), True
    return shorten(str(document), 300), False


def _plain(response: Response) -> tuple[str, bool]:
    text = plain_details(response)
    if response.status == 500 and text.startswith("500 Internal Server Error"):
        return "the server failed while it read the request; its own log says why", True
    if response.status == 403:
        return (
            f"{text}. ComfyUI answers so if a request has a foreign Origin header, which aiogen does not send; "
            "something in between adds one, or is a proxy that wants credentials, and gets them by extra_headers"
        ), False
    if response.status == 401:
        return (
            f"{text}. ComfyUI itself asks for no credentials; a proxy in front of it gets them by extra_headers",
            False,
        )
    if response.status == 413:
        return "the request is larger than the server takes (--max-upload-size, 100 MB unless it says otherwise)", True
    return text, False


def _words(error: Mapping[str, Any], node_errors: Any) -> str:
    kind, message, details = (str(error.get(name) or "") for name in ("type", "message", "details"))
    said = f"{message}: {_without_folders(details, 300)}" if details and details != message else message
    if kind == "no_prompt":
        return "the server got no graph"
    if kind in ("invalid_prompt", "missing_node_type"):  # the word of 0.3.64, and that of 2026
        return f"{said}. The class of a node is missing: install the custom node that has it, or update ComfyUI"
    if kind == "prompt_no_outputs":
        return "nothing in the graph saves a file; it needs a node such as SaveImage"
    if kind == "invalid_prompt_id":
        return f"{said}. This is an error of aiogen's; please report it"
    if lines := list(_node_lines(node_errors)):
        return "; ".join(lines)
    # Version 0.3.64 says no more than that of a graph whose links lead in a circle.
    return said if details else f"{said}, and the server does not say why; perhaps links lead in a circle"


def _node_lines(node_errors: Any) -> Iterator[str]:
    """One sentence for each error of each node."""
    for id_, node in node_errors.items() if isinstance(node_errors, Mapping) else ():
        if isinstance(node, Mapping):
            for error in objects_in(node.get("errors")):
                yield _node_line(f"node {id_} ({node.get('class_type')})", error)


def _node_line(node: str, error: Mapping[str, Any]) -> str:
    extra = error.get("extra_info")
    extra = extra if isinstance(extra, Mapping) else {}
    value, name = extra.get("received_value"), extra.get("input_name")
    if error.get("type") == "value_not_in_list" and isinstance(value, str) and _MODEL_FILE.fullmatch(value):
        what = "checkpoint" if name == "ckpt_name" else "model file"
        return (
            f"the {what} {shorten(value, 120)!r} is not installed on the server, as {name} of {node}; {_there(extra)}"
        )
    message, details = str(error.get("message") or "not valid"), str(error.get("details") or "")
    more = f" ({_without_folders(details, 200)})" if details else ""
    return f"{node}: {_without_folders(message, 150)}{more}"


def _there(extra: Mapping[str, Any]) -> str:
    """Which files there are instead."""
    config = extra.get("input_config")
    names = config[0] if isinstance(config, list) and config and isinstance(config[0], list) else None
    if names is None:
        return "see GET /models"
    return f"it has {shorten(', '.join(map(str, names)), 300)}" if names else "it has none"


def sentence_of(node_errors: Any) -> str | None:
    """What is wrong with the outputs that the server left out although it took the job."""
    lines = list(_node_lines(node_errors))
    return shorten("; ".join(lines), 300) if lines else None
