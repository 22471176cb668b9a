"""Stopping real process trees: whatever a subject does, it stands still when it is told to, and goes in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from capbench.harness.process.freezer import SignalFreezer, make_cgroup
from capbench.harness.process.measured_process import Outcome, run_process
from capbench.harness.process.process_tree import descendants, is_stopped
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices

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


@pytest.fixture(params=["signals", "cgroup.freeze"])
def cgroup_of(request: pytest.FixtureRequest) -> Callable[[], Path | None]:
    """Both ways of stopping."""
    if request.param == "signals":
        return lambda: None
    probe = make_cgroup()
    if probe is None:
        pytest.skip("no control group of version 2 can be made here")
    probe.rmdir()
    return make_cgroup


def _block(
    tmp_path: Path, cgroup_of: Callable[[], Path | None], *codes: str, timeout_s: float = 60.0
) -> tuple[list[Outcome], list[SliceTurn]]:
    turns = [SliceTurn(tmp_path / f"stopped-{place}", cgroup_of=cgroup_of) for place in range(len(codes))]

    def job_for(code: str) -> Callable[[SliceTurn], Outcome]:
        argv = [sys.executable, "-I", "-c", code]
        return lambda turn: run_process(argv, env=os.environ, cwd=tmp_path, timeout_s=timeout_s, turn=turn)

    outcomes = run_in_slices([job_for(code) for code in codes], turns, slice_rounds("1", len(codes), 50))
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


def test_two_processes_share_the_time(tmp_path: Path, cgroup_of: Callable[[], Path | None]) -> None:
    outcomes, turns = _block(tmp_path, cgroup_of, _WORKS.format(cpu_s=0.4), _WORKS.format(cpu_s=0.4))

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
    assert turns[0].how in ("signals", "cgroup.freeze")


@pytest.mark.parametrize("code", [_FORKS, _IGNORES], ids=["forks", "ignores-signals"])
def test_unruly_subjects_stand_still(tmp_path: Path, cgroup_of: Callable[[], Path | None], code: str) -> None:
    outcomes, turns = _block(tmp_path, cgroup_of, code, _WORKS.format(cpu_s=0.4))

    assert [outcome.ending.exit_code for outcome in outcomes] == [0, 0]
    assert all(turn.stands_still for turn in turns)
    assert sum(turn.overlap_ns for turn in turns) <= 0.01 * 1e9 * sum(turn.running_s() for turn in turns)
    assert _left_over(tmp_path) == []


def test_a_daemon_is_stopped_and_ended_with_the_rest(tmp_path: Path, cgroup_of: Callable[[], Path | None]) -> None:
    pid_file = tmp_path / "daemon"

    outcomes, turns = _block(tmp_path, cgroup_of, _DAEMON.format(pid_file=str(pid_file)), _WORKS.format(cpu_s=0.4))

    assert [outcome.ending.exit_code for outcome in outcomes] == [0, 0]
    assert not psutil.pid_exists(int(pid_file.read_text()))
    assert sum(turn.overlap_ns for turn in turns) <= 0.01 * 1e9 * sum(turn.running_s() for turn in turns)
    assert _left_over(tmp_path) == []


def test_a_subject_that_dies_in_the_middle_leaves_the_others_whole(
    tmp_path: Path, cgroup_of: Callable[[], Path | None]
) -> None:
    dies = f"{_WORKS.format(cpu_s=0.15)}\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)"

    outcomes, turns = _block(tmp_path, cgroup_of, dies, _WORKS.format(cpu_s=0.4))

    assert [outcome.ending.exit_code for outcome in outcomes] == [-signal.SIGKILL, 0]
    assert turns[1].alone_ns > 0
    assert _left_over(tmp_path) == []


def test_the_time_limit_counts_slices(tmp_path: Path, cgroup_of: Callable[[], Path | None]) -> None:
    """Three processes of 0.3 s, of which none may take 2: together they take longer on a busy machine."""
    outcomes, _ = _block(tmp_path, cgroup_of, *[_WORKS.format(cpu_s=0.3)] * 2, "while True: pass", timeout_s=2.0)

    assert [outcome.timed_out for outcome in outcomes] == [False, False, True]
    assert outcomes[2].running_s == pytest.approx(2.0, abs=0.5)  # a slice, and a wait for the kernel to kill
    assert _left_over(tmp_path) == []


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
@pytest.mark.parametrize("moment_s", [0.0, 0.13, 0.31])
def test_nothing_is_left_when_the_runner_goes(tmp_path: Path, number: signal.Signals, moment_s: float) -> None:
    """Neither running nor stopped, at whatever moment of whose slice."""
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUNNER, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(_REPOSITORY)}
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
from capbench.harness.process.measured_process import run_process
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices

folder = Path(sys.argv[1])
work = folder / "work"
work.mkdir()
code = "import os; child = os.fork()\\nif child == 0: os.setsid()\\nwhile True: pass"
argv = [sys.executable, "-I", "-c", code]
turns = [SliceTurn(folder / str(place)) for place in range(2)]
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


def test_a_tree_that_grows_while_it_is_stopped_is_listed_again() -> None:
    first = 2**22 + 1  # beyond the kernel's largest process id: a signal reaches nobody
    trees = iter([[first], [first, first + 1], [first, first + 1, first + 2], [first, first + 1, first + 2]])
    seen: list[int] = []

    def sees_stopped(pid: int) -> bool:
        seen.append(pid)
        return seen.count(pid) > 1  # running when it is found, then stopped

    freezer = SignalFreezer(1, includes_root=False, list_tree=lambda _: next(trees), sees_stopped=sees_stopped)

    assert freezer.stop(lambda: None)
    assert set(seen) == {first, first + 1, first + 2}
    assert next(trees, None) is None  # looked until nothing was new


def test_a_tree_that_never_stands_still_is_given_up() -> None:
    clock = iter(range(10**6))
    freezer = SignalFreezer(
        2**22 + 1,
        includes_root=False,
        list_tree=lambda _: [2**22 + 2],
        sees_stopped=lambda _: False,
        now_s=lambda: next(clock) * 0.1,
        sleep=lambda _: None,
    )

    assert not freezer.stop(lambda: None)
    assert next(clock) == pytest.approx(12, abs=2)  # looks at the clock until the second is over


def test_a_process_that_the_subject_stopped_itself_stays_stopped() -> None:
    child = subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(60)"])
    try:
        os.kill(child.pid, signal.SIGSTOP)
        while not is_stopped(child.pid):
            time.sleep(0.001)
        assert child.pid in descendants(os.getpid())
        freezer = SignalFreezer(os.getpid(), includes_root=False, list_tree=lambda _: [child.pid])

        assert freezer.stop(lambda: None)
        freezer.resume()

        assert is_stopped(child.pid)
    finally:
        child.kill()
        child.wait()
