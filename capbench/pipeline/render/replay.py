"""Frames whose picture has not gone on yet: what a new device must draw again when one is lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from capbench.pipeline.decode.frame_times import TimedFrame
from capbench.pipeline.decode.video import frame_bytes
from capbench.pipeline.render.renderer import RenderedPicture
from capbench.pipeline.threads.channel import Channel

__all__ = ["Deliveries", "UndeliveredFrames"]


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
    """Receives a renderer's pictures and passes them on, each confirmed once it has."""

    def __init__(self, frames: UndeliveredFrames, receiver: Channel[Any], path: Any | None) -> None:
        self._frames = frames
        self._receiver = receiver
        self._path = path

    def send(self, item: RenderedPicture, size_bytes: int) -> None:
        """Pass a picture on, with the path that must finish it where there is one."""
        self._receiver.send(item if self._path is None else (item, self._path), size_bytes)
        self._frames.confirm()

    def close(self) -> None:
        """Pass on that no picture follows."""
        self._receiver.close()
