"""Runs the demo."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

from aiogen import Session
from aiogen._checks import check_number
from aiogen.cli.board import Board
from aiogen.cli.demo.overview import draw_overview
from aiogen.cli.demo.plan import Plan
from aiogen.cli.demo.report import Part, report
from aiogen.cli.demo.witness import Witness
from aiogen.cli.exits import Exit, explain, gravest
from aiogen.cli.following import Batch, follow
from aiogen.cli.places import Place
from aiogen.cli.results import Ending
from aiogen.cli.terminal import Terminal, without_job_log


async def show(terminal: Terminal, plan: Plan, folder: Path, *, speed: float) -> Exit:
    """All of it: the code is 0 if everything ended as planned, failures by design included."""
    check_number(speed, "--speed", 0.1, 1000.0)
    try:
        with without_job_log():
            return await _show(terminal, plan, folder, speed)
    except asyncio.CancelledError:
        terminal.say("The demo was stopped; its generations were imitations, and nothing of them is left to follow.")
        raise


async def _show(terminal: Terminal, plan: Plan, folder: Path, speed: float) -> Exit:
    ended_at: dict[str, float] = defaultdict(float)

    async with plan.sandbox(speed) as sandbox, Session(providers=plan.providers(sandbox, speed)) as session:
        jobs = [await session.submit(f"{p.connection}/{p.model}", p.prompt, **p.options) for p in plan.pieces]
        title = f"aiogen demo: {len(jobs)} generations at two imitated providers"
        terminal.say(f"{title}; no key, no bill.")
        board = Board(terminal, jobs, title=title, summaries=True, look=lambda: witness.look())
        witness = Witness(sandbox, list(zip(plan.pieces, jobs, strict=True)), lambda text: board.note(text, "magenta"))

        def ended(ending: Ending) -> None:
            ended_at[ending.connection] = board.seconds
            if terminal.as_json:
                terminal.record(ending.record())

        batch = Batch(jobs, out=Place(folder))
        await follow(session, batch, board, ended=ended)
        asked = [request.provider for request in sandbox.requests]

    endings = batch.in_order()
    parts = [
        Part(
            name=name,
            endings=[ending for ending in endings if ending.connection == name],
            seconds=ended_at[name],
            requests=asked.count(name),
        )
        for name in dict.fromkeys(piece.connection for piece in plan.pieces)
    ]
    files = [path for ending in endings for path in ending.files]
    overview = folder / "overview.png"
    head = f"aiogen demo: {len(files)} images of {len(jobs)} generations in {max(ended_at.values()):.0f} s"
    await asyncio.to_thread(draw_overview, files, overview, head)
    terminal.report(report(parts, witness.seen, len(files), overview))
    return _surprises(terminal, plan, endings)


def _surprises(terminal: Terminal, plan: Plan, endings: list[Ending]) -> Exit:
    """What ended differently from the plan is a real failure."""
    surprises = [
        ending for piece, ending in zip(plan.pieces, endings, strict=True) if ending.failure_code != piece.ends
    ]
    for ending in surprises:
        terminal.complain(explain(ending.error) if ending.error is not None else f"{ending.provider_id} did not fail.")
    return gravest(ending.exit or Exit.FAILED for ending in surprises)
