"""What a runner may have a machine do: module-level functions on JSON, which Dask calls in the worker's threads.

None takes a path: they take names inside the worker's own folder, which are checked, and digests of content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from capbench.errors import UnavailableError
from capbench.fleet.block_job import BlockJob, PieceJob, from_message, to_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from capbench.fleet.workers.worker_service import WorkerService

__all__ = ["forget_block", "read_piece", "run_block", "serve_as", "service_here", "store_piece"]

_SERVICES: list[WorkerService] = []
"""Of this process, at most one."""


def serve_as(service: WorkerService) -> None:
    """Make this process the worker of a machine. Raises `UnavailableError` where it is one already."""
    if _SERVICES:
        raise UnavailableError("this process is a worker already")
    _SERVICES.append(service)


def service_here() -> WorkerService:
    """The machine that this process is the worker of. Raises `UnavailableError`."""
    if not _SERVICES:
        raise UnavailableError("this Dask worker is none of capbench; start it with: capbench fleet worker SCHEDULER")
    return _SERVICES[0]


def run_block(job: str) -> str:
    """Make the block of a `BlockJob`; returns a `BlockAnswer`. Takes the resource `measure`."""
    return to_message(service_here().make_block(from_message(job, BlockJob), _is_wanted()))


def store_piece(job: str, piece: bytes) -> int:
    """Store a piece of the file of a `PieceJob`; returns how many bytes of it are here. Takes `transfer`."""
    return service_here().store_piece(from_message(job, PieceJob), piece)


def read_piece(job: str) -> bytes:
    """A piece of what a block has left, by a `PieceJob`; empty at its end. Takes `transfer`."""
    return service_here().read_piece(from_message(job, PieceJob))


def forget_block(job: str) -> None:
    """Remove what a block has left, by a `PieceJob`. Takes `transfer`."""
    service_here().forget_block(from_message(job, PieceJob))


def _is_wanted() -> Callable[[], bool]:
    """Whether the scheduler still wants the task of this thread: it does not when the runner gave up, or has gone."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing"

    return is_wanted
