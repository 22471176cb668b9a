"""Which subject of a folder is held against which; the judging is the gate's, the same as `capbench compare`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capbench.errors import ResultError
from capbench.gate import GateFile
from capbench.gate.compare_targets import CompareTarget, compare_sides
from capbench.gate.verdicts.pairing import is_floor
from capbench.report.aggregate import cells_of
from capbench.report.report_folder import ReportFolder
from capbench.results import Comparison

__all__ = ["baseline_of", "compare_newest", "compare_subjects"]

_USUAL_BASELINE = "cpu"


def baseline_of(subjects: Sequence[str]) -> str | None:
    """`cpu` where it ran, otherwise the first subject that is not the floor; None without two to compare."""
    candidates = [subject for subject in subjects if not is_floor(subject)]
    if len(candidates) < 2:
        return None
    return _USUAL_BASELINE if _USUAL_BASELINE in candidates else candidates[0]


def compare_subjects(
    folder: ReportFolder, gates: GateFile | None = None
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Every subject against the baseline, and one sentence for each that could not be judged.

    Where `capbench run --against REV` made the folder, each subject against itself at REV: that is what was asked.
    """
    subjects = list(dict.fromkeys(subject for cells in cells_of(folder).values() for subject in cells))
    sides: Iterable[tuple[CompareTarget, CompareTarget]]
    revisions = dict.fromkeys(f"@{name.partition('@')[2]}" for name in subjects if "@" in name)
    if revisions:
        sides = ((CompareTarget(folder.path, revision), CompareTarget(folder.path)) for revision in revisions)
    elif (base := baseline_of(subjects)) is not None:
        judged = (subject for subject in subjects if subject != base and not is_floor(subject))
        sides = ((CompareTarget(folder.path, base), CompareTarget(folder.path, subject)) for subject in judged)
    else:
        sides = ()
    comparisons, problems = [], []
    for old, new in sides:
        try:
            found = compare_sides(old, new, gates)
        except ResultError as error:
            problems.append(f"{new.subject or 'the work tree'} could not be held against {old.subject}: {error}")
            continue
        # The page names damaged files itself, once.
        said = tuple(words for words in found.warnings if words not in folder.contents.problems)
        comparisons.append(found.model_copy(update={"warnings": said}))
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
        return compare_sides(CompareTarget(before.path), CompareTarget(newest.path), gates), None
    except ResultError as error:
        return None, f"{newest.name} could not be held against {before.name}: {error}"
