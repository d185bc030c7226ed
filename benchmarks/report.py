"""Writes docs/benchmarks.md from what the benchmarks left in their JSON; no figure stands in it that is not there."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from benchmarks import goals, results
from benchmarks.sections import SECTIONS
from benchmarks.tables import table
from benchmarks.verdict import Verdict

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
PACKAGES = (
    *("aiohttp", "attrs", "luma-agents", "leonardo-ai-sdk", "fal-client", "replicate", "google-api-core"),
    *("numpy", "looptime"),
)
PICTURES = {
    "requests-and-lag": "requests per job against lag: aiogen lies at the limit, fixed intervals and others above it",
    "learning": "cost above the optimum against generations that have ended, one line per distribution",
    "batch-sizes": "cost above the optimum against the number of jobs at once: before, now, and the best peer",
    "batch-belief": "the quantiles that are believed while a batch of 500 goes on, beside the true ones",
    "timeline": "five hundred jobs as lines, questions as dots, the time that nobody knew of an end in red",
    "cpu": "CPU per question against questions in flight, for aiogen, bare aiohttp and two SDKs",
}

_HEAD = """# Benchmarks

`make bench` measures everything on this page, draws its pictures and writes it; every figure is of the machine below.

A job's *lag* is the time from its end at the provider until the client knows.
A schedule's *cost* is 0.15 × requests + lag, in seconds: 0.15 s is the default `poll_cost`.
*E* is requests × lag over Keller's bound ½(∫√(f·S))², which is the limit for many requests; for a few the exact
optimum may lie a little below or above 1.
Where jobs are only computed, requests are questions; over sockets they include the create.
"""

_BOUNDS = """### What bounds the goals that were missed

- **CPU for 500 jobs.** 500 creates and some 1,800 questions at the cost of a bare aiohttp GET (the table below) are
  more than 0.6 s by themselves; each create opens a connection of its own, because one that died while idle would
  leave the outcome of a paid POST unknown.  Learning and planning are about a quarter of what is measured.
- **CPU per question, one in flight.** A timer, a task and one look round the loop per question are shared by nobody
  when there is only one.
- **Requests of a warm session at Luma, learning after 20 and 50.** What is not yet learned costs some per cent, and a
  mean of 20 simulated runs is itself uncertain by about one per cent; of 500 jobs at once the first looks fall before
  anything can be learned from them.
- **Bytes and CPU per job.** Leonardo's jobs are kept in two more lists, of the vendor's list and line.  The first 500
  jobs carry what is only learned once.
- **Thousands at once.** At 5,000 and 50,000 the client's one core is the limit: questions come late, so fewer are
  asked, and the lag grows.
- **Learning narrow and flat durations.** What is known of an end is an interval as long as the pause between two
  questions.  For durations of 18 to 22 s that is a fifth of all there is to know per generation, and the sharp edges
  of a uniform show only in many.
- **A durable submit.** One transaction that reaches the disk; a bare one of a single row takes about half as long on
  the same disk.  The rest is the indexes, the hand-over to the thread and back, and 0.2 ms for the job itself.
- **Known exactly, with many questions.** The belief's grid is 3 % of the age, 0.6 s at 20 s: for durations of 18 to
  22 s and a question every third of a second the edges lie within a bin.  A finer grid would cost CPU for everybody.
"""


_TAIL = """## More

Several processes on one ledger,
[a file and PostgreSQL side by side](measurements.md#a-file-and-postgresql-side-by-side),
[web backends](measurements.md#web-backends) and long lists are measured by programs that are run one by one:
[all their figures](measurements.md).
"""


def write(page: Path = PAGE) -> Path:
    """Write the page; its pictures are looked for beside it, in a folder of its name."""
    # A quick run leaves out figures that some goals are judged by.
    missing = () if page == PAGE else (KeyError, StopIteration, ValueError)
    verdicts: list[Verdict] = []
    texts: list[str] = []
    for source, section in SECTIONS.items():
        try:
            rows, series = results.read(source)
        except FileNotFoundError:
            texts.append(f"## {source}\n\nNot measured here.\n")
            continue
        texts.append(section(rows, series))
        if source in goals.JUDGES:
            with suppress(*missing):
                verdicts += goals.JUDGES[source](rows)
    text = "\n".join([_HEAD, _machine(), _goals(verdicts), _BOUNDS, *texts, _TAIL])
    page.write_text(_with_pictures(text, page))
    return page


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.release()}"
    rows = [
        ["processor", f"{_processor()}, {os.cpu_count()} cores"],
        ["memory", f"{memory:.0f} GiB"],
        ["system", f"{system}, {platform.python_implementation()} {platform.python_version()}"],
        ["packages", ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))],
        ["date", f"{datetime.now(UTC):%Y-%m-%d}"],
    ]
    return table(["", "measured on"], rows)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _goals(verdicts: Iterable[Verdict]) -> str:
    rows = [[v.what, v.goal, v.measured, "met" if v.met else "**missed**", v.peer, v.ratio] for v in verdicts]
    text = "The last two columns name the best of the others in the same test, and aiogen's figure over theirs."
    return f"## Goals\n\n{text}\n\n" + table(["", "goal", "measured", "", "best peer", "aiogen / peer"], rows)


def _with_pictures(text: str, page: Path) -> str:
    """Places for pictures become links; a picture that was not drawn is left out."""
    for name, words in PICTURES.items():
        path = page.with_suffix("") / f"{name}.png"
        link = f"![{words}]({path.relative_to(page.parent).as_posix()})" if path.exists() else ""
        text = text.replace(f"![]({name})", link)
    return text


if __name__ == "__main__":
    print(write())
