"""The process that makes one block: `python -m capbench.fleet.workers.block_process`, a line of JSON on its input.

Not in the worker's own process: what a worker does for Dask then shares no interpreter with the sampler, a block that
is given up is killed with everything that it has started, and a worker that is killed takes its block along. Each line
on its output is an `Activity` or, the last, a `BlockAnswer`.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TextIO

from pydantic import TypeAdapter

from capbench.errors import CapbenchError, InputError, ResultError
from capbench.files import content_digest, write_atomic
from capbench.fleet.block_job import (
    MOST_INLINE_BYTES,
    Activity,
    BlockAnswer,
    BlockFailure,
    BlockFile,
    BlockJob,
    Bundle,
    ValidationBasis,
    to_message,
)
from capbench.fleet.workers.content_store import ContentStore
from capbench.harness.machine.gpu_telemetry import open_gauges
from capbench.harness.machine.machine_lock import MachineLock
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.run.executor import ProcessExecutor
from capbench.harness.run.leftovers import UNVALIDATED, own_folder, remove, remove_leftovers
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.progress import Progress
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.runner import make_block
from capbench.harness.run.schedule import Plan, ScheduledRun
from capbench.harness.run.validate_output import Validator
from capbench.results.environment import Environment
from capbench.results.folder import FAILED_OUTPUTS, read_folder, run_stem
from capbench.results.record import record_json
from capbench.results.run_record import RunRole

__all__ = ["BlockOrder", "block_folder", "main", "make"]

_SENT = ("runs", "blocks", "frames", "traces", "outputs", FAILED_OUTPUTS)
"""Folders whose files the runner gets."""
_MEASURED = ("runs", "outputs", UNVALIDATED)
"""Folders whose files another machine gets that is to validate outputs."""
_BASIS = "basis.json"
"""File of the case's folder: what validation follows from."""
_PREPARED = "prepared.json"
"""File of the case's folder: what was found in its source."""
_STAYS = frozenset({RunRole.WARMUP, RunRole.DRIFT_START, RunRole.TRIAL})
"""What opens a case on a machine is made once there."""


@dataclass(frozen=True, slots=True)
class BlockOrder:
    """What the worker tells the process."""

    job: BlockJob
    """What is to be made."""
    folder: Path
    """The worker's folder."""
    lock: Path
    """The folder of the machine's lock."""
    environment: Environment
    """The machine."""


def main() -> int:
    """Make the block that standard input orders; returns the exit code."""
    # What a library prints must not come between the lines.
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with said:
        order = TypeAdapter(BlockOrder).validate_json(sys.stdin.readline())
        said.write(to_message(make(order, say=_Sayer(said))) + "\n")
    return 0


class _Sayer:
    """Writes what is done now. Nothing of it is written while something is timed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, activity: Activity) -> None:
        self._stream.write(to_message(activity) + "\n")
        self._stream.flush()


class _BlockProgress(Progress):
    """Hands on which run is made."""

    def __init__(self, say: Callable[[Activity], None]) -> None:
        self._say = say

    def begin(self, step: ScheduledRun, left_s: float | None) -> None:  # noqa: ARG002  the runner has its own estimate
        """A run starts."""
        self._say(Activity(doing="timing", what=f"{step.case.name} {step.subject.name} {_part(step)}"))


def _part(step: ScheduledRun) -> str:
    return f"block {step.block + 1}" if step.role is RunRole.MEASURE else step.role.value.replace("_", " ")


def block_folder(folder: Path, run_id: str, case: str) -> Path:
    """Where the runs of one case of one result folder are kept inside the worker's folder."""
    return folder / "runs" / run_id / case


