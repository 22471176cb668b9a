"""Where results go, which folder is resumed, what the exit code says, and that identical outputs are validated once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from capbench.cli.run import exit_code_of
from capbench.errors import ResultError
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run import validate_output as validation
from capbench.harness.run.schedule import Plan, ScheduledRun
from capbench.harness.run.start import new_folder, resumable_folder
from capbench.harness.run.validate_output import Validator
from capbench.harness.worker.client import JobResult, describe_failure
from capbench.results import Check, CheckStatus, FailureKind, RunResult, RunRole, ValidationReport
from capbench.results.folder import write_record

_CASE = Case(
    name="a",
    recording="x",
    scene="studio",
    subjects=("floor", "gpu"),
    blocks=1,
    timeout_s=1,
    settle_s=0,
    warmup=False,
    drift_control=False,
)


def test_a_folder_of_one_moment_is_never_used_twice(tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)

    first = new_folder(tmp_path, now=now)
    first.mkdir()
    second = new_folder(tmp_path, now=now)

    assert [folder.name for folder in (first, second)] == ["2026-11-23T12-00-05Z", "2026-11-23T12-00-05Z-2"]


def test_the_newest_folder_of_the_matrix_is_resumed(tmp_path: Path) -> None:
    for age, (folder, matrix) in enumerate([("other", "standard"), ("new", "quick"), ("old", "quick")]):
        plan = Plan(matrix=RunMatrix(name=matrix, cases=(_CASE,), subjects=()), seed=1)
        write_record(tmp_path / folder / "matrix.json", plan)
        os.utime(tmp_path / folder / "matrix.json", (1000 - age, 1000 - age))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "matrix.json").write_text("[]")

    assert resumable_folder("quick", tmp_path).name == "new"
    with pytest.raises(ResultError, match="no folder of matrix 'rivals' under"):
        resumable_folder("rivals", tmp_path)


def _run(**more: Any) -> RunResult:
    return RunResult.model_validate({"case": "a", "subject": "gpu", "block": 0} | more)


def _report(status: CheckStatus) -> ValidationReport:
    return ValidationReport(reference="r", output="o", checks=(Check(name="c", status=status, message="m"),))


_GOOD = _run(validation=_report(CheckStatus.PASS))
_FAILED = _run(error="x", error_kind=FailureKind.EXIT)
_INVALID = _run(validation=_report(CheckStatus.UNCHECKED))
_OVER = _run(thresholds=(Check(name="t", status=CheckStatus.FAIL, message="m"),))
_ABSENT = _run(error="no adapter", error_kind=FailureKind.UNAVAILABLE)
_DIVERTED = _run(path_requested="gpu", path_used="cpu")


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([], 0),
        ([_GOOD, _run()], 0),
        ([_GOOD, _FAILED], 1),
        ([_GOOD, _INVALID], 1),
        ([_OVER], 1),
        ([_GOOD, _ABSENT], 4),
        ([_DIVERTED], 4),
        ([_ABSENT, _FAILED], 1),
    ],
)
def test_exit_code(runs: list[RunResult], code: int) -> None:
    assert exit_code_of(runs) == code


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """What the worker is asked to validate; it answers that everything passed."""
    specs: list[Mapping[str, Any]] = []

    def answer(job: str, spec: Mapping[str, Any], **_how: Any) -> JobResult:
        assert job == "validate"
        specs.append(spec)
        return JobResult(_outcome(), result=_report(CheckStatus.PASS).model_dump(mode="json"))

    monkeypatch.setattr(validation, "ask_worker", answer)
    return specs


def _outcome(exit_code: int = 0, stderr: str = "") -> Outcome:
    return Outcome(ending=Ending(exit_code), timed_out=False, stdout="", stderr=stderr)


def _step(subject: str = "gpu", block: int = 0, role: RunRole = RunRole.MEASURE) -> ScheduledRun:
    return ScheduledRun(_CASE, Subject(name=subject, is_floor=subject == "floor", path=None), block, 0, role)


def test_identical_outputs_of_a_case_are_validated_once(tmp_path: Path, asked: list[Mapping[str, Any]]) -> None:
    validator = Validator(tmp_path)
    contents = {"one.mp4": b"same", "two.mp4": b"same", "three.mp4": b"different"}
    found = []
    for block, (name, content) in enumerate(contents.items()):
        (tmp_path / name).write_bytes(content)
        found.append(validator.validate(_run(), _step(block=block), Path("s.mp4"), tmp_path / name).validation)

    assert [Path(spec["output"]).name for spec in asked] == ["one.mp4", "three.mp4"]
    assert [report and report.output for report in found] == ["one.mp4", "two.mp4", "three.mp4"]


def test_the_floor_is_held_against_the_source_whatever_the_scene(
    tmp_path: Path, asked: list[Mapping[str, Any]]
) -> None:
    for subject in ("floor", "gpu"):
        (tmp_path / subject).write_bytes(subject.encode())
        Validator(tmp_path).validate(_run(), _step(subject), Path("s.mp4"), tmp_path / subject)

    assert [spec["scene"] for spec in asked] == ["bare", "studio"]


def test_only_block_0_keeps_pictures_and_warmups_are_not_validated(
    tmp_path: Path, asked: list[Mapping[str, Any]]
) -> None:
    validator = Validator(tmp_path)
    for block in (0, 1):
        (tmp_path / "out.mp4").write_bytes(bytes([block]))
        validator.validate(_run(), _step(block=block), Path("s.mp4"), tmp_path / "out.mp4")
    warmup = validator.validate(_run(), _step(block=-1, role=RunRole.WARMUP), Path("s.mp4"), tmp_path / "out.mp4")

    assert [spec["save_frames"] for spec in asked] == [str(tmp_path / "frames" / "a--gpu--b000"), None]
    assert warmup.validation is None
    assert warmup.unmeasured["validation"] == "warm-ups and drift controls are not validated"


def test_a_validation_that_could_not_be_made_is_not_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "ask_worker", lambda *_args, **_how: JobResult(_outcome(1), error="it broke"))
    (tmp_path / "out.mp4").write_bytes(b"x")

    run = Validator(tmp_path).validate(_run(), _step(), Path("s.mp4"), tmp_path / "out.mp4")

    assert run.validation is not None
    assert not run.validation.passed
    assert [check.message for check in run.validation.checks] == ["validation could not be done: it broke"]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (_outcome(3, "first\nno such codec\n\n"), "prog ended with exit code 3: no such codec"),
        (_outcome(-11), "prog ended with signal SIGSEGV and wrote nothing to stderr"),
        (_outcome(1, "x" * 500), f"prog ended with exit code 1: {'x' * 300}"),
    ],
)
def test_last_words_are_one_line(outcome: Outcome, words: str) -> None:
    assert describe_failure("prog", outcome) == words
