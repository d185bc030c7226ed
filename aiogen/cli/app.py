"""The commands as they are typed: names, options, help.  What they do is in the modules beside this one."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter, UnknownOptionError

import aiogen
from aiogen._checks import check_number
from aiogen.cli import accounts, generations, ledger, streams
from aiogen.cli.arguments import options_first, with_stdin
from aiogen.cli.db import db
from aiogen.cli.exits import MEANINGS, Exit, exit_of, explain
from aiogen.cli.options import Common, Connected, checked_folder, checked_waiting, connected, parse_params
from aiogen.cli.program import command, program
from aiogen.cli.running import run as run_until_signalled
from aiogen.cli.terminal import Notes, Terminal
from aiogen.errors import AiogenError, InputError, Unsupported

_HELP = """AI image generation at several providers: submit, follow and collect paid generations, and lose none.

Keys come from the environment: LUMA_AGENTS_API_KEY, LEONARDO_API_KEY.  To see it work without one: aiogen demo

Options may stand anywhere; what begins with a dash and is none comes last, after --.  Where ids are asked for, - reads
them from stdin, one a line.

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
    checked_waiting(timeout, poll_cost)
    params, terminal, session = parse_params(param or []), common.terminal(), common.session(kept=True)
    if "/" in model:
        connected(session, model.partition("/")[0].strip())
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
        The provider's ids; or ours, or the first eight characters of either, as `aiogen jobs` tells them.
    """
    session = common.session()
    connected(session, connection)
    if not (ids := with_stdin(ids)):
        return _nothing(common.terminal())
    return run_until_signalled(
        generations.get(common.terminal(), session, connection, ids, known=common.ledger_if_there())
    )


@app.command
def wait(
    connection: str,
    ids: _Ids,
    /,
    *,
    out: Path | None = None,
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
        The provider's ids; or ours, or the first eight characters of either, as `aiogen jobs` tells them.
    out
        The folder for the images; without it only the addresses are told.
    timeout
        Seconds from now to the deadline of each; 600 by default.
    poll_cost
        Seconds of waiting that one request is worth, 0.001 to 60; lower asks more often.  0.15 by default.
    """
    checked_waiting(timeout, poll_cost)
    session = common.session()
    connected(session, connection)
    folder = checked_folder(out) if out is not None else None
    if not (ids := with_stdin(ids)):
        return _nothing(common.terminal())
    return run_until_signalled(
        generations.wait(
            common.terminal(),
            session,
            connection,
            ids,
            out=folder,
            timeout=timeout,
            poll_cost=poll_cost,
            known=common.ledger_if_there(),
        )
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
    check_number(limit, "--limit", 1, 1_000_000)
    session = common.session()
    connected(session, connection)
    return run_until_signalled(generations.list_(common.terminal(), session, connection, limit=limit, user_id=user))


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
        The provider's ids, whole.
    yes
        Do not ask.
    missing_ok
        What is not there is no error.
    """
    terminal, session = common.terminal(), common.session()
    provider = connected(session, connection)  # what cannot be is told before the question
    if not provider.capabilities.delete:
        raise Unsupported(f"{provider.vendor} has no call that deletes a generation.", connection=connection)
    if not (ids := with_stdin(ids)):
        return _nothing(terminal)
    code = run_until_signalled(generations.check_whole(ids, common.ledger_if_there()))
    if code is not Exit.OK:
        return code
    if not yes and not generations.confirmed(terminal, connection, len(ids)):
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
        The provider's ids; or ours, or the first eight characters of either, as `aiogen jobs` tells them.
    out
        The folder for the images.
    overwrite
        Fetch also what is there already.
    """
    session = common.session()
    connected(session, connection)
    folder = checked_folder(out)
    if not (ids := with_stdin(ids)):
        return _nothing(common.terminal())
    return run_until_signalled(
        generations.download(
            common.terminal(),
            session,
            connection,
            ids,
            out=folder,
            overwrite=overwrite,
            known=common.ledger_if_there(),
        )
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
    check_number(limit, "--limit", 1, 1_000_000)
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
def resume(
    ids: _Ids | None = None,
    /,
    *,
    out: Path = Path(),
    no_download: Annotated[bool, _Flag] = False,
    common: Connected = _NO_STORE,
) -> Exit:
    """Go on with what was left behind by a program that ended: send what waited, follow what runs, save the images.

    Parameters
    ----------
    ids
        Jobs that have completed, whose images are to be saved, too; by the whole ids that `aiogen jobs` tells.
    out
        The folder for the images.
    no_download
        Only tell the addresses; nothing is saved.
    """
    folder = None if no_download else checked_folder(out)
    common.ledger()
    session = common.session(kept=True, take_up=True)
    return run_until_signalled(ledger.resume(common.terminal(), session, with_stdin(ids or []), out=folder))


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
        The jobs, by the whole ids that `aiogen jobs` tells; by default all that are unknown.
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
    words, terminal = ids or [], common.terminal()
    store = common.ledger()
    ids = with_stdin(words)
    if words and not ids:
        return _nothing(terminal)
    code = run_until_signalled(ledger.check_whole(store, ids))
    if code is not Exit.OK:
        return code
    if adopt is None and not resend:
        return run_until_signalled(ledger.reconcile(terminal, common.session(kept=True), ids, batch=batch))
    if (adopt is not None) == resend or not ids or (adopt is not None and len(ids) > 1):
        raise InputError("Name one job to --adopt, or jobs to --resend.")
    if resend and not yes and not ledger.confirmed(terminal, len(ids)):
        return Exit.USAGE
    folder = None if no_download else checked_folder(out)
    return run_until_signalled(ledger.decide(terminal, common.session(kept=True), ids, adopt=adopt, out=folder))


@app.command
def forget(ids: _Ids | None = None, /, *, older: str | None = None, common: Connected = _NO_STORE) -> Exit:
    """Remove jobs that are over, or unknown, from the ledger; at the providers nothing changes.

    Parameters
    ----------
    ids
        The jobs, by the whole ids that `aiogen jobs` tells.
    older
        All that are over and were submitted before the last 24h or 7d.
    """
    age = ledger.parse_age(older) if older else None
    if not ids and age is None:
        raise InputError(f"Name the jobs to forget, or an age: {command('forget', '--older', '7d')}")
    words = with_stdin(ids or [])
    if not words and age is None:
        return _nothing(common.terminal())
    return run_until_signalled(ledger.forget(common.terminal(), common.ledger(), words, age))


@app.command
def account(connection: str | None = None, /, *, common: Connected = _NO_STORE) -> Exit:
    """Tell who the keys belong to, and what is left, where the provider says so.

    Parameters
    ----------
    connection
        Such as luma or leonardo; by default every one that is configured.
    """
    session = common.session()
    if connection is not None:
        connected(session, connection)
    return run_until_signalled(accounts.account(common.terminal(), session, connection))


@app.command
def doctor(*, common: Connected = _NO_STORE) -> Exit:
    """Tell which connections are configured, and whether they and the ledger work.

    One cheap read each; nothing is charged, and no ledger is made.
    """
    return run_until_signalled(accounts.doctor(common.terminal(), common))


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


def _nothing(terminal: Terminal) -> Exit:
    terminal.say("No ids came on stdin; nothing to do.")
    return Exit.OK


def run(argv: Sequence[str]) -> int:
    """Read the words, run the command, and turn whatever comes out into an exit code and a sentence."""
    streams.hold_numbers()
    try:
        with _noted():
            code = _run(argv)
            Terminal().flush()  # what a full disk refuses only now is told here, and not by Python at exit
            return code
    except (streams.OutputLost, BrokenPipeError) as lost:
        streams.discard(sys.stdout)
        if isinstance(lost, streams.OutputLost) and not isinstance(lost.__cause__, BrokenPipeError):
            why = getattr(lost.__cause__, "strerror", None) or lost
            Terminal().complain(f"What this command prints could not be written: {why}.")
        return Exit.PIPE  # of `aiogen list … | head` nobody needs to be told


def _run(argv: Sequence[str]) -> int:
    try:
        tokens = options_first(app, argv)
        app.console = Terminal().out  # of --help and --version
        chosen, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
        return int(chosen(*bound.args, **bound.kwargs) or Exit.OK)
    except CycloptsError as error:
        where = " ".join((*program(), *(error.command_chain or ()), "--help"))
        dash = " What begins with a dash and is no option comes after --." if _has_dash(error) else ""
        Terminal().complain(f"{' '.join(str(error).split())}{dash} See {where}.")
        return Exit.USAGE
    except AiogenError as error:
        return _failed(error, explain(error), exit_of(error))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except (streams.OutputLost, BrokenPipeError):
        raise
    except Exception as error:
        text = f"This is a bug in aiogen: {type(error).__name__}: {error}. AIOGEN_DEBUG=1 shows where."
        return _failed(error, text, Exit.BUG)


def _has_dash(error: CycloptsError) -> bool:
    return isinstance(error, UnknownOptionError) and not error.token.value.startswith("--")


@contextmanager
def _noted() -> Iterator[None]:
    """What the package warns of is a message like any other: on one line, and without a key."""
    logger = logging.getLogger("aiogen")
    handler = Notes(lambda text: Terminal().say(text))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _failed(error: Exception, text: str, code: Exit) -> int:
    terminal = Terminal()
    if os.environ.get("AIOGEN_DEBUG") == "1":
        terminal.trace("".join(traceback.format_exception(error)))
    terminal.complain(text)
    return code
