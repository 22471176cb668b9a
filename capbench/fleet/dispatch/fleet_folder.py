"""The result folder of a matrix that several machines make: whole blocks, each once, and every attempt at one."""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from pydantic import ValidationError

from capbench.errors import InputError, OutputError, ResultError
from capbench.files import describe_os_error, read_json, write_atomic
from capbench.fleet.block_job import BlockFile
from capbench.fleet.dispatch.block_queue import Block
from capbench.fleet.workers.machine_report import MachineReport
from capbench.harness.matrix.model import Case
from capbench.harness.run.leftovers import own_folder, remove
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import (
    Plan,
    ScheduledRun,
    block_steps,
    closing_steps,
    opening_steps,
    trial_steps,
)
from capbench.installation import version_of
from capbench.results.environment import MACHINES_FILE, FleetMachine, MachineTable
from capbench.results.folder import FAILED_OUTPUTS, read_folder, run_stem, write_record
from capbench.results.run_record import RunResult, RunRole

__all__ = [
    "ATTEMPTS_FILE",
    "FleetFolder",
    "OwnBlocks",
    "ReceivedBlock",
    "case_of",
    "unpack",
]

ATTEMPTS_FILE = "attempts.jsonl"
"""File of a fleet's result folder: a line when an attempt at a block begins, and one when it ends."""
_EVIDENCE = ("frames", "traces", "outputs", FAILED_OUTPUTS, "blocks")
"""Folders that are written before the runs: a run that is recorded has all that belongs to it."""


class OwnBlocks(NamedTuple):
    """How many blocks of each case a machine makes for itself, and which table of the matrix says so."""

    table: int
    """Number of the `[[machine]]` table."""
    blocks: int
    """Its `blocks`."""


@dataclass(frozen=True, slots=True)
class ReceivedBlock:
    """What came of a block, checked and not yet in the folder."""

    files: Mapping[str, Path]
    """Name inside the result folder to where the file lies now."""
    runs: tuple[RunResult, ...]
    """Its runs."""
    openings: tuple[RunResult, ...]
    """What opened the case on that machine."""
    validated_by: str | None = None
    """The machine that validated it, where that is another than the one that made it."""

    @property
    def all_failed(self) -> bool:
        """Whether every run of it failed: that may be the machine's fault."""
        return bool(self.runs) and all(run.error is not None for run in self.runs)


def machine_steps(plan: Plan, block: Block, number: int | None, machine: str) -> tuple[list[str], list[str]]:
    """Stems of the runs of a block on a machine, and of what opens its case there."""
    case = case_of(plan, block)
    subjects = plan.matrix.subjects_of(case)
    openings = [*opening_steps(case, subjects)]
    if case.interleave == "slices":
        openings += trial_steps(plan.seed, case, subjects)
    steps = closing_steps(case, subjects) if number is None else block_steps(plan.seed, number, case, subjects)
    return _stems(steps, machine), _stems(openings, machine)


def _stems(steps: Iterable[ScheduledRun], machine: str) -> list[str]:
    return [ScheduledRun(s.case, s.subject, s.block, s.order, s.role, s.point, machine).stem for s in steps]


