"""Workers that are kept: one process for many jobs, replaced when it dies, hangs or grows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from capbench.harness.worker import kept_workers
from capbench.harness.worker.kept_workers import KeptWorker, ask_side_by_side

_FRAMES = 3


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three grey frames."""
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(file, "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(_FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), "yuv420p")))
        container.mux(stream.encode(None))
    return file


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[KeptWorker]:
    kept = KeptWorker(tmp_path)
    yield kept
    kept.close()


def _frames(worker: KeptWorker, clip: Path) -> int | None:
    answer = worker.ask("inspect", {"output": str(clip)}, timeout_s=60)
    return None if answer.result is None else answer.result["frames"]


def test_one_process_does_many_jobs(worker: KeptWorker, clip: Path) -> None:
    assert _frames(worker, clip) == _FRAMES
    first = worker.pid

    missing = worker.ask("inspect", {"output": str(clip) + ".no"}, timeout_s=60)

    assert (missing.exit_code, missing.error_type) == (2, "SourceError")
    assert _frames(worker, clip) == _FRAMES
    assert worker.pid == first


def test_a_job_that_dies_of_a_bug_is_an_error_and_the_next_has_a_new_process(worker: KeptWorker, clip: Path) -> None:
    assert _frames(worker, clip) == _FRAMES
    first = worker.pid

    answer = worker.ask("inspect", {}, timeout_s=60)

    assert answer.error == "the worker ended with exit code 1: KeyError: 'output'"
    assert _frames(worker, clip) == _FRAMES
    assert worker.pid != first


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_process_that_was_killed_is_replaced(worker: KeptWorker, clip: Path) -> None:
    assert _frames(worker, clip) == _FRAMES
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)

    died = worker.ask("inspect", {"output": str(clip)}, timeout_s=60)

    assert died.error == "the worker ended with signal SIGKILL and wrote nothing to stderr"
    assert _frames(worker, clip) == _FRAMES


def test_a_job_that_takes_too_long_ends_its_process(worker: KeptWorker, clip: Path) -> None:
    assert _frames(worker, clip) == _FRAMES
    process = psutil.Process(worker.pid)

    answer = worker.ask("machine", {}, timeout_s=0.01)

    assert answer.error == "did not end within 0.01 s and was killed"
    assert answer.outcome.timed_out
    assert not process.is_running()
    assert _frames(worker, clip) == _FRAMES


def test_a_process_that_grew_is_replaced(worker: KeptWorker, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_workers, "_LARGEST_IDLE_BYTES", 1)

    assert _frames(worker, clip) == _FRAMES
    assert worker.pid is None
    assert _frames(worker, clip) == _FRAMES


def test_jobs_are_shared_out_and_every_one_is_answered(tmp_path: Path, clip: Path) -> None:
    jobs = [(number, ("inspect", {"output": str(clip) + (".no" if number == 2 else "")})) for number in range(5)]

    answers = dict(ask_side_by_side(jobs, folder=tmp_path, most_workers=2, timeout_s=60))

    assert sorted(answers) == [0, 1, 2, 3, 4]
    assert [number for number, answer in answers.items() if answer.error is not None] == [2]


def test_ending_early_leaves_no_process(tmp_path: Path, clip: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    answers = ask_side_by_side(
        [(number, ("inspect", {"output": str(clip)})) for number in range(20)],
        folder=tmp_path,
        most_workers=2,
        timeout_s=60,
    )
    next(answers)

    answers.close()

    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_what_a_library_prints_does_not_come_between_answers(tmp_path: Path, clip: Path) -> None:
    noisy = tmp_path / "noisy.py"
    noisy.write_text(
        "from capbench.harness.worker import __main__ as worker\n"
        "inspect = worker.JOBS['inspect']\n"
        "worker.JOBS['inspect'] = lambda spec: print('noise') or inspect(spec)\n"
        "raise SystemExit(worker.serve())\n"
    )
    spec = json.dumps({"job": "inspect", "output": str(clip)}) + "\n"

    process = subprocess.run([sys.executable, str(noisy)], input=spec * 2, capture_output=True, text=True, check=True)

    assert [json.loads(line)["result"]["frames"] for line in process.stdout.splitlines()] == [_FRAMES, _FRAMES]
    assert "noise" in process.stderr
