"""Every seed as it is, and a few mutated inputs of each kind: `python -m tests.fuzz.sample EACH SHARE SHARES`.

Prints a line of JSON for each: name, kind, whether it was mutated, exit code, whether it went the whole way, faults.
SHARE of SHARES, from 0, is what this process does of it. Two processes take some ten seconds.
"""

from __future__ import annotations

import json
import sys
import warnings

from tests.fuzz.campaign import WEIGHTS, make_input, run_unmutated
from tests.fuzz.doors import load_verbs
from tests.fuzz.limited_run import Outcome, run_limited
from tests.fuzz.seed_inputs import make_seed_inputs
from tests.fuzz.seeds.seed_input import SeedInput

_SEED = 17


def main() -> None:
    """Do a share."""
    each, share, shares = map(int, sys.argv[1:])
    load_verbs()
    warnings.simplefilter("ignore")  # of the seeds' own making
    seeds = make_seed_inputs()
    for seed in seeds[share::shares]:
        _say(seed, run_unmutated(seed), is_mutated=False)
    wanted = [(kind, number) for kind in WEIGHTS for number in range(each)]
    for kind, number in wanted[share::shares]:
        seed, files = make_input(seeds, _SEED, number, kind)
        _say(seed, run_limited(seed, files), is_mutated=True)


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
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
