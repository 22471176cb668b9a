"""An export that is stopped from outside ends soon, says so, and leaves no file."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capbench.recordings import RecordingSpec, make_recording

_DEADLINE_S = 60.0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_export_leaves_nothing_behind(signal_number: int, tmp_path: Path) -> None:
    source = make_recording(RecordingSpec("long", 640, 360, 30, 10))
    # Slow on purpose: it must still be encoding when the signal comes.
    options = ["--path", "passthrough", "--preset", "placebo", "--qp", "10"]
    command = [sys.executable, "-m", "capbench", "export", str(source), str(tmp_path / "out.mp4"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        _wait_for_a_file(tmp_path, process)
        process.send_signal(signal_number)
        out, errors = process.communicate(timeout=_DEADLINE_S)

    assert process.returncode == 130
    assert out == ""
    assert errors.splitlines()[-1].startswith("capbench: ")
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def _wait_for_a_file(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the export has begun to write."""
    deadline_s = time.monotonic() + _DEADLINE_S
    while not any(path.stat().st_size for path in folder.iterdir()):
        assert process.poll() is None, "the export ended before it was stopped"
        assert time.monotonic() < deadline_s, "the export wrote nothing"
        time.sleep(0.02)
