"""The task by which a machine measures a part: called by Dask in a thread of the worker, in JSON both ways."""

from __future__ import annotations

from capbench.fleet.block_job import from_message
from capbench.fleet.spreading.part_job import PartJob
from capbench.fleet.workers.worker_tasks import service_here

__all__ = ["measure_part"]


def measure_part(job: str) -> str:
    """Measure the part of a `PartJob`; returns JSON of its records. Takes the resource `validate`.

    Raises `MachineBusyError` where the machine times something for longer than the sender waits, `PartError` where it
    cannot measure to the sender's figures, `InputError` for a file that was not sent.
    """
    return service_here().measure_part(from_message(job, PartJob))
