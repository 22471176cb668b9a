"""What each subject of a folder is compared with: decided here for page, `compare`, `--until-decided`, `calibrate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from capbench.errors import InputError
from capbench.results.folder_plan import FolderPlan, subjects_in_order
from capbench.results.run_record import RunResult
from capbench.results.subject_name import SubjectName, is_export, is_floor, revision_label

__all__ = ["USUAL_BASE", "BaseChoice", "base_of_folder", "choose_base"]

USUAL_BASE = "cpu"
"""Base where nothing else says one: what an exporter without a GPU does."""


@dataclass(frozen=True, slots=True)
class BaseChoice:
    """Who is compared with whom, and why."""

    pairs: tuple[tuple[str, str], ...]
    """(base, new) subjects, in the order of the file; empty where there is nothing to compare."""
    name: str
    """The base: a subject, or `@REV` where each subject is compared with itself at a revision; empty without any."""
    reason: str
    """Why it is the base, for people; empty without any."""

    @property
    def sentence(self) -> str:
        """Which subject is base and why, for people; empty where there is nothing to compare."""
        return f"The base is {self.name}: {self.reason}." if self.pairs else ""


def choose_base(subjects: Sequence[str], *, asked: str | None = None, reference: str | None = None) -> BaseChoice:
    """Decide from the subjects in the order of the file, what `--base` asked for and the matrix's `reference`.

    `asked`; else `reference`; else each `NAME@REV` for its `NAME`; else `cpu`; else the first subject. The floor is
    never judged, nor what stages could deliver alone; a `NAME@REV` beside its `NAME` only as the base of it. Raises
    `InputError` for a base that is not among the subjects or is no export.
    """
    exports = [name for name in subjects if is_export(name)]
    twins = {name: own for name in exports if (own := str(SubjectName.parse(name).own)) != name and own in exports}
    for wanted, origin in ((asked, "set by --base"), (reference, "the reference of the matrix")):
        if wanted is not None:
            return _against(_checked(wanted, origin, exports, subjects), exports, twins, origin)
    if twins:
        labels = dict.fromkeys(revision_label(SubjectName.parse(name).revision) for name in twins)
        pairs = tuple((name, own) for name, own in twins.items())
        return BaseChoice(pairs, ", ".join(labels), "each subject is compared with itself at this revision")
    if USUAL_BASE in exports:
        return _against(USUAL_BASE, exports, twins, "it is the default")
    if exports:
        return _against(exports[0], exports, twins, "the first subject of the matrix file")
    return BaseChoice((), "", "")


def base_of_folder(plan: FolderPlan, runs: Iterable[RunResult], *, asked: str | None = None) -> BaseChoice:
    """The same for a result folder, whose plan keeps order, `--base` and `reference`; `asked` replaces its `--base`.

    Raises `InputError` as `choose_base` does.
    """
    return choose_base(subjects_in_order(plan, runs), asked=asked or plan.base, reference=plan.reference)


def _against(base: str, exports: Sequence[str], twins: dict[str, str], reason: str) -> BaseChoice:
    pairs = tuple((base, name) for name in exports if name != base and name not in twins)
    return BaseChoice(pairs, base, reason)


def _checked(wanted: str, origin: str, exports: Sequence[str], subjects: Sequence[str]) -> str:
    if wanted in exports:
        return wanted
    there = f"available: {', '.join(exports) or 'none'}"
    if wanted in subjects:
        what = "the floor" if is_floor(wanted) else "no export"
        raise InputError(f"{wanted!r} cannot be base ({origin}): it is {what}, which is never compared; {there}")
    raise InputError(
        f"no subject {wanted!r} to be the base ({origin}): it is unknown or was left out; {there}; "
        "choose one with --base, or include it with --subject"
    )
