"""The folder of a matrix in progress: starting it, resuming it, finding what is recorded."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from capbench.errors import OutputError, ResultError
from capbench.files import describe_os_error, read_json
from capbench.harness.machine.lock_beside import lock_file
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.run.leftovers import IN_PROGRESS, own_folder, refuse_links, remove, remove_leftovers
from capbench.harness.run.schedule import PLAN_VERSION, Plan, ScheduledRun
from capbench.installation import version_of
from capbench.results.base_subject import choose_base
from capbench.results.environment import MACHINES_FILE, BlockNoise, Environment
from capbench.results.folder import (
    FolderContents,
    read_folder,
    read_run,
    run_stem,
    with_times_floor,
    write_record,
)
from capbench.results.record import first_fault, unknown_fields
from capbench.results.run_record import RunResult

__all__ = ["RunFolder", "lock_folder", "read_plan"]

_MACHINE_FILE = "environment.json"
"""File of a folder that one machine makes: what it is."""


class RunFolder:
    """Reads and writes one result folder; every write is atomic and happens as soon as there is something to write."""

    def __init__(self, path: Path, *, retries_failed: bool = False) -> None:
        self.path = path
        self._retries_failed = retries_failed
        self._written: set[str] = set()
        """Stems of the runs that were recorded by this process: those are not failed ones of before."""

    def begin(self, plan: Plan) -> None:
        """Start a new folder. Raises `ResultError` if it holds results, `OutputError` if it cannot be written."""
        refuse_links(self.path)
        if any(os.path.lexists(self.path / name) for name in ("matrix.json", "runs", MACHINES_FILE)):
            raise ResultError(f"{self.path} already holds results; add --resume or choose another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the result folder {self.path}: {describe_os_error(error)}") from error
        remove_leftovers(self.path, lambda _stem: False)
        write_record(self.path / "matrix.json", plan)  # first: without it nothing could be resumed
        own_folder(self.path, "runs")

    def resume(self, matrix: RunMatrix, base: str | None = None) -> Plan:
        """The plan that started the folder, with the blocks of `matrix`, and with `base` where one is named.

        Raises `ResultError` if another matrix or a newer capbench started it, `InputError` for an unknown base.
        """
        plan = read_plan(self.path)
        if difference := _difference(plan.matrix, matrix):
            raise ResultError(f"cannot resume {self.path}: {difference}; choose another --out")
        base = base or plan.base
        choose_base([subject.name for subject in matrix.subjects], asked=base, reference=matrix.reference)
        refuse_links(self.path)
        own_folder(self.path, "runs")
        read_folder(self.path)  # refuses what a newer program wrote before anything of it is replaced
        names = {case.name for case in plan.matrix.cases}, {subject.name for subject in plan.matrix.subjects}
        remove_leftovers(self.path, lambda stem: self._is_unrecorded(stem, *names))
        plan = plan.model_copy(update={"matrix": matrix, "base": base})
        write_record(self.path / "matrix.json", plan)
        return plan

    def _is_unrecorded(self, stem: str, cases: set[str], subjects: set[str]) -> bool:
        """Whether a file's stem is that of a run of this plan which has no readable record."""
        case, subject, *_ = (*stem.split("--"), "")  # no name holds the separator
        if case not in cases or subject not in subjects:
            return False
        try:
            read_run(self.path / "runs" / f"{stem}.json")
        except ResultError:
            return True
        return False

    def check_kind(self, *, is_fleet: bool) -> None:
        """Compare how a folder was started, on one machine or on a fleet, with how it is resumed; writes nothing.

        A folder that does not show it yet, since its runner was killed too soon, may be either. Raises `ResultError`.
        """
        if os.path.lexists(self.path / MACHINES_FILE):
            if not is_fleet:
                raise ResultError(f"{self.path} was started on a fleet; resume it with --fleet")
        elif is_fleet and (os.path.lexists(self.path / _MACHINE_FILE) or any((self.path / "runs").glob("*.json"))):
            raise ResultError(f"{self.path} was started on one machine; resume it without --fleet")

    def check_machine(self, environment: Environment) -> None:
        """Record the machine. Raises `ResultError` if the folder was started on another one."""
        file = self.path / _MACHINE_FILE
        if not file.exists():
            write_record(file, environment)
            return
        begun_on = read_folder(self.path).environment
        if begun_on is not None and begun_on.fingerprint != environment.fingerprint:
            raise ResultError(
                f"{self.path} was started on machine {begun_on.fingerprint}, this is {environment.fingerprint}: "
                "hardware or software changed; choose another --out"
            )

    def is_done(self, step: ScheduledRun) -> bool:
        """Whether the step's run is recorded. A damaged file does not count and is replaced."""
        file = self._run_file(step)
        if step.stem in self._written:
            return True
        if not file.exists():
            return False
        try:
            run = read_run(file)
        except ResultError:
            return False
        return self.keeps(run)

    def keeps(self, run: RunResult) -> bool:
        """Whether a run that is recorded stays: failed ones are made again where that is asked for."""
        return run.succeeded or not self._retries_failed

    def write_run(self, step: ScheduledRun, run: RunResult) -> None:
        """Record a run: a later crash must not lose this one."""
        write_record(self._run_file(step), run)
        self._written.add(step.stem)

    def write_plan(self, plan: Plan) -> None:
        """Record what was decided since the folder was started."""
        write_record(self.path / "matrix.json", plan)

    def read_run(self, step: ScheduledRun) -> RunResult | None:
        """The recorded run of a step; None where there is none that can be read."""
        try:
            return read_run(self._run_file(step))
        except ResultError:
            return None

    def write_noise(self, noise: BlockNoise) -> None:
        """Record what disturbed a block."""
        where = "" if noise.machine is None else f"--on={noise.machine}"
        write_record(self.path / "blocks" / f"{noise.case}{where}--b{noise.block:03d}.json", noise)

    def finish(self) -> FolderContents:
        """Read everything back, and keep `times_floor`, which is known only now."""
        contents = read_folder(self.path)
        for run in with_times_floor(contents.runs):
            file = self.path / "runs" / f"{run_stem(run)}.json"
            if read_run(file) != run:
                write_record(file, run)
        remove(self.path / IN_PROGRESS)
        return contents

    def _run_file(self, step: ScheduledRun) -> Path:
        return self.path / "runs" / f"{step.stem}.json"


