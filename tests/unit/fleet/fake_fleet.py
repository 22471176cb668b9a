"""A fleet without machines: answers come at once, and what goes wrong is said beforehand."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from capbench.fleet.block_job import (
    Activity,
    BlockAnswer,
    BlockFailure,
    BlockFile,
    BlockJob,
    BundleFile,
    PieceJob,
)
from capbench.fleet.dispatch.block_calls import BlockCalls, BlockSettings
from capbench.fleet.dispatch.block_queue import BlockQueue
from capbench.fleet.dispatch.dask_link import CallFailedError, SeenMachine
from capbench.fleet.dispatch.dispatcher import Dispatcher
from capbench.fleet.dispatch.fleet_folder import FleetFolder
from capbench.fleet.dispatch.fleet_member import FleetPace
from capbench.fleet.dispatch.fleet_progress import FleetProgress
from capbench.fleet.workers.machine_report import MachineReport
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import Plan, block_steps, closing_steps, opening_steps
from capbench.installation import version_of
from capbench.results.environment import BlockNoise, Environment, FleetMachine, MachineChoice, NoiseReading
from capbench.results.folder import run_file_name
from capbench.results.record import record_json
from capbench.results.run_record import FailureKind, RunResult

RUN_ID = "0123456789abcdef"


def plan_of(cases: int = 3, blocks: int = 4, *, drift: bool = False, machines: tuple[MachineChoice, ...] = ()) -> Plan:
    """Three command subjects in some cases."""
    subjects = tuple(Subject(name=name, command=("export", "{output}")) for name in ("a", "b", "floor"))
    made = tuple(
        Case(
            name=f"case{number}",
            recording="1080p-1min",
            subjects=("a", "b", "floor"),
            blocks=blocks,
            timeout_s=10,
            settle_s=0,
            warmup=True,
            drift_control=drift,
        )
        for number in range(cases)
    )
    return Plan(matrix=RunMatrix(name="fake", cases=made, subjects=subjects, machines=machines), seed=7)


def report_of(name: str, *, version: str | None = None, memory_gib: int = 8, **known: str) -> MachineReport:
    """A machine that says little of itself."""
    environment = Environment(adapter=known.get("adapter"), memory_bytes=memory_gib * 2**30)
    environment = environment.model_copy(update={"fingerprint": environment.identity()})
    return MachineReport(
        name=name,
        capbench_version=version or version_of("capbench"),
        system=known.get("system", "Linux"),
        machine=FleetMachine(environment=environment, tags={"lab": known.get("lab", "berlin")}),
    )


@dataclass
class FakeMachine:
    """A machine, and what becomes of its attempts, first to last; the last goes on for ever."""

    report: MachineReport
    fates: list[str] = field(default_factory=lambda: ["makes"])
    """`makes`, `hangs`, `crashes`, `fails`, `all runs fail`, `sends half`, `dies`."""
    cost: int = 1
    """Turns of the event loop that a block takes."""
    address: str = ""
    is_here: bool = True
    is_silent: bool = False
    heartbeats: int = 0
    given_up: int = 0

    def fate(self) -> str:
        return self.fates.pop(0) if len(self.fates) > 1 else self.fates[0]


@dataclass
class FakeFleet:
    """Implements `Link`. Its machines live two hundred seconds in one; a heartbeat comes with each look."""

    machines_by_name: dict[str, FakeMachine]
    made: list[tuple[str, str, int]] = field(default_factory=list)
    """Machine, case and block of every answer that was sent."""
    at_look: Callable[[FakeFleet], None] = lambda _fleet: None
    looks: int = 0
    forgotten: int = 0

    @classmethod
    def of(cls, **fates: list[str]) -> Self:
        """Machines by name, with the fates of their attempts."""
        return cls(
            {name: FakeMachine(report_of(name), list(said), address=f"tcp://{name}:1") for name, said in fates.items()}
        )

    async def machines(self) -> Mapping[str, SeenMachine]:
        self.looks += 1
        self.at_look(self)
        found = {}
        for name, machine in self.machines_by_name.items():
            machine.heartbeats += not machine.is_silent
            if machine.is_here:
                found[name] = SeenMachine(machine.address, machine.report, Activity(), float(machine.heartbeats))
        return found

    async def run_block(self, address: str, job: BlockJob) -> BlockAnswer:
        machine = self.machines_by_name[job.machine]
        assert address == machine.address, "a block was sent where its machine is no longer"
        fate = machine.fate()
        try:
            for _ in range(machine.cost):
                await asyncio.sleep(0.001)
            if fate == "hangs" or machine.is_silent:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            machine.given_up += 1
            raise
        if fate == "dies":
            machine.is_here = False
            raise CallFailedError("the worker died")
        if fate == "crashes":
            raise CallFailedError("a bug")
        if fate == "fails":
            return BlockAnswer(failure=BlockFailure(message="no space left on device", kind="OutputError"))
        assert job.number is None or job.number >= 0
        self.made.append((job.machine, job.case.name, -1 if job.number is None else job.number))
        return answer_of(job, error="no adapter" if fate == "all runs fail" else None, half=fate == "sends half")

    async def send_file(self, _address: str, _file: BundleFile, _path: Path) -> None:
        raise AssertionError("nothing is to be sent")

    async def stored_bytes(self, _address: str, _file: BundleFile) -> int:
        raise AssertionError("nothing is to be sent")

    async def fetch_file(self, _address: str, _job: PieceJob, _target: Path, _size_bytes: int) -> None:
        raise AssertionError("nothing is to be fetched")

    async def forget_block(self, _address: str, _job: PieceJob) -> None:
        self.forgotten += 1


def answer_of(job: BlockJob, *, error: str | None = None, half: bool = False) -> BlockAnswer:
    """What a machine sends of a block: a record a run, with what opens the case, and what disturbed it."""
    case, subjects = job.case, job.subjects
    steps = (
        list(closing_steps(case, subjects))
        if job.number is None
        else [*opening_steps(case, subjects), *block_steps(job.seed, job.number, case, subjects)]
    )
    files = []
    for step in steps[: len(steps) - 1] if half else steps:
        run = RunResult(
            case=case.name,
            subject=step.subject.name,
            block=step.block,
            order=step.order,
            role=step.role,
            machine=job.machine,
            wall_s=1.0,
            error=error,
            error_kind=None if error is None else FailureKind.EXIT,
        )
        name = run_file_name(run.case, run.subject, run.role, run.block, machine=run.machine)
        files += [_file(f"runs/{name}", record_json(run)), _file(f"runs/{name[:-5]}.log", "run: export\n")]
    if job.number is not None:
        noise = BlockNoise(
            case=case.name, block=job.number, machine=job.machine, before=NoiseReading(), after=NoiseReading(), wall_s=1
        )
        files.append(_file(f"blocks/{case.name}--on={job.machine}--b{job.number:03d}.json", record_json(noise)))
    return BlockAnswer(files=tuple(files))


def _file(name: str, text: str) -> BlockFile:
    content = text.encode()
    return BlockFile(name=name, size_bytes=len(content), base64=base64.b64encode(content).decode())


@dataclass
class SaidProgress(FleetProgress):
    """Keeps what was said."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)


def dispatch(
    plan: Plan,
    fleet: FakeFleet,
    path: Path,
    *,
    resume: bool = False,
    pace: FleetPace | None = None,
    retry_failed: bool = False,
    validation: Literal["here", "none"] = "none",
) -> list[str]:
    """Make the blocks of a plan; returns what was said."""
    runs = RunFolder(path, retries_failed=retry_failed)
    folder, progress = FleetFolder(runs), SaidProgress()
    if resume:
        plan = runs.resume(plan.matrix)
    else:
        runs.begin(plan)
    made = folder.open(plan)
    dispatcher = Dispatcher(
        BlockQueue(plan, lambda block: block in made),
        BlockCalls(plan, folder, fleet, BlockSettings(run_id=RUN_ID, validation=validation)),
        pace=pace or FleetPace(look_every_s=0.005, lost_after_s=30, absent_s=120),
        progress=progress,
        now_s=lambda: 200 * time.monotonic(),
    )

    async def run() -> None:
        await asyncio.wait_for(dispatcher.run(), 20)

    asyncio.run(run())
    return progress.lines
