"""A fixed set of frames that go round between readback and encoder."""

from __future__ import annotations

import queue
from typing import Any

import av

from capbench.errors import StallError

__all__ = ["PicturePool"]


class PicturePool:
    """Frames of one size and format, made once. Waiting for a free one is finite."""

    def __init__(self, width: int, height: int, pixel_format: str, count: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.picture_bytes = 0
        """Bytes of one frame, row padding included."""
        for _ in range(count):
            frame = av.VideoFrame(width, height, pixel_format)
            self.picture_bytes = sum(plane.buffer_size for plane in frame.planes)
            self._free.put(frame)
        self.total_bytes = self.picture_bytes * count
        """Bytes of all frames of the pool."""

    def acquire(self) -> Any:
        """A free `av.VideoFrame` that nobody else reads. Raises `StallError`."""
        try:
            frame = self._free.get(timeout=self._timeout_s)
        except queue.Empty:
            raise StallError(f"encode stalled: no picture came back in {self._timeout_s:g} s", stage="encode") from None
        # A hardware encoder may still hold a reference; then FFmpeg gives this frame new memory instead of tearing.
        frame.make_writable()
        return frame

    def release(self, frame: Any) -> None:
        """Give a frame back."""
        self._free.put(frame)

    @property
    def free(self) -> int:
        """Frames that are not in use."""
        return self._free.qsize()
