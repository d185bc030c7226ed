"""The program: its commands, and the exit code and the sentence that any of them ends with."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import App, CycloptsError, UnknownOptionError

import aiogen
from aiogen.cli import streams
from aiogen.cli.arguments import options_first
from aiogen.cli.commands import batch, cleaning, connections, generations, ledger, models, reports, sandbox, workers
from aiogen.cli.commands.db import db
from aiogen.cli.exits import MEANINGS, Exit, exit_of, explain
from aiogen.cli.program import program
from aiogen.cli.terminal import Notes, Terminal
from aiogen.errors import AiogenError

_HELP = """AI image generation at several providers: submit, follow and collect paid generations, and lose none.

Keys come from the environment: LUMA_AGENTS_API_KEY, LEONARDO_API_KEY.  To see it work without one: aiogen demo

Options may stand anywhere; a value that begins with a dash but is no option goes last, after --.  Where ids are
expected, - reads them from stdin, one per line.

Results go to stdout, everything else to stderr.  With --json there is one JSON object per line on stdout.

Exit codes; with several generations the most serious one counts (6, 3, 2, 5, 4, 1, in this order):

"""

app: App = App(
    name="aiogen",
    version=f"aiogen {aiogen.__version__}",
    help=_HELP + "\n".join(f"{code:>3}  {meaning}" for code, meaning in MEANINGS.items()),
    help_format="plaintext",
)

for _command in (
    generations.generate,
    batch.batch,
    generations.get,
    generations.wait,
    generations.delete,
    generations.download,
    cleaning.cleanup,
    cleaning.mark,
    ledger.jobs,
    ledger.costs,
    ledger.resume,
    ledger.retry,
    ledger.cancel,
    ledger.reconcile,
    ledger.forget,
    models.models,
    reports.report,
    connections.account,
    connections.doctor,
    workers.worker,
    sandbox.sandbox,
    sandbox.demo,
):
    app.command(_command)
app.command(generations.list_, name="list")
app.command(db)


def run(argv: Sequence[str]) -> int:
    """Read the arguments, run the command, and turn its result into an exit code and a sentence."""
    streams.hold_numbers()
    try:
        with _noted():
            code = _run(argv)
            Terminal().flush()  # a full disk that shows only now is reported here, and not by Python at exit
            return code
    except (streams.OutputLost, BrokenPipeError) as lost:
        streams.discard(sys.stdout)
        if isinstance(lost, streams.OutputLost) and not isinstance(lost.__cause__, BrokenPipeError):
            why = getattr(lost.__cause__, "strerror", None) or lost
            Terminal().complain(f"The output of this command could not be written: {why}.")
        return Exit.PIPE  # `aiogen list … | head` needs no message


def _run(argv: Sequence[str]) -> int:
    try:
        tokens = options_first(app, argv)
        app.console = Terminal().out  # of --help and --version
        chosen, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
        return int(chosen(*bound.args, **bound.kwargs) or Exit.OK)
    except CycloptsError as error:
        where = " ".join((*program(), *(error.command_chain or ()), "--help"))
        dash = " A value that begins with a dash but is no option goes after --." if _has_dash(error) else ""
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
    """Warnings of the package are messages like any other: on one line, and without a key."""
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
