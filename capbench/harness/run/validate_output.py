"""Validation of outputs after the timing, by worker processes that are reused."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from capbench import cgroup
from capbench.errors import OutputError
from capbench.files import content_digest
from capbench.harness.run.evidence.failed_outputs import keep_failed_output
from capbench.harness.run.leftovers import UNVALIDATED, own_folder, remove
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.worker.client import JobResult
from capbench.harness.worker.kept_workers import Job, ask_side_by_side
from capbench.results.folder import FAILED_OUTPUTS
from capbench.results.run_record import RunResult, RunRole
from capbench.results.validation import Check, CheckStatus, SavedFrame, ValidationReport, WorstFrame

__all__ = ["Validator", "WaitingOutput", "is_waiting", "keep"]

Key = tuple[str, bool, bool, bool, str]
"""Case, whether it is the floor, whether it has a look of its own, whether it is a coarse point of a curve, digest of
the output."""
Frame = TypeVar("Frame", SavedFrame, WorstFrame)

_PENDING = "its output is not validated yet; continue with --resume"
"""The reason beside `validation_pending`, which outlives a runner that is killed."""
_TIMEOUT_S = 3600.0
"""Of one output. Validation measures every frame: on a small machine several times as long as the export."""
_MOST_WAITING_BYTES = 4 * 2**30
"""Outputs of more than this are validated before the next block. Twenty blocks of three subjects of a minute of 4K are
3 GB, and a laptop has that much to spare."""
_MOST_WAITING_SHARE = 0.25
"""Of the disk's free space, likewise: the outputs of a block or two must still fit in beside them."""
_WORKER_BYTES = 11 * 2**28
"""Memory for one validation: 4K takes 0.75 GB with the libraries, and VMAF and NEG on two threads 1.9 GB more."""


_FAILED_BY_COARSE_CODING = frozenset(
    {
        *("picture.quality", "picture.outliers", "picture.local", "picture.edges", "picture.sharpness"),
        # Measured on what coarse coding leaves little of: edges, and the noise of flat colours.
        *("picture.place", "colour.levels", "colour.meaning", "colour.siting", "colour.bias"),
        # What moves little, coarse coding draws again as it was.
        *("picture.layers", "colour.patches", "frames.frozen", "frames.repeated"),
        *("effects.corner_radius", "effects.shadow", "effects.background", "effects.cursor", "effects.motion_blur"),
    }
)
"""Checks that coding noise alone fails where it is coarse enough; what else they find is there at a fine point too."""


@dataclass(frozen=True, slots=True)
class WaitingOutput:
    """A recorded run whose output is to be validated."""

    step: ScheduledRun
    """The run's place in the matrix."""
    run: RunResult
    """Its record."""
    source: Path
    """What the output is compared with."""