class FleetFolder:
    """Writes whole blocks. A block that is in the folder in part, as a runner that was killed leaves it, is removed."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.path = folder.path
        self._machines: dict[str, FleetMachine] = {}
        self._recorded: set[str] = set()
        self.owners: dict[str, OwnBlocks] = {}
        """Machines that have blocks of their own, present or not."""
        self._cases_of: dict[str, set[str]] = {}
        """Machine to the cases of which it has made blocks."""

    def open(self, plan: Plan) -> set[Block]:
        """Read what is recorded, remove what is there in part; returns the blocks that are made. Raises `ResultError`.

        `plan` is what the folder was started or resumed with.
        """
        contents = read_folder(self.path)
        self._machines = dict(contents.machines)
        if not os.path.lexists(self.path / MACHINES_FILE):
            self._write_machines()  # from now on it is a fleet's folder, before any machine has come
        owned = self._read_owned()
        by_block: dict[tuple[str, int, str], dict[str, RunResult]] = {}
        for run in contents.runs:
            if run.role is RunRole.MEASURE and run.machine is not None:
                by_block.setdefault((run.case, run.block, run.machine), {})[run_stem(run)] = run
            else:
                self._recorded.add(run_stem(run))
        made: set[Block] = set()
        cases = {case.name for case in plan.matrix.cases}
        for (case, number, machine), runs in by_block.items():
            block = Block(case, number, machine if (case, number, machine) in owned else None)
            if case in cases and self._is_whole(plan, block, machine, runs) and block not in made:
                made.add(block)
                self._recorded |= runs.keys()
                self._cases_of.setdefault(machine, set()).add(case)
                continue
            for stem in runs:
                self._remove_run(stem)
        self._remove_damaged(cases, {run_stem(run) for run in contents.runs})
        return made

    def _remove_damaged(self, cases: set[str], readable: set[str]) -> None:
        """Remove runs that cannot be read: their blocks are made again, perhaps under the name of another machine."""
        for file in (self.path / "runs").glob("*.json"):
            if file.stem not in readable and file.name.partition("--")[0] in cases:
                self._remove_run(file.name.removesuffix(".json"))

    def _is_whole(self, plan: Plan, block: Block, machine: str, runs: Mapping[str, RunResult]) -> bool:
        stems, _ = machine_steps(plan, block, block.number, machine)
        are_done = all(not run.validation_pending and self._folder.keeps(run) for run in runs.values())
        return are_done and set(stems) <= runs.keys()

    def _read_owned(self) -> set[tuple[str, int, str]]:
        """Blocks that were begun as a machine's own; whose they are is kept."""
        found: set[tuple[str, int, str]] = set()
        file = self.path / ATTEMPTS_FILE
        if not file.is_file():
            return found
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    said = json.loads(line)
                    if said["own"] is not None:
                        self.owners[said["machine"]] = OwnBlocks(*map(int, said["own"]))
                        found.add((said["case"], said["block"], said["machine"]))
                except (ValueError, KeyError, TypeError):
                    continue  # the last line of a runner that was killed
        return found

    def admit(self, report: MachineReport) -> None:
        """Record a machine before its first run. Raises `ResultError` where it may make no block of this folder."""
        ours, theirs = version_of("capbench"), report.capbench_version
        if theirs != ours:
            raise ResultError(f"it has capbench {theirs}, and this is {ours}; install the same on both")
        name, machine = report.name, report.machine
        known = self._machines.get(name)
        if known is not None and known.environment.fingerprint != machine.environment.fingerprint:
            raise ResultError(
                f"its hardware or software changed since it made blocks of this folder "
                f"({known.environment.fingerprint}, now {machine.environment.fingerprint})"
            )
        if known is None:
            self._machines[name] = machine
            try:
                self._write_machines()
            except ValidationError as error:
                del self._machines[name]
                raise ResultError(f"it cannot be recorded: {error.errors()[0]['msg']}") from error

    def _write_machines(self) -> None:
        write_record(self.path / MACHINES_FILE, MachineTable(machines=dict(self._machines)))

    def note(
        self,
        event: Literal["begun", "done", "thrown_away", "put_aside"],
        machine: str,
        *,
        block: Block | None = None,
        reason: str = "",
        validated_by: str | None = None,
    ) -> None:
        """Add a line to the folder's account of attempts. Raises `OutputError`."""
        said = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "machine": machine,
            "case": None if block is None else block.case,
            "block": None if block is None else block.number,
            "own": None if block is None or block.owner is None else self.owners[block.owner],
            "reason": reason,
        }
        if validated_by is not None:
            said["validated_by"] = validated_by
        file = self.path / ATTEMPTS_FILE
        try:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(said) + "\n")
        except OSError as error:
            raise OutputError(
                f"cannot write {file}: {describe_os_error(error)}; fix this, then continue with --resume"
            ) from error

    def is_recorded(self, stem: str) -> bool:
        """Whether a run is in the folder."""
        return stem in self._recorded

    def closings_left(self, plan: Plan, machine: str) -> list[str]:
        """Cases of which a machine has made blocks, and that something closes there which is not recorded."""
        return [
            case.name
            for case in plan.matrix.cases
            if case.name in self._cases_of.get(machine, ())
            and any(stem not in self._recorded for stem in machine_steps(plan, Block(case.name, 0), None, machine)[0])
        ]

    def scratch(self, attempt: str) -> Path:
        """A folder for what is fetched of one attempt."""
        return own_folder(own_folder(self.path, "in-progress"), attempt)

    def check(
        self, plan: Plan, block: Block, number: int | None, machine: str, files: Mapping[str, Path], *, validated: bool
    ) -> ReceivedBlock:
        """What a machine sent, checked: whole, and nothing but this block's. Raises `InputError`."""
        stems, openings = machine_steps(plan, block, number, machine)
        runs: dict[str, RunResult] = {}
        for name, path in files.items():
            place = PurePosixPath(name)
            if not _belongs(place, {*stems, *openings}, block.case):
                raise InputError(f"the machine sent {name!r}, which is not of this block")
            if place.parts[0] == "runs" and place.suffix == ".json":
                try:
                    run = RunResult.model_validate(read_json(path, InputError))
                except ValidationError as error:
                    raise InputError(
                        f"the machine sent {name!r}, which is no run: {error.errors()[0]['msg']}"
                    ) from error
                if run_stem(run) != name[len("runs/") : -len(".json")]:
                    raise InputError(f"the machine sent {name!r}, which is another run")
                runs[run_stem(run)] = run
        missing = [stem for stem in stems if stem not in runs]
        if missing:
            raise InputError(f"the machine did not send {missing[0]!r}")
        pending = [stem for stem in stems if runs[stem].validation_pending]
        if validated and pending:
            raise InputError(f"the output of {pending[0]!r} was not validated")
        return ReceivedBlock(
            files, tuple(runs[stem] for stem in stems), tuple(runs[stem] for stem in openings if stem in runs)
        )

    def write(self, received: ReceivedBlock, *, keeps_outputs: bool) -> None:
        """Record a block: evidence first, then what opened its case where that is new, then its runs.

        Raises `OutputError`. A runner that is killed in between leaves part of the block, which a resume removes.
        """
        new = {run_stem(run) for run in received.openings if not self.is_recorded(run_stem(run))}
        wanted = {run_stem(run) for run in received.runs} | new
        try:
            for name, path in received.files.items():
                place = PurePosixPath(name)
                is_evidence = place.parts[0] in _EVIDENCE or place.suffix == ".log"
                is_wanted = place.parts[0] == "blocks" or _stem_of(place, wanted) is not None
                if is_evidence and is_wanted and (keeps_outputs or place.parts[0] != "outputs"):
                    target = self.path.joinpath(*place.parts)
                    own_folder(self.path, place.parts[0])
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(path, target)
            for run in (*received.openings, *received.runs):
                if (stem := run_stem(run)) in wanted:
                    content = received.files[f"runs/{stem}.json"].read_bytes()
                    write_atomic(self.path / "runs" / f"{stem}.json", content)
                    self._recorded.add(stem)
                if run.role is RunRole.MEASURE and run.machine is not None:
                    self._cases_of.setdefault(run.machine, set()).add(run.case)
        except OSError as error:
            raise OutputError(
                f"cannot write the result {error.filename or self.path}: {describe_os_error(error)}; "
                "fix this, then continue with --resume"
            ) from error

    def _remove_run(self, stem: str) -> None:
        for name in (f"{stem}.json", f"{stem}.log"):
            remove(self.path / "runs" / name)
        for folder in ("outputs", "traces", FAILED_OUTPUTS):
            for file in (self.path / folder).glob("*"):
                if file.stem == stem:
                    remove(file)
        remove(self.path / "frames" / stem)


