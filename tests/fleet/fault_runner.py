"""The runner of the fault study, in a process of its own: `python -m tests.fleet.fault_runner`, see `fault_study`.

It is `capbench run --fleet` with a pace of its own: a machine is taken for lost sooner than users have it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from capbench.errors import CapbenchError
from capbench.fleet.dispatch.fleet_member import FleetPace
from capbench.fleet.dispatch.fleet_progress import PlainFleetProgress
from capbench.fleet.dispatch.fleet_run import FleetOptions, run_on_fleet

_ABSENT_S = 240.0
"""Less than the study waits for anything."""


def main() -> int:
    """Run the matrix; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("matrix", type=Path)
    parser.add_argument("scheduler")
    parser.add_argument("out", type=Path)
    parser.add_argument("--lost-after-s", type=float, required=True)
    parser.add_argument("--resume", action="store_true")
    asked = parser.parse_args()
    pace = FleetPace(look_every_s=1.0, lost_after_s=asked.lost_after_s, absent_s=_ABSENT_S)
    fleet = FleetOptions(scheduler=asked.scheduler, pace=pace)
    try:
        run_on_fleet(asked.matrix, fleet, out=asked.out, resume=asked.resume, progress=PlainFleetProgress(sys.stderr))
    except CapbenchError as error:
        sys.stderr.write(f"ended: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
