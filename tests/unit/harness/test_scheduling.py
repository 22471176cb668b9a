"""Real-time scheduling of what is measured: who comes first, and that nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from capbench.errors import UnavailableError
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.process.freezer import enters, make_cgroup
from capbench.harness.process.measured_process import Observation, Outcome, run_process
from capbench.harness.process.scheduling import (
    OBSERVER_PRIORITY,
    SUBJECT_PRIORITY,
    before_the_subject,
    realtime_refusal,
    require_scheduling,
)
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices
from capbench.harness.run.start import RunOptions, run

_REFUSAL = realtime_refusal()
realtime = pytest.mark.skipif(_REFUSAL is not None, reason=f"{_REFUSAL}")

_CASE = Case(
    name="a",
    recording="x",
    scene="studio",
    subjects=("floor",),
    blocks=1,
    timeout_s=1,
    settle_s=0,
    warmup=False,
    drift_control=False,
)
_MATRIX = RunMatrix(name="m", cases=(_CASE,), subjects=(Subject(name="floor", is_floor=True),))
_POLICIES = """
import os, subprocess, sys, threading
def say(who):
    print(who, os.sched_getscheduler(0) == os.SCHED_RR, os.sched_getparam(0).sched_priority, flush=True)
say("main")
thread = threading.Thread(target=say, args=("thread",)); thread.start(); thread.join()
print("supervisor", True, os.sched_getparam(os.getppid()).sched_priority, flush=True)
child = "import os; print('child', os.sched_getscheduler(0) == os.SCHED_RR, os.sched_getparam(0).sched_priority)"
subprocess.run([sys.executable, "-c", child])
"""
_SPIN_EVERYWHERE = f"""
# started by {os.getpid()}: another run of these tests may spin at the same time
import os
for _ in range(os.cpu_count()):
    if os.fork() == 0:
        break
while True:
    pass
"""
_WORK = "sum(range({count}))"


def _run(code: str, timeout_s: float = 30.0, turn: SliceTurn | None = None) -> Outcome:
    return run_process(
        [sys.executable, "-I", "-c", code],
        env=os.environ,
        cwd=Path.cwd(),
        timeout_s=timeout_s,
        observation=Observation(),
        turn=turn,
        scheduling="realtime",
    )


@realtime
def test_the_subject_comes_before_others_and_who_observes_it_before_the_subject() -> None:
    outcome = _run(_POLICIES)

    own = f"True {SUBJECT_PRIORITY}"
    assert outcome.stdout.split("\n")[:-1] == [
        f"main {own}",
        f"thread {own}",
        f"supervisor True {OBSERVER_PRIORITY}",
        f"child {own}",
    ]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER  # this thread as before


@realtime
def test_a_subject_that_spins_on_every_core_is_killed_at_its_time_limit() -> None:
    """Nothing of the normal policy has a core meanwhile, but for what the kernel keeps back."""
    began_s = time.monotonic()

    outcome = _run(_SPIN_EVERYWHERE, timeout_s=1.0)

    assert outcome.timed_out
    assert time.monotonic() - began_s < 5.0  # a tenth of which it takes; far below what any later limit would give
    assert not [
        found for found in psutil.process_iter(["cmdline"]) if _SPIN_EVERYWHERE in (found.info["cmdline"] or ())
    ]


@realtime
def test_slices_of_real_time_are_kept(tmp_path: Path) -> None:
    """Two equals with a busy loop on every core beside them: each runs as long as alone, and never at once."""
    work = _WORK.format(count=6_000_000)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    turns = [SliceTurn(tmp_path / f"stopped-{place}", cgroup_of=partial(make_cgroup, "realtime")) for place in range(2)]
    try:
        # Alone, but beside the same loops: what these cost it that shares caches or a core with it is in both.
        alone_s = min(_run(work).ending.wall_s or 0 for _ in range(3))
        jobs = [lambda turn: _run(work, turn=turn)] * 2
        with before_the_subject("realtime"):
            made = run_in_slices(jobs, turns, slice_rounds("seed", 2, 20))
    finally:
        for other in others:
            other.kill()
            other.wait()
        for turn in turns:
            turn.close()

    assert [outcome.ending.exit_code for outcome in made] == [0, 0]
    assert all(turn.slices >= 3 for turn in turns)
    # Shared fairly with the busy loops they would take three times as long; half as long again is what refilled caches
    # and the twentieth that the kernel keeps back for the loops can cost.
    assert max(turn.running_s() for turn in turns) < 1.5 * alone_s + 0.05
    assert sum(turn.overlap_ns for turn in turns) / 1e9 < 0.02 * sum(turn.running_s() for turn in turns)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="what refuses every write is Linux's")
def test_a_group_that_refuses_a_process_is_told_from_one_that_takes_it(tmp_path: Path) -> None:
    (tmp_path / "takes").mkdir()
    (tmp_path / "refuses").mkdir()
    (tmp_path / "refuses" / "cgroup.procs").symlink_to("/dev/full")

    assert enters(tmp_path / "takes")
    assert not enters(tmp_path / "refuses")


def _refused(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is refused by name")
def test_a_kernel_that_refuses_is_exit_4_before_there_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", _refused)
    folder = tmp_path / "out"

    with pytest.raises(UnavailableError, match="CAP_SYS_NICE") as raised:
        run(_MATRIX, RunOptions(scheduling="realtime"), out=folder)

    assert raised.value.exit_code == 4
    assert not folder.exists()


def test_normal_scheduling_asks_for_no_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", _refused, raising=False)

    require_scheduling(["normal", "normal"])
    with before_the_subject("normal"):
        assert threading.active_count() >= 1


def test_a_system_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(UnavailableError, match="Linux"):
        require_scheduling(["realtime"])


def test_a_case_says_its_scheduling_only_where_it_is_not_normal() -> None:
    """Readers of the version before refuse a key that they do not know."""
    asked = _CASE.model_copy(update={"scheduling": "realtime"})

    assert "scheduling" not in _CASE.model_dump()
    assert Case.model_validate_json(asked.model_dump_json()).scheduling == "realtime"