def unpack(files: Sequence[BlockFile], scratch: Path) -> tuple[dict[str, Path], list[tuple[BlockFile, Path]]]:
    """Write the small files of an answer into a folder; returns those, and the larger ones, which are to be fetched.

    Raises `InputError` for bytes that are none, or that are not as many as was said.
    """
    here: dict[str, Path] = {}
    larger: list[tuple[BlockFile, Path]] = []
    for number, file in enumerate(files):
        target = scratch / f"{number}"
        here[file.name] = target
        if file.base64 is None:
            larger.append((file, target))
            continue
        try:
            content = base64.b64decode(file.base64, validate=True)
        except binascii.Error as error:
            raise InputError(f"the machine sent {file.name!r} damaged") from error
        if len(content) != file.size_bytes:
            raise InputError(f"the machine sent {len(content)} bytes of {file.name!r} instead of {file.size_bytes}")
        target.write_bytes(content)
    if len(here) < len(files):
        raise InputError("the machine sent two files of one name")
    return here, larger


def _belongs(place: PurePosixPath, stems: set[str], case: str) -> bool:
    folder, *rest = place.parts
    if folder == "blocks":
        return len(rest) == 1 and rest[0].startswith(f"{case}--on=")
    if folder not in ("runs", *_EVIDENCE) or not rest or len(rest) > 2 or (len(rest) == 2) != (folder == "frames"):
        return False
    return _stem_of(place, stems) is not None


def _stem_of(place: PurePosixPath, stems: set[str]) -> str | None:
    """The run that a file is named after: a folder of that name, or the name and one suffix."""
    own = place.parts[1]
    if own in stems:
        return own
    stem = own.rpartition(".")[0]
    return stem if stem in stems else None


def case_of(plan: Plan, block: Block) -> Case:
    """The case of a block."""
    return next(case for case in plan.matrix.cases if case.name == block.case)
