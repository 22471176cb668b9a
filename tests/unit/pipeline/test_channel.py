"""Channels are bounded, and a wait that runs out names the stage that really stalled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from capbench.errors import CancelledExportError, PipelineError, StallError
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.watchdog import StageWatch

SHORT_S = 0.05
LONG_S = 60.0


class FakeClock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def channel(
    producer: str = "decode",
    consumer: str = "render",
    *,
    watch: StageWatch | None = None,
    frames: int = 2,
    size_bytes: int = 100,
    carries_frames: bool = True,
) -> Channel[Any]:
    return Channel(
        producer=producer,
        consumer=consumer,
        max_frames=frames,
        max_bytes=size_bytes,
        watch=watch or StageWatch(SHORT_S),
        carries_frames=carries_frames,
    )


def in_thread(body: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


def test_items_come_out_in_order_until_the_end() -> None:
    items = channel(frames=3)
    for item in ("a", "b", "c"):
        items.send(item, 1)
    items.close()

    assert list(items) == ["a", "b", "c"]
    assert items.receive() is None


@pytest.mark.parametrize(
    ("frames", "size_bytes", "item_bytes", "fit"),
    [
        pytest.param(2, 100, 1, 2, id="frames"),
        pytest.param(10, 100, 40, 2, id="bytes"),
        pytest.param(10, 100, 500, 1, id="one-always-fits"),
    ],
)
def test_bounds_in_frames_and_bytes(frames: int, size_bytes: int, item_bytes: int, fit: int) -> None:
    items = channel(frames=frames, size_bytes=size_bytes)
    for number in range(fit):
        items.send(number, item_bytes)

    with pytest.raises(StallError, match="render stalled") as caught:
        items.send(fit, item_bytes)

    assert caught.value.stage == "render"
    assert len(items) == items.high_water_frames == fit
    assert items.high_water_bytes == fit * item_bytes


def test_empty_channel_blames_its_producer_at_its_frame() -> None:
    items = channel()
    for number in range(3):
        items.send(number, 1)
        items.receive()

    with pytest.raises(StallError, match=r"decode stalled at frame 3: .*0\.05 s") as caught:
        items.receive()

    assert (caught.value.stage, caught.value.frame) == ("decode", 3)


def test_another_producer_is_blamed_from_when_it_takes_over() -> None:
    """Pictures come from the render thread until a path finishes them on a thread of its own."""
    watch = StageWatch(SHORT_S)
    items = channel("render", "encode", watch=watch)
    raised: list[StallError] = []

    def receive() -> None:
        with pytest.raises(StallError) as caught:
            items.receive()
        raised.append(caught.value)

    patient = channel("render", "encode", watch=StageWatch(LONG_S))
    waiting = in_thread(patient.receive)
    patient.hand_over("convert")  # while somebody waits already
    patient.close()
    waiting.join(LONG_S)
    assert not waiting.is_alive()

    items.hand_over("convert")
    in_thread(receive).join(LONG_S)

    assert [error.stage for error in raised] == ["convert"]


@pytest.mark.parametrize("numbers_producer", [True, False])
def test_producer_with_an_input_keeps_its_own_number(numbers_producer: bool) -> None:
    """Three pictures that were sent say nothing about which frame is in the renderer's hands."""
    watch = StageWatch(LONG_S)
    items: Channel[Any] = Channel(
        producer="render", consumer="encode", max_frames=3, max_bytes=3, watch=watch, numbers_producer=numbers_producer
    )
    watch.progress("render", 12)
    for number in range(3):
        items.send(number, 1)

    assert watch.frame("render") == (3 if numbers_producer else 12)
    items.receive()
    assert watch.frame("encode") == 0


def test_sender_goes_on_when_there_is_room() -> None:
    items = channel(frames=1, watch=StageWatch(LONG_S))
    items.send("a", 1)
    sender = in_thread(lambda: items.send("b", 1))

    assert items.receive() == "a"
    assert items.receive() == "b"
    sender.join(LONG_S)


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (ZeroDivisionError("planted"), PipelineError, "stopped because of: planted"),
        (CancelledExportError("enough"), CancelledExportError, "enough"),
    ],
)
def test_stop_wakes_both_sides_and_drops_what_is_queued(failure: Exception, kind: type[Exception], words: str) -> None:
    items = channel(watch=StageWatch(LONG_S))
    raised: list[BaseException] = []

    def receive() -> None:
        try:
            items.receive()
        except (PipelineError, CancelledExportError) as error:
            raised.append(error)

    receiver = in_thread(receive)
    items.stop(failure)
    receiver.join(LONG_S)

    assert [type(error) for error in raised] == [kind]
    assert words in str(raised[0])
    with pytest.raises(kind, match=words):
        items.send("late", 1)
    assert len(items) == 0


def test_wait_for_a_stage_that_waits_is_a_wait_for_the_last_in_the_chain() -> None:
    """Sound waits for encode, encode for render, render for decode: decode it is."""
    clock = FakeClock()
    watch = StageWatch(10, now_s=clock)
    for stage in ("audio", "encode", "render", "decode"):
        watch.begin(stage)

    with watch.waiting("encode", "render"), watch.waiting("render", "decode"):
        clock.now_s = 9
        assert watch.left_s("encode") == ("decode", 1)
        watch.progress("decode", 7)
        assert watch.left_s("encode") == ("decode", 10)
        assert watch.stalled() is None
        clock.now_s = 19
        stall = watch.stalled()

    # The sound stage waits for nobody here and was silent all along.
    assert stall is not None
    assert stall.stage == "audio"


def test_silence_is_measured_from_the_end_of_a_wait() -> None:
    clock = FakeClock()
    watch = StageWatch(10, now_s=clock)
    watch.begin("encode")
    with watch.waiting("encode", "render"):
        clock.now_s = 100

    assert watch.left_s("encode") == ("encode", 10)


def test_stage_may_announce_a_longer_silence_once() -> None:
    clock = FakeClock()
    watch = StageWatch(10, now_s=clock)
    watch.begin("encode")
    watch.progress("encode", 5, extra_s=100)
    clock.now_s = 109
    assert watch.stalled() is None

    watch.progress("encode")
    clock.now_s = 120
    stall = watch.stalled()

    assert stall is not None
    assert (stall.stage, stall.frame) == ("encode", 5)


def test_stage_with_slack_may_be_silent_for_longer_every_time() -> None:
    clock = FakeClock()
    watch = StageWatch(10, now_s=clock)
    watch.begin("audio", slack_s=5)

    for now_s in (14, 28):
        clock.now_s = now_s
        assert watch.left_s("audio") == ("audio", 1)
        watch.progress("audio")
    clock.now_s = 44

    assert watch.stalled() is not None


def test_stage_that_ended_or_has_not_begun_does_not_stall() -> None:
    clock = FakeClock()
    watch = StageWatch(10, now_s=clock)
    watch.begin("decode")
    watch.end("decode")
    with watch.waiting("encode", "render"):
        clock.now_s = 1000

        assert watch.stalled() is None
        assert watch.left_s("encode")[0] == "render"


def test_stages_that_wait_for_each_other_are_found_to_stall() -> None:
    """A deadlock would be a mistake of this program; it ends like any stall."""
    clock = FakeClock()
    watch = StageWatch(10, now_s=clock)
    with watch.waiting("a", "b"), watch.waiting("b", "a"):
        clock.now_s = 11
        culprit, left_s = watch.left_s("a")

    assert culprit in ("a", "b")
    assert left_s <= 0