@dataclass(frozen=True, slots=True)
class Validator:
    """Validates outputs of one result folder. An output that is bit for bit a validated one has the same report."""

    folder: Path
    """The result folder; pictures of the worst frames go to `frames/` inside."""
    keeps_outputs: bool = False
    """Whether outputs stay in `outputs/` when they are validated."""
    most_workers: int | None = None
    """Processes side by side; None for as many as there are cores and memory for."""
    _known: dict[Key, ValidationReport] = field(default_factory=dict)
    _held: dict[tuple[int, str], Path] = field(default_factory=dict)
    """Size and digest to the first output that waits and has them."""

    def hold(self, run: RunResult, step: ScheduledRun, output: Path) -> RunResult:
        """Keep an output until `validate` is called. The run, with the reason why it is not validated yet.

        Equal outputs are kept once, as links to one file where the file system has links.
        """
        if step.role is not RunRole.MEASURE:
            return _without(run, "warm-ups and drift controls are not validated")
        if not self.keeps_outputs:
            target = own_folder(self.folder, UNVALIDATED) / output.name
            keep(output, target)
            first = self._held.setdefault((target.stat().st_size, content_digest(target)), target)
            if first != target and first.exists():
                _share(first, target)
        return _without(run, _PENDING, pending=True)

    def has_room(self) -> bool:
        """Whether more outputs may wait."""
        files = {entry.stat().st_ino: entry.stat().st_size for entry in _files(self.folder / UNVALIDATED)}
        free = psutil.disk_usage(str(self.folder)).free
        return sum(files.values()) <= min(_MOST_WAITING_BYTES, _MOST_WAITING_SHARE * free)

    def forget(self, waiting: Sequence[WaitingOutput]) -> None:
        """Remove outputs that no run waits for: those of runs that were recorded with their validation."""
        names = {_name(each.step) for each in waiting}
        for entry in _files(self.folder / UNVALIDATED):
            if entry.name not in names:
                remove(entry)

    def validate(self, waiting: Sequence[WaitingOutput], record: Callable[[WaitingOutput, RunResult], None]) -> None:
        """Validate outputs side by side; `record` is given each run with what was found, as it comes.

        A validation that could not be made is unchecked, never a pass. Raises `OutputError` where it could not be made
        for want of space or leave to write: that is no property of the output, so nothing is recorded, and it is made
        when the matrix is resumed.
        """
        alike: dict[Key, list[WaitingOutput]] = {}
        for each in sorted(waiting, key=lambda each: each.step.block):
            output = self._output(each.step)
            if output is None:
                record(each, _without(each.run, "its output was removed before it was validated"))
                continue
            # The floor is compared with the source itself, whatever the case draws.
            kind = each.step.subject.is_floor, each.step.subject.has_own_look(each.step.case), each.step.is_coarse
            key = (each.step.case.name, *kind, content_digest(output))
            alike.setdefault(key, []).append(each)
        for key in list(alike):
            if key in self._known:
                self._record(alike.pop(key), self._known[key], record)
        jobs = [(key, self._job(group[0])) for key, group in alike.items()]
        if not jobs:
            self._tidy()
            return
        answers = ask_side_by_side(
            jobs,
            folder=self.folder.absolute(),
            most_workers=self.most_workers or _affordable_workers(),
            timeout_s=_TIMEOUT_S,
        )
        # Recorded last: their outputs are needed again, and a runner that is killed meanwhile begins with them.
        comparable: dict[str, list[tuple[Key, ValidationReport]]] = {}
        with closing(answers):
            for key, answer in answers:
                report = self._report(alike[key][0], answer)
                if _shows_source(alike[key][0].step, report):
                    comparable.setdefault(alike[key][0].step.case.name, []).append((key, report))
                    continue
                self._known[key] = report
                self._record(alike[key], report, record)
        if comparable:
            for key, report in self._with_same_frames(alike, comparable):
                self._known[key] = report
                self._record(alike[key], report, record)
        self._tidy()

    def _with_same_frames(
        self,
        alike: Mapping[Key, Sequence[WaitingOutput]],
        comparable: Mapping[str, Sequence[tuple[Key, ValidationReport]]],
    ) -> Iterator[tuple[Key, ValidationReport]]:
        """The reports of each case, with pictures of the same frames of all its subjects."""
        jobs = []
        for case, found in comparable.items():
            outputs = [
                {
                    "output": str(self._output(alike[key][0].step)),
                    "folder": str(self.folder.absolute() / _pictures(alike[key][0].step)),
                    "lowest_frames": report.lowest_frames,
                    "tone_map": _tone_map(alike[key][0].step),
                }
                for key, report in found
            ]
            job: Job = ("save-frames", {"source": str(alike[found[0][0]][0].source), "outputs": outputs})
            jobs.append((case, job))
        answers = ask_side_by_side(
            jobs,
            folder=self.folder.absolute(),
            most_workers=self.most_workers or _affordable_workers(),
            timeout_s=_TIMEOUT_S,
        )
        with closing(answers):
            for case, answer in answers:
                found = comparable[case]
                if answer.error is not None and (answer.disk_full or answer.error_type == OutputError.__name__):
                    raise OutputError(
                        f"frames of {case} could not be saved: {answer.error}; fix this, then continue with --resume"
                    )
                if answer.result is None:
                    # The checks are made and count; only the pictures are missing, and the report says why.
                    for key, report in found:
                        missing = report.unmeasured | {"saved_frames": f"they could not be saved: {answer.error}"}
                        yield key, report.model_copy(update={"unmeasured": missing})
                    continue
                for (key, report), frames in zip(found, answer.result["saved_frames"], strict=True):
                    saved = tuple(_in_folder(SavedFrame.model_validate(frame), Path("frames")) for frame in frames)
                    yield key, report.model_copy(update={"saved_frames": saved})

    def _record(
        self,
        group: Sequence[WaitingOutput],
        report: ValidationReport,
        record: Callable[[WaitingOutput, RunResult], None],
    ) -> None:
        for each in group:
            unmeasured = {name: why for name, why in each.run.unmeasured.items() if name != "validation"}
            found = report.model_copy(update={"output": _name(each.step)})
            run = each.run.model_copy(
                update={"validation": found, "validation_pending": False, "unmeasured": unmeasured}
            )
            held = self.folder / UNVALIDATED / _name(each.step)
            if not found.passed and not self.keeps_outputs and (words := keep_failed_output(held, self.folder)):
                run = run.model_copy(update={"warnings": (*run.warnings, words)})
            record(each, run)
            if self.keeps_outputs and held.exists():  # the runner before this one was not to keep it
                keep(held, own_folder(self.folder, "outputs") / held.name)
            else:
                remove(held)

    def _tidy(self) -> None:
        self._held.clear()
        if not _files(self.folder / UNVALIDATED):
            remove(self.folder / UNVALIDATED)

    def _output(self, step: ScheduledRun) -> Path | None:
        places = (self.folder.absolute() / name / _name(step) for name in (UNVALIDATED, "outputs", FAILED_OUTPUTS))
        return next((place for place in places if place.is_file()), None)

    def _job(self, first: WaitingOutput) -> Job:
        step = first.step
        # The floor is the source in other bytes, whatever the case does to it.
        meant: dict[str, Any] = {"scene": "bare", "width": None, "height": None, "fps": None}
        if not step.subject.is_floor:
            meant = {key: getattr(step.case, key) for key in meant}
            meant["tone_map"] = _tone_map(step)
            meant["look"] = _look(step)
        return "validate", meant | {
            "source": str(first.source),
            "output": str(self._output(step)),
            "metrics": step.case.metrics,
            # One block's pictures show what a subject does; every block's would fill the disk at 4K.
            "save_frames": str(self.folder.absolute() / _pictures(step)) if step.block == 0 else None,
        }

    def _report(self, first: WaitingOutput, answer: JobResult) -> ValidationReport:
        name = _name(first.step)
        if answer.error is not None and (answer.disk_full or answer.error_type == OutputError.__name__):
            raise OutputError(f"{name} could not be validated: {answer.error}; fix this, then continue with --resume")
        if answer.result is None:
            message = f"validation could not be done: {answer.error}"
            check = Check(name="validation.done", status=CheckStatus.UNCHECKED, message=message)
            return ValidationReport(reference=str(first.source), output=name, checks=(check,))
        report = ValidationReport.model_validate(answer.result)
        place = _pictures(first.step)
        if first.step.is_coarse:
            report = report.model_copy(update={"checks": tuple(map(_left_to_the_curve, report.checks))})
        worst = tuple(
            _in_folder(frame, place).model_copy(update={"difference_png": (place / frame.difference_png).as_posix()})
            for frame in report.worst_frames
        )
        saved = tuple(_in_folder(frame, place) for frame in report.saved_frames)
        return report.model_copy(update={"worst_frames": worst, "saved_frames": saved})


