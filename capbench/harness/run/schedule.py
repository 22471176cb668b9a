"""What will be run, in which order: everything follows from the matrix and one recorded seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.results.folder import run_file_name
from capbench.results.record import Record
from capbench.results.run_record import RunRole
from capbench.results.subject_name import FLOOR

__all__ = [
    "PLAN_VERSION",
    "Plan",
    "ScheduledRun",
    "block_steps",
    "case_order",
    "closing_steps",
    "opening_steps",
    "trial_steps",
]

PLAN_VERSION = 1
"""Version of `matrix.json`."""
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

    @property
    def stem(self) -> str:
        """Unique name of the run inside a folder: its file's name without the suffix."""
        return Path(run_file_name(self.case.name, self.subject.name, self.role, self.block)).stem


def case_order(seed: int, block: int, cases: Sequence[Case]) -> list[Case]:
    """The cases that have this block, shuffled: no case is always the one that runs when the machine is warm."""
    with_block = [case for case in cases if block < case.blocks]
    random.Random(f"{seed}/cases/{block}").shuffle(with_block)
    return with_block


def block_steps(seed: int, block: int, case: Case, subjects: Sequence[Subject]) -> list[ScheduledRun]:
    """One block of one case, shuffled. Depends on nothing but its arguments, so a resumed block keeps its order."""
    shuffled = list(subjects)
    random.Random(f"{seed}/{case.name}/{block}").shuffle(shuffled)
    return [ScheduledRun(case, subject, block, order) for order, subject in enumerate(shuffled)]


def opening_steps(case: Case, subjects: Sequence[Subject]) -> Iterator[ScheduledRun]:
    """Warm-ups, then the floor that later ones are compared with. Slices need to know how much memory each takes."""
    if case.warmup or case.interleave == "slices":
        for order, subject in enumerate(subjects):
            yield ScheduledRun(case, subject, _BLOCK_OF_ROLE[RunRole.WARMUP], order, RunRole.WARMUP)
    yield from _drift_step(case, subjects, RunRole.DRIFT_START)


def trial_steps(seed: int, case: Case, subjects: Sequence[Subject]) -> list[ScheduledRun]:
    """The discarded block that shows whether the subjects can be measured in slices."""
    block = _BLOCK_OF_ROLE[RunRole.TRIAL]
    return [replace(step, role=RunRole.TRIAL) for step in block_steps(seed, block, case, subjects)]


def closing_steps(case: Case, subjects: Sequence[Subject]) -> Iterator[ScheduledRun]:
    """The floor again: a change of the machine shows here."""
    yield from _drift_step(case, subjects, RunRole.DRIFT_END)


def _drift_step(case: Case, subjects: Sequence[Subject], role: RunRole) -> Iterator[ScheduledRun]:
    if case.drift_control:
        for subject in subjects:
            if subject.name == FLOOR:
                yield ScheduledRun(case, subject, _BLOCK_OF_ROLE[role], 0, role)
