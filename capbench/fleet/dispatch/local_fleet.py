"""A fleet on this machine alone, for a try: a scheduler in this process and some workers beside it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from capbench.errors import InputError
from capbench.files import write_atomic
from capbench.fleet.start_scheduler import open_scheduler
from capbench.fleet.workers.machine_report import read_report
from capbench.harness.process.measured_process import Tail
from capbench.harness.process.spawn import Launched, launch
from capbench.results.record import record_json

__all__ = ["local_fleet", "local_workers"]

MOST_LOCAL_WORKERS = 64
"""They take turns at the one machine: a try needs a few."""


def local_workers(text: str) -> int | None:
    """How many workers `local:N` asks for; None for the address of a scheduler. Raises `InputError`."""
    if not text.startswith("local:"):
        return None
    number = text.removeprefix("local:")
    if not re.fullmatch(r"[0-9]{1,4}", number) or not 1 <= int(number) <= MOST_LOCAL_WORKERS:
        raise InputError(f"--fleet {text}: write local:N with 1 to {MOST_LOCAL_WORKERS} workers, such as local:3")
    return int(number)


@contextlib.asynccontextmanager
async def local_fleet(workers: int) -> AsyncIterator[str]:
    """Address of a scheduler on loopback that `workers` workers join, machines `local-1` and so on.

    They share the lock of this machine, so that their blocks are timed one after the other.
    """
    with tempfile.TemporaryDirectory(prefix="capbench-fleet-") as folder:
        report = Path(folder) / "report.json"
        # Once for all of them: it is one machine.
        write_atomic(report, record_json(read_report("local", {}, folder=Path(folder), validation_slots=1)))
        async with open_scheduler("127.0.0.1", 0, None) as scheduler:
            with _workers(workers, scheduler.address, Path(folder), report):
                yield scheduler.address


@contextlib.contextmanager
def _workers(count: int, address: str, folder: Path, report: Path) -> Iterator[None]:
    running: list[tuple[Launched, tuple[Tail, Tail]]] = []
    try:
        for number in range(1, count + 1):
            own = folder / f"local-{number}"
            own.mkdir()
            command = [
                *(sys.executable, "-X", "utf8", "-P", "-m", "capbench", "fleet", "worker", address),
                *("--name", f"local-{number}", "--folder", str(own), "--report", str(report)),
            ]
            process = launch(command, env=os.environ, cwd=own)
            # What they say is read, or they would wait for a reader in the end.
            running.append((process, (Tail(process.stdout), Tail(process.stderr))))
        yield
    finally:
        for process, _ in running:
            process.kill()
        for process, _ in running:
            process.close()
