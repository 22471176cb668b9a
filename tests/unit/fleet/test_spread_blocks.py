"""Outputs that another machine validates: each block recorded once and whole, whatever becomes of that machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from capbench.fleet.block_job import (
    Activity,
    BlockAnswer,
    BlockFailure,
    BlockFile,
    BlockJob,
    Bundle,
    BundleFile,
    PieceJob,
    ValidationBasis,
    to_message,
)
from capbench.fleet.dispatch.dask_link import CallFailedError, DaskLink, SeenMachine
from capbench.fleet.dispatch.fleet_folder import ATTEMPTS_FILE
from capbench.fleet.dispatch.fleet_member import FleetPace
from capbench.fleet.spreading.validation_slots import ValidationSlots
from capbench.harness.run.schedule import Plan
from capbench.results.environment import MachineChoice
from capbench.results.folder import read_folder
from capbench.results.record import record_json
from capbench.results.run_record import RunResult, RunRole
from capbench.results.validation import Check, CheckStatus, ValidationReport
from tests.unit.fleet.fake_fleet import FakeFleet, FakeMachine, answer_of, dispatch, plan_of, report_of

_BASIS = ValidationBasis(source_sha256="1" * 64, arithmetic="2" * 64)
_OUTPUT = bytes(1000)
_PACE = FleetPace(look_every_s=0.005, lost_after_s=100, absent_s=2000)
"""Of seconds of which the fake fleet lives two hundred in one."""
MAKES = ["makes"]


@dataclass
class _Fleet(FakeFleet):
    """One machine that measures, `maker`, and others that could validate; their fates are of that."""

    validation_s: float = 100.0
    """What validating a block is said to take."""
    has_basis: bool = True
    holds: Callable[[_Fleet], bool] = lambda _fleet: False
    """Whether a machine that validates what was sent to it is still at it."""
    content: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Address and digest to what was sent there."""
    validated: list[tuple[str, int]] = field(default_factory=list)
    """Machine and block of every validation that was made."""
    left: list[PieceJob] = field(default_factory=list)

    async def run_block(self, address: str, job: BlockJob) -> BlockAnswer:
        if job.validation == "waiting":
            return await self._validate(address, job)
        answer = await super().run_block(address, job)
        if answer.failure is not None or job.number is None:
            return answer
        if job.validation == "here":
            return self._found(job, answer.files)
        runs = [_changed(file, _pending) for file in answer.files]
        waiting = [
            BlockFile(name=f"unvalidated/{Path(now.name).stem}.mp4", size_bytes=len(_OUTPUT))
            for before, now in zip(answer.files, runs, strict=True)
            if before != now
        ]
        return BlockAnswer(files=(*waiting, *runs), basis=_BASIS if self.has_basis else None)

    async def _validate(self, address: str, job: BlockJob) -> BlockAnswer:
        machine = self.machines_by_name[job.machine]
        assert address == machine.address
        if job.measured is None:
            return self._found(job, answer_of(job).files)
        assert job.basis == _BASIS
        files = {file.name: self.content[address, file.sha256] for file in job.measured.files}
        assert [content for name, content in files.items() if name.startswith("unvalidated/")] == [_OUTPUT] * 3
        fate = machine.fate()
        while self.holds(self):
            await asyncio.sleep(0.001)
        if fate == "hangs":
            machine.is_silent = True
            await asyncio.Event().wait()
        if fate == "dies":
            machine.is_here = False
            raise CallFailedError("the worker died")
        if fate == "fails":
            return BlockAnswer(failure=BlockFailure(message="other figures", kind="InputError"))
        runs = tuple(_file(name, content) for name, content in files.items() if name.startswith("runs/"))
        answer = self._found(job, runs[1:] if fate == "sends half" else runs)
        return (
            BlockAnswer(files=tuple(_changed(each, _undone) for each in answer.files)) if fate == "cannot" else answer
        )

    def _found(self, job: BlockJob, files: tuple[BlockFile, ...]) -> BlockAnswer:
        assert job.number is not None
        self.validated.append((job.machine, job.number))
        return BlockAnswer(files=tuple(_changed(each, _passed) for each in files), validation_s=self.validation_s)

    async def send_file(self, address: str, file: BundleFile, path: Path) -> None:
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
        self.content[address, file.sha256] = content

    async def stored_bytes(self, address: str, file: BundleFile) -> int:
        return file.size_bytes if (address, file.sha256) in self.content else 0

    async def fetch_file(self, _address: str, _job: PieceJob, target: Path, size_bytes: int) -> None:
        target.write_bytes(_OUTPUT[:size_bytes])

    async def forget_block(self, address: str, job: PieceJob) -> None:
        await super().forget_block(address, job)
        if job.whole:
            self.left.append(job)


