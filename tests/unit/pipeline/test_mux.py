"""Packets of picture and sound go into a file in decoding order, whichever is encoded faster; nobody waits forever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from capbench.pipeline.encode.mux import in_decoding_order
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.stage_group import StageGroup
from capbench.pipeline.threads.watchdog import StageWatch

TIMEOUT_S = 20.0
"""A deadlock ends as a stall after this."""
PICTURE_S = Fraction(1001, 30000)
SOUND_S = Fraction(1024, 48000)


@dataclass(frozen=True)
class FakePacket:
    """What the order is made from."""

    stream: str
    dts: int
    time_base: Fraction


def pictures(count: int) -> list[FakePacket]:
    """Packets whose first two are decoded before time 0, as with B-frames."""
    return [FakePacket("picture", number - 2, PICTURE_S) for number in range(count)]


def sounds(count: int) -> list[FakePacket]:
    return [FakePacket("sound", 1024 * (number - 1), SOUND_S / 1024) for number in range(count)]


def merged(*streams: list[FakePacket]) -> list[FakePacket]:
    packets: Any = in_decoding_order(*(iter(stream) for stream in streams))  # type: ignore[arg-type]
    return list(packets)


def test_order_is_by_time_and_then_by_stream() -> None:
    """At 0 both have a packet; a tick later in one unit is not a rounding later in another."""
    third = FakePacket("picture", 1, Fraction(1, 3))
    beside = FakePacket("sound", 333_333_333_333_333_333, Fraction(1, 10**18))

    assert merged([third], [beside]) == [beside, third]
    assert [(p.stream, p.dts) for p in merged(pictures(4), sounds(4))] == [
        ("picture", -2),
        ("picture", -1),
        ("sound", -1024),
        ("picture", 0),
        ("sound", 0),
        ("sound", 1024),
        ("picture", 1),
        ("sound", 2048),
    ]


def through_channels(
    first: Callable[[], Iterator[FakePacket]], second: Callable[[], Iterator[FakePacket]], most: int
) -> list[FakePacket]:
    """What a muxing thread writes of two encoding threads whose queues hold `most` packets."""
    watch = StageWatch(TIMEOUT_S)
    group = StageGroup(watch, threading.Event())
    channels: list[Channel[Any]] = [
        group.channel(name, "mux", max_frames=most, max_bytes=10**6, carries_frames=False)
        for name in ("encode", "audio")
    ]
    written: list[FakePacket] = []

    def send(packets: Callable[[], Iterator[FakePacket]], channel: Channel[Any]) -> None:
        for packet in packets():
            channel.send(packet, 1)
        channel.close()

    group.start("encode", lambda: send(first, channels[0]))
    group.start("audio", lambda: send(second, channels[1]))
    group.start("mux", lambda: written.extend(in_decoding_order(*channels)))  # type: ignore[arg-type]
    group.wait()
    return written


def at_once(packets: list[FakePacket]) -> Callable[[], Iterator[FakePacket]]:
    return lambda: iter(packets)


def after(event: threading.Event, packets: list[FakePacket]) -> Callable[[], Iterator[FakePacket]]:
    """Nothing before `event`: a stream that is starved."""

    def make() -> Iterator[FakePacket]:
        assert event.wait(TIMEOUT_S)
        yield from packets

    return make


@pytest.mark.parametrize("most", [1, 8])
@pytest.mark.parametrize(("first", "second"), [(300, 3), (3, 300), (300, 0), (0, 300), (0, 0)], ids=str)
def test_stream_that_is_much_longer_does_not_block(first: int, second: int, most: int) -> None:
    written = through_channels(at_once(pictures(first)), at_once(sounds(second)), most)

    assert written == merged(pictures(first), sounds(second))
    assert len(written) == first + second


@pytest.mark.parametrize("starved", ["picture", "sound"])
def test_stream_that_comes_late_is_waited_for(starved: str) -> None:
    """The other one's queue is full long before; the order is the same as if both were fast."""
    event = threading.Event()
    threading.Timer(0.2, event.set).start()
    first, second = at_once(pictures(40)), at_once(sounds(60))
    if starved == "picture":
        first = after(event, pictures(40))
    else:
        second = after(event, sounds(60))

    assert through_channels(first, second, 2) == merged(pictures(40), sounds(60))


def test_order_does_not_follow_from_which_thread_is_faster() -> None:
    def slowly(packets: list[FakePacket]) -> Callable[[], Iterator[FakePacket]]:
        def make() -> Iterator[FakePacket]:
            for packet in packets:
                time.sleep(0.002)
                yield packet

        return make

    slow_picture = through_channels(slowly(pictures(30)), at_once(sounds(50)), 4)
    slow_sound = through_channels(at_once(pictures(30)), slowly(sounds(50)), 4)

    assert slow_picture == slow_sound
