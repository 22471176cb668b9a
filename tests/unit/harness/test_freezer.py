"""Stopping real process trees: whatever a subject does, it stands still when it is told to, and goes in the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from capbench.harness.process import measured_process
from capbench.harness.process.freezer import Freezer, SignalFreezer, make_cgroup, open_freezer
from capbench.harness.process.measured_process import Outcome, run_process
from capbench.harness.process.process_tree import PSUTIL, THIS_SYSTEM, ProcessControl, descendants
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.process.spawn import Launched, _WindowsProcess
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices
from capbench.results.run_record import Scheduling

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="states are read from /proc")

_REPOSITORY = Path(__file__).resolve().parents[3]
_WORKS = "import time\nend = time.process_time() + {cpu_s}\nwhile time.process_time() < end: pass\n"
_FORKS = """
import os, time
for _ in range(30):
    if (child := os.fork()) == 0:
        os.setpgid(0, 0)
        time.sleep(0.02)
        os._exit(0)
    os.waitpid(child, 0)
"""
_FOREVER = """
import os
os.fork()
while True: pass
"""
_DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open({pid_file!r}, "w").write(str(os.getpid()))
        while True: pass
    os._exit(0)
end = time.process_time() + 0.6
while time.process_time() < end: pass
"""
_IGNORES = """
import signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
end = time.process_time() + 0.5
while time.process_time() < end: pass
"""


@dataclass(frozen=True)
class _Means:
    """A way of stopping a tree."""

    name: str
    cgroup_of: Callable[[], Path | None] = lambda: None
    freezer_of: Callable[[int, Path | None], Freezer] = open_freezer

    def turn(self, clock_file: Path) -> SliceTurn:
        return SliceTurn(clock_file, cgroup_of=self.cgroup_of, freezer_of=self.freezer_of)


def _psutil_freezer(root: int, _cgroup: Path | None) -> Freezer:
    """What macOS has, where supervisors are as on Linux."""
    return SignalFreezer(root, includes_root=False, control=PSUTIL)


_MEANS = ("signals", "cgroup.freeze", "psutil")


def _means(name: str) -> _Means:
    if name == "cgroup.freeze":
        probe = make_cgroup()
        if probe is None:
            pytest.skip("no control group of version 2 can be made here")
        probe.rmdir()
        return _Means(name, cgroup_of=make_cgroup)
    return _Means(name, freezer_of=_psutil_freezer if name == "psutil" else open_freezer)


@pytest.fixture(params=_MEANS)
def means(request: pytest.FixtureRequest) -> _Means:
    """All ways of stopping but that of Windows, whose processes have no supervisor."""
    return _means(request.param)


def _block(
    tmp_path: Path, means: _Means, *codes: str, timeout_s: float = 60.0, beside: Callable[[], None] | None = None
) -> tuple[list[Outcome], list[SliceTurn]]:
    """Run codes in slices; `beside` is called on a thread of its own meanwhile."""
    turns = [means.turn(tmp_path / f"stopped-{place}") for place in range(len(codes))]

    def job_for(code: str) -> Callable[[SliceTurn], Outcome]:
        argv = [sys.executable, "-I", "-c", code]
        return lambda turn: run_process(argv, env=os.environ, cwd=tmp_path, timeout_s=timeout_s, turn=turn)

    thread = threading.Thread(target=beside or (lambda: None))
    thread.start()
    outcomes = run_in_slices([job_for(code) for code in codes], turns, slice_rounds("1", len(codes), 50))
    thread.join(60)
    for turn in turns:
        turn.close()
    return outcomes, turns


