"""When an export inside a process began and ended, by lines, by a text, and by what happened to its output."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from capbench.harness.process import export_clock, output_watch
from capbench.harness.process.export_clock import ClockMarks, ClockRule, ExportWatch, Step
from capbench.harness.process.measured_process import Observation, Outcome, run_process
from capbench.harness.process.output_watch import FileChanges, OutputWatch
from capbench.harness.process.process_tree import holds_for_writing
from capbench.harness.run.timing.command_run import NewFiles, command_failure
from capbench.harness.run.timing.export_window import ExportWindow, export_window
from capbench.results.run_record import FailureKind

_FILE_TICK_S = 0.02
"""The time that a file system records may be a tick of the kernel's coarse clock early."""
_PATIENT_S = 3
"""By then a shell has started, or gone on, even where others are scheduled in real time on every core for a second."""
posix = pytest.mark.skipif(sys.platform == "win32", reason="the subjects are POSIX programs")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that do not say otherwise depend on no length of a wait for a program, only on the order."""
    monkeypatch.setattr(export_clock, "LINGER_S", 0.1)
    monkeypatch.setattr(export_clock, "_CHECK_EVERY_S", 0.02)
    monkeypatch.setattr(output_watch, "QUIET_S", 0.2)


@pytest.fixture
def _kills_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of programs that do not end when they are asked to; others get the time that a busy machine needs."""
    monkeypatch.setattr(export_clock, "POLITE_S", 0.4)


@pytest.fixture
def _lets_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of programs that end by themselves, however slowly."""
    monkeypatch.setattr(export_clock, "LINGER_S", 600.0)


@pytest.fixture(params=["events", "polling"])
def watched_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "polling":
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    else:
        pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")
    return str(request.param)


def _run(script: str, rule: ClockRule, *, timeout_s: float = 20.0, env: dict[str, str] | None = None) -> Outcome:
    output = {} if rule.output is None else {"OUTPUT": str(rule.output)}
    return run_process(
        ["sh", "-c", script],
        env={**os.environ, **output, **(env or {})},
        cwd=Path.cwd(),
        timeout_s=timeout_s,
        observation=Observation(clock=rule),
    )


def _marks(outcome: Outcome) -> ClockMarks:
    assert outcome.marks is not None
    return outcome.marks


def _check_end(window: ExportWindow, end_s: float) -> None:
    """The export ended `end_s` seconds after its program had started, and not when that was ended."""
    assert window.error is None
    assert window.clock is not None
    assert (window.launch_s or 0.0) + (window.wall_s or 0.0) >= end_s - _FILE_TICK_S
    assert (window.clock.linger_s or 0.0) >= output_watch.QUIET_S + export_clock.LINGER_S
    assert window.clock.process_ended_by == "request"


def _window_error(outcome: Outcome, changed_ns: int | None = None) -> str:
    return export_window(outcome.marks, outcome.ending.wall_s, changed_ns).error or ""


# Lines and texts ------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.usefixtures("_lets_linger")
@pytest.mark.parametrize("stream", ["", " >&2"], ids=["stdout", "stderr"])
def test_what_comes_before_the_begin_is_launch_and_not_wall_time(stream: str) -> None:
    outcome = _run(f"sleep 0.4; echo 'capbench: begin'{stream}; sleep 0.3; echo 'capbench: end'{stream}", ClockRule())

    window = export_window(outcome.marks, outcome.ending.wall_s, None)
    assert window.error is None
    assert window.launch_s is not None
    assert window.wall_s is not None
    assert window.launch_s >= 0.4
    assert 0.7 <= window.launch_s + window.wall_s <= (outcome.ending.wall_s or 0)
    assert window.clock is not None
    assert (window.clock.begin, window.clock.end, window.clock.process_ended_by) == ("line", "line", "itself")


@posix
def test_a_program_that_says_nothing_is_timed_as_a_whole() -> None:
    outcome = _run("echo capbench: begin of something else", ClockRule())

    window = export_window(outcome.marks, outcome.ending.wall_s, None)
    assert (window.wall_s, window.launch_s, window.clock) == (outcome.ending.wall_s, None, None)


@posix
def test_a_begin_and_an_end_that_arrive_together_are_no_export_of_no_time() -> None:
    """As of a program whose output is buffered to its end."""
    outcome = _run("sleep 0.1; printf 'capbench: begin\\ncapbench: end\\n'", ClockRule())

    error = _window_error(outcome)
    assert "at once" in error
    assert "flush" in error


def test_what_arrives_together_after_the_process_has_ended_came_together() -> None:
    """A busy machine reads the last piece of a program's output late."""
    marks = ClockMarks(ClockRule(), begin_s=1.001, begin_count=1, end_s=1.001, end_count=1)

    assert "at once" in (export_window(marks, 1.0, None).error or "")


