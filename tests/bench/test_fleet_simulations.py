"""The simulations of docs/fleet.md: what follows from their records, and that the page has what they print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import part_scaling, scheduler_load
from tests.bench.part_scaling import PartCost, elapsed_s
from tests.bench.scheduler_load import Load, SchedulerCost, cost_of

_REPOSITORY = Path(__file__).resolve().parents[2]
_RECORDS = Path(__file__).parent / "records"


def _cost(**changed: float) -> PartCost:
    fields = {
        "matching_s": 0.01,
        "looking_s": 0.001,
        "pair_s": 0.04,
        "part_s": 0.5,
        "whole_pair_s": 0.04,
        "after_s": 1.0,
    }
    return PartCost(size="1920x1080", frames=100, **fields | changed)


def test_one_core_does_everything_after_the_other() -> None:
    assert elapsed_s(_cost(), frames=1000, cores=1, parts=1) == pytest.approx(10 + 0.5 + 40 + 1)


def test_parts_begin_while_frames_are_still_matched() -> None:
    """Two cores: the first part is ready after 5 s and takes 20.5, the second after 10 s on the core that matched."""
    assert elapsed_s(_cost(), frames=1000, cores=2, parts=2) == pytest.approx(10 + 20.5 + 1)


def test_no_number_of_cores_is_faster_than_the_thread_that_looks_at_frames() -> None:
    assert elapsed_s(_cost(), frames=1000, cores=1000, parts=1000) == pytest.approx(1 + 0.5 + 0.04 + 1)


def test_the_load_of_a_scheduler_grows_with_machines_and_with_short_blocks() -> None:
    nothing = Load()
    cost = SchedulerCost(
        workers=50,
        cpu="",
        block=Load(10, 1000, 0.002),
        answer_bytes=1,
        large_block=nothing,
        large_answer_bytes=1,
        look=Load(2, 500, 0.001),
        idle_machine=Load(20, 200, 0.01),
        idle_seconds=20.0,
    )
    pytest.importorskip("distributed", reason="the extra fleet is not installed")

    load = cost_of(cost, machines=1000, block_s=10)

    # 100 blocks, half a look at 1000 machines, and heartbeats every 6 s where 50 workers have them every 5 s.
    assert load["messages"] == pytest.approx(100 * 10 + 0.5 * 20 * 2 + 1000 * 20 / 20 * 5 / 6)
    assert load["bytes"] == pytest.approx(100 * 1000 + 0.5 * 20 * 500 + 1000 * 200 / 20 * 5 / 6)
    assert load["cpu"] == pytest.approx(100 * 0.002 + 0.5 * 20 * 0.001 + 1000 * 0.01 / 20 * 5 / 6)


def test_the_page_has_the_tables_of_the_records() -> None:
    pytest.importorskip("distributed", reason="the extra fleet is not installed")
    page = (_REPOSITORY / "docs" / "fleet.md").read_text(encoding="utf-8")
    cost = PartCost(**json.loads((_RECORDS / "part_scaling.json").read_text(encoding="utf-8")))
    loads = scheduler_load.table_of(scheduler_load.read_record(_RECORDS / "scheduler_load.json"))

    rows = [*part_scaling.table_of(cost, 1800).splitlines()[2:], *loads.splitlines()]
    assert [row for row in rows if row not in page] == []
