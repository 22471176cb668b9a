"""What a failed run leaves: its log, and the newest outputs within a limit."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from capbench.harness.process.measured_process import CapturedStream, Outcome, run_process
from capbench.harness.process.spawn import Ending
from capbench.harness.run.evidence import failed_outputs, run_log
from capbench.harness.run.evidence.failed_outputs import forget_failed_output, keep_failed_output
from capbench.harness.run.evidence.run_log import RunLog, write_log
from capbench.harness.run.leftovers import remove_leftovers


def _log(stdout: bytes = b"", stderr: bytes = b"", *, lost: int = 0) -> RunLog:
    streams = (CapturedStream(stdout, b"", len(stdout) + lost), CapturedStream(stderr, b"", len(stderr)))
    ending = Ending(exit_code=3, wall_s=1.5)
    log = RunLog()
    log.add(
        "run", ["enc", "a b", "\x1b[31m\n"], Outcome(ending, timed_out=False, stdout="", stderr="", streams=streams)
    )
    return log


def test_a_log_has_the_command_the_end_and_both_streams(tmp_path: Path) -> None:
    target = tmp_path / "a--b--b000.log"

    assert write_log(target, _log(b"one\rtwo\n", b"three"), "enc ended with exit code 3") is None

    assert target.read_text() == (
        "failed: enc ended with exit code 3\n"
        "run: enc 'a b' '\\x1b[31m\\n'\n"
        "exit code 3 after 1.500 s\n"
        "--- stdout, 8 bytes\none\ntwo\n"
        "--- stderr, 5 bytes\nthree\n"
    )


def test_control_characters_of_a_log_are_written_out(tmp_path: Path) -> None:
    write_log(tmp_path / "x.log", _log(b"\x1b]0;title\x07\x00\xff \xe2\x80\xae\n"), None)

    data = (tmp_path / "x.log").read_bytes()
    assert not {0x1B, 0x07, 0x00} & set(data)
    assert "\u202e" not in data.decode()
    assert b"\\x1b]0;title\\x07" in data


def test_a_long_stream_loses_its_middle(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.write('first\\n' + 'x' * 3_000_000 + '\\nlast\\n')"

    outcome = run_process(["python3", "-c", script], env=os.environ, cwd=tmp_path, timeout_s=60)
    log = RunLog()
    log.add("run", ["x"], outcome)
    write_log(tmp_path / "x.log", log, None)

    text = (tmp_path / "x.log").read_text()
    lost = outcome.streams[0].lost_bytes
    assert len(text) < 200_000
    assert lost > 2_800_000
    assert "first\n" in text
    assert text.endswith("\nlast\n")
    assert f"--- {lost} bytes are left out here\n" in text
    assert outcome.streams[0].end.endswith("last\n")


def test_a_full_disk_is_a_reason_and_no_lost_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def full(_target: Path) -> Iterator[Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield

    monkeypatch.setattr(run_log, "partial_path", full)

    assert write_log(tmp_path / "x.log", _log(), None) == "its log could not be written: no space left on device"
    assert list(tmp_path.iterdir()) == []


def _output(folder: Path, name: str, size: int) -> Path:
    made = folder / name
    made.write_bytes(b"x" * size)
    return made


def _kept(folder: Path) -> list[str]:
    return sorted(entry.name for entry in (folder / "failed").iterdir())


def test_the_newest_outputs_are_kept_within_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_outputs, "_MOST_BYTES", 250)
    times_ns = iter(range(10**9, 10**10, 10**9))
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        assert keep_failed_output(_output(tmp_path, name, 100), tmp_path) is None
        next(times_ns)

    assert len(_kept(tmp_path)) == 2
    assert "c.mp4" in _kept(tmp_path)

    assert "more than 250 bytes" in (keep_failed_output(_output(tmp_path, "d.mp4", 251), tmp_path) or "")
    assert "d.mp4" not in _kept(tmp_path)
    assert (tmp_path / "d.mp4").exists()  # whoever made it removes it


def test_equal_outputs_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_outputs, "_MOST_BYTES", 150)
    first = _output(tmp_path, "a.mp4", 100)
    os.link(first, tmp_path / "b.mp4")

    assert keep_failed_output(first, tmp_path) is None
    assert keep_failed_output(tmp_path / "b.mp4", tmp_path) is None
    assert _kept(tmp_path) == ["a.mp4", "b.mp4"]


def test_only_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to("/etc/hostname")
    _output(tmp_path, "empty.mp4", 0)

    for name in ("folder.mp4", "link.mp4", "empty.mp4", "gone.mp4"):
        assert keep_failed_output(tmp_path / name, tmp_path) is None
    assert not (tmp_path / "failed").exists()


def test_a_disk_that_takes_no_more_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Path, _target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    output = _output(tmp_path, "a.mp4", 10)
    monkeypatch.setattr(Path, "replace", full)

    assert "no space left on device" in (keep_failed_output(output, tmp_path) or "")


def test_what_an_earlier_attempt_left_goes_when_the_run_succeeds(tmp_path: Path) -> None:
    forget_failed_output("a.mp4", tmp_path)
    keep_failed_output(_output(tmp_path, "a.mp4", 10), tmp_path)

    forget_failed_output("a.mp4", tmp_path)

    assert _kept(tmp_path) == []


def test_logs_and_outputs_of_unrecorded_runs_are_leftovers(tmp_path: Path) -> None:
    for name in ("runs", "failed"):
        (tmp_path / name).mkdir()
    for name in ("runs/a--x--b000.log", "runs/a--x--b000.json", "runs/notes.log", "failed/a--x--trial.mp4"):
        (tmp_path / name).write_text("x")

    remove_leftovers(tmp_path, lambda stem: stem.startswith("a--x--"))

    assert sorted(entry.name for entry in (tmp_path / "runs").iterdir()) == ["a--x--b000.json", "notes.log"]
    assert _kept(tmp_path) == []
