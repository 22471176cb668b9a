"""The sampler's pace and arithmetic, with a clock and a process tree that are given."""

from __future__ import annotations

import subprocess
import sys

import pytest

from capbench.harness.process.sampler import COST_SHARE, MIN_INTERVAL_S, TreeReader, TreeSampler


class _FakeTree(TreeReader):
    """A tree whose readings are given; counts how often it was searched for new children."""

    def __init__(self, readings: list[tuple[int, float] | None]) -> None:
        self._readings = iter(readings)
        self.refreshes = 0

    def refresh(self) -> None:
        self.refreshes += 1

    def read(self) -> tuple[int, float] | None:
        return next(self._readings)


class _CostlyClock:
    """Every sample costs `cost_s`: the clock is read once before and once after."""

    def __init__(self, cost_s: float) -> None:
        self._cost_s = cost_s
        self._reads = 0

    def __call__(self) -> float:
        self._reads += 1
        return (self._reads // 2) * self._cost_s


def test_samples_hold_memory_and_load_since_the_one_before() -> None:
    sampler = TreeSampler(_FakeTree([(100, 0.5), (300, 2.5), (200, 2.25)]), cpu_now_s=_CostlyClock(0))

    for time_s in (1.0, 2.0, 4.0):
        sampler.take(time_s)

    assert [(s.time_s, s.rss_bytes, s.cpu_percent) for s in sampler.samples] == [
        (1.0, 100, 50.0),
        (2.0, 300, 200.0),
        (4.0, 200, 0.0),  # a child ended and took its CPU seconds along
    ]


def test_a_tree_that_is_gone_leaves_no_sample() -> None:
    sampler = TreeSampler(_FakeTree([None]), cpu_now_s=_CostlyClock(0))

    sampler.take(1.0)

    assert sampler.samples == []


@pytest.mark.parametrize("cost_s", [0.00001, 0.001, 0.02])
def test_the_pace_keeps_the_cost_within_its_share(cost_s: float) -> None:
    """Followed for a minute, whatever a sample costs."""
    sampler = TreeSampler(_FakeTree([(1, 0.0)] * 5000), cpu_now_s=_CostlyClock(cost_s))
    time_s = 5.0
    while time_s < 60:
        sampler.take(time_s)
        time_s += sampler.next_interval_s(time_s)

    assert sampler.cost_s <= COST_SHARE * time_s
    assert cost_s != 0.00001 or len(sampler.samples) == pytest.approx(55 / MIN_INTERVAL_S, abs=2)


def test_children_are_looked_for_as_often_as_it_is_cheap() -> None:
    tree = _FakeTree([(1, 0.0)] * 30)
    sampler = TreeSampler(tree, cpu_now_s=_CostlyClock(0))

    for time_s in range(1, 31):
        sampler.take(time_s)

    # Linux lists the children of a process without reading every process of the machine.
    assert tree.refreshes == (30 if sys.platform == "linux" else 3)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere children are looked for with every tenth sample")
def test_a_child_is_in_the_first_sample_after_it_began() -> None:
    """As an exporter that a script starts: found late, its memory was missing and its CPU time came all at once."""
    command = [sys.executable, "-c", "import time; held = bytearray(50_000_000); print(1, flush=True); time.sleep(60)"]
    script = ["sh", "-c", 'read go; "$@"; true', "sh", *command]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        reader = TreeReader(process.pid)
        sampler = TreeSampler(reader)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            sampler.take(0.1)
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
            sampler.take(0.2)
        finally:
            reader.kill_rest()
            process.kill()

    assert sampler.samples[1].rss_bytes > sampler.samples[0].rss_bytes + 50_000_000


def test_gauges_are_read_with_the_tree() -> None:
    class _Gauge:
        samples = 0

        def start(self) -> None:
            self.samples = 0

        def sample(self) -> None:
            self.samples += 1

        def summary(self) -> dict[str, float | str | None]:
            return {"samples": float(self.samples)}

    gauge = _Gauge()
    sampler = TreeSampler(_FakeTree([(1, 0.0), None]), [gauge], cpu_now_s=_CostlyClock(0))
    sampler.take(1.0)
    sampler.take(2.0)

    assert gauge.samples == 1
