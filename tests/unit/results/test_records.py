"""Records: what is written is what is read, and the rules that they carry."""

from __future__ import annotations

import json
import math

import pydantic
import pytest

from capbench.results import (
    SCHEMA_VERSION,
    Check,
    CheckStatus,
    Comparison,
    ExportReport,
    RunResult,
    StageTimes,
    TraceSample,
    ValidationReport,
    Verdict,
)

_RUN = RunResult(
    case="4k-1min",
    subject="gpu",
    block=3,
    wall_s=1.25,
    path_requested="gpu",
    path_used="gpu",
    stages={"encode": StageTimes(work_s=1.0, wait_input_s=0.25, wait_output_s=0.0)},
    trace=(TraceSample(time_s=0.1, rss_bytes=10**8, cpu_percent=99.5),),
    unmeasured={"gpu_busy_s": "the adapter has no timestamps"},
)


def test_a_run_survives_its_file() -> None:
    assert RunResult.model_validate_json(_RUN.model_dump_json()) == _RUN


def test_a_run_says_which_schema_it_follows() -> None:
    assert json.loads(_RUN.model_dump_json())["schema_version"] == SCHEMA_VERSION


def test_what_was_not_measured_is_null_and_never_0() -> None:
    numbers = [
        name
        for name, field in ExportReport.model_fields.items()
        if field.annotation in (int | None, float | None) and field.default is not None
    ]

    assert not numbers
    assert json.loads(_RUN.model_dump_json())["gpu_busy_s"] is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_cannot_hold_becomes_null(value: float) -> None:
    run = _RUN.model_copy(update={"wall_s": value})

    assert json.loads(run.model_dump_json())["wall_s"] is None


def test_a_record_does_not_change() -> None:
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        _RUN.wall_s = 0.0  # type: ignore[misc]


def test_every_field_of_every_record_is_described() -> None:
    """The published JSON Schema takes its descriptions from here."""
    undescribed = [
        f"{record.__name__}.{name}"
        for record in (RunResult, ValidationReport, Comparison)
        for name, field in record.model_fields.items()
        if not field.description
    ]

    assert not undescribed


@pytest.mark.parametrize(("used", "counts"), [("gpu", True), ("cpu", False), (None, False)])
def test_a_fallback_is_no_measurement_of_what_was_asked_for(used: str | None, counts: bool) -> None:
    assert _RUN.model_copy(update={"path_used": used}).ran_as_requested is counts


@pytest.mark.parametrize(
    ("status", "passed"),
    [
        (CheckStatus.PASS, True),
        (CheckStatus.NOT_APPLICABLE, True),
        (CheckStatus.FAIL, False),
        (CheckStatus.UNCHECKED, False),
    ],
)
def test_could_not_check_is_not_passed(status: CheckStatus, passed: bool) -> None:
    checks = (
        Check(name="frames.missing", status=CheckStatus.PASS, message="none is missing"),
        Check(name="sync.start", status=status, message=""),
    )
    report = ValidationReport(reference="a.mp4", output="b.mp4", checks=checks)

    assert report.passed is passed
    assert report.failures == (() if passed else checks[1:])


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.BETTER, 0),
        (Verdict.SAME, 0),
        (Verdict.NOT_APPLICABLE, 0),
        (Verdict.WORSE, 1),
        (Verdict.INVALID, 1),
        (Verdict.UNDECIDED, 3),
    ],
)
def test_a_verdict_is_an_exit_code(verdict: Verdict, code: int) -> None:
    comparison = Comparison(base="cpu", new="gpu", verdict=verdict, sentence="", verdicts=())

    assert comparison.exit_code == code
