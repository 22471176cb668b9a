"""The runner's connection to its fleet, on Dask: who is there, and one call on one machine."""

from __future__ import annotations

import asyncio
import secrets
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from capbench.errors import UnavailableError
from capbench.fleet.block_job import (
    PIECE_BYTES,
    Activity,
    BlockAnswer,
    BlockJob,
    BundleFile,
    PieceJob,
    from_message,
    to_message,
)
from capbench.fleet.dask_settings import import_distributed
from capbench.fleet.spreading import part_tasks
from capbench.fleet.spreading.part_job import PartJob
from capbench.fleet.workers import worker_tasks
from capbench.fleet.workers.machine_report import MachineReport
from capbench.fleet.workers.start_worker import REPORT_KEY
from capbench.harness.machine.machine_lock import MachineBusyError

if TYPE_CHECKING:
    from distributed import Client, Future, Security

__all__ = ["CallFailedError", "DaskLink", "Link", "SeenMachine"]

_CONNECT_TIMEOUT_S = 20.0
_LOOK_TIMEOUT_S = 20.0
"""For the list of machines; the scheduler makes it in milliseconds."""
_BUSY_AGAIN_S = 1.0
"""Between two attempts to send to a machine that times something."""


class CallFailedError(Exception):
    """A call did not come back with an answer: its machine went away, or what it runs failed in an unforeseen way."""


@dataclass(frozen=True, slots=True)
class SeenMachine:
    """A machine as the scheduler knows it."""

    address: str
    """Where its worker listens; another after every start."""
    report: MachineReport
    """What it is."""
    activity: Activity
    """What it does."""
    last_seen: float
    """The scheduler's time of its last heartbeat: only whether it changes means anything here."""


class Link(Protocol):
    """What the dispatcher needs of a fleet; tests have one without machines."""

    async def machines(self) -> Mapping[str, SeenMachine]:
        """The machines that are there, by name. Raises `UnavailableError` where the scheduler is gone."""

    async def run_block(self, address: str, job: BlockJob) -> BlockAnswer:
        """Have a machine make a block. Raises `CallFailedError`. When cancelled, the machine gives the block up."""

    async def send_file(self, address: str, file: BundleFile, path: Path) -> None:
        """Make sure that a machine has a file. Raises `CallFailedError`."""

    async def stored_bytes(self, address: str, file: BundleFile) -> int:
        """How much of a file a machine has. Raises `CallFailedError`."""

    async def fetch_file(self, address: str, job: PieceJob, target: Path, size_bytes: int) -> None:
        """Get so many bytes of a file that a block has made. Raises `CallFailedError`."""

    async def forget_block(self, address: str, job: PieceJob) -> None:
        """Have a machine remove what a block left. Raises `CallFailedError`."""