def _left_over(tmp_path: Path) -> list[psutil.Process]:
    """Processes that were started inside the folder and are still there, in whatever state."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(tmp_path) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _assert_none_left(tmp_path: Path) -> None:
    """Whatever was killed is gone as soon as the kernel has a core for it."""
    deadline_s = time.monotonic() + 20
    while (left := _left_over(tmp_path)) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert [(process.pid, process.status()) for process in left] == []


def test_two_processes_share_the_time(tmp_path: Path, means: _Means) -> None:
    outcomes, turns = _block(tmp_path, means, _WORKS.format(cpu_s=0.4), _WORKS.format(cpu_s=0.4))

    for outcome, turn in zip(outcomes, turns, strict=True):
        assert outcome.ending.exit_code == 0
        assert outcome.running_s is not None
        assert outcome.ending.wall_s is not None
        assert 0.4 <= outcome.running_s < outcome.ending.wall_s
        assert turn.slices > 3
        # 1% is the bound above which a block does not count
        assert turn.overlap_ns <= 0.01 * 1e9 * sum(turn.running_s() for turn in turns)
    walls_s = [outcome.ending.wall_s or 0.0 for outcome in outcomes]
    assert (
        sum(outcome.running_s or 0.0 for outcome in outcomes) <= max(walls_s) + 0.2
    )  # one at a time; starts are apart
    assert {turn.how for turn in turns} == {"signals" if means.name == "psutil" else means.name}


@pytest.mark.parametrize("code", [_FORKS, _IGNORES], ids=["forks", "ignores-signals"])
def test_unruly_subjects_stand_still(tmp_path: Path, means: _Means, code: str) -> None:
    outcomes, turns = _block(tmp_path, means, code, _WORKS.format(cpu_s=0.4))

    assert [outcome.ending.exit_code for outcome in outcomes] == [0, 0]
    assert all(turn.stands_still for turn in turns)
    assert sum(turn.overlap_ns for turn in turns) <= 0.01 * 1e9 * sum(turn.running_s() for turn in turns)
    _assert_none_left(tmp_path)


def test_a_daemon_is_stopped_and_ended_with_the_rest(tmp_path: Path, means: _Means) -> None:
    pid_file = tmp_path / "daemon"

    outcomes, turns = _block(tmp_path, means, _DAEMON.format(pid_file=str(pid_file)), _WORKS.format(cpu_s=0.4))

    assert [outcome.ending.exit_code for outcome in outcomes] == [0, 0]
    assert not psutil.pid_exists(int(pid_file.read_text()))
    assert sum(turn.overlap_ns for turn in turns) <= 0.01 * 1e9 * sum(turn.running_s() for turn in turns)
    _assert_none_left(tmp_path)


def test_a_subject_that_dies_in_the_middle_leaves_the_others_whole(tmp_path: Path, means: _Means) -> None:
    dies = f"{_WORKS.format(cpu_s=0.15)}\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)"

    outcomes, turns = _block(tmp_path, means, dies, _WORKS.format(cpu_s=0.4))

    assert [outcome.ending.exit_code for outcome in outcomes] == [-signal.SIGKILL, 0]
    assert turns[1].alone_ns > 0
    _assert_none_left(tmp_path)


@pytest.mark.parametrize("moment_s", [0.0, 0.2])
def test_a_supervisor_that_is_killed_leaves_nothing(tmp_path: Path, means: _Means, moment_s: float) -> None:
    """Before its subject was ever stopped, and later; the other subject is measured to its end."""

    def kill_one() -> None:
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            for supervisor in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if any(_FOREVER in " ".join(child.cmdline()) for child in supervisor.children()):
                        time.sleep(moment_s)
                        supervisor.kill()
                        return
            time.sleep(0.005)
        raise AssertionError("no subject was started")

    outcomes, _ = _block(tmp_path, means, _FOREVER, _WORKS.format(cpu_s=0.6), beside=kill_one)

    assert outcomes[0].ending.exit_code is None
    assert outcomes[0].ending.failure is not None
    assert outcomes[1].ending.exit_code == 0
    _assert_none_left(tmp_path)


def test_the_time_limit_counts_slices(tmp_path: Path, means: _Means) -> None:
    """Three processes of 0.3 s, of which none may take 2: together they take longer on a busy machine."""
    outcomes, _ = _block(tmp_path, means, *[_WORKS.format(cpu_s=0.3)] * 2, "while True: pass", timeout_s=2.0)

    assert [outcome.timed_out for outcome in outcomes] == [False, False, True]
    assert outcomes[2].running_s == pytest.approx(2.0, abs=0.5)  # a slice, and a wait for the kernel to kill
    _assert_none_left(tmp_path)


def test_a_program_that_is_absent_does_not_hold_up_the_others(tmp_path: Path) -> None:
    turns = [SliceTurn(tmp_path / f"stopped-{place}") for place in range(2)]
    argvs = [["no-such-exporter"], [sys.executable, "-I", "-c", "pass"]]

    outcomes = run_in_slices(
        [
            lambda turn, argv=argv: run_process(argv, env=os.environ, cwd=tmp_path, timeout_s=60, turn=turn)  # type: ignore[misc]
            for argv in argvs
        ],
        turns,
        slice_rounds("1", 2, 50),
    )

    assert outcomes[0].ending.failure == "cannot start 'no-such-exporter': No such file or directory"
    assert outcomes[1].ending.exit_code == 0
    for turn in turns:
        turn.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
@pytest.mark.parametrize(
    ("name", "moment_s"),
    [("signals", 0.0), ("signals", 0.31), ("cgroup.freeze", 0.13), ("cgroup.freeze", 0.31), ("psutil", 0.13)],
)
def test_nothing_is_left_when_the_runner_goes(
    tmp_path: Path, number: signal.Signals, name: str, moment_s: float
) -> None:
    """Neither running nor stopped, at whatever moment of whose slice, of subjects that fork and ignore signals."""
    _means(name)  # skips where there is none
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUNNER, str(tmp_path), name],
        env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
        stderr=subprocess.DEVNULL,
    )
    family = _whole_family(runner.pid)
    time.sleep(moment_s)
    groups = {group for process in family for group in _cgroups_of(process.pid)}

    runner.send_signal(number)
    runner.wait(60)

    assert family
    _, alive = psutil.wait_procs(family, timeout=20)
    assert [(process.pid, process.status()) for process in alive] == []
    assert _left_over(tmp_path / "work") == []
    assert [group for group in groups if group.exists()] == []


_RUNNER = """
import os, sys
from pathlib import Path
from capbench.harness.process.freezer import SignalFreezer, make_cgroup, open_freezer
from capbench.harness.process.measured_process import run_process
from capbench.harness.process.process_tree import PSUTIL
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices

