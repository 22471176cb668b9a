"""What a fleet costs its scheduler: messages, bytes and CPU time a block, a look and a second, and what follows.

`python -m tests.bench.scheduler_load --workers 50 --blocks 4 --json record.json`. A scheduler in a process of its own,
as `capbench fleet scheduler` opens it, counts what passes through its connections. Workers, ten in a process, are
opened as `capbench fleet worker` opens them, on a service that answers each block at once with as many bytes as told.
The runner is this process, by the connection that `capbench run --fleet` has. `--table record.json` prints the table of
docs/fleet.md from a record, for 1,000 machines and blocks of some lengths, without measuring anything.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import functools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from capbench.fleet.block_job import Activity, BlockAnswer, BlockFile, BlockJob
from capbench.fleet.dask_settings import fleet_settings
from capbench.fleet.dispatch.dask_link import DaskLink
from capbench.fleet.start_scheduler import open_scheduler
from capbench.fleet.workers import worker_tasks
from capbench.fleet.workers.start_worker import HEARTBEAT_S, WorkerOptions, fleet_worker
from capbench.harness.matrix.model import Case, Subject
from capbench.installation import version_of
from tests.unit.fleet.fake_fleet import report_of

__all__ = ["Load", "SchedulerCost", "cost_of", "read_record", "table_of"]

_WORKERS_A_PROCESS = 10
_JOIN_TIMEOUT_S = 300.0
_LOOKS = 20
_IDLE_S = 60.0
"""Twelve heartbeats of each machine."""
_LOOK_EVERY_S = 2.0
"""As `FleetPace` has it."""
_MACHINES = 1000
_BLOCK_LENGTHS_S = (10, 60, 600)


@dataclass(frozen=True, slots=True)
class Load:
    """What has passed through the scheduler since it began."""

    messages: int = 0
    """Messages read and written."""
    bytes: int = 0
    """Their bytes."""
    cpu_s: float = 0.0
    """CPU time of its process in seconds."""
    rss_bytes: int = 0
    """Memory that it holds."""

    def since(self, before: Load, share: float = 1.0) -> Load:
        """What came between two readings, divided by `share`; memory as it is now."""
        return Load(
            round((self.messages - before.messages) / share),
            round((self.bytes - before.bytes) / share),
            (self.cpu_s - before.cpu_s) / share,
            self.rss_bytes,
        )


@dataclass(frozen=True, slots=True)
class SchedulerCost:
    """Costs as measured. All are of one thing: a block, a look at all machines, a machine that does nothing."""

    workers: int
    """Machines that were simulated."""
    cpu: str
    """Processor and system of the measurement."""
    block: Load
    """One block whose answer has `answer_bytes`."""
    answer_bytes: int
    """Bytes of that answer."""
    large_block: Load
    """One block whose answer has `large_answer_bytes`."""
    large_answer_bytes: int
    """Bytes of that answer."""
    look: Load
    """One look at all machines."""
    idle_machine: Load
    """One machine that is idle for `idle_seconds`."""
    idle_seconds: float
    """For how long the machines were watched while they did nothing."""


def cost_of(cost: SchedulerCost, machines: int, block_s: float) -> dict[str, float]:
    """Load of the scheduler a second, by simulation: so many machines, blocks of so many seconds, the runner's looks.

    A look grows with what it lists. Heartbeats become rarer the more workers there are.
    """
    rarer = _heartbeat_s(cost.workers) / _heartbeat_s(machines)
    blocks = machines / block_s
    looks = 1 / _LOOK_EVERY_S
    growth = machines / cost.workers

    def a_second(field: str) -> float:
        idle = getattr(cost.idle_machine, field) / cost.idle_seconds
        return float(
            blocks * getattr(cost.block, field) + machines * rarer * idle + looks * growth * getattr(cost.look, field)
        )

    return {"messages": a_second("messages"), "bytes": a_second("bytes"), "cpu": a_second("cpu_s")}


def _heartbeat_s(machines: int) -> float:
    """Seconds between two heartbeats of a worker: by Dask's own rule, but never fewer than a worker of ours waits."""
    from distributed.scheduler import heartbeat_interval

    return max(HEARTBEAT_S, heartbeat_interval(machines))


