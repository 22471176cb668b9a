"""A validation whose pictures a worker of a fleet measures: files sent, parts measured there, the same figures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from capbench.errors import PartError
from capbench.fleet.dask_settings import fleet_settings
from capbench.fleet.spreading.fleet_parts import FleetParts, SpreadWork
from capbench.fleet.start_scheduler import open_scheduler
from capbench.fleet.workers import worker_tasks
from capbench.fleet.workers.start_worker import WorkerOptions, fleet_worker
from capbench.fleet.workers.worker_service import WorkerService
from capbench.quality.parts.known_pictures import arithmetic_digest
from capbench.quality.validate import validate
from tests.moving_clips import moving_pictures, write_clip
from tests.unit.fleet.fake_fleet import report_of

pytest.importorskip("distributed", reason="the extra fleet is not installed")

_METRICS = ("psnr", "xpsnr")

pytestmark = pytest.mark.timeout(300)
"""Three processes load the libraries: seconds, and a minute on a machine on which much else runs."""


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a scheduler that one machine has joined, in a thread of its own."""
    monkeypatch.setattr(worker_tasks, "_SERVICES", [])
    service = WorkerService(tmp_path / "worker", tmp_path / "lock", report_of("tower"))
    worker_tasks.serve_as(service)
    is_up, is_over = threading.Event(), threading.Event()
    addresses: list[str] = []

    async def serve() -> None:
        async with (
            open_scheduler("127.0.0.1", 0, None) as scheduler,
            fleet_worker(
                service, WorkerOptions(scheduler=scheduler.address, folder=tmp_path / "worker", lock=tmp_path / "lock")
            ),
        ):
            addresses.append(scheduler.address)
            is_up.set()
            await asyncio.to_thread(is_over.wait)

    def run() -> None:
        with fleet_settings():
            asyncio.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert is_up.wait(60)
    yield addresses[0]
    is_over.set()
    thread.join()


def _work(folder: Path, *, arithmetic: str | None = None) -> SpreadWork:
    pictures = moving_pictures()
    return SpreadWork(
        write_clip(folder / "reference.mp4", pictures, crf=10),
        write_clip(folder / "output.mp4", pictures, crf=32),
        work_s=1000.0,
        arithmetic=arithmetic or arithmetic_digest(_METRICS),
    )


def test_figures_of_a_fleet_are_those_of_one_piece(scheduler: str, tmp_path: Path) -> None:
    work = _work(tmp_path)
    said: list[str] = []

    whole = validate(work.reference, work.output, metrics=_METRICS)
    with FleetParts(scheduler, None, work, say=said.append) as runner:
        assert runner.parts == 2
        spread = validate(work.reference, work.output, metrics=_METRICS, in_parts=runner)

    assert spread.model_dump() == whole.model_dump()
    (line,) = said
    assert line.startswith("tower: ")
    assert line.endswith(": sent")


def test_a_machine_whose_figures_would_differ_measures_nothing(scheduler: str, tmp_path: Path) -> None:
    work = _work(tmp_path, arithmetic="0" * 64)

    with (
        FleetParts(scheduler, None, work, say=lambda _line: None) as runner,
        pytest.raises(PartError, match="tower: its processor or libraries give other figures"),
    ):
        validate(work.reference, work.output, metrics=_METRICS, in_parts=runner)
