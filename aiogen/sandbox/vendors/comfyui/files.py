"""The server's folders: what graphs have saved, painted when it is looked at, and what was uploaded."""

from __future__ import annotations

import mimetypes
import posixpath
import re
from email.utils import format_datetime

import attrs
from aiohttp import web

from ...clock import Clock
from ...context import RequestContext
from ...jobs import SandboxJob
from ...painting import Picture
from ...storage.outputs import File, send
from .errors import ComfyUIErrorFormat, empty, plain, reply
from .queue import Entry

KINDS = ("input", "output", "temp")
"""The folders."""

PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
"""What files begin with that the server can load."""

_ANNOTATED = re.compile(rf"(.*) ?\[({'|'.join(KINDS)})\]")

Place = tuple[str, str, str]
"""Folder, folder inside it, name."""


@attrs.frozen
class Saved:
    """An output of a job."""

    job: SandboxJob
    index: int
    at: float
    """Loop second."""


@attrs.frozen
class Uploaded:
    """Somebody's file."""

    content: bytes
    at: float


class Files:
    """All files. They outlive the queue and the history."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: dict[Place, Saved | Uploaded] = {}
        self._counted: dict[tuple[str, str, str], int] = {}
        """Folder and beginning of the names to the last number."""

    # --- for graphs ---

    def save(self, entry: Entry) -> None:
        """Gives names to the outputs of an ended entry."""
        ran, job = entry.executed(), entry.job
        index = 0
        for node in entry.outputs:
            if node in ran:
                entry.files[node] = [self._next(entry, node, index + i) for i in range(job.outputs)]
                index += job.outputs

    def _next(self, entry: Entry, node: str, index: int) -> dict[str, str]:
        is_preview = entry.graph[node]["class_type"] == "PreviewImage"
        prefix = "ComfyUI_temp_aiogn" if is_preview else str(entry.graph[node]["inputs"]["filename_prefix"])
        width, height = entry.job.size
        prefix = posixpath.normpath(prefix.replace("%width%", str(width)).replace("%height%", str(height)))
        folder = "temp" if is_preview else "output"
        subfolder, stem = posixpath.split(prefix)
        number = self._counted[folder, subfolder, stem] = self._counted.get((folder, subfolder, stem), 0) + 1
        name = f"{stem}_{number:05}_.png"
        self._all[folder, subfolder, name] = Saved(entry.job, index, entry.job.ends_at)
        return {"filename": name, "subfolder": subfolder, "type": folder}

    def has(self, name: str) -> bool:
        """Whether LoadImage finds this file."""
        return self._find(name) is not None

    def is_picture(self, name: str) -> bool:
        file = self._find(name)
        return isinstance(file, Saved) or (isinstance(file, Uploaded) and file.content.startswith(PICTURES))

    def _find(self, name: str) -> Saved | Uploaded | None:
        name, folder = annotated(name)
        subfolder, name = posixpath.split(name)
        return self._all.get((folder or "input", subfolder, name))

    def names(self) -> list[str]:
        """As LoadImage offers them: those at the top of the folder for input."""
        return sorted(name for folder, subfolder, name in self._all if (folder, subfolder) == ("input", ""))

    # --- POST /upload/image ---

    async def upload(self, context: RequestContext) -> web.StreamResponse:
        form = await context.request.post()
        part, folder = form.get("image"), form.get("type", "input")
        if not isinstance(part, web.FileField):
            return empty(400)
        if folder not in KINDS:
            return plain(500)
        subfolder = posixpath.normpath(str(form.get("subfolder", "")) or ".").removeprefix(".").removeprefix("/")
        name = part.filename
        if is_outside(posixpath.join(str(form.get("subfolder", "")), name)):
            return empty(400)
        content = part.file.read()
        if form.get("overwrite") not in ("true", "1"):
            name = self._free(str(folder), subfolder, name, content)
        self._all[str(folder), subfolder, name] = Uploaded(content, context.now)
        return reply({"name": name, "subfolder": form.get("subfolder", ""), "type": folder})

    def _free(self, folder: str, subfolder: str, name: str, content: bytes) -> str:
        """The first name that is free or has this content: ref.png, ref (1).png, ref (2).png."""
        stem, suffix = posixpath.splitext(name)
        number = 0
        while (there := self._all.get((folder, subfolder, name))) is not None:
            if isinstance(there, Uploaded) and there.content == content:
                break
            number += 1
            name = f"{stem} ({number}){suffix}"
        return name

    # --- GET /view ---

    async def view(self, context: RequestContext) -> web.StreamResponse:
        """GET or HEAD. `preview` and `channel` are ignored: the file comes as it is."""
        query = context.request.query
        if "filename" not in query:
            return empty(404)
        name, folder = annotated(query["filename"])
        folder = folder or query.get("type", "output")
        if not name or name.startswith("/") or ".." in name or folder not in KINDS:
            return empty(400)
        subfolder = query.get("subfolder", "")
        if is_outside(subfolder):
            return empty(403)
        file = self._all.get((folder, subfolder.strip("/"), posixpath.basename(name)))
        if file is None:
            return empty(404)
        if isinstance(file, Uploaded):
            return await send(context, self._as_file(name, file.content, file.at), None, ComfyUIErrorFormat())
        job = file.job
        context.recorded.job_id = job.id
        fault = job.download_fault(file.index) if context.request.method == "GET" else None
        picture = Picture(
            prompt=job.prompt,
            model=job.model or "no model",
            index=file.index,
            size=job.size,
            format="png",
            seed=job.seed,
        )
        try:
            content = await context.worker.picture(picture)
        except ImportError as error:  # no Pillow: the message says what to install
            return web.Response(text=str(error), status=501)
        await context.pause(job.fate.latency or 0)
        return await send(context, self._as_file(name, content, file.at), fault, ComfyUIErrorFormat())

    def _as_file(self, name: str, content: bytes, at: float) -> File:
        when = self._clock.wall(at)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {
            "Content-Disposition": f'filename="{posixpath.basename(name)}"',
            "Last-Modified": format_datetime(when.replace(microsecond=0), usegmt=True),
        }
        return File(content, kind, f'"{int(when.timestamp() * 1e6) * 1000:x}-{len(content):x}"', headers)


def annotated(name: str) -> tuple[str, str | None]:
    """A name with the folder in brackets behind it, as in `x.png [output]`, in parts."""
    if (match := _ANNOTATED.fullmatch(name)) is not None:
        return match[1].rstrip(), match[2]
    return name, None


def is_outside(path: str) -> bool:
    return path.startswith("/") or posixpath.normpath(path or ".").split("/")[0] == ".."
