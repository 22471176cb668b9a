"""A machine joins a fleet: `capbench fleet worker SCHEDULER`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from capbench.errors import InputError, UnavailableError
from capbench.fleet.block_job import Activity
from capbench.fleet.dask_settings import LOOPBACK_ONLY, fleet_settings, import_distributed
from capbench.fleet.event_loop import run_in_order
from capbench.fleet.security.secure_connections import worker_host
from capbench.fleet.workers.machine_report import MachineReport
from capbench.fleet.workers.worker_service import WorkerService
from capbench.fleet.workers.worker_tasks import serve_as
from capbench.recordings import cache_folder

if TYPE_CHECKING:
    from distributed import Security, Worker

__all__ = ["HEARTBEAT_S", "REPORT_KEY", "WorkerOptions", "fleet_worker", "run_worker", "worker_folder"]

REPORT_KEY = "capbench"
"""Where the scheduler's information on a worker has its report, and its metrics its activity."""
_NAME_TAKEN_FOR_S = 90.0
"""A worker that died on a network that drops everything is known to the scheduler for a minute."""
_AGAIN_AFTER_S = 2.0
"""Between two attempts to join."""
HEARTBEAT_S = 5.0
"""Dask's own are twice a second in a small fleet, each some milliseconds of CPU time beside what is timed. Six of these
are missed before a machine is taken for lost."""


class ReportingService(Protocol):
    """What the scheduler is told of a machine."""

    report: MachineReport
    """What it is."""

    def activity(self) -> Activity:
        """What it does now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a machine takes part."""

    scheduler: str
    """Address of the scheduler, with its protocol."""
    folder: Path
    """The worker's own folder."""
    lock: Path
    """Folder of the lock that all workers of the machine share."""
    security: Security | None = None
    """Certificates; None for plain TCP."""
    port: int = 0
    """Port that the worker listens on; 0 for any."""


def run_worker(report: MachineReport, options: WorkerOptions, *, say: Callable[[str], None]) -> None:
    """Be a machine of the fleet until interrupted; joins again whenever the scheduler comes back.

    Raises `UnavailableError` where another living machine has the name, `InputError` for an address that is none.
    """
    service = WorkerService(options.folder, options.lock, report)
    serve_as(service)
    with fleet_settings():
        try:
            run_in_order(_serve(service, options, say))
        finally:
            service.stop()


def worker_folder(name: str) -> Path:
    """The folder of a worker by default: in the user's cache, or in `CAPBENCH_CACHE`."""
    return cache_folder().parent / "fleet" / name


async def _serve(service: WorkerService, options: WorkerOptions, say: Callable[[str], None]) -> None:
    taken_since_s: float | None = None
    while True:
        service.restart()
        worker = fleet_worker(service, options)
        try:
            await worker
        except (ValueError, RuntimeError) as error:
            await _close(worker)
            reason = _innermost(error)
            if "name taken" not in reason:
                raise UnavailableError(f"cannot join {options.scheduler}: {reason}") from error
            taken_since_s = taken_since_s or time.monotonic()
            if time.monotonic() - taken_since_s > _NAME_TAKEN_FOR_S:
                raise UnavailableError(
                    f"the fleet has a machine called {service.report.name} already; choose another --name"
                ) from error
            await asyncio.sleep(_AGAIN_AFTER_S)
            continue
        taken_since_s = None
        say(f"{service.report.name} has joined {options.scheduler}")
        try:
            await worker.finished()
        except BaseException:
            service.stop()  # first: Dask waits for its threads, and they for the block's process
            await _close(worker)
            raise
        service.stop()
        say(f"{service.report.name} has lost {options.scheduler}; it joins again when the scheduler is there")
        await asyncio.sleep(_AGAIN_AFTER_S)


def fleet_worker(service: ReportingService, options: WorkerOptions) -> Worker:
    """A machine's Dask worker, not started yet. Raises `InputError` for an address that is none."""
    slots = service.report.validation_slots

    def report(_worker: Worker) -> dict[str, Any]:
        return service.report.model_dump(mode="json")

    def activity(_worker: Worker) -> dict[str, Any]:
        return service.activity().model_dump(mode="json")

    import_distributed()
    from distributed import Worker

    class RareHeartbeats(Worker):
        """Its scheduler says after each heartbeat when the next is due; this waits longer."""

        async def heartbeat(self) -> None:
            await super().heartbeat()
            callback = self.periodic_callbacks["heartbeat"]
            callback.callback_time = max(callback.callback_time, 1000 * HEARTBEAT_S)

    try:
        return RareHeartbeats(
            options.scheduler,
            name=service.report.name,
            # One to time, one for each validation, one for what is sent: each task takes one of these.
            nthreads=1 + slots + 1,
            resources={"measure": 1, "validate": slots, "transfer": 1},
            memory_limit=0,
            local_directory=str(options.folder / "dask"),
            security=options.security,
            host=worker_host(options.scheduler, options.security),
            port=options.port,
            dashboard=False,
            dashboard_address=LOOPBACK_ONLY,
            startup_information={REPORT_KEY: report},
            metrics={REPORT_KEY: activity},
        )
    except ValueError as error:
        raise InputError(f"{options.scheduler!r} is no address of a scheduler: {error}") from error


async def _close(worker: Worker) -> None:
    with contextlib.suppress(Exception):  # a worker that never came up has nothing to close
        await worker.close(timeout=5, reason="leaves the fleet")


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
