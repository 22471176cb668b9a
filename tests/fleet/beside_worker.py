"""What a worker that waits costs whoever is timed beside it: `python -m tests.fleet.beside_worker [--pairs N]`.

The same work is timed again and again, by turns while the worker runs and while it is stopped (SIGSTOP), which costs a
machine nothing: pairs of neighbours, so that what else the machine does meets both alike. What is compared is wall time
and CPU time of the work; the CPU time of the worker itself says the same without noise, and is also shown for a worker
with Dask's own settings.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from capbench.results.record import record_json
from tests.unit.fleet.fake_fleet import report_of

_WORK = "x = 0\nfor n in range({rounds}): x += n * n\n"
_WATCH_S = 60.0
_SETTLE_S = 20.0
"""Until both workers have loaded everything, and have had their first heartbeats."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=30, help="pairs of timings")
    parser.add_argument("--rounds", type=int, default=4_000_000, help="size of the work")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="capbench-beside-") as name:
        folder = Path(name)
        (folder / "report.json").write_text(record_json(report_of("here")), encoding="utf-8")
        ours = _start(folder, ("-m", "capbench", "fleet", "scheduler", "--port", "0"))
        try:
            assert ours.stdout is not None
            address = ours.stdout.readline().split()[2].rstrip(";")
            options = ("--name", "here", "--report", "report.json", "--folder", "own", "--lock", "lock")
            worker = _start(folder, ("-m", "capbench", "fleet", "worker", address, *options))
            plain = _start(folder, ("-m", "distributed.cli.dask_worker", address, "--no-nanny", "--name", "plain"))
            try:
                assert worker.stderr is not None
                while "has joined" not in worker.stderr.readline():
                    pass
                time.sleep(_SETTLE_S)
                _say(
                    f"CPU of the worker alone: {_share(worker):.2%} of a core; with Dask's settings {_share(plain):.2%}"
                )
                plain.terminate()
                plain.wait()
                _compare(worker, asked.pairs, _WORK.format(rounds=asked.rounds))
            finally:
                for process in (worker, plain):
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
                    process.wait()
        finally:
            ours.terminate()
            ours.wait()
    return 0


def _start(folder: Path, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _share(process: subprocess.Popen[str]) -> float:
    """CPU time of a process over time, while it waits for work."""
    watched = psutil.Process(process.pid)
    before = watched.cpu_times()
    time.sleep(_WATCH_S)
    after = watched.cpu_times()
    return (after.user + after.system - before.user - before.system) / _WATCH_S


def _compare(worker: subprocess.Popen[str], pairs: int, work: str) -> None:
    walls, cpus = [], []
    for _ in range(pairs):
        timed = {}
        for runs in random.sample((True, False), 2):
            worker.send_signal(signal.SIGCONT if runs else signal.SIGSTOP)
            time.sleep(0.2)
            timed[runs] = _time(work)
        worker.send_signal(signal.SIGCONT)
        walls.append(timed[True][0] / timed[False][0])
        cpus.append(timed[True][1] / timed[False][1])
    for what, ratios in (("wall time", walls), ("CPU time", cpus)):
        low, middle, high = _interval(ratios)
        _say(f"{what} beside the worker over without: {middle:.4f} (95%: {low:.4f} to {high:.4f}, {pairs} pairs)")


def _time(work: str) -> tuple[float, float]:
    """Wall and CPU time of the work in a process of its own, in seconds."""
    begun_s = time.monotonic()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", work], os.environ)
    _, _, usage = os.wait4(pid, 0)
    return time.monotonic() - begun_s, usage.ru_utime + usage.ru_stime


def _interval(ratios: list[float]) -> tuple[float, float, float]:
    """The median with a 95% interval by the bootstrap."""
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], statistics.median(ratios), medians[1949]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
