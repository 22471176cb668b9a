"""What a worker that waits costs whoever is timed beside it: `python -m tests.fleet.beside_worker [--rounds N]`.

The claim is that equals timed on an idle machine and beside its worker agree within 1%. So the same work, on all cores
at once, as an export is, is timed again and again in slices of half a second: once a round while the worker runs, and
twice while it is stopped (SIGSTOP), which costs a machine nothing. The order in a round is random, so that what else
the machine does meets all three alike, and the two that are equal show what the study can see at all. The logarithms
of the ratios are averaged, not their median taken: a heartbeat comes every five seconds, and the median of slices
would not know of it. A worker that was stopped does at once what it has missed, so its cost here is rather too high.

Exit codes: 0 where the whole interval lies within 1%, 1 where it lies outside, 3 where the machine is too noisy to
tell; more rounds or a quieter machine then help. The CPU time of the waiting worker says the same without noise, and is
also shown for a worker with Dask's own settings.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from capbench.results.record import record_json
from tests.unit.fleet.fake_fleet import report_of

_WORK = """
import sys, time
def work(rounds):
    x = 1
    for n in range(rounds):
        x = (x * 1103515245 + n) & 0xFFFFFFFF
    return x
for line in sys.stdin:
    cpu_s = time.process_time()
    work(int(line))
    print(time.process_time() - cpu_s, flush=True)
"""
_CALIBRATION = 1_000_000
_WATCH_S = 30.0
_SETTLE_S = 20.0
"""Until both workers have loaded everything, and have had their first heartbeats."""
_LIMIT = 0.01
_RESAMPLES = 4000


@dataclass(frozen=True, slots=True)
class _Slice:
    """One slice: all cores did the same work."""

    wall_s: float
    cpu_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=120, help="rounds of three slices (default: 120, three minutes)")
    parser.add_argument("--slice-s", type=float, default=0.5, help="length of a slice in seconds (default: 0.5)")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="capbench-beside-") as name:
        folder = Path(name)
        (folder / "report.json").write_text(record_json(report_of("here")), encoding="utf-8")
        with _started(folder, "-m", "capbench", "fleet", "scheduler", "--port", "0") as scheduler:
            assert scheduler.stdout is not None
            address = scheduler.stdout.readline().split()[2].rstrip(";")
            options = ("--name", "here", "--report", "report.json", "--folder", "own", "--lock", "lock")
            with _started(folder, "-m", "capbench", "fleet", "worker", address, *options) as worker:
                assert worker.stderr is not None
                while "has joined" not in worker.stderr.readline():
                    pass
                plain = ("-m", "distributed.cli.dask_worker", address, "--no-nanny", "--name", "plain")
                with _started(folder, *plain) as usual:
                    time.sleep(_SETTLE_S)
                    ours, theirs = _shares(worker, usual)
                _say(f"CPU of the worker alone: {ours:.2%} of a core; with Dask's settings {theirs:.2%}")
                return _compare(worker, asked.rounds, asked.slice_s)


@contextlib.contextmanager
def _started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def _shares(*processes: subprocess.Popen[str]) -> list[float]:
    """CPU time of processes over time, while they wait for work."""
    watched = [psutil.Process(process.pid) for process in processes]
    before = [sum(each.cpu_times()[:2]) for each in watched]
    time.sleep(_WATCH_S)
    return [(sum(each.cpu_times()[:2]) - used_s) / _WATCH_S for each, used_s in zip(watched, before, strict=True)]


def _compare(worker: subprocess.Popen[str], rounds: int, slice_s: float) -> int:
    """Time the rounds, print what is found; returns the exit code."""
    found: dict[str, list[_Slice]] = {"runs": [], "stopped": [], "stopped again": []}
    with _at_work() as team:
        _time(team, _CALIBRATION)  # caches and clocks are as later
        size = round(_CALIBRATION * slice_s / _time(team, _CALIBRATION).wall_s)
        for _ in range(rounds):
            for how in random.sample([*found], 3):
                worker.send_signal(signal.SIGCONT if how == "runs" else signal.SIGSTOP)
                found[how].append(_time(team, size))
        worker.send_signal(signal.SIGCONT)
    codes = []
    for what, field in (("wall time", "wall_s"), ("CPU time", "cpu_s")):
        logs = {how: [math.log(getattr(each, field)) for each in slices] for how, slices in found.items()}
        without = [statistics.fmean(pair) for pair in zip(logs["stopped"], logs["stopped again"], strict=True)]
        beside = _interval([a - b for a, b in zip(logs["runs"], without, strict=True)])
        equal = _interval([a - b for a, b in zip(logs["stopped"], logs["stopped again"], strict=True)])
        _say(f"{what} beside the worker: {_words(beside)}; of two that are equal: {_words(equal)}; {rounds} rounds")
        codes.append(_verdict(beside))
    code = next((code for code in (1, 3) if code in codes), 0)
    _say({0: "within 1%: shown", 1: "within 1%: no", 3: "within 1%: this machine is too noisy to tell"}[code])
    return code


@contextlib.contextmanager
def _at_work() -> Iterator[list[subprocess.Popen[str]]]:
    """A process for each core that works when it is told to."""
    command = [sys.executable, "-I", "-S", "-c", _WORK]
    with contextlib.ExitStack() as stack:
        team = []
        for _ in range(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            team.append(stack.enter_context(process))
            stack.callback(process.kill)
        yield team


def _time(team: Sequence[subprocess.Popen[str]], size: int) -> _Slice:
    """Have all of them do the same work; the slice ends with the last."""
    begun_s = time.perf_counter()
    for process in team:
        assert process.stdin is not None
        process.stdin.write(f"{size}\n")
        process.stdin.flush()
    cpu_s = sum(float(process.stdout.readline()) for process in team if process.stdout is not None)
    return _Slice(time.perf_counter() - begun_s, cpu_s)


def _interval(differences: list[float]) -> tuple[float, float, float]:
    """The mean of the rounds with a 95% interval by the bootstrap over rounds, as ratios."""
    draw = random.Random(1)
    means = sorted(statistics.fmean(draw.choices(differences, k=len(differences))) for _ in range(_RESAMPLES))
    low, high = means[round(0.025 * _RESAMPLES)], means[round(0.975 * _RESAMPLES) - 1]
    return math.exp(low), math.exp(statistics.fmean(differences)), math.exp(high)


def _verdict(interval: tuple[float, float, float]) -> int:
    low, _, high = interval
    if low >= 1 - _LIMIT and high <= 1 + _LIMIT:
        return 0
    return 1 if low > 1 + _LIMIT or high < 1 - _LIMIT else 3


def _words(interval: tuple[float, float, float]) -> str:
    low, middle, high = interval
    return f"{middle:.4f} (95%: {low:.4f} to {high:.4f})"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
