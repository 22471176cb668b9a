"""What runs beside the main thread keeps its order, stays few steps away, ends, and passes its errors on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import av
import pytest

from capbench.quality.metrics.background_meters import BackgroundMeters, Measured
from capbench.quality.reading.prefetch import LookAhead


def test_items_come_in_order_one_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    with closing(LookAhead(items())) as ahead:
        for number in ahead:
            assert len(made) <= number + 2

    assert made == [0, 1, 2, 3, 4]


def test_an_error_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with closing(LookAhead(items())) as ahead:
        assert next(ahead) == 1
        with pytest.raises(ValueError, match="broken"):
            next(ahead)


def test_an_empty_iterator_ends_at_once_and_giving_up_ends_the_thread() -> None:
    threads = threading.active_count()
    with closing(LookAhead(iter(()))) as nothing:
        assert list(nothing) == []
    with closing(LookAhead(iter(range(100)))) as ahead:
        assert next(ahead) == 0

    assert threading.active_count() == threads


class SlowMeter:
    """Waits for leave before it takes a pair."""

    def __init__(self, leave: threading.Semaphore, *, fails_at: int | None = None) -> None:
        self._leave = leave
        self._fails_at = fails_at
        self.taken: list[int] = []
        self.is_closed = False

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        assert self._leave.acquire(timeout=60)
        if len(self.taken) == self._fails_at:
            raise ValueError("cannot measure")
        self.taken.append(got.width - want.width)

    def finish(self) -> Measured:
        return Measured({"taken": [float(value) for value in self.taken]})

    def close(self) -> None:
        self.is_closed = True


def frames(number: int) -> tuple[av.VideoFrame, av.VideoFrame]:
    """A pair that is told by the difference of its widths."""
    return av.VideoFrame(16 + 2 * number, 16, "yuv420p"), av.VideoFrame(16, 16, "yuv420p")


def test_meters_get_every_pair_in_order() -> None:
    meter = SlowMeter(threading.Semaphore(100))
    with closing(BackgroundMeters([meter])) as meters:
        for number in range(10):
            meters.push(*frames(number))
        found = meters.finish()

    assert found.series == {"taken": [2.0 * number for number in range(10)]}
    assert meter.is_closed


def test_what_feeds_a_slow_meter_waits_for_it() -> None:
    """With three pairs behind, the fourth is not taken before one is done: memory stays what it is."""
    leave = threading.Semaphore(0)
    meter = SlowMeter(leave)
    with closing(BackgroundMeters([meter])) as meters:
        for number in range(3):
            meters.push(*frames(number))
        assert meter.taken == []
        later = threading.Timer(0.05, leave.release)
        later.start()

        meters.push(*frames(3))

        assert meter.taken == [0]
        later.join()
        leave.release(3)
        assert len(meters.finish().series["taken"]) == 4


def test_a_meters_error_reaches_the_caller() -> None:
    with closing(BackgroundMeters([SlowMeter(threading.Semaphore(100), fails_at=1)])) as meters:
        for number in range(2):
            meters.push(*frames(number))
        with pytest.raises(ValueError, match="cannot measure"):
            meters.finish()
