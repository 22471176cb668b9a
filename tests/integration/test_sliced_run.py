"""Whole matrices in slices, with real processes: what is recorded, who fails only there, kills and interrupts."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from capbench.harness.process.scheduling import realtime_refusal
from capbench.harness.run.start import RunOptions, run
from capbench.results import RunResult, RunRole
from capbench.results.folder import read_folder
from capbench.results.run_record import Interleave

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="left-over processes are looked for in /proc")

_CASE = """
[[case]]
name = "tiny"
recording = {{width = 320, height = 180}}
duration_s = 0.5
blocks = {blocks}
settle_s = 0
warmup = false
drift_control = false
timeout_s = 60
interleave = "slices"
slice_ms = 30
metrics = ["psnr"]
subjects = {subjects}
"""
_SPIN = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
_SHORT_SPIN = _SPIN.replace("0.3", "0.15")


def _matrix(folder: Path, commands: dict[str, str], *, blocks: int = 1) -> Path:
    """Commands by `sh -c`; `floor` and paths where empty."""
    tables = [
        f"[[subject]]\nname = {name!r}\ncommand = {json.dumps(['sh', '-c', script, 'sh', '{source}', '{output}'])}\n"
        for name, script in commands.items()
        if script
    ]
    file = folder / "tiny.toml"
    file.write_text(_CASE.format(blocks=blocks, subjects=list(commands)) + "".join(tables))
    return file


def _measured(folder: Path) -> list[RunResult]:
    return [found for found in read_folder(folder).runs if found.role is RunRole.MEASURE]


@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_run_in_slices_records_what_is_true_of_it(tmp_path: Path) -> None:
    run(_matrix(tmp_path, {"floor": "", "passthrough": "", "mine": f'{_SPIN}; cp "$1" "$2"'}), out=tmp_path / "out")

    runs = {found.subject: found for found in _measured(tmp_path / "out")}
    assert {found.error for found in runs.values()} == {None}
    for found in runs.values():
        assert found.interleave == "slices"
        assert found.slices is not None
        assert found.slices.slice_ms == 30
        assert found.slices.count > 1
        assert found.slices.overlap_share <= 0.01
        assert 0 <= found.slices.alone_share <= 1
        assert found.wall_s is not None
        assert found.process_wall_s is not None
        assert found.cpu_s is not None
        # two cores at least, and the kernel's ticks; what was between slices would make it a fraction
        assert found.wall_s <= found.process_wall_s + 0.01
        assert found.peak_rss_bytes is not None
        assert found.validation is not None
        assert found.gpu_busy_s is None
        assert found.cpu_per_core_percent == ()
        assert found.unmeasured["cpu_per_core_percent"].startswith("measured in slices: ")
    mine, floor = runs["mine"], runs["floor"]
    assert mine.wall_s is not None
    assert mine.wall_s >= 0.3
    assert mine.wall_s == mine.process_wall_s
    # stages of the pipeline leave out the time stopped: no thread is longer than the run
    assert floor.wall_s is not None
    for name, times in floor.stages.items():
        assert times.work_s + (times.wait_input_s or 0.0) + (times.wait_output_s or 0.0) <= floor.wall_s + 0.05, name
    assert floor.trace == () or floor.trace[-1].time_s <= (floor.process_wall_s or 0.0) + 0.05


@pytest.mark.skipif(realtime_refusal() is not None, reason=f"{realtime_refusal()}")
@pytest.mark.parametrize("interleave", ["runs", "slices"])
@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_run_with_real_time_scheduling_says_so(tmp_path: Path, interleave: Interleave) -> None:
    policy = f"{sys.executable} -c 'import os; raise SystemExit(os.sched_getscheduler(0) != os.SCHED_RR)'"

    run(
        _matrix(tmp_path, {"floor": "", "mine": f'{policy} && cp "$1" "$2"'}),
        RunOptions(validate=False, interleave=interleave, scheduling="realtime"),
        out=tmp_path / "out",
    )

    runs = _measured(tmp_path / "out")
    assert {(found.error, found.interleave, found.scheduling) for found in runs} == {(None, interleave, "realtime")}
    assert all((found.slices is not None) == (interleave == "slices") for found in runs)


@pytest.mark.usefixtures("untimed_jobs_here")
def test_who_fails_only_in_slices_is_measured_plainly_with_the_reason(tmp_path: Path) -> None:
    fragile = 'test -z "$CAPBENCH_STOPPED_TIME" || { echo "my own time-out" >&2; exit 7; }; cp "$1" "$2"'

    run(
        _matrix(tmp_path, {"fragile": fragile, "good": 'cp "$1" "$2"'}),
        RunOptions(validate=False),
        out=tmp_path / "out",
    )

    runs = _measured(tmp_path / "out")
    assert {found.interleave for found in runs} == {"runs"}
    assert {found.error for found in runs} == {None}
    reason = "fragile fails in slices but not alone: sh ended with exit code 7: my own time-out"
    assert {found.unmeasured["slices"] for found in runs} == {reason}


def _left_over(folder: Path) -> list[tuple[int, str]]:
    """Processes with the folder's name on their command line or as their own folder, and their states."""
    found: list[tuple[int, str]] = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()) or process.cwd().startswith(str(folder)):
                found.append((process.pid, process.status()))
        except psutil.Error:
            continue
    return found


