"""`python -m tests.simulation 17` tells the story of a seed; `0-999` plays many and tells which break a law."""

from __future__ import annotations

import sys
import time

import attrs

from .world import run, told


def main(arguments: list[str]) -> int:
    """The number of seeds that break a law, at most 1."""
    if not arguments:
        sys.stdout.write((__import__(__package__ or "", fromlist=["_"]).__doc__ or "") + "\n")
        return 2
    failed = 0
    for argument in arguments:
        first, _, last = argument.partition("-")
        for seed in range(int(first), int(last or first) + 1):
            begun = time.perf_counter()
            world = run(seed)
            took = time.perf_counter() - begun
            if not last:
                plan = world.plan
                lines = [str(attrs.evolve(plan, vendors=(), programs=(), jobs=()))]
                lines += [f"  {each}" for part in (plan.vendors, plan.programs, plan.jobs) for each in part]
                sys.stdout.write("\n".join([*lines, *world.log, ""]))
            if world.laws.broken:
                failed += 1
                sys.stdout.write(told(world) + "\n")
            elif not last:
                sys.stdout.write(
                    f"seed {seed} keeps every law; {took:.2f} s for {world.loop.time():.0f} virtual ones\n"
                )
            sys.stdout.flush()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
