"""Channels under any sequence of sends and receives: order, bounds, the end, and a stop at any moment."""

from __future__ import annotations

import threading
from collections import deque

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capbench.errors import PipelineError
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.watchdog import StageWatch

_PATIENT_S = 60.0
"""No wait of these tests comes near it; one that did would be the deadlock that they look for."""
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
"""Two threads on a busy machine take the time that they take."""
_SIZES = st.lists(st.integers(0, 100), max_size=40)


def _channel(frames: int, size_bytes: int) -> Channel[int]:
    return Channel(
        producer="decode",
        consumer="render",
        max_frames=frames,
        max_bytes=size_bytes,
        watch=StageWatch(_PATIENT_S),
    )


@_unhurried
@given(sizes=_SIZES, frames=st.integers(1, 8), size_bytes=st.integers(1, 150))
def test_everything_arrives_once_in_order_within_the_bounds(sizes: list[int], frames: int, size_bytes: int) -> None:
    """Items that are larger than the byte bound too: each travels alone, and none is a deadlock."""
    channel = _channel(frames, size_bytes)

    def produce() -> None:
        for number, size in enumerate(sizes):
            channel.send(number, size)
        channel.close()

    producer = threading.Thread(target=produce, daemon=True)
    producer.start()
    received = list(channel)
    producer.join(_PATIENT_S)

    assert received == list(range(len(sizes)))
    assert len(channel) == 0
    assert channel.high_water_frames <= frames
    assert channel.high_water_bytes <= max([size_bytes, *sizes])


@_unhurried
@given(steps=st.lists(st.one_of(st.none(), st.integers(0, 100)), max_size=60), frames=st.integers(1, 8))
def test_a_channel_behaves_like_a_queue(steps: list[int | None], frames: int) -> None:
    """None receives, a number sends that many bytes; steps that would wait are left out. A deque is the model."""
    channel, model = _channel(frames, 150), deque[tuple[int, int]]()
    for number, size in enumerate(steps):
        if size is None:
            if model:
                assert channel.receive() == model.popleft()[0]
        elif not model or (len(model) < frames and sum(kept for _, kept in model) + size <= 150):
            channel.send(number, size)
            model.append((number, size))
        assert len(channel) == len(model)
    channel.close()

    assert list(channel) == [number for number, _ in model]


@_unhurried
@given(sizes=_SIZES, frames=st.integers(1, 4), taken=st.integers(0, 10))
def test_a_stop_ends_both_sides_and_drops_what_is_queued(sizes: list[int], frames: int, taken: int) -> None:
    channel, failure = _channel(frames, 150), ValueError("the encoder is gone")
    ended: list[BaseException | None] = []

    def produce() -> None:
        try:
            for number, size in enumerate(sizes):
                channel.send(number, size)
            ended.append(None)
        except PipelineError as error:
            ended.append(error.__cause__)

    producer = threading.Thread(target=produce, daemon=True)
    producer.start()
    for number in range(min(taken, len(sizes))):
        assert channel.receive() == number
    channel.stop(failure)
    producer.join(_PATIENT_S)

    assert ended in ([None], [failure])
    assert len(channel) == 0
    with pytest.raises(PipelineError, match="the encoder is gone"):
        channel.receive()
    with pytest.raises(PipelineError, match="the encoder is gone"):
        channel.send(0, 1)
