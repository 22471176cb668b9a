"""Running a matrix on a fleet: what `capbench run --fleet` does."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from capbench.errors import InputError, MatrixError
from capbench.fleet.dask_settings import fleet_settings, import_distributed
from capbench.fleet.dispatch.block_calls import BlockCalls, BlockSettings
from capbench.fleet.dispatch.block_queue import BlockQueue
from capbench.fleet.dispatch.dask_link import DaskLink
from capbench.fleet.dispatch.dispatcher import Dispatcher
from capbench.fleet.dispatch.fleet_folder import FleetFolder
from capbench.fleet.dispatch.fleet_member import FleetPace
from capbench.fleet.dispatch.fleet_progress import FleetProgress
from capbench.fleet.dispatch.local_fleet import local_fleet, local_workers
from capbench.fleet.event_loop import run_in_order
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import Plan
from capbench.harness.run.start import (
    RunOptions,
    chosen_base,
    new_folder,
    open_plan,
    resumable_folder,
    settle_matrix,
)
from capbench.results.folder import FolderContents

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["FleetOptions", "run_on_fleet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """Which fleet, and how long it is waited for."""

    scheduler: str
    """Address of the scheduler with its protocol, or `local:N` for workers on this machine."""
    security: Security | None = None
    """Certificates; None for plain TCP."""
    pace: FleetPace = field(default_factory=FleetPace)
    """How long is waited."""


def run_on_fleet(
    matrix: str | Path | RunMatrix,
    fleet: FleetOptions,
    options: RunOptions | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    progress: FleetProgress | None = None,
    command: Sequence[str] = (),
) -> FolderContents:
    """Run a matrix on the machines of a fleet into one result folder, and return what is in it.

    As `capbench.harness.run.start.run`, with each block on one machine. Raises as it does, and `UnavailableError`
    where there is no scheduler or no machine.
    """
    import_distributed()  # before anything is written
    options, progress = options or RunOptions(), progress or FleetProgress()
    loaded = matrix if isinstance(matrix, RunMatrix) else load_matrix(matrix)
    _refuse_what_one_machine_needs(options)
    chosen = settle_matrix(loaded, options, is_endless=options.budget_s is not None)
    if options.blocks is not None:
        machines = tuple(
            choice if choice.blocks is None else choice.model_copy(update={"blocks": options.blocks})
            for choice in chosen.machines
        )
        chosen = chosen.model_copy(update={"machines": machines})
    _check_programs(chosen)
    path = Path(out) if out is not None else (resumable_folder(chosen.name) if resume else new_folder())
    runs = RunFolder(path, retries_failed=retry_failed)
    folder = FleetFolder(runs)
    with open_plan(runs, chosen, options, resume=resume, is_fleet=True, command=command) as plan:
        made = folder.open(plan)
        progress.say(chosen_base(plan.matrix, plan.base).sentence or "nothing to compare: only one subject")
        queue = BlockQueue(plan, lambda block: block in made)
        with fleet_settings():
            run_in_order(_dispatch(plan, folder, queue, fleet=fleet, options=options, progress=progress))
        return runs.finish()


async def _dispatch(
    plan: Plan,
    folder: FleetFolder,
    queue: BlockQueue,
    *,
    fleet: FleetOptions,
    options: RunOptions,
    progress: FleetProgress,
) -> None:
    async with _scheduler(fleet, progress) as address:
        link = await DaskLink.open(address, fleet.security)
        try:
            settings = BlockSettings(
                run_id=_run_id(plan),
                validation="here" if options.validate else "none",
                keeps_outputs=options.keep_outputs,
                traces=options.trace,
            )
            calls = BlockCalls(plan, folder, link, settings)
            dispatcher = Dispatcher(queue, calls, pace=fleet.pace, progress=progress)
            await dispatcher.run()
        finally:
            await link.close()


@contextlib.asynccontextmanager
async def _scheduler(fleet: FleetOptions, progress: FleetProgress) -> AsyncIterator[str]:
    workers = local_workers(fleet.scheduler)
    if workers is None:
        yield fleet.scheduler
        return
    progress.say(f"starting a fleet of {workers} on this machine")
    async with local_fleet(workers) as address:
        yield address


def _run_id(plan: Plan) -> str:
    """Tells result folders apart on a machine; a folder that is resumed keeps it."""
    return hashlib.sha256(f"{plan.matrix.name}/{plan.seed}/{plan.started_at}".encode()).hexdigest()[:16]


def _refuse_what_one_machine_needs(options: RunOptions) -> None:
    if options.against is not None:
        raise InputError(
            "--against builds the other revision here; the machines of a fleet measure what is installed on them"
        )


def _check_programs(matrix: RunMatrix) -> None:
    """A program is found on each machine's PATH: a name that leads into the matrix's folder leads nowhere there."""
    for subject in matrix.subjects:
        for command in (subject.command, subject.prepare, subject.conclude):
            if command and ("/" in command[0] or "\\" in command[0]) and not Path(command[0]).is_absolute():
                raise MatrixError(
                    f"subject {subject.name!r}: {command[0]!r} lies beside the matrix file, and only clips and scenes "
                    "are sent to a fleet; install the program on its machines and name it without a folder"
                )
