"""Every seed as it is, then mutated inputs of each kind until one goes the whole way: `python -m tests.fuzz.sample`.

With MOST SHARES: at most so many inputs of a kind, and how many processes share them. Prints a line of JSON for each:
name, kind, whether it was mutated, exit code, whether it went the whole way, faults. Exits 1 where a process failed.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import sys
import warnings
from collections.abc import Sequence

from tests.fuzz.campaign import WEIGHTS, make_input, run_unmutated
from tests.fuzz.doors import load_verbs
from tests.fuzz.limited_run import Outcome, run_limited
from tests.fuzz.seed_inputs import make_seed_inputs
from tests.fuzz.seeds.seed_input import SeedInput

_SEED = 17


def main() -> int:
    """Exit code."""
    most, shares = map(int, sys.argv[1:])
    load_verbs()
    warnings.simplefilter("ignore")  # of the seeds' own making
    seeds = make_seed_inputs()
    gc.collect()
    gc.freeze()  # no child looks through, and so copies, what was imported and made before it
    context = multiprocessing.get_context("fork")  # with what is imported and made: four seconds of CPU time
    processes = [context.Process(target=_do_share, args=(seeds, most, share, shares)) for share in range(shares)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return int(any(process.exitcode for process in processes))


def _do_share(seeds: Sequence[SeedInput], most: int, share: int, shares: int) -> None:
    for seed in seeds[share::shares]:
        _say(seed, run_unmutated(seed), is_mutated=False)
    for kind in list(WEIGHTS)[share::shares]:
        for number in range(most):
            seed, files = make_input(seeds, _SEED, number, kind)
            outcome = run_limited(seed, files)
            _say(seed, outcome, is_mutated=True)
            if outcome.reached:
                break


def _say(seed: SeedInput, outcome: Outcome, *, is_mutated: bool) -> None:
    said = {
        "name": seed.name,
        "kind": seed.kind,
        "mutated": is_mutated,
        "code": outcome.code,
        "reached": outcome.reached,
        "faults": outcome.faults,
        "wall_s": outcome.wall_s,
        "needs_adapter": seed.needs_adapter,
    }
    sys.stdout.write(json.dumps(said) + "\n")  # one write to a pipe, so that lines of two processes do not mix
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
