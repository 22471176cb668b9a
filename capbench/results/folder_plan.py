"""What `matrix.json` of a result folder says to whoever judges or shows the folder: the plan, read leniently."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from capbench.errors import ResultError
from capbench.files import read_json
from capbench.results.run_record import RunResult, RunRole

__all__ = ["FolderPlan", "JsonObject", "plan_of", "read_plan", "subjects_in_order"]

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
    """Command line that began the folder."""


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
    command = found.get("command")
    return FolderPlan(
        cases=_names(matrix.get("cases")),
        subjects=_names(matrix.get("subjects")),
        base=_text(found.get("base")),
        reference=_text(matrix.get("reference")),
        command=tuple(map(str, command)) if isinstance(command, list) else (),
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


def _names(entries: object) -> tuple[str, ...]:
    if not isinstance(entries, list):
        return ()
    return tuple(str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
