"""A fleet of three machines in network namespaces, with everything going wrong: `python -m tests.fleet.fault_study`.

First undisturbed; then with one worker killed, one cut off for 20 s, one stopped, and the scheduler killed, started
again, and the folder resumed. Either way the set of runs has to be that of the matrix, each once, every block on one
machine. Exit codes: 0, 1 where it is not, 4 where there can be no namespaces. Takes some minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from capbench.fleet.workers.machine_report import read_report
from capbench.results.record import record_json
from tests.fleet.cheap_matrix import SUBJECTS, measured_runs, split_blocks, write_matrix
from tests.fleet.namespaces import HUB_ADDRESS, Network, network, why_no_namespaces

CASES, BLOCKS, MACHINES, PORT = 3, 4, 3, 8786
CUT_OFF_S = 20.0
LOST_AFTER_S = 10.0
"""Shorter than the cut, so that what is cut off is given up, and its answer comes when nobody waits for it."""
PATIENCE_S = 300.0
"""For anything to happen; seconds on an idle machine."""


class _Fleet:
    """Scheduler and workers as processes in their namespaces."""

    def __init__(self, here: Network, folder: Path) -> None:
        self._here = here
        self.folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._report = folder / "report.json"
        report = read_report("study", {}, folder=folder, validation_slots=1)
        self._report.write_text(record_json(report), encoding="utf-8")

    def start(self, place: int) -> None:
        """Start the scheduler, 0, or the worker of a machine."""
        own = self.folder / f"place{place}"
        own.mkdir(exist_ok=True)
        # Each namespace is a machine of its own: it shares neither lock nor cache with the others.
        environment = os.environ | {"CAPBENCH_CACHE": str(own)}
        what = (
            ("scheduler", "--host", HUB_ADDRESS, "--port", str(PORT))
            if place == 0
            else ("worker", f"{HUB_ADDRESS}:{PORT}", "--name", f"m{place}", "--report", str(self._report))
        )
        log = (own / "log.txt").open("ab")
        self.processes[place] = subprocess.Popen(
            [*self._here.command(place), sys.executable, "-m", "capbench", "fleet", *what, "--insecure"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
        log.close()

    def signal(self, place: int, number: signal.Signals, *, tree: bool = False) -> None:
        """Send a signal to a process, to all that it has started too with `tree`."""
        process = psutil.Process(self.processes[place].pid)
        for each in [process, *(process.children(recursive=True) if tree else ())]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def run(self, matrix: Path, out: Path, *, resume: bool = False) -> subprocess.Popen[bytes]:
        """Start the runner at the hub."""
        arguments = (str(matrix), f"tcp://{HUB_ADDRESS}:{PORT}", str(out), "--lost-after-s", str(LOST_AFTER_S))
        more = ("--resume",) if resume else ()
        command = (sys.executable, "-m", "tests.fleet.fault_runner", *arguments, *more)
        return subprocess.Popen([*self._here.command(0), *command])

    def end(self) -> None:
        """End everything."""
        for place, process in self.processes.items():
            if process.poll() is None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    self.signal(place, signal.SIGCONT, tree=True)
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def _started(here: Network, folder: Path) -> Iterator[_Fleet]:
    fleet = _Fleet(here, folder)
    try:
        for place in range(MACHINES + 1):
            fleet.start(place)
        yield fleet
    finally:
        fleet.end()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _attempts(out: Path) -> list[dict[str, str]]:
    file = out / "attempts.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _wait(what: str, runner: subprocess.Popen[bytes], holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        if runner.poll() is not None:
            raise RuntimeError(f"the runner ended with {runner.returncode} before it happened: {what}")
        if time.monotonic() > end_s:
            raise TimeoutError(f"did not happen within {PATIENCE_S:g} s: {what}")
        time.sleep(0.2)
    _say(f"-- {what}")


def _makes(out: Path, machine: str) -> bool:
    """Whether a machine has begun a block and not ended it."""
    own = [said["event"] for said in _attempts(out) if said["machine"] == machine]
    return bool(own) and own[-1] == "begun"


def undisturbed(fleet: _Fleet, matrix: Path, out: Path) -> list[str]:
    """The matrix as it is; returns what is wrong."""
    code = fleet.run(matrix, out).wait(PATIENCE_S)
    machines = {said["machine"] for said in _attempts(out) if said["event"] == "done"}
    wrong = [f"exit code {code}"] if code else []
    wrong += [] if len(machines) == MACHINES else [f"only {sorted(machines)} made blocks"]
    return wrong + _judge(out)


def disturbed(here: Network, fleet: _Fleet, matrix: Path, out: Path) -> list[str]:
    """The matrix while everything goes wrong; returns what is wrong."""
    runner = fleet.run(matrix, out)
    try:
        _wait("machine 1 is making a block", runner, lambda: _makes(out, "m1"))
        fleet.signal(1, signal.SIGKILL)
        _say("-- killed the worker of machine 1")
        _wait("machine 2 is making a block", runner, lambda: _makes(out, "m2"))
        here.unplug(2)
        cut_s = time.monotonic()
        _say("-- cut off machine 2")
        _wait("machine 3 is making a block", runner, lambda: _makes(out, "m3"))
        fleet.signal(3, signal.SIGSTOP, tree=True)
        _say("-- stopped machine 3 with all that it has started")
        time.sleep(max(0.0, cut_s + CUT_OFF_S - time.monotonic()))
        here.plug(2)
        _say("-- machine 2 is connected again")
        done = len([said for said in _attempts(out) if said["event"] == "done"])
        _wait("a block was made since", runner, lambda: len([s for s in _attempts(out) if s["event"] == "done"]) > done)
        fleet.signal(3, signal.SIGCONT, tree=True)
        _say("-- machine 3 goes on")
        _wait("a block is being made", runner, lambda: any(_makes(out, f"m{number}") for number in (2, 3)))
        fleet.signal(0, signal.SIGKILL)
        _say("-- killed the scheduler")
        code = runner.wait(PATIENCE_S)
    finally:
        if runner.poll() is None:
            runner.kill()
    wrong = [] if code == 4 else [f"the runner ended with {code} when its scheduler was killed, not with 4"]
    begun = len(measured_runs(out))
    _say(f"-- the folder has {begun} of {CASES * BLOCKS * len(SUBJECTS)} runs")
    fleet.start(0)
    fleet.start(1)
    code = fleet.run(matrix, out, resume=True).wait(PATIENCE_S)
    wrong += [f"exit code {code} of the resumed runner"] if code else []
    thrown = Counter(said["machine"] for said in _attempts(out) if said["event"] == "thrown_away")
    _say(f"-- thrown away: {dict(thrown)}")
    wrong += [f"nothing was thrown away on m{number}" for number in (1, 3) if not thrown[f"m{number}"]]
    return wrong + _judge(out)


def _judge(out: Path) -> list[str]:
    found = measured_runs(out)
    wanted = Counter(
        (f"case{case}", subject, block) for case in range(CASES) for subject in SUBJECTS for block in range(BLOCKS)
    )
    wrong = [f"missing: {sorted(wanted - found)}"] if wanted - found else []
    wrong += [f"too many: {sorted(found - wanted)}"] if found - wanted else []
    wrong += [f"on several machines: {split}"] if (split := split_blocks(out)) else []
    return wrong


def main() -> int:
    """Do both; returns the exit code."""
    if (reason := why_no_namespaces()) is not None:
        _say(f"left out: {reason}")
        return 4
    wrong = []
    with tempfile.TemporaryDirectory(prefix="capbench-faults-") as name, network(MACHINES) as here:
        folder = Path(name)
        matrix = write_matrix(folder, cases=CASES, blocks=BLOCKS)
        with _started(here, folder) as fleet:
            _say("== undisturbed")
            wrong += undisturbed(fleet, matrix, folder / "undisturbed")
            _say("== disturbed")
            wrong += disturbed(here, fleet, matrix, folder / "disturbed")
    for sentence in wrong:
        _say(f"wrong: {sentence}")
    _say("every run is there once" if not wrong else f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
