"""Parts of one validation on the machines of a fleet, in whatever validation slots are free."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from capbench.errors import PartError, UnavailableError
from capbench.files import content_digest, describe_os_error
from capbench.fleet.block_job import MOST_FILE_BYTES, Bundle, BundleFile
from capbench.fleet.dask_settings import fleet_settings
from capbench.fleet.dispatch.dask_link import CallFailedError, DaskLink, SeenMachine
from capbench.fleet.dispatch.local_fleet import local_fleet, local_workers
from capbench.fleet.spreading.part_job import PartJob
from capbench.fleet.spreading.worth_sending import choose_sending
from capbench.harness.machine.machine_lock import MachineBusyError
from capbench.installation import version_of
from capbench.units import format_bytes

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["FleetParts", "PartMachine", "SpreadFiles", "SpreadParts", "SpreadWork", "bundle_files"]

_PART_TIMEOUT_S = 3600.0
"""Of one part, as of a part in a process of this machine."""
_LOCK_WAIT_S = 5.0
"""A machine that times something is asked again; meanwhile its part goes to another."""
_BUSY_AGAIN_S = 2.0
_JOIN_TIMEOUT_S = 60.0
"""For the machines of `local:N` to come up."""
_LOOK_EVERY_S = 0.2
_PARTS_PER_SLOT = 2
"""A machine that is faster than another takes a third part while that one is at its second."""


class PartLink(Protocol):
    """What is needed of a fleet; tests have one without machines."""

    async def stored_bytes(self, address: str, file: BundleFile) -> int:
        """How much of a file a machine has. Raises `CallFailedError`."""

    async def send_piece(self, address: str, file: BundleFile, path: Path) -> int:
        """Send the next piece of a file; returns its size. Raises `CallFailedError`."""

    async def send_file(self, address: str, file: BundleFile, path: Path) -> None:
        """Make sure that a machine has a file. Raises `CallFailedError`."""

    async def measure_part(self, address: str, job: PartJob) -> str:
        """Have a machine measure a part. Raises `CallFailedError`."""


@dataclass(frozen=True, slots=True)
class SpreadWork:
    """What is to be measured, and what it would take here."""

    reference: Path
    """The reference."""
    output: Path
    """The output."""
    work_s: float
    """CPU time of measuring all pairs, about."""
    arithmetic: str
    """What this machine makes of known pictures."""


@dataclass(frozen=True, slots=True)
class SpreadFiles:
    """What is sent, by its content."""

    reference: Bundle
    output: Bundle
    paths: dict[str, Path]
    """Digest to where the file lies here."""


@dataclass(slots=True)
class PartMachine:
    """One machine that takes parts."""

    name: str
    address: str
    slots: int
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_ready: bool = False
    why_not: str | None = None


class FleetParts:
    """Measures parts as they are submitted. A thread of its own talks to the fleet while this one matches frames."""

    def __init__(self, fleet: str, security: Security | None, work: SpreadWork, *, say: Callable[[str], None]) -> None:
        """`fleet` is the address of a scheduler with its protocol, or `local:N`; `say` is told what was decided."""
        self.parts = 1
        """How many parts are wanted, known once the machines are."""
        self.threads: int | None = None
        """Each machine gives libvmaf what it has."""
        self._fleet = fleet
        self._security = security
        self._work = work
        self._say = say
        self._files = bundle_files(work)
        self._ready: Future[None] = Future()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="capbench-fleet-parts", daemon=True)
        self._spread: SpreadParts | None = None

    def __enter__(self) -> Self:
        """Connect. Raises `UnavailableError` where there is no scheduler, or no machine of this version."""
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._thread.join()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def submit(self, plan: str) -> Future[str]:
        """Begin to measure a part: JSON of its plan, and later of its records. The future raises `PartError`."""
        assert self._loop is not None
        assert self._spread is not None
        return asyncio.run_coroutine_threadsafe(self._spread.measure(plan), self._loop)

    def _run(self) -> None:
        try:
            with fleet_settings():
                asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  it is raised by whoever waits for the fleet
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with contextlib.AsyncExitStack() as held:
            local = local_workers(self._fleet)
            address = self._fleet if local is None else await held.enter_async_context(local_fleet(local))
            link = await DaskLink.open(address, self._security)
            held.push_async_callback(link.close)
            machines = _own_version(await _joined(link, local or 1), self._say)
            slots = sum(each.slots for each in machines)
            self.parts = slots * _PARTS_PER_SLOT
            self._spread = SpreadParts(link, machines, self._work, self._files, say=self._say)
            self._ready.set_result(None)
            await self._stop.wait()
            await self._spread.close()


class SpreadParts:
    """Gives parts to machines: each to the first that is free, and to another where one cannot measure it."""

    def __init__(
        self,
        link: PartLink,
        machines: Sequence[PartMachine],
        work: SpreadWork,
        files: SpreadFiles,
        *,
        say: Callable[[str], None],
    ) -> None:
        self._link = link
        self._machines = list(machines)
        self._work = work
        self._files = files
        self._say = say
        self._free: asyncio.Queue[PartMachine | None] = asyncio.Queue()
        self._running: set[asyncio.Task[str]] = set()
        for machine in machines:
            for _ in range(machine.slots):
                self._free.put_nowait(machine)

    async def measure(self, plan: str) -> str:
        """Records of a part. Raises `PartError` where no machine is left that could measure it."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            while True:
                machine = await self._next()
                records = await self._attempt(machine, plan)
                if records is not None:
                    return records
        finally:
            self._running.discard(task)

    async def close(self) -> None:
        """Give up what still runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _next(self) -> PartMachine:
        """A machine with a free slot. Raises `PartError` where none is left."""
        while True:
            machine = await self._free.get()
            if machine is None or all(each.why_not for each in self._machines):
                self._free.put_nowait(None)  # for whoever waits, too
                reasons = "; ".join(str(each.why_not) for each in self._machines)
                raise PartError(f"no machine of the fleet measures it: {reasons}")
            if machine.why_not is None:
                return machine

    async def _attempt(self, machine: PartMachine, plan: str) -> str | None:
        """Records from one machine; None where another is to try, or this one later."""
        try:
            await self._make_ready(machine)
            if machine.why_not is None:
                records = await self._link.measure_part(machine.address, self._job(machine, plan))
                self._free.put_nowait(machine)
                return records
        except CallFailedError as error:
            if isinstance(error.__cause__, MachineBusyError):
                # Behind its back: the part goes to another machine, and this one is asked again.
                asyncio.get_running_loop().call_later(_BUSY_AGAIN_S, self._free.put_nowait, machine)
                return None
            if machine.why_not is None:
                machine.why_not = f"{machine.name}: {error}"
                self._say(f"{machine.name} measures no parts: {error}")
        # Nobody else is woken by a machine that does not come back.
        self._free.put_nowait(machine)
        return None

    async def _make_ready(self, machine: PartMachine) -> None:
        """Send the files where they are missing and worth it. Raises `CallFailedError`."""
        async with machine.sending:
            if machine.is_ready or machine.why_not is not None:
                return
            missing = []
            for file in (*self._files.reference.files, *self._files.output.files):
                have = await self._link.stored_bytes(machine.address, file)
                if have < file.size_bytes:
                    missing.append((file, file.size_bytes - have))
            rate = await self._rate(machine, missing[0][0]) if missing else 0.0
            missing_bytes = sum(size for _, size in missing)
            slots = sum(each.slots for each in self._machines if each.why_not is None)
            choice = choose_sending(
                machine.name,
                missing_bytes=missing_bytes,
                bytes_per_s=rate,
                work_s=self._work.work_s,
                # The machine that matches the frames would do what nobody else does.
                share=machine.slots / (slots + 1),
            )
            self._say(choice.reason)
            if not choice.is_worth_it:
                machine.why_not = choice.reason
                return
            for file, _ in missing:
                await self._link.send_file(machine.address, file, self._files.paths[file.sha256])
            machine.is_ready = True

    async def _rate(self, machine: PartMachine, file: BundleFile) -> float:
        """Bytes a second to a machine, by the next piece of a file that it needs. Raises `CallFailedError`."""
        begin_s = time.perf_counter()
        sent = await self._link.send_piece(machine.address, file, self._files.paths[file.sha256])
        return max(1, sent) / max(1e-6, time.perf_counter() - begin_s)

    def _job(self, machine: PartMachine, plan: str) -> PartJob:
        return PartJob(
            capbench_version=version_of("capbench"),
            machine=machine.name,
            reference=self._files.reference,
            output=self._files.output,
            plan=plan,
            arithmetic=self._work.arithmetic,
            timeout_s=_PART_TIMEOUT_S,
            lock_wait_s=_LOCK_WAIT_S,
        )


def bundle_files(work: SpreadWork) -> SpreadFiles:
    """Both files by their content. Raises `PartError` for what is not sent."""
    paths: dict[str, Path] = {}
    found = []
    for name, path in (("reference", work.reference), ("output", work.output)):
        if path.suffix.lower() in (".m3u8", ".m3u"):
            raise PartError(f"{path} is a playlist, which is not sent to a fleet")
        # Its own name could be anything.
        suffix = path.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", path.suffix) else ""
        try:
            digest, size = content_digest(path), path.stat().st_size
        except OSError as error:
            raise PartError(f"cannot read {path}: {describe_os_error(error)}") from error
        if size > MOST_FILE_BYTES:
            raise PartError(f"{path} has {format_bytes(size)}; at most {format_bytes(MOST_FILE_BYTES)} are sent")
        file = BundleFile(name=f"{name}{suffix}", sha256=digest, size_bytes=size)
        found.append(Bundle(entry=file.name, files=(file,)))
        paths[digest] = path
    return SpreadFiles(found[0], found[1], paths)


async def _joined(link: DaskLink, wanted: int) -> Sequence[SeenMachine]:
    """The machines of the fleet, as soon as so many are there. Raises `UnavailableError` where none comes."""
    end_s = time.monotonic() + (_JOIN_TIMEOUT_S if wanted > 1 else 0.0)
    while True:
        machines = await link.machines()
        if len(machines) >= wanted or time.monotonic() > end_s:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    if not machines:
        raise UnavailableError("the fleet has no machine; start one with: capbench fleet worker SCHEDULER")
    return [machines[name] for name in sorted(machines)]


def _own_version(seen: Sequence[SeenMachine], say: Callable[[str], None]) -> list[PartMachine]:
    """Those that have this version. Raises `UnavailableError` where none has."""
    mine = version_of("capbench")
    found = []
    for each in seen:
        if each.report.capbench_version != mine:
            say(f"{each.report.name} measures no parts: it has capbench {each.report.capbench_version}, this is {mine}")
            continue
        found.append(PartMachine(each.report.name, each.address, each.report.validation_slots))
    if not found:
        raise UnavailableError(f"no machine of the fleet has capbench {mine}")
    return found