class DaskLink:
    """A client of a scheduler."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def open(cls, address: str, security: Security | None) -> DaskLink:
        """Connect. Raises `UnavailableError`."""
        distributed = import_distributed()
        with warnings.catch_warnings():
            # Other versions of packages are no matter here: what runs there comes from capbench, whose version counts.
            warnings.simplefilter("ignore")
            client = distributed.Client(
                address, asynchronous=True, security=security, timeout=_CONNECT_TIMEOUT_S, set_as_default=False
            )
            try:
                await client
            except (OSError, TimeoutError, ValueError) as error:
                await client.close()
                raise UnavailableError(
                    f"no scheduler of a fleet at {address}: {error or type(error).__name__}; "
                    "start one with: capbench fleet scheduler"
                ) from error
        return cls(client)

    async def close(self) -> None:
        """Disconnect; what machines still do for this runner is given up."""
        await self._client.close()

    async def machines(self) -> Mapping[str, SeenMachine]:
        """Ask the scheduler. Workers that are none of capbench are left out."""
        if self._client.status != "running" or self._client.scheduler is None:
            raise UnavailableError("the scheduler is gone; continue with --resume when it is there again")
        try:
            identity = await asyncio.wait_for(self._client.scheduler.identity(n_workers=-1), _LOOK_TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            raise UnavailableError(
                f"the scheduler is gone: {error or 'no answer'}; continue with --resume when it is there again"
            ) from error
        found = (_seen(address, worker) for address, worker in identity["workers"].items())
        return {each.report.name: each for each in found if each is not None}

    async def run_block(self, address: str, job: BlockJob) -> BlockAnswer:
        """See `Link`."""
        # What another machine has made is validated beside others that validate; a block of its own has the machine.
        resource = "measure" if job.measured is None else "validate"
        said = await self._call(address, worker_tasks.run_block, to_message(job), resource=resource)
        return from_message(str(said), BlockAnswer)

    async def send_file(self, address: str, file: BundleFile, path: Path) -> None:
        """See `Link`. What the machine has of the file is not sent again."""
        have = await self._store(address, file, 0, b"")
        with path.open("rb") as stream:
            while have < file.size_bytes:
                stream.seek(have)
                piece = stream.read(PIECE_BYTES)
                if not piece:
                    raise CallFailedError(f"{path} became shorter while it was sent")
                have = await self._store(address, file, have, piece)

    async def _store(self, address: str, file: BundleFile, offset: int, piece: bytes) -> int:
        job = to_message(PieceJob(file=file, offset=offset))
        return int(await self._when_free(address, worker_tasks.store_piece, job, piece))

    async def stored_bytes(self, address: str, file: BundleFile) -> int:
        """See `Link`."""
        return await self._store(address, file, 0, b"")

    async def send_piece(self, address: str, file: BundleFile, path: Path) -> int:
        """Send the next piece of a file; returns its size. Raises `CallFailedError`."""
        have = await self._store(address, file, 0, b"")
        with path.open("rb") as stream:
            stream.seek(have)
            piece = stream.read(PIECE_BYTES)
        return await self._store(address, file, have, piece) - have

    async def measure_part(self, address: str, job: PartJob) -> str:
        """Have a machine measure a part. Raises `CallFailedError`; by `MachineBusyError` where it times something."""
        return str(await self._call(address, part_tasks.measure_part, to_message(job), resource="validate"))

    async def fetch_file(self, address: str, job: PieceJob, target: Path, size_bytes: int) -> None:
        """See `Link`."""
        with target.open("wb") as stream:
            while stream.tell() < size_bytes:
                here = job.model_copy(update={"offset": stream.tell()})
                piece = await self._when_free(address, worker_tasks.read_piece, to_message(here))
                if not piece or stream.tell() + len(piece) > size_bytes:
                    raise CallFailedError(f"{job.name} is not of the size that was announced")
                stream.write(piece)

    async def forget_block(self, address: str, job: PieceJob) -> None:
        """See `Link`."""
        await self._call(address, worker_tasks.forget_block, to_message(job), resource="transfer")

    async def _when_free(self, address: str, task: Callable[..., Any], *arguments: Any) -> Any:
        """A call of what must not run beside a timed run, again while the machine times something."""
        while True:
            try:
                return await self._call(address, task, *arguments, resource="transfer")
            except CallFailedError as error:
                if not isinstance(error.__cause__, MachineBusyError):
                    raise
            await asyncio.sleep(_BUSY_AGAIN_S)

    async def _call(self, address: str, task: Callable[..., Any], *arguments: Any, resource: str) -> Any:
        """Have one machine, and no other, do one thing, once."""
        future = self._client.submit(
            task,
            *arguments,
            key=f"capbench-{task.__name__}-{secrets.token_hex(8)}",
            workers=[address],
            allow_other_workers=False,
            resources={resource: 1},
            retries=0,
            pure=False,
        )
        try:
            return await _result_of(future)
        except Exception as error:
            # Whatever the worker raised, and Dask's own KilledWorker: each is an attempt that failed.
            raise CallFailedError(str(error) or type(error).__name__) from error
        finally:
            future.release()


async def _result_of(future: Future[Any]) -> Any:
    """What a task returned. Raises what it raised, and `CallFailedError` where the scheduler has dropped it.

    Dask fetches the results of several waiters by one request, and a waiter that is given up, as that of a machine that
    was lost, cancels it for all of them. Whoever was not meant asks again: the result is still there.
    """
    while True:
        try:
            return await future
        except asyncio.CancelledError:
            if future.cancelled():
                raise CallFailedError("the scheduler has dropped it") from None
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise


def _seen(address: str, worker: Mapping[str, Any]) -> SeenMachine | None:
    try:
        report = MachineReport.model_validate(worker.get(REPORT_KEY))
        activity = Activity.model_validate(worker.get("metrics", {}).get(REPORT_KEY) or {})
    except ValidationError:
        return None
    return SeenMachine(address, report, activity, float(worker.get("last_seen", 0.0)))
