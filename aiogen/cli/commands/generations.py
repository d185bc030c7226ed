"""The commands about generations as they are typed: generate, get, wait, list, delete, download."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aiogen._checks import check_number
from aiogen.cli import generations
from aiogen.cli.arguments import with_stdin
from aiogen.cli.commands.shared import NO_STORE, Flag, Ids, nothing_to_do
from aiogen.cli.exits import Exit
from aiogen.cli.options import Connected, checked_waiting, connected, parse_params
from aiogen.cli.places import checked_out
from aiogen.cli.running import run
from aiogen.errors import Unsupported


def generate(
    model: str,
    prompt: str,
    /,
    *,
    param: Annotated[list[str] | None, Parameter(name=["--param", "-p"], negative="")] = None,
    extra: Annotated[list[str] | None, Parameter(negative="")] = None,
    count: int = 1,
    out: str = ".",
    no_download: Annotated[bool, Flag] = False,
    timeout: float | None = None,
    poll_cost: float | None = None,
    batch: str | None = None,
    key: str | None = None,
    scope: str = "",
    retry: Annotated[bool, Flag] = False,
    priority: str | None = None,
    common: Connected = NO_STORE,
) -> Exit:
    """Submit a generation, follow it, and save what it made.

    Parameters
    ----------
    model
        Connection and model, such as luma/uni-1 or leonardo/gemini-image-2.
    prompt
        What the image should show.  One that begins with a dash goes last, after --.
    param
        A parameter of the provider as name=value; the value is JSON, or else text.  May be repeated.
    extra
        A field that aiogen does not know, as name=value, sent to the provider unchecked.  May be repeated.
    count
        Number of generations of the same prompt, each of them paid for.
    out
        The folder for the images, or the name of the file, such as boat.png; further images are boat-1.png and so on.
    no_download
        Only show the addresses; nothing is saved.
    timeout
        Seconds from the provider's acceptance to the deadline; the default depends on provider and kind.
    poll_cost
        Seconds of waiting that one request is worth, 0.001 to 60; lower asks more often.  0.15 by default.
    batch
        A name of yours for these jobs, by which the ledger finds them.
    key
        A name of yours for this one job: the same command again pays for nothing again.  With --count, each has it with
        its number, as in boat/2.
    scope
        In which the key counts.
    retry
        If the job of this key has failed, make another attempt, which is charged for by itself.
    priority
        interactive, batch, or 0 to 9: which of the jobs that wait for their turn is sent first.
    """
    checked_waiting(timeout, poll_cost)
    params = parse_params(param or [], extra or [])
    terminal, session = common.terminal(), common.session(kept=True)
    if "/" in model:
        connected(session, model.partition("/")[0].strip())
    place = None if no_download else checked_out(out, count)
    return run(
        generations.generate(
            terminal,
            session,
            model,
            prompt,
            params,
            count=count,
            out=place,
            timeout=timeout,
            poll_cost=poll_cost,
            group=batch,
            key=key,
            scope=scope,
            retry=retry,
            priority=priority,
        )
    )


def get(connection: str, ids: Ids, /, *, common: Connected = NO_STORE) -> Exit:
    """Read the present state of generations, once.

    Parameters
    ----------
    connection
        Such as luma or leonardo.
    ids
        The provider's ids; or ours, or the first eight characters of either, as `aiogen jobs` shows them.
    """
    session = common.session()
    connected(session, connection)
    if not (ids := with_stdin(ids)):
        return nothing_to_do(common.terminal())
    return run(generations.get(common.terminal(), session, connection, ids, known=common.ledger_if_there()))


def wait(
    connection: str,
    ids: Ids,
    /,
    *,
    out: str | None = None,
    timeout: float | None = None,
    poll_cost: float | None = None,
    common: Connected = NO_STORE,
) -> Exit:
    """Follow generations that were made before, or by other programs, to their ends.

    Parameters
    ----------
    connection
        Such as luma or leonardo.
    ids
        The provider's ids; or ours, or the first eight characters of either, as `aiogen jobs` shows them.
    out
        The folder for the images, or the name of the file for one generation's; without it only the addresses are
        shown.
    timeout
        Seconds from now to the deadline of each; 600 by default.
    poll_cost
        Seconds of waiting that one request is worth, 0.001 to 60; lower asks more often.  0.15 by default.
    """
    checked_waiting(timeout, poll_cost)
    session = common.session()
    connected(session, connection)
    if not (ids := with_stdin(ids)):
        return nothing_to_do(common.terminal())
    place = checked_out(out, len(set(ids))) if out is not None else None
    return run(
        generations.wait(
            common.terminal(),
            session,
            connection,
            ids,
            out=place,
            timeout=timeout,
            poll_cost=poll_cost,
            known=common.ledger_if_there(),
        )
    )


def list_(connection: str, /, *, limit: int = 50, user: str | None = None, common: Connected = NO_STORE) -> Exit:
    """List the account's generations, where the provider can (Leonardo).

    Parameters
    ----------
    connection
        Such as leonardo.
    limit
        The most generations to list.
    user
        The provider's id of the user whose generations to list; by default the owner of the key.
    """
    check_number(limit, "--limit", 1, 1_000_000)
    session = common.session()
    connected(session, connection)
    return run(generations.list_(common.terminal(), session, connection, limit=limit, user_id=user))


def delete(
    connection: str,
    ids: Ids,
    /,
    *,
    yes: Annotated[bool, Flag] = False,
    missing_ok: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Delete generations at the provider, with their images, where it can (Leonardo).

    Parameters
    ----------
    connection
        Such as leonardo.
    ids
        The provider's ids; whole ids only.
    yes
        Delete without asking.
    missing_ok
        An id that does not exist is not an error.
    """
    terminal, session = common.terminal(), common.session()
    provider = connected(session, connection)  # what cannot work is said before the question
    if not provider.capabilities.delete:
        raise Unsupported(f"{provider.facts.vendor} has no API call that deletes a generation.", connection=connection)
    if not (ids := with_stdin(ids)):
        return nothing_to_do(terminal)
    code = run(generations.check_whole(ids, common.ledger_if_there()))
    if code is not Exit.OK:
        return code
    if not yes and not generations.confirmed(terminal, connection, len(ids)):
        return Exit.USAGE
    return run(generations.delete(terminal, session, connection, ids, missing_ok=missing_ok))


def download(
    connection: str,
    ids: Ids,
    /,
    *,
    out: str = ".",
    overwrite: Annotated[bool, Flag] = False,
    common: Connected = NO_STORE,
) -> Exit:
    """Save the images of completed generations.

    Parameters
    ----------
    connection
        Such as luma or leonardo.
    ids
        The provider's ids; or ours, or the first eight characters of either, as `aiogen jobs` shows them.
    out
        The folder for the images, or the name of the file, such as boat.png; further images are boat-1.png and so on.
    overwrite
        Download files again that exist already.
    """
    session = common.session()
    connected(session, connection)
    if not (ids := with_stdin(ids)):
        return nothing_to_do(common.terminal())
    place = checked_out(out, len(set(ids)), overwrite=overwrite)
    return run(
        generations.download(
            common.terminal(),
            session,
            connection,
            ids,
            out=place,
            overwrite=overwrite,
            known=common.ledger_if_there(),
        )
    )
