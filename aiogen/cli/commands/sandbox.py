"""The commands about imitated providers as they are typed: sandbox, demo."""

from __future__ import annotations

from pathlib import Path

from aiogen.cli.commands.shared import NO_JSON
from aiogen.cli.exits import Exit
from aiogen.cli.options import Common
from aiogen.cli.places import checked_folder
from aiogen.cli.running import run


def sandbox(
    *,
    port: int = 0,
    speed: float = 1.0,
    seed: int | None = None,
    script: Path | None = None,
    webhook_url: str | None = None,
    webhook_secret: str | None = None,
    common: Common = NO_JSON,
) -> Exit:
    """Imitate the providers on this machine until Ctrl-C: no key, no bill.

    Parameters
    ----------
    port
        The port on 127.0.0.1; 0 takes a free one.
    speed
        How much faster than the real providers.
    seed
        The same seed gives the same ids, durations and chances in the script; by default a new one each time.
    script
        A JSON file that says what happens to generations; aiogen.sandbox.script describes its format.
    webhook_url
        Where the imitated Leonardo makes a call when a generation is over; by default it makes none.
    webhook_secret
        What it proves with that it is the one who calls.
    """
    from aiogen.cli.sandboxes import read_script, sandbox_of, serve

    made = sandbox_of(
        port=port,
        speed=speed,
        seed=seed,
        script=read_script(script),
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
    )
    return run(serve(common.terminal(), made, port=port))


def demo(
    *,
    out: Path = Path("demo-images"),
    count: int = 60,
    seed: int = 0,
    speed: float = 14.0,
    common: Common = NO_JSON,
) -> Exit:
    """Watch some sixty generations at two imitated providers: no key, no bill, 15 seconds.

    Parameters
    ----------
    out
        The folder for the images; nothing in it is deleted.
    count
        How many generations, 2 to 120.
    seed
        Another seed gives other prompts, ids and durations.
    speed
        How much faster than the real providers.
    """
    from aiogen.cli.sandboxes import need_pillow

    need_pillow()
    from aiogen.cli import demo as demonstration

    plan = demonstration.plan(count, seed)
    return run(demonstration.show(common.terminal(), plan, checked_folder(out), speed=speed))
