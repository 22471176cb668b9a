"""The plan in `matrix.json` of a result folder, read leniently for judging and showing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from capbench.errors import ResultError
from capbench.files import read_json
from capbench.results.run_record import RunResult, RunRole

__all__ = ["FolderPlan", "JsonObject", "plan_of", "read_plan", "subjects_in_order", "tables_by_name"]

JsonObject = dict[str, object]
"""A JSON object whose keys another module decides."""


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """The parts of a plan that outlive the program that wrote it. What a plan does not say is empty or None."""

    cases: tuple[str, ...] = ()
    """Names of the cases, in the order of the matrix file."""
    subjects: tuple[str, ...] = ()
    """Names of the subjects, in the order of the matrix file: runs are stored shuffled."""
    base: str | None = None
    """What `--base` named."""
    reference: str | None = None
    """The matrix's `reference`."""
    command: tuple[str, ...] = ()
    """Command line that started the folder."""
    ladders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of each ladder to its cases, from the bottom up."""
    absent: frozenset[tuple[str, str]] = frozenset()
    """(case, subject) that the plan has no runs for: not in the case, not for its scene, or not on that machine."""


def read_plan(folder: Path) -> FolderPlan:
    """The plan of a result folder; an empty one where there is none or it cannot be read: runs are judged without."""
    try:
        found = read_json(folder / "matrix.json", ResultError)
    except ResultError:
        return FolderPlan()
    return plan_of(found) if isinstance(found, dict) else FolderPlan()


def plan_of(found: JsonObject) -> FolderPlan:
    """The plan from the object of `matrix.json`, of this version, an older or a newer one."""
    matrix = found.get("matrix")
    matrix = matrix if isinstance(matrix, dict) else {}
    cases, tables = tables_by_name(matrix.get("cases")), tables_by_name(matrix.get("subjects"))
    # Cases name their subjects in the order of the file; older programs ordered the subjects by their tables.
    subjects = dict.fromkeys((*(name for case in cases.values() for name in _texts(case.get("subjects"))), *tables))
    command, skipped = found.get("command"), found.get("skipped")
    left_out = skipped if isinstance(skipped, dict) else {}
    return FolderPlan(
        cases=tuple(cases),
        subjects=tuple(subjects),
        base=_text(found.get("base")),
        reference=_text(matrix.get("reference")),
        command=tuple(map(str, command)) if isinstance(command, list) else (),
        ladders={
            name: rungs
            for name, table in tables_by_name(matrix.get("ladders")).items()
            if (rungs := _texts(table.get("rungs")))
        },
        absent=frozenset(
            (name, subject)
            for name, case in cases.items()
            for subject in subjects
            if subject in left_out or not _takes_part(case, subject, tables.get(subject, {}))
        ),
    )


def subjects_in_order(plan: FolderPlan, runs: Iterable[RunResult]) -> tuple[str, ...]:
    """Subjects as the plan orders them, then those that only runs name.

    Warm-ups are made in the order of the matrix, so that they tell it where the plan is lost.
    """
    met = sorted(
        (run for run in runs if run.role in (RunRole.MEASURE, RunRole.WARMUP)),
        key=lambda run: (run.role is not RunRole.WARMUP, run.block, run.order),
    )
    return tuple(dict.fromkeys((*plan.subjects, *(run.subject for run in met))))


def _takes_part(case: JsonObject, subject: str, table: JsonObject) -> bool:
    """Whether a case has a subject, and the subject the case's scene; a plan that does not say has it."""
    named, scenes = _texts(case.get("subjects")), _texts(table.get("scenes"))
    draws = not scenes or any(fnmatchcase(str(case.get("scene")), glob) for glob in scenes)
    return draws and (not named or subject in named)


def tables_by_name(entries: object) -> dict[str, JsonObject]:
    """Tables of a plan's list by their names; what is no table with a name is left out."""
    if not isinstance(entries, list):
        return {}
    return {str(entry["name"]): entry for entry in entries if isinstance(entry, dict) and "name" in entry}


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, list) else ()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
