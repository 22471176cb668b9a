"""A folder of several machines for views that know nothing of machines: each machine's case is a case of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from capbench.report.report_folder import ReportFolder
from capbench.results import Comparison, MetricVerdict, StageShift

__all__ = ["machines_apart"]

Named = TypeVar("Named", MetricVerdict, StageShift)


def machines_apart(
    folder: ReportFolder, comparisons: Sequence[Comparison]
) -> tuple[ReportFolder, tuple[Comparison, ...]]:
    """The folder and its comparisons with cases called `1080p on studio-3`: times of two machines never meet in a cell.

    Unchanged for a folder of one machine.
    """
    if not folder.machine_names:
        return folder, tuple(comparisons)
    runs = tuple(
        replace(file, run=file.run.model_copy(update={"case": _name(file.run.case, file.run.machine)}))
        for file in folder.runs
    )
    contents = replace(folder.contents, runs=tuple(file.run for file in runs))
    return replace(folder, runs=runs, contents=contents), tuple(
        comparison.model_copy(
            update={
                "verdicts": tuple(map(_renamed, comparison.verdicts)),
                "stage_shifts": tuple(map(_renamed, comparison.stage_shifts)),
            }
        )
        for comparison in comparisons
    )


def _renamed(row: Named) -> Named:
    return row.model_copy(update={"case": _name(row.case, row.machine)})


def _name(case: str, machine: str | None) -> str:
    return case if machine is None else f"{case} on {machine}"
