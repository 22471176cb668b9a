"""Parts given to machines: sent once where it is worth it, done again elsewhere where a machine fails or is busy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from capbench.errors import PartError
from capbench.fleet.block_job import PIECE_BYTES, BundleFile
from capbench.fleet.dispatch.dask_link import CallFailedError
from capbench.fleet.spreading import fleet_parts
from capbench.fleet.spreading.fleet_parts import PartMachine, SpreadParts, SpreadWork, bundle_files
from capbench.fleet.spreading.part_job import PartJob
from capbench.fleet.spreading.worth_sending import choose_sending, measuring_s
from capbench.harness.machine.machine_lock import MachineBusyError
from capbench.results.metric_registry import choose_metrics

_DIGEST = "0" * 64


class _Fleet:
    """Machines that are lists: what they have, and what they were asked."""

    def __init__(self, *, seconds_a_piece: float = 0.0) -> None:
        self.have: Counter[tuple[str, str]] = Counter()
        self.sent: list[tuple[str, str]] = []
        self.measured: list[tuple[str, str]] = []
        self.broken: dict[str, Exception] = {}
        self.busy: Counter[str] = Counter()
        self._seconds_a_piece = seconds_a_piece

    async def stored_bytes(self, address: str, file: BundleFile) -> int:
        return self.have[address, file.sha256]

    async def send_piece(self, address: str, file: BundleFile, path: Path) -> int:
        piece = min(PIECE_BYTES, path.stat().st_size - self.have[address, file.sha256])
        await asyncio.sleep(self._seconds_a_piece)
        self.have[address, file.sha256] += piece
        return piece

    async def send_file(self, address: str, file: BundleFile, path: Path) -> None:
        assert path.stat().st_size == file.size_bytes
        self.sent.append((address, file.name))
        self.have[address, file.sha256] = file.size_bytes

    async def measure_part(self, address: str, job: PartJob) -> str:
        await asyncio.sleep(0)
        if self.busy[address]:
            self.busy[address] -= 1
            raise CallFailedError("it times something") from MachineBusyError("it times something")
        if address in self.broken:
            raise self.broken[address]
        self.measured.append((job.machine, job.plan))
        return f"records of {job.plan}"


def _work(folder: Path, *, work_s: float = 100.0, size_bytes: int = 1000) -> SpreadWork:
    for name in ("reference.mp4", "output.mkv"):
        (folder / name).write_bytes(name.encode() + bytes(size_bytes))
    return SpreadWork(folder / "reference.mp4", folder / "output.mkv", work_s=work_s, arithmetic=_DIGEST)


def _spread(
    fleet: _Fleet, work: SpreadWork, machines: list[PartMachine], body: Callable[[SpreadParts], Awaitable[None]]
) -> list[str]:
    said: list[str] = []

    async def run() -> None:
        spread = SpreadParts(fleet, machines, work, bundle_files(work), say=said.append)
        try:
            await asyncio.wait_for(body(spread), 10)
        finally:
            await spread.close()

    asyncio.run(run())
    return said


def _machines(*names: str, slots: int = 1) -> list[PartMachine]:
    return [PartMachine(name, f"tcp://{name}", slots) for name in names]


def test_every_part_is_measured_once_and_files_are_sent_once_to_each_machine(tmp_path: Path) -> None:
    fleet = _Fleet()

    async def body(spread: SpreadParts) -> None:
        plans = [f"plan {number}" for number in range(7)]
        assert await asyncio.gather(*map(spread.measure, plans)) == [f"records of {plan}" for plan in plans]

    said = _spread(fleet, _work(tmp_path), _machines("a", "b", slots=2), body)

    assert sorted(plan for _, plan in fleet.measured) == [f"plan {number}" for number in range(7)]
    assert {machine for machine, _ in fleet.measured} == {"a", "b"}
    assert sorted(fleet.sent) == [(f"tcp://{name}", file) for name in "ab" for file in ("output.mkv", "reference.mp4")]
    assert len(said) == 2


def test_what_a_machine_has_is_not_sent_again(tmp_path: Path) -> None:
    work, fleet = _work(tmp_path), _Fleet()
    for bundle in (bundle_files(work).reference, bundle_files(work).output):
        fleet.have["tcp://a", bundle.files[0].sha256] = bundle.files[0].size_bytes

    async def body(spread: SpreadParts) -> None:
        await spread.measure("plan")

    assert _spread(fleet, work, _machines("a"), body) == ["a has the files"]
    assert fleet.sent == []


def test_a_machine_that_fails_is_put_aside_and_its_part_done_elsewhere(tmp_path: Path) -> None:
    fleet = _Fleet()
    fleet.broken["tcp://a"] = CallFailedError("its process crashed")

    async def body(spread: SpreadParts) -> None:
        await asyncio.gather(*(spread.measure(f"plan {number}") for number in range(4)))

    said = _spread(fleet, _work(tmp_path), _machines("a", "b"), body)

    assert sorted(fleet.measured) == [("b", f"plan {number}") for number in range(4)]
    assert "a measures no parts: its process crashed" in said


def test_a_machine_that_times_something_is_asked_again_and_its_part_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_parts, "_BUSY_AGAIN_S", 0.01)
    fleet = _Fleet()
    fleet.busy["tcp://a"] = 2

    async def alone(spread: SpreadParts) -> None:
        assert await spread.measure("plan") == "records of plan"

    _spread(fleet, _work(tmp_path), _machines("a"), alone)

    assert fleet.measured == [("a", "plan")]


def test_without_any_machine_left_the_reasons_are_given(tmp_path: Path) -> None:
    fleet = _Fleet()
    fleet.broken = {f"tcp://{name}": CallFailedError(f"no disk on {name}") for name in "ab"}

    async def body(spread: SpreadParts) -> None:
        answers = await asyncio.gather(*(spread.measure(f"plan {n}") for n in range(5)), return_exceptions=True)
        assert all(isinstance(answer, PartError) for answer in answers)
        assert {str(answer) for answer in answers} == {
            "no machine of the fleet measures it: a: no disk on a; b: no disk on b"
        }

    _spread(fleet, _work(tmp_path), _machines("a", "b"), body)


def test_what_takes_longer_to_send_than_to_measure_stays_here(tmp_path: Path) -> None:
    fleet = _Fleet(seconds_a_piece=0.05)

    async def body(spread: SpreadParts) -> None:
        with pytest.raises(PartError, match="not worth sending"):
            await spread.measure("plan")

    said = _spread(fleet, _work(tmp_path, work_s=0.001), _machines("far"), body)

    assert fleet.sent == []
    assert len(said) == 1
    assert "for 0.0 s of measuring: not worth sending" in said[0]


def test_size_is_held_against_time_and_both_are_said() -> None:
    near = choose_sending("a", missing_bytes=100 * 10**6, bytes_per_s=100e6, work_s=60, share=0.25)
    far = choose_sending("a", missing_bytes=100 * 10**6, bytes_per_s=1e6, work_s=60, share=0.25)

    assert near.is_worth_it
    assert near.reason == "a: 100 MB at 100 MB/s take 1.0 s, for 15.0 s of measuring: sent"
    assert not far.is_worth_it
    assert far.reason == "a: 100 MB at 1.00 MB/s take 100.0 s, for 15.0 s of measuring: not worth sending"


def test_the_time_of_measuring_follows_from_frames_pixels_and_metrics() -> None:
    plain, with_xpsnr = choose_metrics(["psnr"]), choose_metrics(["psnr", "xpsnr"])

    assert measuring_s(1800, 1920 * 1080, plain) == pytest.approx(28.8)
    assert measuring_s(1800, 1920 * 1080, with_xpsnr) == pytest.approx(28.8 + 19.8)
    assert measuring_s(1800, 3840 * 2160, plain) == pytest.approx(4 * 28.8)


def test_a_playlist_stays_here(tmp_path: Path) -> None:
    (tmp_path / "a.m3u8").write_text("#EXTM3U", encoding="utf-8")
    work = SpreadWork(tmp_path / "a.m3u8", tmp_path / "a.m3u8", work_s=1.0, arithmetic=_DIGEST)

    with pytest.raises(PartError, match="is a playlist"):
        bundle_files(work)
