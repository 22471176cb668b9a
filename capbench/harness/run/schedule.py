"""What will be run, in which order: everything follows from the matrix and one recorded seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.results.folder import FolderContents, run_file_name
from capbench.results.record import Record
from capbench.results.run_record import CurvePoint, RunRole
from capbench.results.subject_name import FLOOR, is_capacity

__all__ = [
    "PLAN_VERSION",
    "UNLIMITED_BLOCKS",
    "Plan",
    "ScheduledRun",
    "StoppingRule",
    "block_steps",
    "case_order",
    "closing_steps",
    "opening_steps",
    "trial_steps",
]

PLAN_VERSION = 1
"""Version of `matrix.json`."""
UNLIMITED_BLOCKS = 100_000
"""Blocks of a matrix that only its budget ends."""
_BLOCK_OF_ROLE = {RunRole.WARMUP: -1, RunRole.DRIFT_START: -2, RunRole.DRIFT_END: -3, RunRole.TRIAL: -4}


class Plan(Record):
    """`matrix.json`: what a folder's runs follow, resumed or not."""

    schema_version: int = PLAN_VERSION
    """Version of this record."""
    capbench_version: str = ""
    """Version of the capbench that started the folder; empty if it was one that did not record it."""
    matrix: RunMatrix
    """The matrix after `--case` and `--subject`."""
    seed: int
    """Seed for the order of cases and subjects."""
    command: tuple[str, ...] = ()
    """Command line that started the folder."""
    started_at: str | None = None
    """ISO 8601, UTC."""
    skipped: dict[str, str] = Field(default_factory=dict)
    """Subject to the reason why this machine cannot run it; it has no runs."""
    base: str | None = None
    """What `--base` named; None leaves it to the matrix and its order."""
    measured_plainly: dict[str, str] = Field(default_factory=dict)
    """Case that was to be measured in slices, to the reason why it is not; written where there is one."""

    @model_serializer(mode="wrap")
    # A declared result would replace the fields in a JSON Schema.
    def _leave_out_slices(self, default: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        """A plan without slices is written as before there were any: older readers refuse unknown keys."""
        written: dict[str, Any] = default(self)
        if not self.measured_plainly:
            written.pop("measured_plainly", None)
        return written


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When a matrix ends before its last block."""

    budget_s: float | None = None
    """Start only rounds that are expected to fit into this many seconds; the first is always run."""
    is_decided: Callable[[FolderContents], bool] | None = None
    """Asked after every round; True ends the matrix."""
    stops_at_failed_warmup: bool = False
    """Whether a subject that fails in its first, discarded run ends the matrix: nothing could be compared with it."""


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """One run to be made."""

    case: Case
    """The case."""
    subject: Subject
    """The subject."""
    block: int
    """Block number; negative outside blocks."""
    order: int
    """Position in its block."""
    role: RunRole = RunRole.MEASURE
    """Why it is made."""
    point: CurvePoint | None = None
    """The point of the case's curve; None for a case without one."""
    machine: str | None = None
    """The machine that makes it; None where there is only one."""

    @property
    def settings(self) -> Case:
        """The case with the settings of the point."""
        return self.case.at(self.point)

    @property
    def is_coarse(self) -> bool:
        """Whether a finer point of the same curve is run too."""
        return self.case.curve is not None and self.point != self.case.curve.finest

    @property
    def stem(self) -> str:
        """Unique name of the run inside a folder: its file's name without the suffix."""
        # Not `stem`: a point's value may hold a dot.
        name = run_file_name(self.case.name, self.subject.name, self.role, self.block, self.point, machine=self.machine)
        return name.removesuffix(".json")


def case_order(seed: int, block: int, cases: Sequence[Case]) -> list[Case]:
    """The cases that have this block, shuffled: no case is always the one that runs when the machine is warm."""
    with_block = [case for case in cases if block < case.blocks]
    random.Random(f"{seed}/cases/{block}").shuffle(with_block)
    return with_block


def block_steps(seed: int, block: int, case: Case, subjects: Sequence[Subject]) -> list[ScheduledRun]:
    """One block of one case, shuffled. Depends on nothing but its arguments, so a resumed block keeps its order.

    The subjects of a point follow each other, so that what moves the machine meets them alike; points are shuffled too.
    """
    points = list(case.points)
    if len(points) > 1:
        random.Random(f"{seed}/{case.name}/{block}/points").shuffle(points)
    steps: list[ScheduledRun] = []
    for point in points:
        # What stages could deliver alone is the same at every point.
        shuffled = [subject for subject in subjects if point == case.points[0] or not is_capacity(subject.name)]
        random.Random("/".join((f"{seed}", case.name, f"{block}", *([point.label] if point else [])))).shuffle(shuffled)
        steps += [
            ScheduledRun(case, subject, block, len(steps) + order, point=point)
            for order, subject in enumerate(shuffled)
        ]
    return steps


def opening_steps(case: Case, subjects: Sequence[Subject]) -> Iterator[ScheduledRun]:
    """Warm-ups, then the floor that later ones are compared with. Slices need to know how much memory each takes."""
    if case.warmup or case.interleave == "slices":
        for order, subject in enumerate(subjects):
            yield ScheduledRun(case, subject, _BLOCK_OF_ROLE[RunRole.WARMUP], order, RunRole.WARMUP, case.points[0])
    yield from _drift_step(case, subjects, RunRole.DRIFT_START)


def trial_steps(seed: int, case: Case, subjects: Sequence[Subject]) -> list[ScheduledRun]:
    """The discarded block that shows whether the subjects can be measured in slices."""
    block = _BLOCK_OF_ROLE[RunRole.TRIAL]
    steps = block_steps(seed, block, case, subjects)
    return [replace(step, role=RunRole.TRIAL) for step in steps if step.point == case.points[0]]


def closing_steps(case: Case, subjects: Sequence[Subject]) -> Iterator[ScheduledRun]:
    """The floor again: a change of the machine shows here."""
    yield from _drift_step(case, subjects, RunRole.DRIFT_END)


def _drift_step(case: Case, subjects: Sequence[Subject], role: RunRole) -> Iterator[ScheduledRun]:
    if case.drift_control:
        for subject in subjects:
            if subject.name == FLOOR:
                yield ScheduledRun(case, subject, _BLOCK_OF_ROLE[role], 0, role, case.points[0])