@posix
@pytest.mark.usefixtures("_lets_linger")
def test_a_begin_without_an_end_ends_with_the_process() -> None:
    outcome = _run("echo capbench: begin; sleep 0.2", ClockRule())

    window = export_window(outcome.marks, outcome.ending.wall_s, None)
    assert window.clock is not None
    assert window.clock.end == "process"
    assert window.wall_s is not None
    assert outcome.ending.wall_s == pytest.approx(window.wall_s + (window.launch_s or 0.0))


def _fed(chunks: list[bytes], rule: ClockRule) -> ClockMarks:
    at = iter(range(1, 1000))
    watch = ExportWatch(rule, lambda: next(at), is_running_time=True)
    read = watch.stream()
    for chunk in chunks:
        read(chunk)
    return watch.close(None)


@pytest.mark.parametrize(
    ("text", "chunks", "count"),
    [
        (None, [b"capbench: be", b"gin\n"], 1),
        (None, [b"capbench: begin\r\n"], 1),
        (None, [b"50%\rcapbench: begin\rx"], 1),
        (None, [b"capbench: begin"], 0),
        (None, [b"x" * 10_000, b"capbench: begin\n"], 0),
        (None, [b"capbench: beginning\n"], 0),
        (None, [b"capbench: begin\n", b"capbench: begin\n"], 2),
        ("Exporting", [b"now Expo", b"rting clip"], 1),
        ("Exporting", [b"ExportingExp", b"orting"], 2),
        ("aa", [b"a", b"a", b"a"], 1),
        ("x", [b"x", b"yx"], 2),
        ("Exporting", [b"capbench: begin\n"], 0),
        ("Ende \N{LATIN SMALL LETTER U WITH DIAERESIS}", ["Ende \N{LATIN SMALL LETTER U WITH DIAERESIS}".encode()], 1),
    ],
)
def test_a_mark_is_found_wherever_the_stream_is_cut(text: str | None, chunks: list[bytes], count: int) -> None:
    assert _fed(chunks, ClockRule(begins=text)).begin_count == count


def test_the_first_begin_and_the_last_end_count_and_it_is_said() -> None:
    marks = _fed([b"capbench: begin\n", b"capbench: begin\n", b"capbench: end\n", b"capbench: end\n"], ClockRule())

    window = export_window(marks, 1.0, None)
    assert window.wall_s == pytest.approx(3e-9)
    assert [words.split(";")[0] for words in window.warnings] == [
        "it said 'capbench: begin' 2 times",
        "it said that its export ends 2 times",
    ]


# The output -----------------------------------------------------------------------------------------------------------


@posix
def test_the_rename_is_the_end_and_who_goes_on_is_asked_to_end(tmp_path: Path, watched_by: str) -> None:
    output = tmp_path / "out.mp4"

    outcome = _run(
        'echo begin; sleep 0.3; echo video > "$OUTPUT.tmp"; mv "$OUTPUT.tmp" "$OUTPUT"; sleep 61',
        ClockRule("begin", output),
    )

    marks, window = _marks(outcome), export_window(outcome.marks, outcome.ending.wall_s, None)
    assert marks.output is not None
    assert marks.output.watched_by == watched_by
    _check_end(window, 0.3)
    assert outcome.ending.exit_code == -signal.SIGTERM
    assert not outcome.timed_out
    assert command_failure("sh", outcome, 20, output, NewFiles()) == (None, None)