def _file(name: str, content: bytes) -> BlockFile:
    return BlockFile(name=name, size_bytes=len(content), base64=base64.b64encode(content).decode())


def _changed(file: BlockFile, change: Callable[[RunResult], RunResult]) -> BlockFile:
    """The file with its run changed, where it is a measured one."""
    if not (file.name.startswith("runs/") and file.name.endswith(".json")):
        return file
    assert file.base64 is not None
    run = RunResult.model_validate_json(base64.b64decode(file.base64))
    return _file(file.name, record_json(change(run) if run.role is RunRole.MEASURE else run).encode())


def _pending(run: RunResult) -> RunResult:
    return run.model_copy(update={"validation_pending": True})


def _with_check(run: RunResult, name: str, status: CheckStatus) -> RunResult:
    report = ValidationReport(reference="r", output="o", checks=(Check(name=name, status=status, message="said"),))
    return run.model_copy(update={"validation_pending": False, "validation": report})


def _passed(run: RunResult) -> RunResult:
    return _with_check(run, "frames.count", CheckStatus.PASS)


def _undone(run: RunResult) -> RunResult:
    return _with_check(run, "validation.done", CheckStatus.UNCHECKED)


def _plan(blocks: int = 4) -> Plan:
    return plan_of(1, blocks, machines=(MachineChoice(match={"name": "maker"}),))


def _run(tmp_path: Path, fleet: FakeFleet, plan: Plan | None = None) -> list[str]:
    """Dispatch, and assert what holds whatever goes wrong: every run once, validated, and nothing left behind."""
    plan = plan or _plan()
    said = dispatch(plan, fleet, tmp_path, validation="here", pace=_PACE)
    runs = [run for run in read_folder(tmp_path).runs if run.role is RunRole.MEASURE]
    wanted = {("case0", subject, block): 1 for subject in ("a", "b", "floor") for block in range(4)}
    assert Counter((run.case, run.subject, run.block) for run in runs) == wanted
    assert {run.machine for run in runs} == {"maker"}
    assert all(run.validation is not None and run.validation.passed and not run.validation_pending for run in runs)
    assert not (tmp_path / "unvalidated").exists()
    assert not (tmp_path / "in-progress").exists() or not any((tmp_path / "in-progress").iterdir())
    return said


def _validated_by(path: Path) -> list[tuple[int, str | None]]:
    """Block and other machine of every line `done`."""
    lines = map(json.loads, (path / ATTEMPTS_FILE).read_text().splitlines())
    return sorted((said["block"], said.get("validated_by")) for said in lines if said["event"] == "done")


def _events(path: Path, event: str) -> int:
    return sum(json.loads(line)["event"] == event for line in (path / ATTEMPTS_FILE).read_text().splitlines())


