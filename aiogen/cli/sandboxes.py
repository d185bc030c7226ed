"""The command that runs the sandbox."""

from __future__ import annotations

import asyncio
import json
import random
import shlex
from contextlib import suppress
from pathlib import Path

from aiogen.cli.exits import Exit
from aiogen.cli.terminal import Terminal
from aiogen.errors import ConfigurationError, InputError
from aiogen.sandbox import LeonardoSettings, Sandbox, Script, ScriptError


def read_script(path: Path | None) -> Script | None:
    """The script in a file.

    Raises:
        InputError: it cannot be read, or contains something that the sandbox does not understand.
    """
    if path is None:
        return None
    try:
        return Script.load(path)
    except OSError as error:
        raise InputError(f"The script {str(path)!r} cannot be read: {error.strerror or error}.") from None
    except ScriptError as error:
        raise InputError(f"The script cannot be used: {error}") from None


def need_pillow() -> None:
    """Without Pillow the sandbox would only fail when the first image is fetched.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            'The sandbox paints its images with Pillow: pip install "aiogen-sdk[cli,sandbox]"', action=None
        ) from None


def sandbox_of(
    *,
    port: int,
    speed: float,
    seed: int | None,
    script: Script | None,
    webhook_url: str | None,
    webhook_secret: str | None,
) -> Sandbox:
    """The sandbox that these options describe.

    Raises:
        ConfigurationError: Pillow is not installed.
        InputError: there is none.
    """
    need_pillow()
    if seed is None:
        # Ids of an earlier run would be taken for its generations: by the ledger, and by the files of a folder.
        seed = random.randrange(1_000_000)
    if webhook_url is not None and not webhook_url.startswith(("http://", "https://")):
        raise InputError(f"--webhook-url takes an address that begins with http:// or https://, not {webhook_url!r}.")
    if webhook_secret is not None and webhook_url is None:
        raise InputError("--webhook-secret goes with --webhook-url, which says where the calls are made.")
    leonardo = LeonardoSettings(webhook_url=webhook_url, webhook_secret=webhook_secret)
    try:
        return Sandbox(seed=seed, speed=speed, script=script, port=port, leonardo=leonardo)
    except (ValueError, OverflowError) as error:
        raise InputError(f"The sandbox cannot start with these options: {error}") from None


async def serve(terminal: Terminal, sandbox: Sandbox, *, port: int) -> Exit:
    """Run until a signal comes; that is its ordinary end, so the code is 0."""
    try:
        await sandbox.start()
    except (ValueError, OverflowError) as error:
        raise InputError(f"The sandbox cannot start with these options: {error}") from None
    except OSError as error:
        raise InputError(f"The sandbox cannot listen on port {port}: {error.strerror or error}.") from None
    try:
        # Printed without the terminal, which hides keys: these work nowhere but at the sandbox.
        for line in _lines(sandbox, as_json=terminal.as_json):
            print(line, file=terminal.out.file, flush=True)
        terminal.say(f"Nothing here costs money.  Ctrl-C stops it; --seed {sandbox.seed} gives the same ids again.")
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Exit.OK
    finally:
        await sandbox.stop()


def _lines(sandbox: Sandbox, *, as_json: bool) -> list[str]:
    if as_json:
        return [json.dumps({"url": sandbox.url, "environment": sandbox.environment})]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sandbox.environment.items()]
    return [*exports, f"# The sandbox is at {sandbox.url}"]