@posix
@pytest.mark.usefixtures("watched_by")
def test_without_a_rename_the_last_write_is_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A pause that was longer than this would be the end: the shell's own take a tenth of a second on an idle machine.
    monkeypatch.setattr(output_watch, "QUIET_S", _PATIENT_S)
    output = tmp_path / "out.mp4"

    outcome = _run(
        'echo begin; for n in 1 2 3; do echo $n >> "$OUTPUT"; sleep 0.1; done; sleep 61', ClockRule("begin", output)
    )

    window = export_window(outcome.marks, outcome.ending.wall_s, None)
    _check_end(window, 0.2)
    assert window.warnings == ()
    assert output.read_text() == "1\n2\n3\n"


@posix
@pytest.mark.usefixtures("_kills_soon")
def test_a_program_that_does_not_end_when_asked_is_killed_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    outcome = _run(
        "trap '' TERM; setsid sh -c \"trap '' TERM; echo \\$\\$ > $PID_FILE; sleep 61 & wait; sleep 62\" & "
        'while [ ! -s "$PID_FILE" ]; do sleep 0.01; done; echo capbench: end; sleep 63 & wait; sleep 64',
        ClockRule(),
        env={"PID_FILE": str(pid_file)},
    )

    assert _marks(outcome).ended_by == "force"
    assert not outcome.timed_out
    if sys.platform == "linux":  # elsewhere nothing adopts what has left its session
        assert not psutil.pid_exists(int(pid_file.read_text()))


@posix
@pytest.mark.usefixtures("_lets_linger")
def test_a_program_that_ends_in_time_is_not_asked_to(tmp_path: Path) -> None:
    outcome = _run('echo v > "$OUTPUT"; sleep 0.1', ClockRule(output=tmp_path / "out.mp4"))

    assert (_marks(outcome).ended_by, outcome.ending.exit_code) == ("itself", 0)


