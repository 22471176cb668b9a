"""Where results go, which folder is resumed, what the exit code says, and that identical outputs are validated once."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from capbench.cli.run import exit_code_of
from capbench.errors import InputError, ResultError
from capbench.fleet.dispatch.fleet_folder import FleetFolder
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run import validate_output as validation
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import UNLIMITED_BLOCKS, Plan, ScheduledRun
from capbench.harness.run.start import RunOptions, new_folder, open_plan, resumable_folder, settle_matrix
from capbench.harness.run.validate_output import Validator, WaitingOutput
from capbench.harness.worker.client import JobResult, describe_failure
from capbench.results import Check, CheckStatus, FailureKind, RunResult, RunRole, ValidationReport
from capbench.results.environment import Environment
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cases", "4k*"),
        ("subjects", "gpu"),
        ("blocks", 0),
        ("budget_s", -1.0),
        ("budget_s", math.nan),
        ("timeout_s", 0.0),
        ("timeout_s", math.inf),
        ("seed", -1),
        ("interleave", "turns"),
        ("scheduling", "idle"),
        ("slice_ms", 1.0),
        ("slice_ms", 1e9),
    ],
)
def test_an_option_out_of_its_range_is_refused_by_name(name: str, value: object) -> None:
    """Settings of a matrix are replaced without going through its file's checks again."""
    with pytest.raises(InputError, match=rf"^{name} must be .*{re.escape(str(value))}"):
        RunOptions(**{name: value})  # type: ignore[arg-type]  # that is the test


def test_all_cases_get_the_settings_that_are_asked_for_and_keep_the_others() -> None:
    matrix = RunMatrix(
        name="m",
        cases=(_CASE, _CASE.model_copy(update={"name": "b", "timeout_s": 7, "blocks": 9})),
        subjects=(Subject(name="gpu", path="gpu"), Subject(name="floor", is_floor=True)),
    )

    asked = settle_matrix(matrix, RunOptions(subjects=["gpu"], blocks=4, slice_ms=30.0), is_endless=False)
    endless = settle_matrix(matrix, RunOptions(budget_s=60.0), is_endless=True)

    assert [(case.subjects, case.blocks, case.timeout_s, case.slice_ms) for case in asked.cases] == [
        (("gpu",), 4, 1, 30.0),
        (("gpu",), 4, 7, 30.0),
    ]
    assert {case.blocks for case in endless.cases} == {UNLIMITED_BLOCKS}


_MATRIX = RunMatrix(
    name="m", cases=(_CASE,), subjects=(Subject(name="floor", is_floor=True), Subject(name="gpu", path="gpu"))
)
_SLICED = settle_matrix(_MATRIX, RunOptions(interleave="slices", slice_ms=30.0), is_endless=False)


def _open(
    folder: Path,
    matrix: RunMatrix,
    options: RunOptions | None = None,
    *,
    resume: bool = False,
    is_fleet: bool = False,
) -> Plan:
    """Start or resume a folder as `run` does, or as `run_on_fleet` does."""
    options = options or RunOptions()
    settled = settle_matrix(matrix, options, is_endless=False)
    with open_plan(RunFolder(folder), settled, options, resume=resume, is_fleet=is_fleet) as plan:
        if is_fleet:
            FleetFolder(RunFolder(folder)).open(plan)
        elif not resume:
            RunFolder(folder).check_machine(Environment(fingerprint="aaaa"))
    return plan


_ON = pytest.mark.parametrize("is_fleet", [False, True], ids=["one machine", "a fleet"])


@_ON
@pytest.mark.parametrize(("begun", "now"), [(_SLICED, _MATRIX), (_MATRIX, _SLICED)], ids=["slices", "runs"])
def test_a_folder_goes_on_as_it_was_begun(tmp_path: Path, begun: RunMatrix, now: RunMatrix, *, is_fleet: bool) -> None:
    """Whatever the matrix or the default says now: one folder has no blocks of both kinds."""
    _open(tmp_path / "out", begun, is_fleet=is_fleet)

    plan = _open(tmp_path / "out", now, resume=True, is_fleet=is_fleet)

    assert plan.matrix.cases == begun.cases


@_ON
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (RunOptions(interleave="runs"), "interleave"),
        (RunOptions(scheduling="realtime"), "scheduling"),
        (RunOptions(slice_ms=60.0), "slice_ms"),
        (RunOptions(timeout_s=9.0), "timeout_s"),
        (RunOptions(seed=8), "seed 7"),
        (RunOptions(base="cpu"), "cpu"),
        (RunOptions(subjects=["gpu"]), "subjects"),
    ],
)
def test_a_folder_is_not_continued_with_other_settings(
    tmp_path: Path, options: RunOptions, words: str, *, is_fleet: bool
) -> None:
    _open(tmp_path / "out", _SLICED, RunOptions(seed=7), is_fleet=is_fleet)
    before = (tmp_path / "out" / "matrix.json").read_bytes()

    with pytest.raises((InputError, ResultError), match=words):
        _open(tmp_path / "out", _SLICED, options, resume=True, is_fleet=is_fleet)

    assert (tmp_path / "out" / "matrix.json").read_bytes() == before


@_ON
def test_what_was_asked_at_the_start_may_be_asked_again(tmp_path: Path, *, is_fleet: bool) -> None:
    options = RunOptions(seed=7, interleave="slices", slice_ms=30.0, scheduling="realtime", base="gpu", blocks=3)

    begun = _open(tmp_path / "out", _MATRIX, options, is_fleet=is_fleet)

    assert _open(tmp_path / "out", _MATRIX, options, resume=True, is_fleet=is_fleet) == begun


