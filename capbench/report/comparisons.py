"""Which subject of a folder is compared with which; the judging is the gate's, the same as `capbench compare`."""

from __future__ import annotations

from collections.abc import Sequence

from capbench.errors import InputError, ResultError
from capbench.gate import GateFile
from capbench.gate.compare_targets import CompareTarget, compare_sides
from capbench.report.report_folder import ReportFolder
from capbench.results import Comparison
from capbench.results.base_subject import base_of_folder
from capbench.results.subject_name import SubjectName, revision_label

__all__ = ["compare_newest", "compare_subjects"]


def compare_subjects(
    folder: ReportFolder, gates: GateFile | None = None
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Every subject against the folder's base, and one sentence for each that could not be judged.

    Where each subject is compared with itself at a revision, all subjects are one comparison: that is what was asked.
    """
    try:
        choice = base_of_folder(folder.plan, folder.contents.runs)
    except InputError as error:
        return (), (str(error),)
    measured = {file.run.subject for file in folder.blocks}
    revisions = dict.fromkeys(SubjectName.parse(base).revision for base, new in choice.pairs if _is_twin(base, new))
    sides = [
        *((CompareTarget(folder.path, revision_label(revision)), CompareTarget(folder.path)) for revision in revisions),
        *(
            (CompareTarget(folder.path, base), CompareTarget(folder.path, new))
            for base, new in choice.pairs
            if not _is_twin(base, new) and new in measured
        ),
    ]
    comparisons, problems = [], []
    for old, new in sides:
        try:
            found = compare_sides(old, new, gates)
        except ResultError as error:
            problems.append(f"{new.subject or 'the work tree'} could not be compared with {old.subject}: {error}")
            continue
        # The page names damaged files itself, once.
        said = tuple(words for words in found.warnings if words not in folder.contents.problems)
        comparisons.append(found.model_copy(update={"warnings": said, "base_note": choice.sentence}))
    return tuple(comparisons), tuple(problems)


def _is_twin(base: str, new: str) -> bool:
    """Whether base is new at another revision."""
    name = SubjectName.parse(base)
    return bool(name.revision) and str(name.own) == new


def compare_newest(
    ordered: Sequence[ReportFolder], gates: GateFile | None = None
) -> tuple[Comparison | None, str | None]:
    """The last folder against the last one before it that comes from the same machine, or why that cannot be judged."""
    newest = ordered[-1]
    before = next((folder for folder in reversed(ordered[:-1]) if folder.machines == newest.machines), None)
    if before is None:
        return None, f"{newest.name} is not compared: no earlier folder comes from the same machine"
    try:
        return compare_sides(CompareTarget(before.path), CompareTarget(newest.path), gates), None
    except ResultError as error:
        return None, f"{newest.name} could not be compared with {before.name}: {error}"
