"""Hand mutated inputs to capbench and report what no input may cause.

    python -m tests.fuzz [--inputs 1000] [--seed 1] [--jobs 2] [--kind KIND] [--only NUMBER] [--keep DIR]

The same seed and number make the same input on every machine with the same encoders. Exits 1 where anything failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.campaign import WEIGHTS, Campaign, run_share
from tests.fuzz.limited_run import HANG_S, Outcome


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit code: 0 where no input failed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kind", choices=list(WEIGHTS))
    parser.add_argument("--only", type=int, help="this input alone")
    parser.add_argument("--keep", type=Path, help="folder for what failed")
    asked = parser.parse_args()
    if asked.only is not None:
        asked.start, asked.inputs, asked.jobs = asked.only, 1, 1
    campaign = Campaign(asked.seed, asked.start, asked.inputs, asked.jobs, asked.kind, asked.keep)
    start = time.monotonic()
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    workers = [context.Process(target=run_share, args=(campaign, first, answers)) for first in range(asked.jobs)]
    for worker in workers:
        worker.start()
    kinds: Counter[str] = Counter()
    failures: list[tuple[int, str, Outcome]] = []
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")
    running = len(workers)
    while running:
        try:
            answer = answers.get(timeout=2 * HANG_S)
        except queue.Empty:
            _say("the workers themselves have ended or hang")
            break
        if answer is None:
            running -= 1
            continue
        number, name, kind, outcome = answer
        kinds[kind] += 1
        slowest = max(slowest, (outcome.wall_s, f"{number} {name}"))
        largest = max(largest, (outcome.peak_bytes, f"{number} {name}"))
        if outcome.faults:
            failures.append((number, name, outcome))
            _say(f"{number} {name}: {'; '.join(outcome.faults)}")
    for worker in workers:
        worker.kill()
        worker.join()
    done = sum(kinds.values())
    by_fault = Counter(fault.partition(":")[0] for _, _, outcome in failures for fault in outcome.faults)
    _say(f"{done} inputs in {time.monotonic() - start:.0f} s: {dict(sorted(kinds.items()))}")
    _say(f"slowest {slowest[0]:.1f} s ({slowest[1]}), largest {largest[0] / 1e6:.0f} MB ({largest[1]})")
    _say(f"{len(failures)} failed: {dict(by_fault)}" if failures else "none failed")
    return 1 if failures or done < asked.inputs else 0


if __name__ == "__main__":
    sys.exit(main())