@_ON
def test_a_folder_is_continued_on_one_machine_or_on_a_fleet_as_it_was_begun(tmp_path: Path, *, is_fleet: bool) -> None:
    _open(tmp_path / "out", _MATRIX, is_fleet=is_fleet)
    before = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()}

    with pytest.raises(ResultError, match="with --fleet" if is_fleet else "without --fleet"):
        _open(tmp_path / "out", _MATRIX, RunOptions(blocks=9), resume=True, is_fleet=not is_fleet)

    assert {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()} == before


def test_a_fleet_that_was_killed_before_its_folder_said_so_is_continued(tmp_path: Path) -> None:
    with open_plan(RunFolder(tmp_path / "out"), _MATRIX, RunOptions(), resume=False, is_fleet=True) as begun:
        pass  # and the runner dies

    assert _open(tmp_path / "out", _MATRIX, resume=True, is_fleet=True) == begun


@_ON
@pytest.mark.parametrize(
    ("options", "resume", "words"),
    [
        (RunOptions(slice_ms=60.0), False, "--interleave slices"),
        (RunOptions(base="cpu"), False, "cpu"),
        (RunOptions(), True, "nothing to resume"),
    ],
)
def test_what_is_refused_leaves_no_folder(
    tmp_path: Path, options: RunOptions, words: str, *, resume: bool, is_fleet: bool
) -> None:
    with pytest.raises((InputError, ResultError), match=words):
        _open(tmp_path / "out", _MATRIX, options, resume=resume, is_fleet=is_fleet)

    assert not (tmp_path / "out").exists()


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
    """What workers are asked to validate; they answer that everything passed."""
    specs: list[Mapping[str, Any]] = []

    def answers(jobs: Any, **_how: Any) -> Iterator[tuple[Any, JobResult]]:
        for key, (job, spec) in jobs:
            assert job == "validate"
            specs.append(spec)
            yield key, JobResult(_outcome(), result=_report(CheckStatus.PASS).model_dump(mode="json"))

    monkeypatch.setattr(validation, "ask_side_by_side", answers)
    return specs


def _outcome(exit_code: int = 0, stderr: str = "") -> Outcome:
    return Outcome(ending=Ending(exit_code), timed_out=False, stdout="", stderr=stderr)


def _step(subject: str = "gpu", block: int = 0, role: RunRole = RunRole.MEASURE) -> ScheduledRun:
    return ScheduledRun(_CASE, Subject(name=subject, is_floor=subject == "floor", path=None), block, 0, role)


def _held(validator: Validator, step: ScheduledRun, content: bytes) -> WaitingOutput:
    output = validator.folder / f"{step.stem}{step.subject.output_suffix}"
    output.write_bytes(content)
    return WaitingOutput(step, validator.hold(_run(), step, output), Path("s.mp4"))


def _validated(validator: Validator, *waiting: WaitingOutput) -> dict[int, ValidationReport | None]:
    found: dict[int, ValidationReport | None] = {}
    validator.validate(waiting, lambda output, run: found.update({output.step.block: run.validation}))
    return found


def test_identical_outputs_of_a_case_are_validated_once(tmp_path: Path, asked: list[Mapping[str, Any]]) -> None:
    validator = Validator(tmp_path)
    waiting = [_held(validator, _step(block=block), content) for block, content in enumerate((b"x", b"x", b"y"))]

    found = _validated(validator, *waiting)
    later = _validated(validator, _held(validator, _step(block=3), b"x"))

    assert [Path(spec["output"]).name for spec in asked] == ["a--gpu--b000.mp4", "a--gpu--b002.mp4"]
    assert [report and report.output for _, report in sorted((found | later).items())] == [
        f"a--gpu--b00{block}.mp4" for block in range(4)
    ]


def test_the_floor_is_held_against_the_source_whatever_the_scene(
    tmp_path: Path, asked: list[Mapping[str, Any]]
) -> None:
    validator = Validator(tmp_path)
    for subject in ("floor", "gpu"):  # of the same bytes: what they are compared with is not the same
        _validated(validator, _held(validator, _step(subject), b"x"))

    assert [spec["scene"] for spec in asked] == ["bare", "studio"]


def test_the_metrics_of_a_case_reach_its_validation(tmp_path: Path, asked: list[Mapping[str, Any]]) -> None:
    validator, step = Validator(tmp_path), _step()
    chosen = replace(step, case=_CASE.model_copy(update={"metrics": ("psnr", "cambi")}), block=1)
    for each in (step, chosen):
        _validated(validator, _held(validator, each, bytes([each.block])))

    assert [spec["metrics"] for spec in asked] == [None, ("psnr", "cambi")]


def test_only_block_0_keeps_pictures_and_warmups_are_not_validated(
    tmp_path: Path, asked: list[Mapping[str, Any]]
) -> None:
    validator = Validator(tmp_path)
    for block in (0, 1):
        _validated(validator, _held(validator, _step(block=block), bytes([block])))
    warmup = _held(validator, _step(block=-1, role=RunRole.WARMUP), b"x").run

    assert [spec["save_frames"] for spec in asked] == [str(tmp_path / "frames" / "a--gpu--b000"), None]
    assert warmup.validation is None
    assert warmup.unmeasured["validation"] == "warm-ups and drift controls are not validated"


def test_a_validation_that_could_not_be_made_is_not_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(jobs: Any, **_how: Any) -> Iterator[tuple[Any, JobResult]]:
        yield from ((key, JobResult(_outcome(1), error="it broke")) for key, _job in jobs)

    monkeypatch.setattr(validation, "ask_side_by_side", breaks)
    validator = Validator(tmp_path)

    report = _validated(validator, _held(validator, _step(), b"x"))[0]

    assert report is not None
    assert not report.passed
    assert [check.message for check in report.checks] == ["validation could not be done: it broke"]


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
