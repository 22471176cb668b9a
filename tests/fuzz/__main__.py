"""Hand mutated inputs to capbench and report what no input may cause.

    python -m tests.fuzz [--inputs 1000] [--seed 1] [--jobs 2] [--kind KIND] [--only NUMBER] [--keep DIR]
                         [--journal FILE]

The same seed and number make the same input on every machine with the same encoders. Before them each seed is run as
it is, and has to end as it states. With a journal, which gets a line for each input, a campaign that was interrupted
goes on where it ended, and what is printed counts all of it. Exits 1 where anything failed, and where so many inputs of
a kind were refused that the rest tested little.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from tests.fuzz.campaign import WEIGHTS, Campaign, generator_digest, run_share
from tests.fuzz.journal import Entry, Journal, hollow_kinds, summary
from tests.fuzz.workers import LostWorkerError, answers_of


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit code: 0 where no input failed and no kind was hollow, otherwise 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kind", choices=list(WEIGHTS))
    parser.add_argument("--only", type=int, help="this input alone")
    parser.add_argument("--keep", type=Path, help="folder for what failed")
    parser.add_argument("--journal", type=Path, help="file of what was done; done inputs are not run again")
    asked = parser.parse_args()
    if asked.only is not None:
        asked.start, asked.inputs, asked.jobs = asked.only, 1, 1
    journal = Journal(asked.journal, asked.seed, asked.kind, inputs=generator_digest())
    numbers = range(asked.start, asked.start + asked.inputs)
    campaign = Campaign(
        seed=asked.seed,
        numbers=tuple(number for number in numbers if number not in journal.done),
        jobs=asked.jobs,
        kind=asked.kind,
        keep=asked.keep,
        known=frozenset(journal.done),
        with_seeds=asked.only is None,
    )
    start = time.monotonic()
    is_complete = True
    try:
        for number, name, kind, outcome in answers_of(partial(run_share, campaign), campaign.jobs):
            entry = Entry(
                number=number,
                name=name,
                kind=kind,
                faults=outcome.faults,
                code=outcome.code,
                reached=outcome.reached,
                wall_s=outcome.wall_s,
                peak_bytes=outcome.peak_bytes,
            )
            journal.add(entry)
            if entry.faults:
                _say(f"{number} {name}: {'; '.join(entry.faults)}")
    except LostWorkerError as error:
        _say(str(error))
        is_complete = False
    mutated = [journal.done[number] for number in numbers if number in journal.done]
    done = [*mutated, *(entry for number, entry in journal.done.items() if number < 0)]
    _say(f"{len(campaign.numbers)} inputs in {time.monotonic() - start:.0f} s, seed {asked.seed}")
    for line in summary(done):
        _say(line)
    return 0 if is_complete and not any(entry.faults for entry in done) and not hollow_kinds(done) else 1


if __name__ == "__main__":
    sys.exit(main())
