"""The folder that a matrix leaves behind: one JSON file a run, written atomically.

matrix.json                               the plan: cases, subjects, seed, command line
environment.json                          the machine
machines.json                             the machines by name, of a folder of several
runs/<case>--<subject>--b<NNN>.json       one measured run
runs/<case>--<subject>--qp=<N>--b<NNN>.json  one of a case with a curve
runs/<case>--<subject>--on=<machine>--b<NNN>.json  one on a machine of several
runs/<case>--<subject>--warmup.json       the discarded run before
runs/<case>--floor--drift-start.json      the floor before the first block, and --drift-end after the last
runs/<run>.log                            what a run's processes wrote
blocks/<case>--b<NNN>.json                what disturbed a block
failed/<run>.mp4                          newest outputs of runs that failed or are not valid
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from capbench.errors import OutputError, ResultError
from capbench.files import is_folder, read_json, write_atomic
from capbench.results.environment import MACHINES_FILE, BlockNoise, Environment, FleetMachine, MachineTable
from capbench.results.record import Record, first_fault, record_json
from capbench.results.run_record import SCHEMA_VERSION, CurvePoint, RunResult, RunRole
from capbench.results.subject_name import FLOOR, SubjectName

__all__ = [
    "FAILED_OUTPUTS",
    "DamagedResultWarning",
    "FolderContents",
    "RunEvidence",
    "read_evidence",
    "read_folder",
    "read_run",
    "run_file_name",
    "run_stem",
    "with_times_floor",
    "write_record",
]

FAILED_OUTPUTS = "failed"
"""Folder of the outputs of failed runs."""
AnyRecord = TypeVar("AnyRecord", bound=Record)
Json = dict[str, Any]


class DamagedResultWarning(UserWarning):
    """A file of a result folder could not be read and was left out."""


@dataclass(frozen=True, slots=True)
class FolderContents:
    """A result folder, read."""

    path: Path
    """The folder."""
    runs: tuple[RunResult, ...]
    """Every run of every role, ordered by case, block and position."""
    noise: tuple[BlockNoise, ...]
    """What disturbed the blocks."""
    environment: Environment | None
    """The machine; None where the file is missing or damaged, and in a folder of several."""
    problems: tuple[str, ...]
    """One sentence for each file that was left out."""
    machines: Mapping[str, FleetMachine] = field(default_factory=dict)
    """The machines that runs name in `machine`, by name; empty in a folder of one."""


def run_file_name(
    case: str,
    subject: str,
    role: RunRole,
    block: int,
    point: CurvePoint | None = None,
    *,
    machine: str | None = None,
) -> str:
    """Name of a run's file inside `runs/`."""
    last = f"b{block:03d}" if role is RunRole.MEASURE else role.value.replace("_", "-")
    where = () if machine is None else (f"on={machine}",)
    return "--".join((case, subject, *(() if point is None else (point.label,)), *where, last)) + ".json"


def run_stem(run: RunResult) -> str:
    """Unique name of a recorded run inside its folder: that of its file without the suffix."""
    name = run_file_name(run.case, run.subject, run.role, run.block, run.point, machine=run.machine)
    return name.removesuffix(".json")


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """What lies in a result folder for somebody to look at."""

    log: Path | None = None
    """What the run's processes wrote."""
    output: Path | None = None
    """Its video: of a failed run, or of any where outputs are kept."""


def read_evidence(folder: Path) -> dict[str, RunEvidence]:
    """Stem of a run to what a folder has of it; runs without anything are left out."""
    logs = {entry.name.removesuffix(".log"): entry for entry in (folder / "runs").glob("*.log")}
    outputs = {
        entry.name.removesuffix(entry.suffix): entry
        for name in ("outputs", FAILED_OUTPUTS)
        for entry in (folder / name).glob("*")
    }
    return {stem: RunEvidence(logs.get(stem), outputs.get(stem)) for stem in sorted({*logs, *outputs})}


def write_record(target: Path, record: Record) -> None:
    """Write one record atomically, its folder made on demand. Raises `OutputError` that says how to continue."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, record_json(record, indent=1) + "\n")
    except OSError as error:
        raise OutputError(
            f"cannot write the result {target}: {error.strerror or error}; fix this, then continue with --resume"
        ) from error


def read_run(path: Path) -> RunResult:
    """One run's file, of this schema version or an older one. Raises `ResultError`."""
    return _read(path, RunResult, SCHEMA_VERSION, _RUN_UPGRADES)


