"""Measuring a process from outside, held against processes of known behaviour."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from capbench.harness.process import spawn
from capbench.harness.process import supervisor as launcher
from capbench.harness.process.measured_process import Observation, Outcome, run_process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the subjects are POSIX programs")

_SPIN = """
import time
memory = bytearray({size})
memory[::4096] = b"x" * len(memory[::4096])
end = time.process_time() + {cpu_s}
while time.process_time() < end:
    pass
print("frame=41")
"""
_MEGABYTE = 1_000_000


def _run(*argv: str, timeout_s: float = 60.0, sampled: bool = True, frames: list[int] | None = None) -> Outcome:
    on_frame = None if frames is None else frames.append
    observation = Observation(sampled=sampled, on_frame=on_frame)
    return run_process(argv, env=os.environ, cwd=Path.cwd(), timeout_s=timeout_s, observation=observation)


def _python(code: str) -> tuple[str, str, str, str]:
    return (sys.executable, "-I", "-c", code)


def test_cpu_seconds_and_peak_memory_of_a_known_subject() -> None:
    frames: list[int] = []

    outcome = _run(*_python(_SPIN.format(size=100 * _MEGABYTE, cpu_s=0.5)), frames=frames)

    ending = outcome.ending
    assert ending.exit_code == 0
    assert ending.user_s is not None
    assert ending.system_s is not None
    assert ending.peak_rss_bytes is not None
    # beyond the 0.5 s and 100 MB there is the interpreter itself: below 0.5 s and 30 MB even on a busy machine
    assert 0.5 <= ending.user_s + ending.system_s < 1.0
    assert 100 * _MEGABYTE <= ending.peak_rss_bytes < 130 * _MEGABYTE
    assert frames[-1] == 41


def test_peak_memory_is_not_that_of_the_runner() -> None:
    ballast = bytearray(200 * _MEGABYTE)
    ballast[::4096] = b"x" * len(ballast[::4096])

    outcome = _run("true")

    assert outcome.ending.peak_rss_bytes is not None
    assert outcome.ending.peak_rss_bytes < 30 * _MEGABYTE < len(ballast)


def test_children_count(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(_SPIN.format(size=60 * _MEGABYTE, cpu_s=0.4))

    outcome = _run("sh", "-c", f"{sys.executable} -I {child}; exit 0")

    assert outcome.ending.user_s is not None
    assert outcome.ending.system_s is not None
    assert outcome.ending.peak_rss_bytes is not None
    assert outcome.ending.user_s + outcome.ending.system_s >= 0.4
    assert outcome.ending.peak_rss_bytes > 60 * _MEGABYTE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_who_left_the_process_counts_too(tmp_path: Path) -> None:
    """A browser is a daemon of its driver, and would be killed with its CPU seconds unread."""
    child, done = tmp_path / "child.py", tmp_path / "done"
    child.write_text(f"{_SPIN.format(size=60 * _MEGABYTE, cpu_s=0.4)}\nopen({str(done)!r}, 'w')\ntime.sleep(60)")

    outcome = _run("sh", "-c", f"(setsid {sys.executable} -I {child} &); while [ ! -f {done} ]; do sleep 0.02; done")

    assert outcome.ending.user_s is not None
    assert outcome.ending.system_s is not None
    assert outcome.ending.user_s + outcome.ending.system_s >= 0.4
    assert (outcome.ending.peak_rss_bytes or 0) > 60 * _MEGABYTE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_what_a_program_leaves_is_not_waited_for_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that it leaves are zombies until the supervisor reaps them, and are not waited for as if they lived."""
    patient = tmp_path / "supervisor.py"
    written = Path(launcher.__file__).read_text()
    patient.write_text(written.replace(f"LOOKS = {launcher.LOOKS}", f"LOOKS = {1000 * launcher.LOOKS}"))
    assert patient.read_text() != written
    monkeypatch.setattr(spawn, "_LAUNCHER", patient)

    outcome = _run("sh", "-c", "sleep 61 & exit 3", timeout_s=20)

    assert (outcome.timed_out, outcome.ending.exit_code) == (False, 3)


def test_a_supervisor_killed_before_its_first_report_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the start of its subject and the report of it: nobody knows the subject's number."""
    # All processes are looked at: no other test, of this run or another, sleeps for as long.
    mortal, mark = tmp_path / "supervisor.py", f"sleep 62.{os.getpid()}"
    written = Path(launcher.__file__).read_text()
    report = '    report(report_fd, f"pid {pid} {start_ns}")\n'
    mortal.write_text(written.replace(report, "    os.kill(os.getpid(), signal.SIGKILL)\n"))
    assert mortal.read_text() != written
    monkeypatch.setattr(spawn, "_LAUNCHER", mortal)
    began_s = time.monotonic()

    outcome = _run("sh", "-c", f"{mark} & {mark}", timeout_s=20)

    assert time.monotonic() - began_s < 30  # what is left holds its output open
    assert (outcome.timed_out, outcome.ending.exit_code) == (False, None)
    running = [" ".join(found.info["cmdline"] or ()) for found in psutil.process_iter(["cmdline"])]
    assert [command for command in running if mark in command] == []


