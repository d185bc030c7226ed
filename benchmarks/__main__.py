"""Everything: `python -m benchmarks [--quick]` measures, draws, and writes docs/benchmarks.md.

A quick run proves that it all works; its figures are rough, so its page and pictures go to benchmarks/results.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from benchmarks import (
    batches,
    cpu,
    efficiency,
    limited,
    pictures,
    report,
    results,
    scale,
    sockets,
    store,
    throughput,
    turns,
)

# What measures time comes first, while the machine is cool and nothing else is in memory.
BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module.run
    for module in (cpu, store, turns, sockets, limited, scale, efficiency, batches, throughput)
}


def main() -> int:
    """Run what was asked for; the exit code is 1 if anything broke, and the rest is still reported."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers, about a minute in all")
    quick = parser.parse_args().quick
    broken = []
    for name, run in BENCHMARKS.items():
        began = time.monotonic()
        print(f"\n=== {name}", flush=True)
        try:
            run(quick=quick)
        except Exception:
            traceback.print_exc()
            broken.append(name)
        print(f"\n{time.monotonic() - began:.0f} s", flush=True)
    page = results.FOLDER / "benchmarks.md" if quick else report.PAGE
    pictures.draw(page.with_suffix(""))
    print(f"\n{report.write(page)}")
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