def table_of(cost: SchedulerCost) -> str:
    """The tables of docs/fleet.md."""
    rows = [
        "| at the scheduler | messages | bytes | CPU |",
        "|---|---|---|---|",
        _row(f"a block with {_size(cost.answer_bytes)} of results", cost.block),
        _row(f"a block with {_size(cost.large_answer_bytes)} of results", cost.large_block),
        _row(f"a look at {cost.workers} machines, every {_LOOK_EVERY_S:g} s", cost.look),
        _row("an idle machine for a minute", cost.idle_machine, 60 / cost.idle_seconds),
        "",
        f"| {_MACHINES} machines, blocks of | blocks a second | messages a second | bytes a second | of one core |",
        "|---|---|---|---|---|",
    ]
    for block_s in _BLOCK_LENGTHS_S:
        load = cost_of(cost, _MACHINES, block_s)
        rows.append(
            f"| {block_s} s | {_MACHINES / block_s:.3g} | {load['messages']:.0f} | {_size(load['bytes'])} | "
            f"{load['cpu'] * 100:.0f}% |"
        )
    return "\n".join(rows)


def _row(name: str, load: Load, factor: float = 1.0) -> str:
    cpu_ms = load.cpu_s * factor * 1000
    return f"| {name} | {load.messages * factor:.0f} | {_size(load.bytes * factor)} | {cpu_ms:.1f} ms |"


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