folder = Path(sys.argv[1])
work = folder / "work"
work.mkdir()
code = '''
import os, signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
while True: pass
'''
argv = [sys.executable, "-I", "-c", code]
means = sys.argv[2]
turns = [
    SliceTurn(
        folder / str(place),
        cgroup_of=make_cgroup if means == "cgroup.freeze" else lambda: None,
        freezer_of=(lambda root, _: SignalFreezer(root, includes_root=False, control=PSUTIL))
        if means == "psutil"
        else open_freezer,
    )
    for place in range(2)
]
run_in_slices(
    [lambda turn: run_process(argv, env=os.environ, cwd=work, timeout_s=300, turn=turn)] * 2,
    turns,
    slice_rounds("1", 2, 50),
)
"""


def _whole_family(pid: int) -> list[psutil.Process]:
    """Supervisors, subjects and their children, once both subjects have one."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        family = psutil.Process(pid).children(recursive=True)
        if len(family) >= 6:
            return family
        time.sleep(0.02)
    raise AssertionError("the runner never started two subjects with a child each")


def _cgroups_of(pid: int) -> list[Path]:
    """Groups of ours that a process is in."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    names = [line[3:].lstrip("/") for line in lines if line.startswith("0::") and "capbench-" in line]
    return [Path(mount, name) for name in names for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")]


class _FakeProcesses:
    """Processes that are running until they are told to stop."""

    def __init__(self, descendants: Callable[[int], list[int]], *, obeys: bool = True, in_kernel: bool = False) -> None:
        self.suspended: list[int] = []
        self.resumed: list[int] = []
        self.control = ProcessControl(
            descendants=descendants,
            is_stopped=lambda pid: obeys and pid in self.suspended and not in_kernel,
            is_at_rest=lambda pid: in_kernel or (obeys and pid in self.suspended),
            cpu_s=lambda _: 0.0,
            suspend=self.suspended.append,
            resume=self.resumed.append,
        )


def test_a_process_that_the_kernel_is_busy_for_is_told_to_stop_too() -> None:
    """It waits for a disk and executes nothing: told nothing, it would go on in another's slice."""
    fake = _FakeProcesses(lambda _: [7], in_kernel=True)
    freezer = SignalFreezer(1, includes_root=False, control=fake.control)

    assert freezer.stop(lambda: None)
    freezer.resume()

    assert fake.suspended == fake.resumed == [7]


