"""The machines of a fleet as the scheduler knows them, for `capbench fleet status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from capbench.fleet.block_job import Activity
from capbench.fleet.dask_settings import fleet_settings
from capbench.fleet.dispatch.dask_link import DaskLink
from capbench.fleet.dispatch.fleet_member import FleetPace
from capbench.fleet.event_loop import run_in_order
from capbench.fleet.workers.machine_report import MachineReport
from capbench.results.record import Record

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["FleetStatus", "MachineStatus", "read_status"]


class MachineStatus(Record):
    """One machine now."""

    address: str
    """Where its worker listens."""
    report: MachineReport
    """What it is."""
    activity: Activity
    """What it does."""
    silent_s: float
    """Since its last heartbeat, in seconds; wrong by as much as the clocks of scheduler and this machine differ."""


class FleetStatus(Record):
    """All machines of a fleet."""

    scheduler: str
    """Its address."""
    silent_after_s: float = FleetPace().lost_after_s
    """A machine that is silent for longer is lost."""
    machines: tuple[MachineStatus, ...]
    """By name."""


def read_status(address: str, security: Security | None) -> FleetStatus:
    """Ask a scheduler. Raises `UnavailableError`."""

    async def ask() -> FleetStatus:
        link = await DaskLink.open(address, security)
        try:
            seen = await link.machines()
        finally:
            await link.close()
        now = time.time()
        return FleetStatus(
            scheduler=address,
            machines=tuple(
                MachineStatus(
                    address=each.address,
                    report=each.report,
                    activity=each.activity,
                    silent_s=max(0.0, now - each.last_seen),
                )
                for _, each in sorted(seen.items())
            ),
        )

    with fleet_settings():
        return run_in_order(ask())