def make(order: BlockOrder, *, say: Callable[[Activity], None]) -> BlockAnswer:
    """Make the block and list what it left; what capbench raises on purpose is the answer's failure."""
    job = order.job
    what = f"{job.case.name} {'drift end' if job.number is None else f'block {job.number + 1}'}"
    lock = MachineLock(order.lock, command=f"capbench fleet worker --name {job.machine}: {what}")
    try:
        path, progress = block_folder(order.folder, job.run_id, job.case.name), _BlockProgress(say)
        say(Activity(doing="waiting", what=what))
        validate: Callable[[], None] = partial(_validate_waiting, order, path, progress)
        if job.validation != "waiting":
            with lock.timing():
                say(Activity(doing="preparing", what=what))
                validate = _time(order, path, progress)
        basis, validation_s = None, None
        if job.validation != "none":
            with lock.validating():
                say(Activity(doing="validating", what=what))
                if job.validation == "later":
                    basis = _basis_here(path, job.case)
                else:
                    begun_s = time.monotonic()
                    validate()
                    validation_s = time.monotonic() - begun_s
        files = tuple(_listed(path, with_waiting=job.validation == "later"))
        return BlockAnswer(files=files, basis=basis, validation_s=validation_s)
    except CapbenchError as error:
        failure = BlockFailure(message=str(error), kind=type(error).__name__, exit_code=error.exit_code)
        return BlockAnswer(failure=failure)


def _time(order: BlockOrder, path: Path, progress: Progress) -> Callable[[], None]:
    """Make the runs; returns what validates them."""
    job = order.job
    folder, plan = _open(path, _plan(order))
    # Held where they are validated later too: another machine may do it.
    validator = None if job.validation == "none" else Validator(path, keeps_outputs=job.keeps_outputs)
    executor = _executor(order, path, validator)
    return make_block(plan, folder, executor, job.number, machine=job.machine, validator=validator, progress=progress)


def _validate_waiting(order: BlockOrder, path: Path, progress: Progress) -> None:
    """Validate outputs that wait, this machine's own or sent ones. Raises `InputError` where it may find other figures.

    Nothing is timed meanwhile, so a recording that is made for it disturbs nobody.
    """
    job, plan, folder = order.job, _plan(order), RunFolder(path)
    if job.measured is None:
        plan = folder.resume(plan.matrix)
    else:
        folder.begin(plan)
        _lay_out(job.measured, ContentStore(order.folder), path)
    validator = Validator(path, keeps_outputs=job.keeps_outputs)
    executor = _executor(order, path, validator)
    validate = make_block(
        plan,
        folder,
        executor,
        job.number,
        machine=job.machine,
        is_measured=True,
        validator=validator,
        progress=progress,
    )
    if job.measured is not None and (basis := _basis_here(path, job.case)) != job.basis:
        raise InputError(_difference(basis, job.basis))
    validate()


def _lay_out(measured: Bundle, store: ContentStore, path: Path) -> None:
    """Runs and outputs that were sent, as files of a result folder. Raises `InputError`, `OutputError`."""
    root = store.place(measured)
    for _ in PurePosixPath(measured.entry).parts:
        root = root.parent
    for file in measured.files:
        name = PurePosixPath(file.name)
        if name.parts[0] not in _MEASURED or len(name.parts) != 2:
            raise InputError(f"{file.name!r} is neither a run nor an output")
        # Moved, not linked: what is left of them afterwards is content that may be sent again.
        shutil.move(root / name, own_folder(path, name.parts[0]) / name.name)
    remove(root)


def _basis_here(path: Path, case: Case) -> ValidationBasis | None:
    """What validation of a prepared case follows from on this machine; None where that cannot be found out."""
    file = path / _BASIS
    with contextlib.suppress(OSError, ValueError):
        return ValidationBasis.model_validate_json(file.read_bytes())
    # After the timing: these load the libraries that a block's process is otherwise free of.
    from capbench.quality.parts.known_pictures import arithmetic_digest
    from capbench.quality.validate import measured_metrics

    try:
        source = TypeAdapter(PreparedCase).validate_json((path / _PREPARED).read_bytes()).source
        if source is None:
            return None
        names = [metric.name for metric in measured_metrics(case.metrics, with_vmaf=True)]
        basis = ValidationBasis(source_sha256=content_digest(source), arithmetic=arithmetic_digest(names))
    except (OSError, ValueError):  # such as a metric that is not installed here
        return None
    write_atomic(file, record_json(basis))
    return basis


def _difference(mine: ValidationBasis | None, theirs: ValidationBasis | None) -> str:
    if mine is None or theirs is None:
        return "what its validation follows from is not known"
    if mine.source_sha256 != theirs.source_sha256:
        return "its recording is not that of the machine that made the outputs, byte for byte"
    return "its processor or libraries give other figures for known pictures in some last digits"


