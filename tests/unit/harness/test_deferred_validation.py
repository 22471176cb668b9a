"""Outputs are validated after the timing; what waits survives the runner and is not kept twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.process.measured_process import Outcome
from capbench.harness.process.spawn import Ending
from capbench.harness.run import validate_output
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.runner import SystemProbe, run_matrix
from capbench.harness.run.schedule import Plan, ScheduledRun, StoppingRule
from capbench.harness.run.validate_output import Validator, is_waiting
from capbench.harness.worker.client import JobResult
from capbench.results import RunResult, RunRole
from capbench.results.environment import NoiseReading
from capbench.results.folder import FolderContents, read_folder
from capbench.results.validation import Check, CheckStatus, ValidationReport, WorstFrame

_ENDED = Outcome(ending=Ending(0), timed_out=False, stdout="", stderr="")
_CASE = Case(
    name="a",
    recording="1080p-1min",
    subjects=("floor", "gpu"),
    blocks=3,
    timeout_s=1,
    settle_s=0,
    warmup=True,
    drift_control=False,
)
_SUBJECTS = (Subject(name="floor", is_floor=True), Subject(name="gpu", path="gpu"))

_WORST = WorstFrame(
    frame=7, metric="psnr_y", value=30.0, reference_png="r.png", output_png="o.png", difference_png="d.png"
)


@dataclass
class _Worker:
    """Stands in for the worker processes: notes what is asked, and dies after so many answers."""

    events: list[str]
    dies_after: int = 10**6
    fails: bool = False
    has_pictures: bool = False
    frames_error: str | None = None

    def __call__(self, jobs: Sequence[tuple[Any, Any]], **_how: Any) -> Iterator[tuple[Any, JobResult]]:
        for key, (name, spec) in jobs:
            if self.dies_after == 0:
                raise KeyboardInterrupt
            self.dies_after -= 1
            if name == "save-frames":
                yield key, self._saved(spec)
                continue
            assert Path(spec["output"]).is_file()
            self.events.append(f"{name} {Path(spec['output']).name}")
            status = CheckStatus.FAIL if self.fails else CheckStatus.PASS
            report = ValidationReport(
                reference="s", output="o", checks=(Check(name="frames.count", status=status, message="m"),)
            )
            if self.has_pictures and spec["save_frames"]:
                report = report.model_copy(update={"worst_frames": (_WORST,), "lowest_frames": {"psnr_y": 7}})
            yield key, JobResult(_ENDED, result=report.model_dump(mode="json"))

    def _saved(self, spec: Any) -> JobResult:
        """One frame of every output, as the worker answers."""
        for each in spec["outputs"]:
            assert Path(each["output"]).is_file(), "outputs stay until their frames are saved"
            assert each["lowest_frames"] == {"psnr_y": 7}
        stems = [Path(each["folder"]).name for each in spec["outputs"]]
        self.events.append(f"save-frames {' '.join(stems)}")
        if self.frames_error is not None:
            return JobResult(_ENDED, error=self.frames_error, error_type="SourceError")
        frames = [
            [{"frame": 7, "reference_png": f"{stems[0]}/7.png", "output_png": f"{stem}/7-output.png"}] for stem in stems
        ]
        return JobResult(_ENDED, result={"saved_frames": frames})


@dataclass
class _Exporter:
    """Writes outputs; `differs` makes those of each run different."""

    folder: Path
    validator: Validator
    events: list[str]
    differs: bool = True

    def prepare(self, case: Case, subjects: Sequence[Subject]) -> PreparedCase:
        assert (case.name, len(subjects)) == ("a", 2)
        return PreparedCase(source=Path("source.mp4"))

    def execute(self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None]) -> RunResult:
        assert prepared.source is not None
        self.events.append(f"time {step.stem}")
        on_frame(1)
        output = self.folder / f"{step.stem}{step.subject.output_suffix}"
        output.write_bytes((step.stem if self.differs else step.subject.name).encode() * 100)
        run = RunResult(case="a", subject=step.subject.name, block=step.block, role=step.role, wall_s=1.0)
        return self.validator.hold(run, step, output)

    def execute_sliced(
        self, steps: Sequence[ScheduledRun], prepared: PreparedCase, on_frame: Callable[[int], None], *, seed: str
    ) -> list[RunResult]:
        raise NotImplementedError

    def refuse_slices(self, subjects: Sequence[Subject]) -> str | None:
        raise NotImplementedError

    def free_memory_bytes(self) -> int:
        raise NotImplementedError


@dataclass
class _Matrix:
    folder: Path
    scratch: Path
    worker: _Worker
    differs: bool = True

    def run(self, *, resume: bool = False, pace: StoppingRule | None = None, **how: Any) -> FolderContents:
        plan = Plan(matrix=RunMatrix(name="m", cases=(_CASE,), subjects=_SUBJECTS), seed=1)
        folder, validator = RunFolder(self.folder), Validator(self.folder, **how)
        if resume:
            plan = folder.resume(plan.matrix)
        else:
            folder.begin(plan)
        exporter = _Exporter(self.scratch, validator, self.worker.events, differs=self.differs)
        outside = SystemProbe(sleep=lambda _s: None, read_noise=lambda _f: NoiseReading(), foreign_cpu_s=lambda: 0.0)
        return run_matrix(plan, folder, exporter, validator=validator, pace=pace, surroundings=outside)


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Matrix:
    worker = _Worker([])
    monkeypatch.setattr(validate_output, "ask_side_by_side", worker)
    (tmp_path / "scratch").mkdir()
    return _Matrix(tmp_path / "out", tmp_path / "scratch", worker)


def _measured(contents: FolderContents) -> list[RunResult]:
    return [run for run in contents.runs if run.role is RunRole.MEASURE]


def _kinds(events: list[str]) -> list[str]:
    return [event.split()[0] for event in events]


def test_validation_begins_when_all_is_timed_and_nothing_is_left_over(matrix: _Matrix) -> None:
    runs = _measured(matrix.run())

    assert _kinds(matrix.worker.events) == ["time"] * 8 + ["validate"] * 6  # two warm-ups, three blocks of two
    assert [run.validation is not None and run.validation.passed for run in runs] == [True] * 6
    assert {run.validation.output for run in runs if run.validation} == {
        f"a--{subject}--b00{block}.mp4" for subject in ("floor", "gpu") for block in range(3)
    }
    assert not any("validation" in run.unmeasured for run in runs)
    assert not (matrix.folder / "unvalidated").exists()


def test_the_subjects_of_a_case_get_pictures_of_the_same_frames(matrix: _Matrix) -> None:
    matrix.worker.has_pictures = True

    runs = _measured(matrix.run())

    assert matrix.worker.events[-1] == "save-frames a--gpu--b000"  # the floor shows the source, and draws nothing
    by_name = {(run.subject, run.block): run.validation for run in runs}
    report = by_name["gpu", 0]
    assert report is not None
    (saved,) = report.saved_frames
    assert saved.reference_png == "frames/a--gpu--b000/7.png"
    assert saved.output_png == "frames/a--gpu--b000/7-output.png"
    assert report.worst_frames[0].output_png == "frames/a--gpu--b000/o.png"
    assert all(found is not None for found in by_name.values())
    assert not (matrix.folder / "unvalidated").exists()


def test_frames_that_cannot_be_saved_leave_the_checks_and_say_why(matrix: _Matrix) -> None:
    matrix.worker.has_pictures = True
    matrix.worker.frames_error = "the file vanished"

    runs = _measured(matrix.run())

    (report,) = (run.validation for run in runs if (run.subject, run.block) == ("gpu", 0))
    assert report is not None
    assert report.passed
    assert report.saved_frames == ()
    assert report.unmeasured["saved_frames"] == "they could not be saved: the file vanished"


def test_a_kill_while_frames_are_saved_is_made_good_by_a_resume(matrix: _Matrix) -> None:
    matrix.worker.has_pictures = True
    matrix.worker.dies_after = 6  # after the last validation
    with pytest.raises(KeyboardInterrupt):
        matrix.run()
    assert [run.subject for run in read_folder(matrix.folder).runs if is_waiting(run)] == ["gpu"]

    matrix.worker.dies_after = 10**6
    runs = _measured(matrix.run(resume=True))

    (report,) = (run.validation for run in runs if (run.subject, run.block) == ("gpu", 0))
    assert report is not None
    assert [saved.frame for saved in report.saved_frames] == [7]


def test_outputs_that_wait_survive_a_kill_and_are_validated_on_resume(matrix: _Matrix) -> None:
    matrix.worker.dies_after = 2
    with pytest.raises(KeyboardInterrupt):
        matrix.run()
    waiting = [run for run in read_folder(matrix.folder).runs if is_waiting(run)]
    assert len(waiting) == len(list((matrix.folder / "unvalidated").iterdir())) == 4
    for file in (matrix.folder / "runs").glob("*.json"):  # the reason is for people: its wording may change
        record = json.loads(file.read_text(encoding="utf-8"))
        record["unmeasured"] = dict.fromkeys(record["unmeasured"], "reworded")
        file.write_text(json.dumps(record), encoding="utf-8")

    matrix.worker.dies_after = 10**6
    matrix.worker.events.clear()
    runs = _measured(matrix.run(resume=True))

    assert _kinds(matrix.worker.events) == ["validate"] * 4
    assert all(run.validation is not None and not run.validation_pending for run in runs)
    assert not (matrix.folder / "unvalidated").exists()


def test_a_resume_that_is_to_keep_outputs_keeps_those_that_waited(matrix: _Matrix) -> None:
    matrix.worker.dies_after = 0
    with pytest.raises(KeyboardInterrupt):
        matrix.run()

    matrix.worker.dies_after = 10**6
    matrix.run(resume=True, keeps_outputs=True)

    assert len(list((matrix.folder / "outputs").iterdir())) == 6


def test_an_output_that_was_removed_meanwhile_is_unmeasured_with_the_reason(matrix: _Matrix) -> None:
    matrix.worker.dies_after = 0
    with pytest.raises(KeyboardInterrupt):
        matrix.run()
    (matrix.folder / "unvalidated" / "a--gpu--b001.mp4").unlink()

    matrix.worker.dies_after = 10**6
    runs = {(run.subject, run.block): run for run in _measured(matrix.run(resume=True))}

    assert runs["gpu", 1].validation is None
    assert "removed" in runs["gpu", 1].unmeasured["validation"]
    assert runs["gpu", 0].validation is not None


def test_equal_outputs_are_validated_and_kept_once(matrix: _Matrix) -> None:
    matrix.differs = False
    matrix.worker.dies_after = 0
    with pytest.raises(KeyboardInterrupt):
        matrix.run()
    assert len({file.stat().st_ino for file in (matrix.folder / "unvalidated").iterdir()}) == 2

    matrix.worker.dies_after = 10**6
    runs = _measured(matrix.run(resume=True))

    assert sorted(event for event in matrix.worker.events if event.startswith("validate")) == [
        "validate a--floor--b000.mp4",
        "validate a--gpu--b000.mp4",
    ]
    assert all(run.validation is not None for run in runs)


@pytest.mark.parametrize("pace", [StoppingRule(budget_s=1e6), StoppingRule(is_decided=lambda _folder: False)])
def test_a_pace_that_needs_the_findings_has_them_after_each_round(matrix: _Matrix, pace: StoppingRule) -> None:
    matrix.run(pace=pace)

    assert _kinds(matrix.worker.events) == ["time"] * 2 + (["time"] * 2 + ["validate"] * 2) * 3


def test_outputs_beyond_the_bound_are_validated_before_the_next_block(
    matrix: _Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate_output, "_MOST_WAITING_BYTES", 1)

    matrix.run()

    assert _kinds(matrix.worker.events) == ["time"] * 2 + (["time"] * 2 + ["validate"] * 2) * 3


def test_a_failed_check_is_recorded_with_its_run(matrix: _Matrix) -> None:
    matrix.worker.fails = True

    runs = _measured(matrix.run())

    assert [run.validation is not None and run.validation.passed for run in runs] == [False] * 6
