"""Which subject of a folder is held against which, as the gate judges it."""

from __future__ import annotations

from collections.abc import Sequence

from capbench.errors import ResultError
from capbench.gate import GateFile, compare
from capbench.report.read import ReportFolder
from capbench.results import Comparison
from capbench.results.tidy import table_of

__all__ = ["baseline_of", "compare_newest", "compare_subjects"]

_FLOOR = "floor"
_USUAL_BASELINE = "cpu"


def baseline_of(subjects: Sequence[str]) -> str | None:
    """`cpu` where it ran, otherwise the first subject that is not the floor; None without two to compare."""
    candidates = [subject for subject in subjects if subject != _FLOOR]
    if len(candidates) < 2:
        return None
    return _USUAL_BASELINE if _USUAL_BASELINE in candidates else candidates[0]


def compare_subjects(
    folder: ReportFolder, gates: GateFile | None = None
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Every subject against the baseline, in order of the plan, and one sentence for each that could not be judged."""
    subjects = list(dict.fromkeys(file.run.subject for file in folder.blocks))
    base = baseline_of(subjects)
    if base is None:
        return (), ()
    table = table_of([folder.contents])
    comparisons, problems = [], []
    for subject in subjects:
        if subject in (base, _FLOOR):
            continue
        try:
            comparisons.append(compare(table[table["subject"] == base], table[table["subject"] == subject], gates))
        except ResultError as error:
            problems.append(f"{subject} could not be held against {base}: {error}")
    return tuple(comparisons), tuple(problems)


def compare_newest(
    ordered: Sequence[ReportFolder], gates: GateFile | None = None
) -> tuple[Comparison | None, str | None]:
    """The last folder against the last one before it that comes from the same machine, or why that cannot be judged."""
    newest = ordered[-1]
    before = next((folder for folder in reversed(ordered[:-1]) if folder.machines == newest.machines), None)
    if before is None:
        return None, f"no earlier folder comes from the machine of {newest.name}: it is held against none"
    try:
        base, new = table_of([before.contents]), table_of([newest.contents])
        return compare(base, new, gates, base_label=before.name, new_label=newest.name), None
    except ResultError as error:
        return None, f"{newest.name} could not be held against {before.name}: {error}"
