"""Frames whose picture has not gone on yet: what a new device must draw again when one is lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

from capbench.pipeline.conversion.registry import ConversionPath
from capbench.pipeline.decode.frame_times import TimedFrame
from capbench.pipeline.decode.video import frame_bytes
from capbench.pipeline.encode.frame_pool import PooledPicture
from capbench.pipeline.threads.channel import Channel

__all__ = ["Deliveries", "UndeliveredFrames", "UnfinishedPicture"]

UnfinishedPicture: TypeAlias = tuple[PooledPicture, ConversionPath]
"""A picture as it was read back, and the path that must finish it."""


class UndeliveredFrames:
    """Hands out decoded frames and keeps each until its picture was delivered. Used on the render thread alone."""

    def __init__(self, frames: Channel[TimedFrame]) -> None:
        self._frames = frames
        self._kept: deque[TimedFrame] = deque()
        self.delivered = 0
        """Pictures that went on: the index of the first frame that did not."""
        self.high_water_bytes = 0
        """Most bytes of frames that were kept at once."""

    def __iter__(self) -> Iterator[TimedFrame]:
        """The kept frames again, then new ones. Iterate anew with each renderer."""
        yield from list(self._kept)
        for timed in self._frames:
            self._kept.append(timed)
            kept_bytes = sum(frame_bytes(kept.frame) for kept in self._kept)
            self.high_water_bytes = max(self.high_water_bytes, kept_bytes)
            yield timed

    def confirm(self) -> None:
        """The picture of the oldest kept frame went on."""
        self._kept.popleft()
        self.delivered += 1


class Deliveries:
    """Receives a renderer's pictures and passes them on with `send_on`, each confirmed once it has been."""

    def __init__(self, frames: UndeliveredFrames, send_on: Callable[[PooledPicture, int], None]) -> None:
        self._frames = frames
        self._send_on = send_on

    def send(self, item: PooledPicture, size_bytes: int) -> None:
        """Pass a picture on."""
        self._send_on(item, size_bytes)
        self._frames.confirm()
