"""What the runs of one case by one subject amount to: medians with their spread, and what failed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from capbench.report.report_folder import ReportFolder, RunFile
from capbench.results import CheckStatus, RunResult, StageTimes
from capbench.results.subject_name import FLOOR, SubjectName

__all__ = ["Cell", "Spread", "all_cells_of", "cells_of", "figure_of", "median_of", "spread_of"]

_CUSTOM = "custom."
QUALITY_METRICS = ("psnr_y", "xpsnr_y", "ssim_y")
"""Metrics that may stand for quality in one cell, the first that was measured wins."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and range of one quantity over runs."""

    median: float
    """Median."""
    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    count: int
    """Runs that reported it."""


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Median and range of what was measured; None where nothing was."""
    known = [value for value in values if value is not None]
    return Spread(statistics.median(known), min(known), max(known), len(known)) if known else None


def median_of(values: Iterable[float | None]) -> float | None:
    """Median of what was measured; None where nothing was."""
    spread = spread_of(values)
    return spread.median if spread else None


def figure_of(run: RunResult, field: str) -> float | None:
    """A numeric field of a run, or with `custom.NAME` a figure of the subject's own; None where it was not measured."""
    name = field.removeprefix(_CUSTOM)
    if name == field:
        value: float | None = getattr(run, field)
        return value
    own = run.custom.get(name)
    return None if own is None else own.value


@dataclass(frozen=True, slots=True)
class Cell:
    """One subject of one case."""

    case: str
    """Name of the case."""
    subject: str
    """Name of the subject."""
    measured: tuple[RunFile, ...]
    """Runs that count, in block order."""
    failed: tuple[RunFile, ...]
    """Runs that ended with an error."""
    diverted: tuple[RunFile, ...]
    """Runs that took another path or decoder than was asked for: they measure nothing that was asked."""

    def spread(self, field: str) -> Spread | None:
        """Spread of a numeric field of the runs, such as `wall_s`."""
        return spread_of(figure_of(run.run, field) for run in self.measured)

    def median(self, field: str) -> float | None:
        """Median of a numeric field of the runs."""
        return median_of(figure_of(run.run, field) for run in self.measured)

    @property
    def points(self) -> int:
        """How many points of a curve the runs are of; 0 for a case without a curve."""
        return len({file.run.point for file in self.measured if file.run.point is not None})

    @property
    def validated(self) -> tuple[RunFile, ...]:
        """Measured runs whose output was validated."""
        return tuple(run for run in self.measured if run.run.validation is not None)

    @property
    def invalid(self) -> tuple[RunFile, ...]:
        """Validated runs in which a check failed or could not be done."""
        return tuple(run for run in self.validated if run.run.validation and not run.run.validation.passed)

    @property
    def failing_checks(self) -> tuple[str, ...]:
        """Names of the checks that failed or could not be done in any run, in the order of the report."""
        names: dict[str, None] = {}
        for file in self.invalid:
            report = file.run.validation
            names.update(dict.fromkeys(check.name for check in report.failures) if report else {})
        return tuple(names)

    def quality(self) -> tuple[str, float, float] | None:
        """Metric, smallest and largest mean over the runs, of the first quality metric that was measured."""
        for metric in QUALITY_METRICS:
            found = [
                summary.mean
                for file in self.validated
                if file.run.validation
                and (summary := file.run.validation.metrics.get(metric)) is not None
                and summary.mean is not None
            ]
            if found:
                return metric, min(found), max(found)
        return None

    def typical(self) -> RunFile | None:
        """The measured run whose wall time is nearest the median; None without one."""
        wall = self.median("wall_s")
        timed = [run for run in self.measured if run.run.wall_s is not None]
        if wall is None or not timed:
            return self.measured[0] if self.measured else None
        return min(timed, key=lambda run: abs((run.run.wall_s or 0) - wall))

    def worst_validated(self) -> RunFile | None:
        """The worst validated run: a failed one before a passed one, then the lowest quality."""

        def rank(file: RunFile) -> tuple[int, float]:
            report = file.run.validation
            if report is None:
                return (2, 0.0)
            failed = sum(check.status is CheckStatus.FAIL for check in report.checks)
            means = [report.metrics[name].mean for name in QUALITY_METRICS if name in report.metrics]
            lowest = next((mean for mean in means if mean is not None), float("inf"))
            return (-failed, lowest)

        return min(self.validated, key=rank, default=None)

    def stages(self) -> dict[str, StageTimes]:
        """Median work and waits of each stage, in order of flow, in seconds."""
        names = dict.fromkeys(name for file in self.measured for name in file.run.stages)
        return {
            name: _median_stage([file.run for file in self.measured if name in file.run.stages], name) for name in names
        }


def _median_stage(runs: Sequence[RunResult], name: str) -> StageTimes:
    def median(pick: Callable[[StageTimes], float | None]) -> float | None:
        return median_of(pick(run.stages[name]) for run in runs)

    return StageTimes(
        work_s=median(lambda stage: stage.work_s) or 0.0,
        wait_input_s=median(lambda stage: stage.wait_input_s),
        wait_output_s=median(lambda stage: stage.wait_output_s),
    )


def cells_of(folder: ReportFolder) -> dict[str, dict[str, Cell]]:
    """Case to subject to cell, both in the order in which the runner first met them, the floor first.

    Without what stages could deliver alone: that is no export, and stands in `capacity.capacity_rows`.
    """
    found = {
        case: {subject: cell for subject, cell in subjects.items() if not SubjectName.parse(subject).is_capacity}
        for case, subjects in all_cells_of(folder).items()
    }
    return {case: subjects for case, subjects in found.items() if subjects}


def all_cells_of(folder: ReportFolder) -> dict[str, dict[str, Cell]]:
    """The same of every subject."""
    grouped: dict[str, dict[str, list[RunFile]]] = {}
    for run in folder.blocks:
        grouped.setdefault(run.run.case, {}).setdefault(run.run.subject, []).append(run)
    cells: dict[str, dict[str, Cell]] = {}
    plan = folder.plan
    for case in sorted(grouped, key=lambda name: _position(plan.cases, name)):
        subjects = sorted(grouped[case], key=lambda name: (name != FLOOR, _position(plan.subjects, name)))
        cells[case] = {
            subject: Cell(
                case=case,
                subject=subject,
                measured=tuple(run for run in grouped[case][subject] if run.is_measured),
                failed=tuple(run for run in grouped[case][subject] if not run.run.succeeded),
                diverted=tuple(
                    run for run in grouped[case][subject] if run.run.succeeded and not run.run.ran_as_requested
                ),
            )
            for subject in subjects
        }
    return cells


def _position(planned: Sequence[str], name: str) -> tuple[int, str]:
    """Position in the plan; what the plan does not name comes last, by name."""
    return (planned.index(name) if name in planned else len(planned), name)
