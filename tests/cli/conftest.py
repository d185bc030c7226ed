"""The command line runs its own loop, so the imitated providers run in a thread, on real time and a fast clock."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from aiogen.cli import main
from aiogen.providers.registry import BUILT_IN as PROVIDERS
from aiogen.sandbox import Sandbox, SandboxJob

NOBODY = "http://127.0.0.1:9"
"""The port of "discard", where nothing answers."""


class Vendors:
    """The sandbox, in a thread with a loop of its own."""

    def __init__(self, speed: float = 100.0, **settings: Any) -> None:
        self.sandbox = Sandbox(speed=speed, **settings)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        async with self.sandbox:
            self._loop = asyncio.get_running_loop()
            self._over = asyncio.Event()
            self._ready.set()
            await self._over.wait()

    def __enter__(self) -> Vendors:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    @property
    def environment(self) -> dict[str, str]:
        return self.sandbox.environment

    @property
    def jobs(self) -> list[SandboxJob]:
        return self.sandbox.jobs

    def once(self, holds: Callable[[], object], do: Callable[[], object]) -> None:
        """Do something as soon as a condition holds."""

        async def watch() -> None:
            while not holds():
                await asyncio.sleep(0.005)
            do()

        asyncio.run_coroutine_threadsafe(watch(), self._loop)

    def interrupt_once(self, holds: Callable[[], object], number: signal.Signals = signal.SIGINT) -> None:
        """Send this process a signal as soon as a condition holds."""
        self.once(holds, lambda: os.kill(os.getpid(), number))

    def make(self, *prompts: str, **body: Any) -> list[str]:
        """Generations that exist at Leonardo already; their ids."""
        import urllib.request

        ids = []
        for prompt in prompts:
            data = json.dumps({"model": "lucid-origin", "parameters": {"prompt": prompt, **body}}).encode()
            headers = {
                "Authorization": f"Bearer {self.environment['LEONARDO_API_KEY']}",
                "Content-Type": "application/json",
            }
            request = urllib.request.Request(f"{self.sandbox.leonardo_url}/v2/generations", data, headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                ids.append(json.load(answer)["generate"]["generationId"])
        return ids


@attrs.frozen
class Said:
    """What a run of the program left."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Aiogen = Callable[..., Said]


@pytest.fixture
def aiogen(capsys: pytest.CaptureFixture[str]) -> Aiogen:
    """Runs the program in this process; no key may ever show."""

    def run(*argv: object) -> Said:
        variables = [cls.facts.key_variable for cls in PROVIDERS if cls.facts.key_variable is not None]
        keys = [os.environ[name] for name in variables if os.environ.get(name)]
        capsys.readouterr()
        code = main([str(word) for word in argv])
        said = Said(code, *capsys.readouterr())
        for key in keys:
            assert key not in said.out + said.err
        return said

    return run


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No terminal and no ledger, whatever the developer's environment pretends."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    monkeypatch.delenv("AIOGEN_STORE", raising=False)
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "AIOGEN_DEBUG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for cls in PROVIDERS:
        if cls.facts.key_variable is None:  # it would be found on a machine on which one runs
            monkeypatch.setattr(cls, "facts", attrs.evolve(cls.facts, url=NOBODY))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both streams count as a terminal of 100 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendors' seconds are short here, so that they have to be asked about more often."""
    for cls in PROVIDERS:
        monkeypatch.setattr(cls, "facts", attrs.evolve(cls.facts, poll_floor=0.02, poll_ceiling=0.05))


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch, often: None) -> Iterator[Vendors]:
    """Both providers, imitated, with the environment pointing to them."""
    with Vendors() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