def test_a_tree_that_grows_while_it_is_stopped_is_listed_again() -> None:
    first = 2**22 + 1  # beyond the kernel's largest process id: a signal reaches nobody
    trees = iter([[first], [first, first + 1], [first, first + 1, first + 2], [first, first + 1, first + 2]])
    fake = _FakeProcesses(lambda _: next(trees))
    freezer = SignalFreezer(1, includes_root=False, control=fake.control)

    assert freezer.stop(lambda: None)
    assert fake.suspended == [first, first + 1, first + 2]
    assert next(trees, None) is None  # looked until nothing was new


def test_a_tree_that_never_stands_still_is_given_up() -> None:
    clock = iter(range(10**6))
    fake = _FakeProcesses(lambda _: [2**22 + 2], obeys=False)
    freezer = SignalFreezer(
        2**22 + 1,
        includes_root=False,
        control=fake.control,
        now_s=lambda: next(clock) * 0.1,
        sleep=lambda _: None,
    )

    assert not freezer.stop(lambda: None)
    assert next(clock) == pytest.approx(12, abs=2)  # looks at the clock until the second is over


def test_a_process_that_the_subject_stopped_itself_stays_stopped() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(60)"])
    try:
        os.kill(child.pid, signal.SIGSTOP)
        while not THIS_SYSTEM.is_stopped(child.pid):
            time.sleep(0.001)
        assert child.pid in descendants(os.getpid())
        control = replace(THIS_SYSTEM, descendants=lambda _: [child.pid])
        freezer = SignalFreezer(os.getpid(), includes_root=False, control=control)

        assert freezer.stop(lambda: None)
        freezer.resume()

        assert THIS_SYSTEM.is_stopped(child.pid)
    finally:
        child.kill()
        child.wait()


def test_processes_without_a_supervisor_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where a process is started directly and suspended by psutil, here by the signals that it sends."""

    def launch(
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        held: bool,
        cgroup: Path | None,
        scheduling: Scheduling,
    ) -> Launched:
        assert (cgroup, scheduling) == (None, "normal")
        return _WindowsProcess(argv, env, cwd, held=held, stdin=subprocess.DEVNULL)

    monkeypatch.setattr(measured_process, "launch", launch)
    windows = _Means("psutil", freezer_of=lambda root, _: SignalFreezer(root, includes_root=True, control=PSUTIL))

    outcomes, turns = _block(tmp_path, windows, _WORKS.format(cpu_s=0.3), _FORKS, "while True: pass", timeout_s=2.0)

    assert [outcome.ending.exit_code for outcome in outcomes[:2]] == [0, 0]
    assert [outcome.timed_out for outcome in outcomes] == [False, False, True]
    assert all(turn.slices > 3 for turn in turns[::2])
    assert all(turn.stands_still for turn in turns)
    assert 0.3 <= (outcomes[0].running_s or 0.0) < (outcomes[0].ending.wall_s or 0.0)
    assert sum(turn.overlap_ns for turn in turns) <= 0.01 * 1e9 * sum(turn.running_s() for turn in turns)
    _assert_none_left(tmp_path)
