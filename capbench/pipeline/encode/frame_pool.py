"""Pictures for the encoder: their format, and a fixed pool of frames."""

from __future__ import annotations

from dataclasses import dataclass

import av

from capbench.colour import ColourSpec
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.stage_group import StageGroup

__all__ = ["PictureFormat", "PicturePool", "PooledPicture"]


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """Format of all pictures of an export, known once the conversion path is set up."""

    pixel_format: str
    """FFmpeg's name."""
    colour: ColourSpec
    """How to read them; the stream is tagged so."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledPicture:
    """A picture for the encoder."""

    frame: av.VideoFrame
    pts: int
    """In units of the output's time base, as `duration`."""
    duration: int
    pool: PicturePool | None
    """Where `frame` is returned after use; None if it belongs to no pool."""

    def release(self) -> None:
        """Give the frame back. Raises as `Channel.send` does."""
        if self.pool is not None:
            self.pool.release(self.frame)


class PicturePool:
    """Frames of one size and format, made once. `consumer` is the stage that gives them back."""

    def __init__(
        self, width: int, height: int, pixel_format: str, count: int, *, consumer: str, group: StageGroup
    ) -> None:
        frames = [av.VideoFrame(width, height, pixel_format) for _ in range(count)]
        self.picture_bytes = sum(plane.buffer_size for plane in frames[0].planes)
        """Bytes of one frame, row padding included."""
        self.total_bytes = self.picture_bytes * count
        """Bytes of all frames of the pool."""
        self._free: Channel[av.VideoFrame] = group.channel(
            consumer, "render", max_frames=count, max_bytes=self.total_bytes, carries_frames=False
        )
        for frame in frames:
            self._free.send(frame, self.picture_bytes)

    def acquire(self) -> av.VideoFrame:
        """A free frame that is not read elsewhere. Raises as `Channel.receive` does."""
        frame = self._free.receive()
        assert frame is not None, "nobody closes the channel of free frames"
        # A hardware encoder may still hold a reference; then FFmpeg gives this frame new memory instead of tearing.
        frame.make_writable()
        return frame

    def release(self, frame: av.VideoFrame) -> None:
        """Give a frame back. Raises as `Channel.send` does."""
        self._free.send(frame, self.picture_bytes)
