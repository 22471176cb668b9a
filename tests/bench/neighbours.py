"""Seeded neighbours: what other people's programs do to a shared machine, for measuring in their presence.

    python -m tests.bench.neighbours --seed 1

runs until its standard input closes or it is terminated. Each neighbour is a process with a random number generator of
its own: `steady` computes without a pause, `bursts` computes for 0.2 to 4 s and then rests for as long, `memory` copies
blocks of 64 MB for 0.5 to 6 s and rests for 0.5 to 6 s.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context

__all__ = ["KINDS", "main"]

_COPY_BYTES = 64 * 2**20
"""More than the last level of cache of one core complex."""


def _compute(until_s: float) -> None:
    while time.monotonic() < until_s:
        sum(range(2000))


def _steady(_rng: random.Random) -> None:
    while True:
        _compute(time.monotonic() + 10)


def _bursts(rng: random.Random) -> None:
    while True:
        _compute(time.monotonic() + rng.uniform(0.2, 4.0))
        time.sleep(rng.uniform(0.2, 4.0))


def _memory(rng: random.Random) -> None:
    source, target = bytearray(_COPY_BYTES), bytearray(_COPY_BYTES)
    while True:
        until_s = time.monotonic() + rng.uniform(0.5, 6.0)
        while time.monotonic() < until_s:
            target[:] = source
        time.sleep(rng.uniform(0.5, 6.0))


KINDS: dict[str, Callable[[random.Random], None]] = {"steady": _steady, "bursts": _bursts, "memory": _memory}
"""Name of a neighbour to what it does."""


def _be(kind: str, seed: str) -> None:
    KINDS[kind](random.Random(seed))


def main(arguments: list[str] | None = None) -> int:
    """Start the neighbours, and end them with this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides bursts and rests (default: %(default)s)")
    parser.add_argument(
        "--kind",
        choices=sorted(KINDS),
        action="append",
        help="a neighbour; may repeat (default: steady, and bursts and memory twice each)",
    )
    options = parser.parse_args(arguments)
    kinds = options.kind or ["steady", "bursts", "bursts", "memory", "memory"]
    context = get_context("spawn")
    processes = [
        context.Process(target=_be, args=(kind, f"{options.seed}/{number}/{kind}"), daemon=True)
        for number, kind in enumerate(kinds)
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the daemons are ended
    for process in processes:
        process.start()
    try:
        while os.read(sys.stdin.fileno(), 512):
            pass
    finally:
        for process in processes:
            process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