def test_samples_follow_the_process_at_a_small_cost() -> None:
    outcome = _run(*_python(_SPIN.format(size=50 * _MEGABYTE, cpu_s=1.0)))

    assert len(outcome.samples) >= 2
    assert max(sample.rss_bytes for sample in outcome.samples) >= 50 * _MEGABYTE
    times = [sample.time_s for sample in outcome.samples]
    assert times == sorted(times)
    assert outcome.sampler_cpu_s is not None
    assert outcome.ending.wall_s is not None
    # twice the 1% that is promised: the first look at the processes of a busy machine is dear and this run is short
    assert outcome.sampler_cpu_s < 0.02 * outcome.ending.wall_s


def test_an_unsampled_process_has_no_samples() -> None:
    outcome = _run("true", sampled=False)

    assert (outcome.samples, outcome.sampler_cpu_s) == ((), None)


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", -signal.SIGTERM)],
)
def test_exit_code(script: str, exit_code: int) -> None:
    assert _run("sh", "-c", script).ending.exit_code == exit_code


def test_a_program_that_is_absent_is_a_failure_not_an_exception() -> None:
    ending = _run("no-such-exporter").ending

    assert (ending.exit_code, ending.failure) == (None, "cannot start 'no-such-exporter': No such file or directory")


def test_a_hanging_process_is_killed_with_its_children() -> None:
    started_s = time.monotonic()

    # Not before it has named its child, even where others are scheduled in real time on every core for a second.
    outcome = _run("sh", "-c", "sleep 61 & echo child=$!; sleep 62", timeout_s=3)

    assert outcome.timed_out
    assert outcome.ending.exit_code == -signal.SIGKILL
    assert time.monotonic() - started_s < 30
    child = int(outcome.stdout.partition("child=")[2])
    assert not _is_running(child)


def test_what_a_process_leaves_running_is_ended() -> None:
    outcome = _run("sh", "-c", "sleep 61 & echo child=$!")

    assert not _is_running(int(outcome.stdout.partition("child=")[2]))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
@pytest.mark.parametrize("timeout_s", [60.0, 5.0], ids=["ended", "killed"])
def test_what_leaves_the_process_group_is_ended(timeout_s: float, tmp_path: Path) -> None:
    """A daemon has a session and a parent of its own; the next run must not share the machine with it."""
    pid_file, wait = tmp_path / "pid", "" if timeout_s > 5 else "; sleep 62"

    outcome = _run(
        "sh",
        "-c",
        f"(setsid sh -c 'echo $$ > {pid_file}; exec sleep 61' &); while [ ! -s {pid_file} ]; do sleep 0.01; done{wait}",
        timeout_s=timeout_s,
    )

    assert outcome.timed_out == (timeout_s == 5.0)
    assert not _is_running(int(pid_file.read_text()))


def test_a_killed_group_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL takes effect when the kernel next has a core for the process: on a busy machine after the report."""
    dying, pauses_s = iter([True, True, True, False]), list[float]()
    monkeypatch.setattr(launcher, "kill_group", lambda _: next(dying))
    monkeypatch.setattr(time, "sleep", pauses_s.append)

    launcher.end_group(1)

    assert pauses_s == [launcher.PAUSE_S] * 3
    assert next(dying, None) is None


def test_a_group_that_does_not_go_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zombies that nobody reaps."""
    pauses_s: list[float] = []
    monkeypatch.setattr(launcher, "kill_group", lambda _: True)
    monkeypatch.setattr(time, "sleep", pauses_s.append)

    launcher.end_group(1)

    assert sum(pauses_s) == pytest.approx(2.0)


def test_megabytes_of_output_neither_block_nor_stay() -> None:
    outcome = _run("sh", "-c", "yes out | head -c 20000000; yes err | head -c 20000000 >&2; echo end >&2")

    assert outcome.ending.exit_code == 0
    assert outcome.stderr.endswith("end\n")
    assert len(outcome.stdout) + len(outcome.stderr) <= 2 * 8192


def test_the_subject_dies_with_the_runner() -> None:
    code = (
        "import os; from pathlib import Path; from capbench.harness.process.measured_process import run_process\n"
        "run_process(['sh', '-c', 'sleep 63'], env=os.environ, cwd=Path.cwd(), timeout_s=60)"
    )
    runner = subprocess.Popen([sys.executable, "-c", code])
    family = _wait_for_sleeper(runner.pid)
    runner.kill()
    runner.wait()

    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_a_runner_that_died_before_the_first_report_leaves_nobody(tmp_path: Path) -> None:
    """The supervisor starts its program, finds nobody to tell, and must still see that the life line is cut."""
    life_read, life_write = os.pipe()
    report_read, report_write = os.pipe()
    os.close(report_read)
    pid_file = tmp_path / "pid"
    words = ("sh", "-c", f"echo $$ > {pid_file}; exec sleep 66")
    supervisor = subprocess.Popen(
        [sys.executable, "-I", "-S", launcher.__file__, str(life_read), str(report_write), "now", "-", "-", *words],
        pass_fds=(life_read, report_write),
        stderr=subprocess.PIPE,
    )
    os.close(life_read)
    os.close(report_write)
    deadline_s = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    os.close(life_write)

    _, problems = supervisor.communicate(timeout=30)
    assert (supervisor.returncode, problems) == (0, b"")
    assert not _is_running(int(pid_file.read_text()))


def _wait_for_sleeper(pid: int) -> list[psutil.Process]:
    """Launcher, shell and sleep, once all are there."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        family = psutil.Process(pid).children(recursive=True)
        if any(process.name() == "sleep" for process in family):
            return family
        time.sleep(0.02)
    raise AssertionError("the runner never started its subject")


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
