"""A disk that fills is no fault of a subject: nothing is recorded, and a resume makes the run again."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from capbench.errors import OutputError
from capbench.files import is_disk_full
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run.executor import ProcessExecutor
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.run.validate_output import Validator, WaitingOutput
from capbench.harness.worker import __main__ as worker
from capbench.harness.worker.client import JobResult
from capbench.results import FailureKind, RunResult
from capbench.results.environment import Environment


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


_CASE = Case(
    name="clip",
    recording="1080p-1min",
    subjects=("one",),
    blocks=1,
    timeout_s=30,
    settle_s=0,
    warmup=False,
    drift_control=False,
)
_STEP = ScheduledRun(_CASE, Subject(name="one", command=("false", "{output}")), 0, 0)
_ENDED = Outcome(ending=Ending(exit_code=1), timed_out=False, stdout="", stderr="")


def _full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "log.json")


def _raise_from(cause: BaseException) -> None:
    try:
        raise cause
    except OSError as error:
        raise OutputError("cannot write x") from error


@pytest.mark.parametrize("raises", [_full, lambda: OSError(errno.EDQUOT, "quota")])
def test_a_full_disk_is_recognised_behind_other_errors(raises: Any) -> None:
    with pytest.raises(OutputError) as caught:
        _raise_from(raises())

    assert is_disk_full(raises())
    assert is_disk_full(caught.value)
    assert not is_disk_full(OSError(errno.ENOENT, "no such file"))
    assert not is_disk_full(None)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_worker_says_that_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, wrapped: bool
) -> None:
    def job(_spec: Any) -> Any:
        if wrapped:
            _raise_from(_full())
        raise _full()

    monkeypatch.setitem(worker.JOBS, "validate", job)
    (tmp_path / "spec.json").write_text(json.dumps({"job": "validate", "answer": str(tmp_path / "answer.json")}))

    assert worker.main(tmp_path / "spec.json") == 2
    assert json.loads((tmp_path / "answer.json").read_text())["disk_full"] is True


def test_a_bug_in_the_worker_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(worker.JOBS, "validate", lambda _spec: 1 / 0)
    (tmp_path / "spec.json").write_text(json.dumps({"job": "validate", "answer": str(tmp_path / "answer.json")}))

    with pytest.raises(ZeroDivisionError):
        worker.main(tmp_path / "spec.json")


def test_a_validation_on_a_full_disk_is_no_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = JobResult(_ENDED, error="cannot write log.json: No space left on device", disk_full=True)

    def answers(jobs: Any, **_how: Any) -> Any:
        yield from ((key, answer) for key, _job in jobs)

    monkeypatch.setattr("capbench.harness.run.validate_output.ask_side_by_side", answers)
    output = tmp_path / f"{_STEP.stem}.mp4"
    output.write_bytes(b"video")
    validator, recorded = Validator(tmp_path), []
    run = validator.hold(RunResult(case="clip", subject="one", block=0), _STEP, output)

    with pytest.raises(OutputError, match=r"No space left.*--resume"):
        validator.validate([WaitingOutput(_STEP, run, tmp_path / "source.mp4")], lambda *found: recorded.append(found))
    assert recorded == []
    assert (tmp_path / "unvalidated" / output.name).read_bytes() == b"video"


@pytest.mark.skipif(sys.platform == "win32", reason="the subject is a POSIX program")
@pytest.mark.parametrize(("free_bytes", "is_recorded"), [(1000, False), (10**9, True)])
def test_a_command_that_fails_on_a_full_disk_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, *, is_recorded: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: _Usage(10**10, 10**10 - free_bytes, free_bytes))
    executor = ProcessExecutor(folder=tmp_path, environment=Environment())
    prepared = PreparedCase(source=tmp_path / "source.mp4")

    if is_recorded:
        assert executor.execute(_STEP, prepared, lambda _done: None).error_kind is FailureKind.EXIT
    else:
        with pytest.raises(OutputError, match="is full: false ended with exit code 1"):
            executor.execute(_STEP, prepared, lambda _done: None)
    assert not (tmp_path / "in-progress").exists()