def _plan(order: BlockOrder) -> Plan:
    job = order.job
    case = _own_case(job, ContentStore(order.folder))
    subjects = tuple(_own_subject(subject) for subject in job.subjects)
    matrix = RunMatrix(name=job.matrix, cases=(case,), subjects=subjects)
    return Plan(matrix=matrix, seed=job.seed, capbench_version=job.capbench_version)


def _executor(order: BlockOrder, path: Path, validator: Validator | None) -> ProcessExecutor:
    job = order.job
    gauges, reasons = open_gauges()
    return _KnowingExecutor(
        folder=path,
        environment=order.environment,
        validator=validator,
        keeps_outputs=job.keeps_outputs,
        traces=job.traces,
        gauges=gauges,
        gauge_reasons=reasons,
    )


class _KnowingExecutor(ProcessExecutor):
    """Looks at the source of a case once on each machine: every block of it is a process of its own here."""

    __slots__ = ()

    def prepare(self, case: Case, subjects: Sequence[Subject]) -> PreparedCase:
        """From the folder of the case, where it was looked at before."""
        file = self.folder / _PREPARED
        with contextlib.suppress(OSError, ValueError):
            known = TypeAdapter(PreparedCase).validate_json(file.read_bytes())
            if known.source is not None and known.source.is_file():
                return known
        prepared = super().prepare(case, subjects)
        write_atomic(file, TypeAdapter(PreparedCase).dump_json(prepared))
        return prepared


def _own_case(job: BlockJob, store: ContentStore) -> Case:
    """The case with the files of this machine."""
    changed: dict[str, object] = {"source": None, "download": None}
    if job.clip is not None:
        changed["source"] = store.place(job.clip)
    if job.scene is not None:
        changed["scene"] = str(store.place(job.scene))
    return job.case.model_copy(update=changed)


def _own_subject(subject: Subject) -> Subject:
    """The subject without what the runner has chosen or may not choose."""
    return subject.model_copy(update={"folder": None, "python": None, "revision": None, "scenes": ()})


def _open(path: Path, plan: Plan) -> tuple[RunFolder, Plan]:
    """The machine's folder of the case, with nothing in it but what opens the case."""
    folder = RunFolder(path)
    if (path / "matrix.json").exists():
        try:
            plan = folder.resume(plan.matrix)
        except ResultError:
            remove(path)  # of another matrix, or damaged: nothing of it counts any more
        else:
            _forget_blocks(path)
            return folder, plan
    folder.begin(plan)
    return folder, plan


def _forget_blocks(path: Path) -> None:
    """Remove earlier blocks: what was wanted has been fetched, and an attempt that died is thrown away whole."""
    for run in read_folder(path).runs:
        if run.role not in _STAYS or run.error is not None:
            remove(path / "runs" / f"{run_stem(run)}.json")
    kept = {run_stem(run) for run in read_folder(path).runs}
    remove_leftovers(path, lambda stem: stem not in kept)
    remove(path / "blocks")


def _listed(path: Path, *, with_waiting: bool) -> Iterator[BlockFile]:
    """Every regular file that the runner gets; small ones with their bytes, but outputs that wait by name alone."""
    left = MOST_INLINE_BYTES
    if with_waiting:
        for file in _files(path, (UNVALIDATED,)):
            yield BlockFile(name=file.relative_to(path).as_posix(), size_bytes=file.stat().st_size)
    for file in _files(path, _SENT):
        size = file.stat().st_size
        name = file.relative_to(path).as_posix()
        if size <= left:
            left -= size
            yield BlockFile(name=name, size_bytes=size, base64=base64.b64encode(file.read_bytes()).decode("ascii"))
        else:
            yield BlockFile(name=name, size_bytes=size)


def _files(path: Path, names: Sequence[str]) -> list[Path]:
    # Records first: they are small and always wanted.
    found: list[Path] = []
    for name in names:
        for parent, _, files in os.walk(path / name, followlinks=False):
            here = [Path(parent) / file for file in sorted(files)]
            found += [file for file in here if stat.S_ISREG(file.lstat().st_mode)]
    return found


if __name__ == "__main__":
    sys.exit(main())