def read_folder(folder: Path) -> FolderContents:
    """Read a result folder; damaged files are left out and named. Raises `ResultError` if it is foreign or too new."""
    if not is_folder(folder):
        raise ResultError(f"no result folder at {folder}; make one with: capbench run quick --out {folder}")
    if not is_folder(folder / "runs"):
        raise ResultError(f"{folder} has no runs/ folder; name a folder that `capbench run` wrote")
    problems: list[str] = []
    runs = _read_each(sorted((folder / "runs").glob("*.json")), read_run, problems)
    noise = _read_each(sorted((folder / "blocks").glob("*.json")), _read_noise, problems)
    tables = _read_each([folder / MACHINES_FILE], _read_machines, problems) if (folder / MACHINES_FILE).exists() else []
    machines = tables[0].machines if tables else {}
    of_one = folder / "environment.json"
    environments = _read_each([] if machines and not of_one.exists() else [of_one], _read_environment, problems)
    runs.sort(key=lambda run: (run.case, run.machine or "", run.block, run.order, run.subject))
    return FolderContents(
        path=folder,
        runs=with_times_floor(runs),
        noise=tuple(noise),
        environment=environments[0] if environments else None,
        problems=tuple(problems),
        machines=machines,
    )


def with_times_floor(runs: Iterable[RunResult]) -> tuple[RunResult, ...]:
    """The runs with `times_floor`: `wall_s` over the median `wall_s` of the measured floor runs of the case and point.

    Of the same machine, where several took part. It can only be known when the last floor run is, so it is computed
    from all of them each time.
    """
    runs = tuple(runs)
    floors: dict[_FloorKey, list[float]] = {}
    for run in runs:
        if run.subject == FLOOR and run.role is RunRole.MEASURE and run.succeeded and run.wall_s:
            floors.setdefault(_floor_key(run), []).append(run.wall_s)
    medians = {key: statistics.median(walls) for key, walls in floors.items()}
    return tuple(_with_floor(run, medians.get(_floor_key(run))) for run in runs)


_FloorKey = tuple[str, CurvePoint | None, str | None]


def _floor_key(run: RunResult) -> _FloorKey:
    return run.case, run.point, run.machine


def _with_floor(run: RunResult, floor_wall_s: float | None) -> RunResult:
    unmeasured = {name: reason for name, reason in run.unmeasured.items() if name != "times_floor"}
    is_capacity = SubjectName.parse(run.subject).is_capacity
    if run.wall_s is None or floor_wall_s is None or is_capacity:
        reason = "the run has no wall time" if run.wall_s is None else "no floor run of this case succeeded"
        reason = "nothing is encoded" if is_capacity else reason
        return run.model_copy(update={"times_floor": None, "unmeasured": unmeasured | {"times_floor": reason}})
    return run.model_copy(update={"times_floor": run.wall_s / floor_wall_s, "unmeasured": unmeasured})


def _read_each(paths: Sequence[Path], read: Callable[[Path], AnyRecord], problems: list[str]) -> list[AnyRecord]:
    records: list[AnyRecord] = []
    for path in paths:
        try:
            records.append(read(path))
        except _TooNewError:
            raise  # leaving out what a newer program wrote would quietly halve the data
        except ResultError as error:
            problems.append(str(error))
    return records


class _TooNewError(ResultError):
    """Written by a newer program."""


_RUN_UPGRADES: dict[int, Callable[[Json], Json]] = {}
"""Schema version to the function that turns such a file's object into the next version's. Version 1 is the first;
fields added since are optional and need no entry."""


def _read(path: Path, model: type[AnyRecord], newest: int, upgrades: dict[int, Callable[[Json], Json]]) -> AnyRecord:
    try:
        raw = read_json(path, ResultError)
    except ResultError as error:
        reason = str(error).removeprefix("cannot read ").removeprefix(f"{path}: ")
        raise ResultError(f"{path} was left out: {reason}") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(version, int):
        raise ResultError(f"{path} was left out: not a result of capbench (no schema_version)")
    if version > newest:
        raise _TooNewError(
            f"{path} has schema version {version}, this program reads up to {newest}; use a newer capbench"
        )
    try:
        for step in range(version, newest):
            raw = upgrades[step](raw)
        return model.model_validate(raw)
    except KeyError as error:
        raise ResultError(f"{path} was left out: nothing upgrades schema version {error}") from error
    except ValidationError as error:
        where, message = first_fault(error)
        raise ResultError(f"{path} was left out: {where or 'top level'}: {message}") from error


def _read_noise(path: Path) -> BlockNoise:
    return _read(path, BlockNoise, 1, {})


def _read_machines(path: Path) -> MachineTable:
    return _read(path, MachineTable, 1, {})


def _read_environment(path: Path) -> Environment:
    return _read(path, Environment, 1, {})
