"""The scheduler of a fleet: `capbench fleet scheduler`, or one inside the runner for `--fleet local:N`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from capbench.errors import UnavailableError
from capbench.fleet.dask_settings import LOOPBACK_ONLY, fleet_settings, import_distributed
from capbench.fleet.event_loop import run_in_order

if TYPE_CHECKING:
    from distributed import Scheduler, Security

__all__ = ["open_scheduler", "run_scheduler"]


def run_scheduler(host: str, port: int, security: Security | None, *, say: Callable[[str], None]) -> None:
    """Be the scheduler until interrupted. Raises `UnavailableError` where the address cannot be had."""

    async def serve() -> None:
        async with open_scheduler(host, port, security) as scheduler:
            say(f"scheduler at {scheduler.address}; join with: capbench fleet worker {scheduler.address}")
            await scheduler.finished()

    with fleet_settings():
        run_in_order(serve())


@contextlib.asynccontextmanager
async def open_scheduler(host: str, port: int, security: Security | None) -> AsyncIterator[Scheduler]:
    """A scheduler that listens on an address, 0 for any port. Raises `UnavailableError`."""
    distributed = import_distributed()
    scheduler: Scheduler = distributed.Scheduler(
        host=host,
        port=port,
        security=security,
        protocol="tcp" if security is None else "tls",
        dashboard=False,
        dashboard_address=LOOPBACK_ONLY,
    )
    try:
        await scheduler
    except (OSError, RuntimeError, ValueError) as error:
        raise UnavailableError(f"cannot listen on {host}:{port}: {error.__cause__ or error}") from error
    try:
        yield scheduler
    finally:
        await scheduler.close()