def read_plan(folder: Path) -> Plan:
    """The plan of a folder that this program can resume. Raises `ResultError` with the reason if it cannot."""
    file = folder / "matrix.json"
    if not os.path.lexists(file):
        raise ResultError(f"nothing to resume in {folder}: it has no {file.name}; omit --resume")
    raw = read_json(file, ResultError)
    _refuse_newer(file, raw if isinstance(raw, dict) else {})
    try:
        plan = Plan.model_validate(raw)
    except ValidationError as error:
        where, message = first_fault(error)
        raise ResultError(f"cannot resume {file}: {where or 'the file'}: {message}") from error
    if unknown := list(unknown_fields(plan)):
        raise ResultError(
            f"cannot resume {file}: capbench {plan.capbench_version or 'of a newer version'} started it with "
            f"{', '.join(unknown[:3])}, which this capbench {version_of('capbench')} does not know; "
            "resume with the newer one or choose another --out"
        )
    return plan


def _refuse_newer(file: Path, raw: dict[str, object]) -> None:
    """What a newer program plans is not what this one would run: its runs would be of two kinds."""
    theirs, ours = str(raw.get("capbench_version") or ""), version_of("capbench")
    schema = raw.get("schema_version")
    is_newer_schema = isinstance(schema, int) and schema > PLAN_VERSION
    if is_newer_schema or _numbers(theirs) > _numbers(ours):
        begun = f"capbench {theirs or 'of a newer version'} (schema {schema})"
        raise ResultError(
            f"cannot resume {file}: {begun} started it, and this is capbench {ours} (schema {PLAN_VERSION}); "
            "resume with the newer one or choose another --out"
        )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d{1,9}", text)))


def _difference(begun: RunMatrix, now: RunMatrix) -> str | None:
    """What two matrices disagree on, apart from the number of blocks and where interpreters lie; None for nothing."""
    then_cases = {case.name: case.model_copy(update={"blocks": 1}) for case in begun.cases}
    now_cases = {case.name: case.model_copy(update={"blocks": 1}) for case in now.cases}
    # Of the interpreters, the work tree's lies elsewhere each time; a commit's follows from `revision`.
    then_subjects = {subject.name: subject.model_copy(update={"python": None}) for subject in begun.subjects}
    now_subjects = {subject.name: subject.model_copy(update={"python": None}) for subject in now.subjects}
    for kind, then, current in (("case", then_cases, now_cases), ("subject", then_subjects, now_subjects)):
        for name in {**then, **current}:
            if name not in current:
                return f"it was started with {kind} {name!r}, which is not in the matrix now"
            if name not in then:
                return f"it was started without {kind} {name!r}"
            # As they are written: what a plan leaves out, such as the length of slices that there are none of, was left
            # out of the one that was read too, and is not what has changed.
            of_then, of_now = then[name].model_dump(mode="json"), current[name].model_dump(mode="json")
            if changed := [key for key in {**of_then, **of_now} if of_then.get(key) != of_now.get(key)]:
                return f"{kind} {name!r} has changed since it was started ({', '.join(changed)})"
    return None


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Lock a folder against other runners; the lock ends with this process. Raises `ResultError`."""
    if os.name == "nt":
        yield  # Windows refuses to replace files that another process has open, which shows there is one
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = lock_file(path / ".lock")
    except OSError as error:
        raise OutputError(f"cannot write to the result folder {path}: {describe_os_error(error)}") from error
    if lock is None:
        raise ResultError(f"another capbench is running into {path}; wait for it or choose another --out")
    try:
        yield
    finally:
        os.close(lock)
