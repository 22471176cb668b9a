"""Which machine makes which block: arithmetic, with a clock that only the test moves."""

from __future__ import annotations

import heapq
from collections import Counter

from capbench.fleet.dispatch.block_queue import Block, BlockQueue
from tests.unit.fleet.fake_fleet import plan_of


def _simulate(queue: BlockQueue, block_s: dict[str, float]) -> tuple[float, Counter[str]]:
    """When the last block is made, and how many each machine made; a machine that gets none asks at each event."""
    for name in block_s:
        queue.join(name, None)
    now_s, made = 0.0, Counter[str]()
    running: list[tuple[float, str, Block]] = []
    idle = list(block_s)
    while True:
        for name in list(idle):
            if (block := queue.take(name)) is not None:
                idle.remove(name)
                heapq.heappush(running, (now_s + block_s[name], name, block))
        if not running:
            assert queue.is_finished
            return now_s, made
        now_s, name, block = heapq.heappop(running)
        queue.finish(block, name, block_s[name])
        made[name] += 1
        idle.append(name)


def test_a_slow_machine_does_not_hold_up_the_rest() -> None:
    """It begins no block that would end after the others have made all that is left."""
    alone_s, _ = _simulate(BlockQueue(plan_of(cases=2, blocks=51), lambda _block: False), {"one": 10, "two": 10})

    with_slow_s, made = _simulate(
        BlockQueue(plan_of(cases=2, blocks=51), lambda _block: False), {"one": 10, "slow": 100, "two": 10}
    )

    assert sum(made.values()) == 102
    assert 1 <= made["slow"] <= 5
    assert with_slow_s < alone_s


def test_machines_that_are_alike_share_alike() -> None:
    end_s, made = _simulate(
        BlockQueue(plan_of(cases=3, blocks=4), lambda _block: False), {"one": 10, "two": 10, "three": 10}
    )

    assert (end_s, set(made.values())) == (40, {4})


def test_the_order_is_rounds_of_all_cases() -> None:
    queue = BlockQueue(plan_of(cases=3, blocks=2), lambda block: block.case == "case1" and block.number == 0)
    queue.join("one", None)

    taken = [block for _ in range(6) if (block := queue.take("one")) is not None]

    assert [block.number for block in taken] == [0, 0, 1, 1, 1]
    assert {block.case for block in taken[:2]} == {"case0", "case2"}


def test_a_block_that_failed_goes_to_another_machine_first() -> None:
    queue = BlockQueue(plan_of(cases=1, blocks=2), lambda _block: False)
    queue.join("bad", None)
    queue.join("good", None)
    first = queue.take("bad")
    assert first is not None
    queue.give_back(first, failed_on="bad")

    assert queue.take("bad") != first
    assert queue.take("good") == first


def test_a_block_that_failed_everywhere_comes_back_to_the_first() -> None:
    queue = BlockQueue(plan_of(cases=1, blocks=1), lambda _block: False)
    queue.join("only", None)
    block = queue.take("only")
    assert block is not None
    queue.give_back(block, failed_on="only")

    assert queue.take("only") == block


def test_blocks_without_end_cost_no_memory_before_they_are_made() -> None:
    queue = BlockQueue(plan_of(cases=3, blocks=100_000), lambda _block: False)
    queue.join("one", None)

    assert queue.take("one") is not None
    assert queue.shared_left() == 300_000
