"""How Dask is set for a fleet: nothing beside a measurement that costs time, nothing that tries again in silence."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from capbench.errors import UnavailableError
from capbench.installation import install_command

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["LOOPBACK_ONLY", "fleet_settings", "import_distributed"]

_LOGS = ("distributed", "distributed.client", "tornado.application")
"""Loggers that Dask gives a level of their own."""
LOOPBACK_ONLY = "127.0.0.1:0"
"""Where the HTTP servers listen that Dask always opens. They have no routes either."""
_SETTINGS: dict[str, Any] = {
    # A block that died was half a block: it is for the runner to throw away, not for Dask to begin again.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    # Without a heartbeat for so long a worker is removed; one that comes back registers anew.
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # The profiler looks at every thread a hundred times a second.
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # Of an event loop that has nothing to do: it wakes up fifty times a second by itself.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "10s",
    # A process that waits for the machine's lock or a disk is not ill.
    "distributed.admin.tick.limit": "60s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.diagnostics.nvml": False,
    "distributed.worker.multiprocessing-method": "spawn",
}


def import_distributed() -> ModuleType:
    """Dask's `distributed`. Raises `UnavailableError` with the command that installs it."""
    try:
        import distributed
    except ImportError as error:
        raise UnavailableError(
            f"a fleet needs dask.distributed; install it with: {install_command('fleet')}"
        ) from error
    return distributed


@contextlib.contextmanager
def fleet_settings() -> Iterator[None]:
    """Dask set for a fleet while the body runs, whatever the user's own configuration says."""
    import_distributed()
    import dask

    logs = [logging.getLogger(name) for name in _LOGS]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)  # what goes wrong is seen from here: a machine is lost, a call fails
    try:
        with dask.config.set(_SETTINGS):
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