@posix
@pytest.mark.usefixtures("_lets_linger")
def test_a_crash_after_the_export_is_a_failure(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    outcome = _run('echo v > "$OUTPUT"; echo settings are lost >&2; exit 3', ClockRule(output=output))

    error, kind = command_failure("sh", outcome, 20, output, NewFiles())
    assert (error, kind) == ("sh ended with exit code 3: settings are lost", FailureKind.EXIT)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")
def test_an_output_that_is_held_open_for_writing_is_not_final(tmp_path: Path) -> None:
    """An encoder may think for seconds between two writes."""
    outcome = _run(
        'exec 3> "$OUTPUT"; echo begin; echo a >&3; sleep 0.8; echo b >&3; exec 3>&-; sleep 61',
        ClockRule("begin", tmp_path / "out.mp4"),
    )

    window = export_window(outcome.marks, outcome.ending.wall_s, None)
    _check_end(window, 0.8)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")
def test_who_reads_an_output_does_not_hold_it(tmp_path: Path) -> None:
    read, written = tmp_path / "read", tmp_path / "written"
    for path in (read, written):
        path.touch()
    with read.open(), written.open("a"):
        parent = os.getppid()
        assert not holds_for_writing(parent, read)
        assert holds_for_writing(parent, written)


def test_an_output_that_is_made_twice_is_timed_to_the_second(tmp_path: Path) -> None:
    output, made = tmp_path / "out.mp4", tmp_path / "made"
    watch = OutputWatch(output, time.monotonic_ns)
    seen_at = []
    for _ in range(2):
        made.write_text("video")
        made.rename(output)
        watch.look()
        seen_at.append(time.monotonic_ns())

    changes = watch.close()
    marks = ClockMarks(ClockRule(output=output), end_s=0.5, end_count=changes.count, output=changes)
    assert seen_at[0] <= (changes.last_at or 0) + _FILE_TICK_S * 1e9
    assert (changes.last_at or 0) <= seen_at[1]
    assert export_window(marks, 1.0, None).warnings == ("it made its output 2 times; its export is timed to the last",)


@posix
def test_without_a_watch_of_the_system_the_output_is_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may open no more of them than the system allows: 128 by default on Linux."""
    watchfiles = pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")
    rust = pytest.importorskip("watchfiles._rust_notify")

    def refuse(*_: object, **__: object) -> None:
        raise rust.WatchfilesRustInternalError("Error creating recommended watcher: Too many open files (os error 24)")

    monkeypatch.setattr(watchfiles, "watch", refuse)
    output = tmp_path / "out.mp4"

    outcome = _run('echo v > "$OUTPUT"; sleep 61', ClockRule(output=output))

    marks = _marks(outcome)
    assert marks.output is not None
    assert (marks.output.watched_by, marks.ended_by, outcome.timed_out) == ("polling", "request", False)


def test_what_lay_there_before_is_no_end(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("of the command before")

    changes = OutputWatch(output, time.monotonic_ns).close()

    assert (changes.last_at, changes.count) == (None, 0)


def test_a_recorded_time_that_cannot_be_is_that_of_the_look(tmp_path: Path) -> None:
    """The clock of a file server is minutes off, or the system records no renames."""
    output, moved = tmp_path / "out.mp4", tmp_path / "moved"
    moved.write_text("video")
    os.utime(moved, (1, 4_000_000_000))  # modified in the year 2096
    watch = OutputWatch(output, time.monotonic_ns)
    before = time.monotonic_ns()
    moved.rename(output)

    assert before <= (watch.close().last_at or 0) <= time.monotonic_ns()


def test_in_slices_the_time_of_the_look_counts(tmp_path: Path) -> None:
    """Running time cannot be computed from a file's time: it stands still between slices."""
    output = tmp_path / "out.mp4"
    watch = OutputWatch(output, lambda: 5, is_real_time=False)
    output.write_text("video")

    assert watch.close().last_at == 5


# What can go wrong ----------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize(
    ("script", "begins", "watches", "error"),
    [
        ("sleep 61", "Exporting", True, "sh did not begin its export: no 'Exporting' in its output within {limit}"),
        (
            "echo Exporting; sleep 61",
            "Exporting",
            True,
            "s but wrote nothing to {{output}} within {limit} and was killed",
        ),
        ("echo capbench: begin; sleep 61", None, False, "s but did not end within {limit} and was killed"),
        ('exec 3> "$OUTPUT"; while :; do echo x >&3; sleep 0.05; done', None, True, "sh did not finish {{output}}"),
        ("sleep 61", None, False, "sh did not end within {limit} and was killed"),
    ],
    ids=["never-begins", "never-writes", "never-ends", "never-stops-writing", "says-nothing"],
)
def test_a_time_out_says_what_was_missing(
    tmp_path: Path, script: str, begins: str | None, watches: bool, error: str
) -> None:
    output = tmp_path / "out.mp4"
    rule = ClockRule(begins, output if watches else None)
    outcome = _run(script, rule, timeout_s=_PATIENT_S, env={"OUTPUT": str(output)})

    found, kind = command_failure("sh", outcome, _PATIENT_S, output, NewFiles())
    assert kind is FailureKind.TIMEOUT
    assert error.format(limit=f"{_PATIENT_S} s") in (found or "")


@posix
def test_an_output_in_another_place_is_named(tmp_path: Path) -> None:
    outcome = _run("echo begin; sleep 61", ClockRule("begin", tmp_path / "out.mp4"), timeout_s=_PATIENT_S)
    strays = NewFiles(beside_output=frozenset({"out (1).mp4"}), in_folder=frozenset({"log.txt"}))

    error, _ = command_failure("sh", outcome, _PATIENT_S, tmp_path / "out.mp4", strays)

    assert (error or "").endswith("it made out (1).mp4 beside it and log.txt in its working folder")


