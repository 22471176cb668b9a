"""A disk that fills while an output is validated is no property of the output: nothing is recorded of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capbench.errors import OutputError
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run import validate_output
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.run.validate_output import Validator
from capbench.harness.worker.client import JobResult
from capbench.results import RunResult, RunRole

_CASE = Case(
    name="a",
    recording="x",
    scene="bare",
    subjects=("gpu",),
    blocks=1,
    timeout_s=1,
    settle_s=0,
    warmup=False,
    drift_control=False,
)
_ENDED = Outcome(ending=Ending(1), timed_out=False, stdout="", stderr="")
_DIED = "the worker ended with exit code 1: OSError: [Errno 28] No space left on device"


@pytest.mark.parametrize(
    "answer",
    [
        JobResult(_ENDED, error="cannot write worst frames to frames: No space left", error_type="OutputError"),
        JobResult(_ENDED, error=_DIED, disk_full=True),
        OSError(28, "No space left on device"),
    ],
    ids=["pictures", "worker", "question"],
)
def test_a_full_disk_is_an_error_that_a_resume_makes_again(
    answer: JobResult | OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_arguments: Any, **_how: Any) -> JobResult:
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(validate_output, "ask_worker", ask)
    (tmp_path / "out.mp4").write_bytes(b"x")
    step = ScheduledRun(_CASE, Subject(name="gpu", path=None), 0, 0, RunRole.MEASURE)
    run = RunResult(case="a", subject="gpu", block=0)

    with pytest.raises(OutputError, match=r"out\.mp4 could not be validated: .*No space left.*--resume"):
        Validator(tmp_path).validate(run, step, Path("s.mp4"), tmp_path / "out.mp4")
