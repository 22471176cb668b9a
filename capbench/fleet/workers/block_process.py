"""The process that makes one block: `python -m capbench.fleet.workers.block_process`, a line of JSON on its input.

Not in the worker's own process: what a worker does for Dask then shares no interpreter with the sampler, a block that
is given up is killed with everything that it has started, and a worker that is killed takes its block along. Each line
on its output is an `Activity` or, the last, a `BlockAnswer`.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter

from capbench.errors import CapbenchError, ResultError
from capbench.files import write_atomic
from capbench.fleet.block_job import (
    MOST_INLINE_BYTES,
    Activity,
    BlockAnswer,
    BlockFailure,
    BlockFile,
    BlockJob,
    to_message,
)
from capbench.fleet.workers.content_store import ContentStore
from capbench.fleet.workers.machine_lock import MachineLock
from capbench.harness.machine.gpu_telemetry import open_gauges
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.run.executor import ProcessExecutor
from capbench.harness.run.leftovers import remove, remove_leftovers
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.progress import Progress
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.runner import make_block
from capbench.harness.run.schedule import Plan, ScheduledRun
from capbench.harness.run.validate_output import Validator
from capbench.results.environment import Environment
from capbench.results.folder import FAILED_OUTPUTS, read_folder, run_stem
from capbench.results.run_record import RunRole

__all__ = ["BlockOrder", "block_folder", "main", "make"]

_SENT = ("runs", "blocks", "frames", "traces", "outputs", FAILED_OUTPUTS)
"""Folders whose files the runner gets."""
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
    job, lock = order.job, MachineLock(order.lock)
    what = f"{job.case.name} {'drift end' if job.number is None else f'block {job.number + 1}'}"
    try:
        say(Activity(doing="waiting", what=what))
        with lock.timing():
            say(Activity(doing="preparing", what=what))
            path = block_folder(order.folder, job.run_id, job.case.name)
            validate = _time(order, path, _BlockProgress(say))
        if job.validation == "here":
            with lock.validating():
                say(Activity(doing="validating", what=what))
                validate()
        return BlockAnswer(files=tuple(_listed(path)))
    except CapbenchError as error:
        failure = BlockFailure(message=str(error), kind=type(error).__name__, exit_code=error.exit_code)
        return BlockAnswer(failure=failure)


def _time(order: BlockOrder, path: Path, progress: Progress) -> Callable[[], None]:
    """Make the runs; returns what validates them."""
    job, store = order.job, ContentStore(order.folder)
    case = _own_case(job, store)
    subjects = tuple(_own_subject(subject) for subject in job.subjects)
    matrix = RunMatrix(name=job.matrix, cases=(case,), subjects=subjects)
    folder, plan = _open(path, Plan(matrix=matrix, seed=job.seed, capbench_version=job.capbench_version))
    gauges, reasons = open_gauges()
    # Held where they are validated later too: another machine may do it.
    validator = None if job.validation == "none" else Validator(path, keeps_outputs=job.keeps_outputs)
    executor = _KnowingExecutor(
        folder=path,
        environment=order.environment,
        validator=validator,
        keeps_outputs=job.keeps_outputs,
        traces=job.traces,
        gauges=gauges,
        gauge_reasons=reasons,
    )
    return make_block(plan, folder, executor, job.number, machine=job.machine, validator=validator, progress=progress)


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


def _listed(path: Path) -> Iterator[BlockFile]:
    """Every regular file that the runner gets; small ones with their bytes."""
    left = MOST_INLINE_BYTES
    for file in _files(path):
        size = file.stat().st_size
        name = file.relative_to(path).as_posix()
        if size <= left:
            left -= size
            yield BlockFile(name=name, size_bytes=size, base64=base64.b64encode(file.read_bytes()).decode("ascii"))
        else:
            yield BlockFile(name=name, size_bytes=size)


def _files(path: Path) -> list[Path]:
    # Records first: they are small and always wanted.
    found: list[Path] = []
    for name in _SENT:
        for parent, _, files in os.walk(path / name, followlinks=False):
            here = [Path(parent) / file for file in sorted(files)]
            found += [file for file in here if stat.S_ISREG(file.lstat().st_mode)]
    return found


if __name__ == "__main__":
    sys.exit(main())