class _Service:
    """Stands in for a machine: every block is answered at once."""

    def __init__(self, name: str) -> None:
        self.report = report_of(name)

    def activity(self) -> Activity:
        return Activity()

    def make_block(self, job: BlockJob, _is_wanted: Callable[[], bool]) -> BlockAnswer:
        size = job.seed
        text = base64.b64encode(os.urandom(size * 3 // 4)).decode("ascii")
        return BlockAnswer(files=(BlockFile(name="runs/a.json", size_bytes=size * 3 // 4, base64=text),))


def _job(machine: str, number: int, answer_bytes: int) -> BlockJob:
    subjects = tuple(Subject(name=name, command=("export", "{output}")) for name in ("a", "b", "floor"))
    case = Case(
        name="case",
        recording="1080p-1min",
        subjects=("a", "b", "floor"),
        blocks=4,
        timeout_s=10,
        settle_s=0,
        warmup=False,
        drift_control=False,
    )
    return BlockJob(
        capbench_version=version_of("capbench"),
        run_id="0" * 16,
        attempt=f"{number:016x}",
        machine=machine,
        seed=answer_bytes,
        matrix="load",
        case=case,
        subjects=subjects,
        number=number,
        timeout_s=60,
    )


async def _serve_scheduler() -> None:
    """A scheduler that says what has passed through it, a line of JSON for each line that it is given."""
    import psutil
    from distributed.comm import tcp

    counted = {"messages": 0, "bytes": 0}
    # Dask's own, whatever types they have.
    write, from_frames = tcp.TCP.write, vars(tcp)["from_frames"]

    @functools.wraps(write)
    async def counting_write(self: Any, *args: Any, **kwargs: Any) -> Any:
        sent = await write(self, *args, **kwargs)  # type: ignore[no-untyped-call]
        counted["messages"] += 1
        counted["bytes"] += sent
        return sent

    async def counting_from_frames(frames: Any, *args: Any, **kwargs: Any) -> Any:
        counted["messages"] += 1
        counted["bytes"] += sum(memoryview(frame).nbytes for frame in frames)
        return await from_frames(frames, *args, **kwargs)

    setattr(tcp.TCP, "write", counting_write)  # noqa: B010  an assignment is none that mypy allows
    vars(tcp)["from_frames"] = counting_from_frames
    process = psutil.Process()
    async with open_scheduler("127.0.0.1", 0, None) as scheduler:
        _put(scheduler.address)
        while await asyncio.to_thread(sys.stdin.readline):
            load = Load(counted["messages"], counted["bytes"], time.process_time(), process.memory_info().rss)
            _put(json.dumps(asdict(load)))


async def _serve_workers(address: str, first: int, count: int) -> None:
    """Workers until standard input ends."""
    worker_tasks._SERVICES.append(_Service("worker"))  # type: ignore[arg-type]  # what a task needs of it
    with tempfile.TemporaryDirectory() as folder:
        async with contextlib.AsyncExitStack() as held:
            for number in range(first, first + count):
                service = _Service(f"worker-{number}")
                own = Path(folder) / service.report.name
                options = WorkerOptions(scheduler=address, folder=own, lock=own)
                await held.enter_async_context(fleet_worker(service, options))
            await asyncio.to_thread(sys.stdin.readline)


@contextlib.asynccontextmanager
async def _role(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.scheduler_load", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _measure(workers: int, blocks: int, answer_bytes: int, large_answer_bytes: int) -> SchedulerCost:
    async with contextlib.AsyncExitStack() as held:
        scheduler = await held.enter_async_context(_role("--role", "scheduler"))
        assert scheduler.stdin is not None
        assert scheduler.stdout is not None
        to_scheduler, from_scheduler = scheduler.stdin, scheduler.stdout
        address = (await from_scheduler.readline()).decode().strip()
        for first in range(0, workers, _WORKERS_A_PROCESS):
            count = min(_WORKERS_A_PROCESS, workers - first)
            await held.enter_async_context(_role("--role", "workers", address, str(first), str(count)))
        link = await DaskLink.open(address, None)
        held.push_async_callback(link.close)
        end_s = time.monotonic() + _JOIN_TIMEOUT_S
        while len(machines := await link.machines()) < workers:
            if time.monotonic() > end_s:
                raise TimeoutError(f"{len(machines)} of {workers} workers have joined")
            await asyncio.sleep(1)

        async def load() -> Load:
            to_scheduler.write(b"\n")
            await to_scheduler.drain()
            return Load(**json.loads(await from_scheduler.readline()))

        async def of(work: Awaitable[object], share: float) -> Load:
            before = await load()
            await work
            return (await load()).since(before, share)

        async def many(count: int, size: int) -> None:
            async def one(name: str, where: str, offset: int) -> None:
                for number in range(count):
                    await link.run_block(where, _job(name, offset * count + number, size))

            each = (one(name, seen.address, offset) for offset, (name, seen) in enumerate(machines.items()))
            await asyncio.gather(*each)

        async def look() -> None:
            for _ in range(_LOOKS):
                await link.machines()

        await many(1, answer_bytes)  # connections are made by the first
        idle = await of(asyncio.sleep(_IDLE_S), workers)
        block = await of(many(blocks, answer_bytes), workers * blocks)
        large = await of(many(1, large_answer_bytes), workers)
        looked = await of(look(), _LOOKS)
        return SchedulerCost(
            workers,
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            block,
            answer_bytes,
            large,
            large_answer_bytes,
            looked,
            idle,
            _IDLE_S,
        )


def _put(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def read_record(path: Path) -> SchedulerCost:
    """The costs that `--json` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    loads = {name: Load(**found[name]) for name in ("block", "large_block", "look", "idle_machine")}
    return SchedulerCost(**found | loads)


def main() -> None:
    """Measure, or print the table of a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--answer-bytes", type=int, default=100_000)
    parser.add_argument("--large-answer-bytes", type=int, default=3_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--role", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.table:
        _put(table_of(read_record(options.table)))
        return
    with fleet_settings():
        if options.role == ["scheduler"]:
            asyncio.run(_serve_scheduler())
        elif options.role:
            _, address, first, count = options.role
            asyncio.run(_serve_workers(address, int(first), int(count)))
        else:
            cost = asyncio.run(
                _measure(options.workers, options.blocks, options.answer_bytes, options.large_answer_bytes)
            )
            if options.json:
                options.json.write_text(json.dumps(asdict(cost), indent=1) + "\n", encoding="utf-8")
            _put(table_of(cost))


if __name__ == "__main__":
    main()
