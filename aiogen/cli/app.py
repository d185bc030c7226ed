"""The commands as they are typed: names, options, help.  What they do is in the modules beside this one."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

import aiogen
from aiogen.cli import accounts, generations, ledger
from aiogen.cli.db import db
from aiogen.cli.exits import MEANINGS, Exit, exit_of, explain
from aiogen.cli.options import Common, Connected, checked_folder, parse_params, shared_last
from aiogen.cli.running import run as run_until_signalled
from aiogen.cli.terminal import Terminal
from aiogen.errors import AiogenError, InputError, Unsupported

_HELP = """AI image generation at several providers: submit, follow and collect paid generations, and lose none.

Keys come from the environment: LUMA_AGENTS_API_KEY, LEONARDO_API_KEY.  To see it work without one: aiogen demo

Results go to stdout, everything else to stderr.  With --json there is one JSON object per line on stdout.

Exit codes; of several generations the gravest counts (6, 3, 2, 5, 4, 1 in this order):

"""

app: App = App(
    name="aiogen",
    version=f"aiogen {aiogen.__version__}",
    help=_HELP + "\n".join(f"{code:>3}  {meaning}" for code, meaning in MEANINGS.items()),
    help_format="plaintext",
)

app.command(db)

_Flag = Parameter(negative="")  # no --no-… and no --empty-… beside it
_Ids = Annotated[list[str], _Flag]
_NO_STORE = Connected()
_NO_JSON = Common()


@app.command
def generate(
    model: str,
    prompt: str,
    /,
    *,
    param: Annotated[list[str] | None, Parameter(name=["--param", "-p"], negative="")] = None,
    count: int = 1,
    out: Path = Path(),
    no_download: Annotated[bool, _Flag] = False,
    timeout: float | None = None,
    poll_cost: float | None = None,
    batch: str | None = None,
    common: Connected = _NO_STORE,
) -> Exit:
    """Submit a generation, follow it, and save what it made.

    Parameters
    ----------
    model
        Connection and model, such as luma/uni-1 or leonardo/gemini-image-2.
    prompt
        What the image should show.  One that begins with a dash comes last, after --.
    param
        A parameter of the provider as name=value; the value is JSON, or else text.  May be given several times.
    count
        So many generations of the same prompt, each paid for.
    out
        The folder for the images.
    no_download
        Only tell the addresses; nothing is saved.
    timeout
        Seconds from the provider's acceptance to the deadline; by default by provider and kind.
    poll_cost
        Seconds of waiting that one request is worth, 0.001 to 60; lower asks more often.  0.15 by default.
    batch
        A word of yours that the ledger keeps, to find them by.
    """
    params, terminal, session = parse_params(param or []), common.terminal(), common.session(kept=True)
    folder = None if no_download else checked_folder(out)
    return run_until_signalled(
        generations.generate(
            terminal,
            session,
            model,
            prompt,
            params,
            count=count,
            out=folder,
            timeout=timeout,
            poll_cost=poll_cost,
            group=batch,
        )
    )


@app.command
def get(connection: str, ids: _Ids, /, *, common: Connected = _NO_STORE) -> Exit:
    """Read generations once, as they stand now.

    Parameters
    ----------
    connection
        Such as luma or leonardo.
    ids
        The provider's ids.
    """
    return run_until_signalled(generations.get(common.terminal(), common.session(), connection, ids))


@app.command
def wait(
    connection: str,
    ids: _Ids,
    /,
    *,
    timeout: float | None = None,
    poll_cost: float | None = None,
    common: Connected = _NO_STORE,
) -> Exit:
    """Follow generations that were made before, or elsewhere, to their ends.

    Parameters
    ----------
    connection
        Such as luma or leonardo.
    ids
        The provider's ids.
    timeout
        Seconds from now to the deadline of each; 600 by default.
    poll_cost
        Seconds of waiting that one request is worth, 0.001 to 60; lower asks more often.  0.15 by default.
    """
    return run_until_signalled(
        generations.wait(common.terminal(), common.session(), connection, ids, timeout=timeout, poll_cost=poll_cost)
    )


@app.command(name="list")
def list_(connection: str, /, *, limit: int = 50, user: str | None = None, common: Connected = _NO_STORE) -> Exit:
    """List the account's generations, where the provider can (Leonardo).

    Parameters
    ----------
    connection
        Such as leonardo.
    limit
        At most so many.
    user
        Whose, by the provider's id of the user; by default the owner of the key.
    """
    return run_until_signalled(
        generations.list_(common.terminal(), common.session(), connection, limit=limit, user_id=user)
    )


@app.command
def delete(
    connection: str,
    ids: _Ids,
    /,
    *,
    yes: Annotated[bool, _Flag] = False,
    missing_ok: Annotated[bool, _Flag] = False,
    common: Connected = _NO_STORE,
) -> Exit:
    """Delete generations at the provider, with their images, where it can (Leonardo).

    Parameters
    ----------
    connection
        Such as leonardo.
    ids
        The provider's ids.
    yes
        Do not ask.
    missing_ok
        What is not there is no error.
    """
    terminal, session = common.terminal(), common.session()
    provider = session.connections.find(connection)  # what cannot be is told before the question
    if not provider.capabilities.delete:
        raise Unsupported(f"{provider.vendor} has no call that deletes a generation.", connection=connection)
    if not yes and not generations.confirmed(terminal, connection, len(set(ids))):
        return Exit.USAGE
    return run_until_signalled(generations.delete(terminal, session, connection, ids, missing_ok=missing_ok))


@app.command
def download(
    connection: str,
    ids: _Ids,
    /,
    *,
    out: Path = Path(),
    overwrite: Annotated[bool, _Flag] = False,
    common: Connected = _NO_STORE,
) -> Exit:
    """Save the images of completed generations.

    Parameters
    ----------
    connection
        Such as luma or leonardo.
    ids
        The provider's ids.
    out
        The folder for the images.
    overwrite
        Fetch also what is there already.
    """
    session = common.session()
    return run_until_signalled(
        generations.download(common.terminal(), session, connection, ids, out=checked_folder(out), overwrite=overwrite)
    )


@app.command
def jobs(
    *,
    state: Annotated[list[str] | None, _Flag] = None,
    batch: str | None = None,
    newer: str | None = None,
    older: str | None = None,
    limit: int = 50,
    common: Connected = _NO_STORE,
) -> Exit:
    """Tell what the ledger knows of jobs, the newest first.  Nobody is asked.

    Parameters
    ----------
    state
        Only those that are pending, submitting, unknown, queued, processing, completed, failed or cancelled.
    batch
        Only those of this batch.
    newer
        Only those that were submitted in the last 90s, 15m, 24h or 7d.
    older
        Only those that were submitted before that.
    limit
        At most so many.
    """
    return run_until_signalled(
        ledger.jobs(
            common.terminal(),
            common.ledger(),
            states=ledger.parse_states(state or []),
            batch=batch,
            newer=ledger.parse_age(newer) if newer else None,
            older=ledger.parse_age(older) if older else None,
            limit=limit,
        )
    )


@app.command
def resume(*, out: Path = Path(), no_download: Annotated[bool, _Flag] = False, common: Connected = _NO_STORE) -> Exit:
    """Go on with what was left behind by a program that ended: send what waited, follow what runs, save the images.

    Parameters
    ----------
    out
        The folder for the images.
    no_download
        Only tell the addresses; nothing is saved.
    """
    folder = None if no_download else checked_folder(out)
    common.ledger()
    return run_until_signalled(ledger.resume(common.terminal(), common.session(kept=True, take_up=True), out=folder))


@app.command
def reconcile(
    ids: _Ids | None = None,
    /,
    *,
    batch: str | None = None,
    adopt: str | None = None,
    resend: Annotated[bool, _Flag] = False,
    yes: Annotated[bool, _Flag] = False,
    out: Path = Path(),
    no_download: Annotated[bool, _Flag] = False,
    common: Connected = _NO_STORE,
) -> Exit:
    """Tell of the jobs whose submission was never answered what they could be, or decide about them.

    They may be running and charged, and are never sent again by themselves.

    Parameters
    ----------
    ids
        The jobs, by the ids that `aiogen jobs` tells; by default all that are unknown.
    batch
        Only those of this batch.
    adopt
        The job is this generation at the provider, by the provider's id: follow it.
    resend
        Send the jobs again.  If the first did arrive, both are charged.
    yes
        Do not ask.
    out
        The folder for the images.
    no_download
        Only tell the addresses; nothing is saved.
    """
    ids, terminal = ids or [], common.terminal()
    common.ledger()
    if adopt is None and not resend:
        return run_until_signalled(ledger.reconcile(terminal, common.session(kept=True), ids, batch=batch))
    if (adopt is not None) == resend or not ids or (adopt is not None and len(ids) > 1):
        raise InputError("Name one job to --adopt, or jobs to --resend.")
    if resend and not yes and not ledger.confirmed(terminal, len(set(ids))):
        return Exit.USAGE
    folder = None if no_download else checked_folder(out)
    return run_until_signalled(ledger.decide(terminal, common.session(kept=True), ids, adopt=adopt, out=folder))


@app.command
def forget(ids: _Ids | None = None, /, *, older: str | None = None, common: Connected = _NO_STORE) -> Exit:
    """Remove jobs that are over, or unknown, from the ledger; at the providers nothing changes.

    Parameters
    ----------
    ids
        The jobs, by the ids that `aiogen jobs` tells.
    older
        All that are over and were submitted before the last 24h or 7d.
    """
    age = ledger.parse_age(older) if older else None
    if not ids and age is None:
        raise InputError("Name the jobs to forget, or an age: aiogen forget --older 7d.")
    return run_until_signalled(ledger.forget(common.terminal(), common.ledger(), ids or [], age))


@app.command
def account(connection: str | None = None, /, *, common: Connected = _NO_STORE) -> Exit:
    """Tell who the keys belong to, and what is left, where the provider says so.

    Parameters
    ----------
    connection
        Such as luma or leonardo; by default every one that is configured.
    """
    return run_until_signalled(accounts.account(common.terminal(), common.session(), connection))


@app.command
def doctor(*, common: Common = _NO_JSON) -> Exit:
    """Tell which connections are configured, and whether they work: one cheap read each, nothing is charged."""
    return run_until_signalled(accounts.doctor(common.terminal()))


@app.command
def sandbox(
    *,
    port: int = 0,
    speed: float = 1.0,
    seed: int | None = None,
    script: Path | None = None,
    common: Common = _NO_JSON,
) -> Exit:
    """Imitate the providers on this machine until Ctrl-C: no key, no bill.

    Parameters
    ----------
    port
        Where to listen on 127.0.0.1; 0 takes a free one.
    speed
        How much faster than the real providers.
    seed
        The same seed gives the same ids, durations and throws of the script's dice; by default another each time.
    script
        A JSON file that says what shall happen; its form is described in aiogen.sandbox.script.
    """
    from aiogen.cli.sandboxes import read_script, serve

    return run_until_signalled(serve(common.terminal(), port=port, speed=speed, seed=seed, script=read_script(script)))


@app.command
def demo(
    *,
    out: Path = Path("demo-images"),
    count: int = 60,
    seed: int = 0,
    speed: float = 14.0,
    common: Common = _NO_JSON,
) -> Exit:
    """Watch some sixty generations at two imitated providers: no key, no bill, a quarter of a minute.

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
    return run_until_signalled(demonstration.show(common.terminal(), plan, checked_folder(out), speed=speed))


def run(argv: Sequence[str]) -> int:
    """Read the words, run the command, and turn whatever comes out into an exit code and a sentence."""
    try:
        command, bound, _ = app.parse_args(shared_last(argv), exit_on_error=False, print_error=False)
        return int(command(*bound.args, **bound.kwargs) or Exit.OK)
    except CycloptsError as error:
        where = " ".join(("aiogen", *(error.command_chain or ()), "--help"))
        Terminal().complain(f"{' '.join(str(error).split())} See {where}.")
        return Exit.USAGE
    except AiogenError as error:
        return _failed(error, explain(error), exit_of(error))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Who read us has gone, as in `aiogen list … | head`.  What is still buffered must not raise again at exit.
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return Exit.PIPE
    except Exception as error:
        text = f"This is a bug in aiogen: {type(error).__name__}: {error}. AIOGEN_DEBUG=1 shows where."
        return _failed(error, text, Exit.BUG)


def _failed(error: Exception, text: str, code: Exit) -> int:
    terminal = Terminal()
    if os.environ.get("AIOGEN_DEBUG") == "1":
        terminal.say("".join(traceback.format_exception(error)).rstrip())
    terminal.complain(text)
    return code