def _shows_source(step: ScheduledRun, report: ValidationReport) -> bool:
    """Whether every frame was compared with the source's own and pictures are wanted: all subjects then show the same.

    Of a composited case the frames that were rendered are saved already.
    """
    # Of a curve one point is enough to look at: pictures of every point would fill the disk.
    is_shown = step.block == 0 and not step.subject.is_floor and not step.is_coarse
    return is_shown and bool(report.worst_frames) and not report.saved_frames


def _tone_map(step: ScheduledRun) -> str | None:
    chosen = (step.case.options | step.subject.options).get("tone_map")
    return None if chosen is None else str(chosen)


def _look(step: ScheduledRun) -> Any:
    """What effects are judged by, `scene` or a table; None where pixels are compared."""
    if not step.subject.has_own_look(step.case):
        return None
    asked = step.case.expect or "scene"
    return asked if isinstance(asked, str) else asked.model_dump(mode="json")


def _in_folder(frame: Frame, folder: Path) -> Frame:
    """The same frame with names relative to what the folder lies in."""
    names = {name: (folder / getattr(frame, name)).as_posix() for name in ("reference_png", "output_png")}
    return frame.model_copy(update=names)


def _left_to_the_curve(check: Check) -> Check:
    """A check that coarse coding alone may fail, where the finest point of the curve is checked as well.

    What an exporter does wrong is wrong at its finest point too; how much the coarser ones lose is what a curve shows.
    """
    if check.name not in _FAILED_BY_COARSE_CODING or check.status is not CheckStatus.FAIL:
        return check
    reason = f"left to the curve's finest point, because coarse coding may do this: {check.message}"
    return Check.not_applicable(name=check.name, reason=reason)


def is_waiting(run: RunResult) -> bool:
    """Whether a recorded run's output is still to be validated."""
    return run.succeeded and run.validation_pending


def keep(made: Path, target: Path) -> None:
    """Move what a run left to where it stays; of a link, what it leads to: where that is belongs to the subject."""
    if made.is_symlink():
        if made.is_file():
            shutil.copyfile(made, target)
    elif made.exists():
        if made.is_dir() or target.is_dir():
            remove(target)
        made.replace(target)
    else:
        remove(target)  # of an earlier attempt


def _affordable_workers() -> int:
    """As many as there are cores, and memory for each; one in any case."""
    available = psutil.virtual_memory().available
    allowed = cgroup.memory_free_bytes()
    free = available if allowed is None else min(available, allowed)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup.cpu_limit_cores()
    if quota is not None:
        cores = min(cores, math.ceil(quota))
    return max(1, min(cores, free // _WORKER_BYTES))


def _share(first: Path, second: Path) -> None:
    """Make the second of two equal files a link to the first; where there are no links it stays a copy."""
    link = second.with_name(f".{second.name}.link")
    try:
        os.link(first, link)
        link.replace(second)
    except OSError:
        link.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_file()] if folder.is_dir() else []


def _name(step: ScheduledRun) -> str:
    return f"{step.stem}{step.subject.output_suffix}"


def _pictures(step: ScheduledRun) -> Path:
    return Path("frames") / step.stem


def _without(run: RunResult, reason: str, *, pending: bool = False) -> RunResult:
    """The run with the reason why its output is not validated, for good or for now."""
    return run.model_copy(update={"validation_pending": pending, "unmeasured": run.unmeasured | {"validation": reason}})