@pytest.mark.usefixtures("untimed_jobs_here")
def test_a_subject_that_dies_in_the_middle_costs_its_own_run_alone(tmp_path: Path) -> None:
    """By SIGKILL, while a child of it lives on and ignores signals: all other runs of the matrix are whole."""
    calls = tmp_path / "calls"
    # warm-up, trial, block 0: it dies in block 1
    dies = f"test $(wc -l < {calls}) -ne 4 || {{ (trap '' TERM INT HUP; setsid sleep 300 &); kill -9 $$; }}"
    mortal = f'echo >> {calls}; {_SHORT_SPIN}; {dies}; cp "$1" "$2"'
    matrix = _matrix(tmp_path, {"mortal": mortal, "other": f'{_SPIN}; cp "$1" "$2"'}, blocks=3)

    run(matrix, RunOptions(validate=False), out=tmp_path / "out")

    runs = {(found.subject, found.block): found for found in _measured(tmp_path / "out")}
    assert len(runs) == 6
    assert {found.interleave for found in runs.values()} == {"slices"}
    assert [key for key, found in runs.items() if found.error is not None] == [("mortal", 1)]
    died = runs["mortal", 1]
    assert died.error is not None
    assert "SIGKILL" in died.error
    assert died.slices is not None
    assert died.slices.count > 1
    _assert_none_left(tmp_path)


_BY_SIGNALS = """
from capbench.harness.run import executor
executor.make_cgroup = lambda scheduling: None
"""
_MAIN = """
from capbench.harness.run import start
start.ask_machine = lambda folder: {"error": "not asked"}  # a second for a GPU device, at each of nine starts
from capbench.__main__ import main
from tests.jobs_in_process import jobs_done_here
with jobs_done_here():
    main()
"""
_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)  # three matrices, each of which may take the hundred seconds that it is waited for
@pytest.mark.parametrize(
    ("number", "means"),
    [(signal.SIGKILL, "best"), (signal.SIGKILL, "signals"), (signal.SIGINT, "signals")],
    ids=["kill", "kill-by-signals", "ctrl-c-by-signals"],
)
def test_a_matrix_in_slices_that_is_ended_at_random_loses_nothing(
    tmp_path: Path, number: signal.Signals, means: str
) -> None:
    """Subjects that fork and ignore signals: afterwards neither running nor stopped, and the resume is whole."""
    unruly = "trap '' TERM INT HUP; (setsid sleep 300 &) ; "
    subjects = {"one": f'{unruly}{_SPIN}; cp "$1" "$2"', "two": f'{_SPIN}; cp "$1" "$2"'}
    matrix, out, chance = _matrix(tmp_path, subjects, blocks=2), tmp_path / "out", random.Random(11)
    program = _MAIN if means == "best" else _BY_SIGNALS + _MAIN
    command = [sys.executable, "-c", program, "run", str(matrix), "--out", str(out), "--no-validate", "-q"]
    whole: dict[int, set[str | None]] = {}
    for attempt in range(3):
        process = subprocess.Popen(
            [*command, *(["--resume"] if (out / "matrix.json").exists() else [])],
            cwd=_REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if attempt < 2:
            _wait_for_a_slice(process, out)
            time.sleep(chance.uniform(0, 1.5))
            process.send_signal(number)
        _, said = process.communicate(timeout=100)
        if attempt == 2:
            assert process.returncode == 0, said.decode()
        _assert_none_left(tmp_path)
        if (out / "runs").is_dir():
            blocks = _whole_blocks(out)
            assert blocks.items() >= whole.items()
            whole = blocks

    runs = _measured(out)
    assert sorted((found.subject, found.block) for found in runs) == [
        (name, block) for name in ("one", "two") for block in range(2)
    ]
    assert {found.interleave for found in runs} == {"slices"}
    used = {found.slices.means for found in runs if found.slices is not None}
    assert used == {"signals"} if means == "signals" else used <= {"signals", "cgroup.freeze"}
    assert read_folder(out).problems == ()
    assert not (out / "in-progress").exists()


def _assert_none_left(folder: Path) -> None:
    deadline_s = time.monotonic() + 20  # the supervisors notice and end what they have
    while (left := _left_over(folder)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert left == []


def _wait_for_a_slice(process: subprocess.Popen[bytes], out: Path) -> None:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s and process.poll() is None:
        if list(out.glob("in-progress/*.stopped")):
            return
        time.sleep(0.01)


def _whole_blocks(out: Path) -> dict[int, set[str | None]]:
    """Block to when its runs were started, of blocks that are complete: these are never made again."""
    started: dict[int, set[str | None]] = {}
    for found in _measured(out):
        started.setdefault(found.block, set()).add(f"{found.subject} {found.started_at}")
    return {block: runs for block, runs in started.items() if len(runs) == 2}


@pytest.mark.usefixtures("untimed_jobs_here")
def test_the_environment_of_plain_runs_says_nothing_of_slices(tmp_path: Path) -> None:
    assert "CAPBENCH_STOPPED_TIME" not in os.environ
    script = 'test -z "$CAPBENCH_STOPPED_TIME" && cp "$1" "$2"'

    run(
        _matrix(tmp_path, {"one": script, "two": script}),
        RunOptions(validate=False, interleave="runs"),
        out=tmp_path / "out",
    )

    assert {(found.error, found.interleave) for found in _measured(tmp_path / "out")} == {(None, "runs")}