def test_a_machine_that_measures_nothing_validates_what_another_one_made(tmp_path: Path) -> None:
    """The first block shows what validation takes, and after the last one its maker has nothing else to do."""
    fleet = _Fleet.of(maker=MAKES, helper=MAKES)
    helper = fleet.machines_by_name["helper"]
    helper.report = helper.report.model_copy(update={"validation_slots": 2})

    said = _run(tmp_path, fleet)

    assert _validated_by(tmp_path) == [(0, None), (1, "helper"), (2, "helper"), (3, None)]
    assert sorted(fleet.validated) == [("helper", 1), ("helper", 2), ("maker", 0), ("maker", 3)]
    assert sum("validation on helper: " in line and line.endswith(": sent") for line in said) == 2
    assert [made[2] for made in fleet.made if made[2] >= 0] == [0, 1, 2, 3], "each block is measured once"
    assert len(fleet.left) == 2, "what the helper got is removed there"


def test_the_maker_goes_on_while_another_machine_validates(tmp_path: Path) -> None:
    fleet = _Fleet.of(maker=MAKES, helper=MAKES)
    fleet.holds = lambda fleet: ("maker", 3) not in fleet.validated

    _run(tmp_path, fleet)

    assert fleet.validated[-1] == ("helper", 1), "it had one slot, and all else was made meanwhile"


@pytest.mark.parametrize("fate", ["dies", "hangs", "fails", "sends half", "cannot"])
def test_what_another_machine_cannot_validate_its_maker_does(tmp_path: Path, fate: str) -> None:
    fleet = _Fleet.of(maker=MAKES, helper=[fate])

    said = _run(tmp_path, fleet)

    assert all(by is None for _, by in _validated_by(tmp_path))
    assert _events(tmp_path, "begun") == 4, "nothing is measured again"
    assert sum("helper does not validate case0, block 2 of maker" in line for line in said) == 1


def test_what_nobody_can_validate_is_measured_again(tmp_path: Path) -> None:
    """The maker is refused what it cannot validate of its own when it was sent back; a new attempt is whole."""
    fleet = _Fleet.of(maker=["makes", "makes", "makes", "fails", "makes"], helper=["fails"])
    _run(tmp_path, fleet)

    assert _events(tmp_path, "thrown_away") == 1
    assert _events(tmp_path, "begun") == 5


def test_a_maker_that_is_lost_meanwhile_loses_nothing_that_another_machine_has(tmp_path: Path) -> None:
    fleet = _Fleet.of(maker=["makes", "makes", "dies", "makes"], helper=MAKES)
    maker = fleet.machines_by_name["maker"]
    fleet.holds = lambda fleet: maker.is_here and ("helper", 1) not in fleet.validated

    def come_back(_fleet: FakeFleet) -> None:
        if not maker.is_here and ("helper", 1) in fleet.validated:
            maker.is_here, maker.address = True, "tcp://maker:2"

    fleet.at_look = come_back

    _run(tmp_path, fleet)

    assert _events(tmp_path, "thrown_away") == 1, "only what the maker was at"
    assert (1, "helper") in _validated_by(tmp_path)


@pytest.mark.parametrize(("validation_s", "has_basis"), [(1e-9, True), (100.0, False)])
def test_what_is_not_worth_sending_or_could_differ_stays(
    tmp_path: Path, validation_s: float, *, has_basis: bool
) -> None:
    fleet = _Fleet.of(maker=MAKES, helper=MAKES)
    fleet.validation_s, fleet.has_basis = validation_s, has_basis

    said = _run(tmp_path, fleet)

    assert {name for name, _ in fleet.validated} == {"maker"}
    assert any("not worth sending" in line for line in said) == has_basis
    assert not fleet.content


