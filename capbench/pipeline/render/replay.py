"""Frames whose picture has not gone on yet: what a new device must draw again when one is lost."""

from __future__ import annotations

import threading
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
    """Hands out decoded frames on the upload thread, and keeps each until the render thread confirms its picture."""

    def __init__(self, frames: Channel[TimedFrame]) -> None:
        self._frames = frames
        self._lock = threading.Lock()
        self._kept: deque[TimedFrame] = deque()
        self._kept_bytes = 0
        self.delivered = 0
        """Pictures that went on: the index of the first frame that did not."""
        self.high_water_bytes = 0
        """Most bytes of frames that were kept at once."""

    def __iter__(self) -> Iterator[TimedFrame]:
        """The kept frames again, then new ones. Iterate again for each device, once the last one delivers no more."""
        with self._lock:
            again = list(self._kept)
        while again:
            yield again.pop(0)
        for timed in self._frames:
            with self._lock:
                self._kept.append(timed)
                self._kept_bytes += frame_bytes(timed.frame)
                self.high_water_bytes = max(self.high_water_bytes, self._kept_bytes)
            yield timed

    def confirm(self) -> None:
        """The picture of the oldest kept frame went on."""
        with self._lock:
            self._kept_bytes -= frame_bytes(self._kept.popleft().frame)
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