@posix
@pytest.mark.parametrize(
    ("script", "rule", "error"),
    [
        ("true", ClockRule("Exporting"), "did not begin its export: no 'Exporting' in its output"),
        ("echo begin", ClockRule("begin", Path("/nowhere/out.mp4")), "did not write {output} while it ran"),
    ],
    ids=["no-begin", "no-output"],
)
def test_marks_that_give_no_time_fail_the_run(script: str, rule: ClockRule, error: str) -> None:
    assert error in _window_error(_run(script, rule))


def test_an_end_before_the_begin_gives_no_time() -> None:
    at = iter([10**9, 3 * 10**9])
    watch = ExportWatch(ClockRule(), lambda: next(at), is_running_time=True)
    read = watch.stream()
    read(b"capbench: end\n")
    read(b"capbench: begin\n")

    error = export_window(watch.close(0), 4.0, None).error
    assert error is not None
    assert "ended its export 2.000 s before it began" in error


@posix
def test_a_begin_that_comes_after_the_output_was_finished_fails_the_run(tmp_path: Path) -> None:
    """What an unflushed line does: it arrives when the program ends, and the export would take no time at all."""
    output = tmp_path / "out.mp4"
    outcome = _run(f"echo v > {output}; sleep 0.3; echo capbench: begin", ClockRule())

    assert "before it began its export: 'capbench: begin' came late" in _window_error(
        outcome, output_watch.last_change_ns(output)
    )


def test_file_times_in_whole_seconds_accuse_nobody() -> None:
    marks = ClockMarks(ClockRule(), begin_s=0.5, begin_count=1, begin_real_ns=1_700_000_001_500_000_000)

    assert export_window(marks, 1.0, 1_700_000_000_000_000_000).error is None
    assert export_window(marks, 1.0, 1_700_000_000_000_000_001).error is not None


# The steps after an export --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_kills_soon")
def test_patience_is_counted_from_the_end_of_the_export() -> None:
    watch = ExportWatch(ClockRule(), lambda: 0, is_running_time=True)
    read: Callable[[bytes], None] = watch.stream()
    steps = [watch.next_step(0.0, 0)]
    read(b"capbench: end\n")
    steps += [watch.next_step(at, 0) for at in (10.0, 10.05, 10.15, 10.5, 10.6)]

    assert steps == [Step.WAIT, Step.WAIT, Step.WAIT, Step.ASK, Step.WAIT, Step.KILL]
    assert watch.close(None).ended_by == "force"


def test_an_output_that_is_changed_once_more_is_waited_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a tool that moves the index to the front a while later: asked to end then, it would leave half a file."""
    answers = iter([True, False, True, True])
    monkeypatch.setattr(OutputWatch, "is_final", lambda *_: next(answers))
    watch = ExportWatch(ClockRule(output=tmp_path / "out.mp4"), lambda: 0, is_running_time=True)

    steps = [watch.next_step(at, 0) for at in (1.0, 1.05, 2.0, 2.2)]

    assert steps == [Step.WAIT, Step.WAIT, Step.WAIT, Step.ASK]
    watch.close(None)


def test_a_change_that_no_event_has_told_of_yet_is_no_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out.mp4"
    monkeypatch.setattr(output_watch, "QUIET_S", 0.0)
    monkeypatch.setattr(OutputWatch, "_follow", lambda _: None)
    monkeypatch.setattr(output_watch, "holds_for_writing", lambda *_: False)
    watch = OutputWatch(output, time.monotonic_ns)
    output.write_text("video")

    assert watch.is_final(0), "it has looked by itself"
    assert watch.close().count == 1


def test_a_file_that_was_never_there_has_no_changes(tmp_path: Path) -> None:
    changes = OutputWatch(tmp_path / "absent" / "out.mp4", time.monotonic_ns).close()

    assert changes == FileChanges(None, 0, changes.watched_by)
