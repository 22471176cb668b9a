"""A fixed set of frames that go round between readback and encoder."""

from __future__ import annotations

from typing import Any

import av

from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.watchdog import StageWatch

__all__ = ["PicturePool"]


class PicturePool:
    """Frames of one size and format, made once. `consumer` is the stage that gives them back."""

    def __init__(
        self, width: int, height: int, pixel_format: str, count: int, *, consumer: str, watch: StageWatch
    ) -> None:
        frames = [av.VideoFrame(width, height, pixel_format) for _ in range(count)]
        self.picture_bytes = sum(plane.buffer_size for plane in frames[0].planes)
        """Bytes of one frame, row padding included."""
        self.total_bytes = self.picture_bytes * count
        """Bytes of all frames of the pool."""
        self.free: Channel[Any] = Channel(
            producer=consumer,
            consumer="render",
            max_frames=count,
            max_bytes=self.total_bytes,
            watch=watch,
            carries_frames=False,
        )
        """Frames that are not in use; to be stopped with the export's other channels."""
        for frame in frames:
            self.free.send(frame, self.picture_bytes)

    def acquire(self) -> Any:
        """A free `av.VideoFrame` that nobody else reads. Raises as `Channel.receive` does."""
        frame: Any = self.free.receive()
        # A hardware encoder may still hold a reference; then FFmpeg gives this frame new memory instead of tearing.
        frame.make_writable()
        return frame

    def release(self, frame: Any) -> None:
        """Give a frame back. Raises as `Channel.send` does."""
        self.free.send(frame, self.picture_bytes)