def test_a_machine_that_does_not_say_what_it_has_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has begun to time something else, and answers when that has ended."""
    fleet = _Fleet.of(maker=MAKES, helper=MAKES)

    async def never(_address: str, _file: BundleFile) -> int:
        await asyncio.Event().wait()
        raise AssertionError

    (tmp_path / "clip.mp4").write_bytes(b"clip")
    plan = _plan()
    case = plan.matrix.cases[0].model_copy(update={"recording": None, "source": tmp_path / "clip.mp4"})
    plan = plan.model_copy(update={"matrix": plan.matrix.model_copy(update={"cases": (case,)})})
    monkeypatch.setattr(fleet, "stored_bytes", never)
    monkeypatch.setattr("capbench.fleet.spreading.spread_blocks._ASK_TIMEOUT_S", 0.02)

    _run(tmp_path / "out", fleet, plan)

    assert {name for name, _ in fleet.validated} == {"maker"}


def test_a_drawn_scene_stays_on_machines_of_one_processor(tmp_path: Path) -> None:
    plan = _plan()
    case = plan.matrix.cases[0].model_copy(update={"scene": "studio"})
    plan = plan.model_copy(update={"matrix": plan.matrix.model_copy(update={"cases": (case,)})})
    fleet = _Fleet.of(maker=MAKES, helper=MAKES)
    other = report_of("helper")
    environment = other.machine.environment.model_copy(update={"cpu_model": "another"})
    fleet.machines_by_name["helper"].report = other.model_copy(
        update={"machine": other.machine.model_copy(update={"environment": environment})}
    )

    _run(tmp_path, fleet, plan)

    assert {name for name, _ in fleet.validated} == {"maker"}


def test_a_machine_is_idle_when_it_is_there_has_this_version_and_a_slot() -> None:
    now_s = [0.0]
    busy: set[str] = set()
    slots = ValidationSlots(
        is_busy=busy.__contains__, queue_s=lambda _name: 10.0, lost_after_s=30.0, now_s=lambda: now_s[0]
    )
    maker, other = (_seen(FakeMachine(report_of(name))) for name in ("maker", "other"))
    old = _seen(FakeMachine(report_of("old", version="0.0.1")))
    slots.look({"maker": maker, "other": other, "old": old})

    assert slots.find(maker, "case", same_processor=False) is None, "nobody knows what it takes"
    slots.note_validation("case", 5.0)
    assert slots.find(maker, "case", same_processor=False) is other
    busy.add("other")
    assert slots.find(maker, "case", same_processor=False) is None
    busy.clear()
    slot = slots.take(other)
    assert slot is not None
    assert slots.find(maker, "case", same_processor=False) is None, "it has one slot"
    slots.release(slot)
    assert slots.find(maker, "case", same_processor=False) is other
    now_s[0] = 31.0
    slots.look({"maker": maker, "other": other})
    assert slots.find(maker, "case", same_processor=False) is None, "without a heartbeat for too long"


class _Client:
    """A client of Dask that answers at once."""

    def __init__(self) -> None:
        self.asked: list[dict[str, int]] = []

    def submit(self, _task: object, _job: str, *, resources: dict[str, int], **_settings: object) -> _Answered:
        self.asked.append(resources)
        return _Answered()


class _Answered:
    def __await__(self) -> Generator[None, None, str]:
        yield from ()
        return to_message(BlockAnswer())

    def release(self) -> None:
        pass


def test_what_was_sent_takes_a_slot_for_validation_and_a_block_the_one_for_measuring() -> None:
    client = _Client()
    link = DaskLink(client)  # type: ignore[arg-type]  # a stand-in
    plan = _plan(1)
    job = BlockJob(
        capbench_version="1",
        run_id="0" * 16,
        attempt="1" * 16,
        machine="maker",
        seed=1,
        matrix="m",
        case=plan.matrix.cases[0],
        subjects=(),
        number=0,
        timeout_s=1,
    )
    file = BundleFile(name="runs/a.json", sha256="0" * 64, size_bytes=1)
    sent = job.model_copy(update={"measured": Bundle(entry=file.name, files=(file,)), "validation": "waiting"})

    for each in (job, sent, job.model_copy(update={"validation": "waiting"})):
        asyncio.run(link.run_block("tcp://maker", each))

    assert client.asked == [{"measure": 1}, {"validate": 1}, {"measure": 1}]


def _seen(machine: FakeMachine) -> SeenMachine:
    return SeenMachine(f"tcp://{machine.report.name}", machine.report, Activity(), 0.0)
