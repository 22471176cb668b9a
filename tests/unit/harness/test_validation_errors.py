"""A disk that fills while an output is validated is no property of the output: nothing is recorded of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capbench.errors import OutputError
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run import validate_output
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.run.validate_output import Validator, WaitingOutput
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
    ],
    ids=["pictures", "worker"],
)
def test_a_full_disk_is_an_error_that_a_resume_makes_again(
    answer: JobResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(jobs: Any, **_how: Any) -> Iterator[tuple[Any, JobResult]]:
        yield from ((key, answer) for key, _job in jobs)

    monkeypatch.setattr(validate_output, "ask_side_by_side", answers)
    step = ScheduledRun(_CASE, Subject(name="gpu", path=None), 0, 0, RunRole.MEASURE)
    (tmp_path / f"{step.stem}.mp4").write_bytes(b"x")
    validator = Validator(tmp_path)
    run = validator.hold(RunResult(case="a", subject="gpu", block=0), step, tmp_path / f"{step.stem}.mp4")

    with pytest.raises(OutputError, match=r"b000\.mp4 could not be validated: .*No space left.*--resume"):
        validator.validate([WaitingOutput(step, run, Path("s.mp4"))], lambda *_: pytest.fail("was recorded"))


@pytest.mark.parametrize(
    ("of_case", "of_subject", "expected"),
    [({}, {}, None), ({"tone_map": "bt2390"}, {}, "bt2390"), ({}, {"tone_map": "bt2390"}, "bt2390")],
)
def test_validation_is_told_how_the_source_was_tone_mapped(
    of_case: dict[str, Any],
    of_subject: dict[str, Any],
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SDR against HDR is refused unless it is known that this was meant."""
    asked: list[Any] = []

    def answers(jobs: Any, **_how: Any) -> Iterator[tuple[Any, JobResult]]:
        asked.extend(jobs)
        yield from ((key, JobResult(_ENDED, error="no matter")) for key, _job in jobs)

    monkeypatch.setattr(validate_output, "ask_side_by_side", answers)
    subject = Subject(name="gpu", path=None, options=of_subject)
    step = ScheduledRun(_CASE.model_copy(update={"options": of_case}), subject, 0, 0, RunRole.MEASURE)
    (tmp_path / f"{step.stem}.mp4").write_bytes(b"x")
    validator = Validator(tmp_path)
    run = validator.hold(RunResult(case="a", subject="gpu", block=0), step, tmp_path / f"{step.stem}.mp4")

    validator.validate([WaitingOutput(step, run, Path("s.mp4"))], lambda *_: None)

    assert [job[1][1]["tone_map"] for job in asked] == [expected]
