"""Who takes part in a matrix: machines of a fleet, and sentences about subjects that do not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from capbench.harness.matrix.command_line import missing_program, placeholders_of
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.matrix.table_values import MOST_BLOCKS
from capbench.harness.matrix.written_tables import WRITTEN
from capbench.results.environment import MachineChoice
from capbench.results.run_record import RunResult, RunRole

__all__ = [
    "MOST_MACHINE_TABLES",
    "WrittenMachine",
    "absences",
    "propose_scenes",
    "unavailable_subjects",
    "undrawn_scenes",
]

MOST_MACHINE_TABLES = 1000
"""Each is tried on each machine."""
MachineField = Literal["name", "adapter", "system", "os", "cpu_model", "architecture", "encoder", "decoder"]
"""What a machine is chosen by; of its encoders and decoders one has to match."""
_UNDRAWN = "bare"
"""The scene that draws nothing: what any exporter that keeps the picture gets right."""
_MOST_NAMED = 3
"""Cases in one sentence."""


class _MachineTable(MachineChoice):
    """`[[machine]]`: machines of a fleet that take part."""

    model_config = WRITTEN

    match: dict[MachineField, str] = Field(default_factory=dict)  # type: ignore[assignment]  # a record has any keys
    """Field of a machine's report to a glob, such as `{ adapter = "NVIDIA*", system = "Darwin" }`."""
    blocks: Annotated[int, Field(ge=1, le=MOST_BLOCKS)] | None = None
    """Blocks of each case that every such machine makes for itself; without it they share those of the case."""


WrittenMachine = Annotated[_MachineTable, AfterValidator(lambda table: MachineChoice(**dict(table)))]


def absences(matrix: RunMatrix, skipped: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for each declared subject that takes no part in some case, or in any, with the reason.

    `skipped` maps subjects that this machine cannot run to the reason.
    """
    said = [f"{name} takes no part: {reason}" for name, reason in matrix.left_out.items()]
    said += [f"{name} is skipped: {reason}" for name, reason in skipped.items()]
    for subject in matrix.subjects:
        undrawn = [case for case in matrix.cases if subject.name in case.subjects and not subject.draws(case.scene)]
        if undrawn:
            globs, drawn = ", ".join(subject.scenes), ", ".join(dict.fromkeys(case.scene for case in undrawn))
            said.append(
                f"{subject.name} takes no part in {_listed(undrawn)}: its `scenes` ({globs}) do not match {drawn}"
            )
    return tuple(said)


def undrawn_scenes(matrix: RunMatrix) -> tuple[str, ...]:
    """A sentence for each command that takes part in a case whose scene it is not even told."""
    return tuple(
        f"{subject.name} takes part in {_listed(drawn)}, whose scene has to be drawn, and its command does not use "
        f'{{scene}}; if it draws nothing, add to its [[subject]]: scenes = ["{_UNDRAWN}"]'
        for subject in _blind(matrix)
        if (drawn := [case for case in _cases_of(matrix, subject) if case.scene != _UNDRAWN])
    )


def propose_scenes(matrix: RunMatrix, runs: Iterable[RunResult]) -> tuple[str, ...]:
    """A sentence for each command that fails in every case with a drawn scene and in none without."""
    bad: dict[tuple[str, str], bool] = {}
    for run in runs:
        if run.role is RunRole.MEASURE:
            is_bad = not run.succeeded or (run.validation is not None and not run.validation.passed)
            bad[(run.case, run.subject)] = bad.get((run.case, run.subject), False) or is_bad
    said = []
    for subject in _blind(matrix):
        outcomes = [
            (case, bad[(case.name, subject.name)])
            for case in _cases_of(matrix, subject)
            if (case.name, subject.name) in bad
        ]
        drawn = [case for case, _ in outcomes if case.scene != _UNDRAWN]
        if drawn and all(is_bad == (case.scene != _UNDRAWN) for case, is_bad in outcomes):
            said.append(
                f"{subject.name} fails in {_listed(drawn)}, where a scene has to be drawn, and its command does not "
                f'use {{scene}}; if it draws nothing, add to its [[subject]]: scenes = ["{_UNDRAWN}"]'
            )
    return tuple(said)


def _blind(matrix: RunMatrix) -> Iterator[Subject]:
    """Commands that are neither told the scene nor limited to some."""
    for subject in matrix.subjects:
        if subject.command and not subject.scenes and "scene" not in placeholders_of(subject.command):
            yield subject


def _cases_of(matrix: RunMatrix, subject: Subject) -> list[Case]:
    return [case for case in matrix.cases if subject.name in case.subjects]


def _listed(cases: list[Case]) -> str:
    names = [case.name for case in cases]
    further = f" and {len(names) - _MOST_NAMED} more cases" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + further


def unavailable_subjects(matrix: RunMatrix) -> dict[str, str]:
    """Subjects whose program is not there, with the reason. They are skipped; the rest of the matrix continues."""
    found: dict[str, str] = {}
    for subject in matrix.subjects:
        for command in (subject.command, subject.prepare, subject.conclude):
            if command and (reason := missing_program(command[0], subject.folder)):
                found.setdefault(subject.name, reason)
    return found
