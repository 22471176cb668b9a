"""Injected slowdowns: an exact amount of additional CPU work, so that calibration can measure whether it is detected.

The pipeline's own runs read `CAPBENCH_PLANTED_SLOWDOWN` (`encode:0.05` spins 5% of the export's wall time and books it
as work of the stage `encode`). Any other exporter is wrapped:
`python -m capbench.harness.worker.slowdown 0.05 COMMAND...`.
The work comes after the export and is spun, not slept: what disturbs a run disturbs it too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from capbench.errors import InputError
from capbench.harness.process import running_clock

__all__ = ["VARIABLE", "main", "plant", "spin"]

VARIABLE = "CAPBENCH_PLANTED_SLOWDOWN"
"""Environment variable: `STAGE:SHARE`, or `STAGE:SECONDSs` for CPU seconds that do not depend on the run's own wall
time: on a crowded machine a share of that, spun on one core, takes longer than the share."""
_MOST_SECONDS = 3600.0
"""Ten times the longest export that calibration is likely to use."""
_TURNS = 1000
"""Of an empty loop between two looks at the clock: some 20 microseconds, fine enough for 1% of a second."""


def plant(report: dict[str, Any], *, now_s: Callable[[], float] = time.perf_counter) -> dict[str, Any]:
    """The report of an export with the slowdown that the environment asks for, after it was really spent.

    Raises `InputError` for a variable that cannot be read.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return report
    stage, _, amount = wanted.partition(":")
    cpu_s = _seconds(amount) if amount.endswith("s") else _share(amount) * report["wall_s"]
    begun_s = now_s()
    spin(cpu_s)
    spent_s = now_s() - begun_s
    wall_s = report["wall_s"] + spent_s
    times = report["stages"].get(stage, {"work_s": 0.0, "wait_input_s": 0.0, "wait_output_s": 0.0})
    slower = {"wall_s": wall_s}
    for name in ("fps", "times_realtime"):
        if report.get(name) is not None:
            slower[name] = report[name] * report["wall_s"] / wall_s
    stages = report["stages"] | {stage: times | {"work_s": times["work_s"] + spent_s}}
    return (
        report
        | slower
        | {"stages": stages, "warnings": [*report["warnings"], f"injected slowdown: {wanted}, {spent_s:.5f} s"]}
    )


def spin(cpu_s: float, *, cpu_time_s: Callable[[], float] = time.thread_time) -> None:
    """Keep one core busy until this thread has used `cpu_s` more seconds of CPU."""
    end_s = cpu_time_s() + cpu_s
    while cpu_time_s() < end_s:
        for _ in range(_TURNS):
            pass


def main(arguments: list[str]) -> int:
    """Run a command, then spin a share of its wall time; returns the command's exit code."""
    if len(arguments) < 2:
        sys.stderr.write("usage: python -m capbench.harness.worker.slowdown SHARE COMMAND...\n")
        return InputError.exit_code
    try:
        share = _share(arguments[0])
        now_s = _own_clock()
        begun_s = now_s()
        code = subprocess.run(arguments[1:], check=False).returncode
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return InputError.exit_code
    except OSError as error:
        sys.stderr.write(f"cannot start {arguments[1]}: {error.strerror or error}\n")
        return 127
    spin(share * (now_s() - begun_s))
    return code


def _own_clock() -> Callable[[], float]:
    """Seconds in which this process was not stopped: of a run in slices, only these are its wall time."""
    told = os.environ.get(running_clock.VARIABLE)
    if told is None:
        return time.perf_counter
    running_ns = running_clock.running_now_ns(Path(told))
    return lambda: running_ns() / 1e9


def _seconds(text: str) -> float:
    try:
        cpu_s = float(text.removesuffix("s"))
    except ValueError:
        cpu_s = -1.0
    if not 0 <= cpu_s <= _MOST_SECONDS:
        raise InputError(f"not a time to inject: {text!r}; write for example 0.08s")
    return cpu_s


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 10:
        raise InputError(f"not a share of the wall time: {text!r}; write for example 0.05")
    return share


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
