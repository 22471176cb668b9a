"""The interface of picture encoders, and the one that writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import av

from capbench.pipeline.encode.frame_pool import PictureFormat
from capbench.pipeline.encode.mux import EncodedPacket

__all__ = ["DiscardingEncoder", "PictureEncoder"]


class PictureEncoder(Protocol):
    """Takes pictures in order, on one thread."""

    def open(self, layout: PictureFormat) -> None:
        """Prepare for pictures of a format. Called once, first."""

    def encode(self, frame: av.VideoFrame, pts: int, duration: int) -> list[EncodedPacket]:
        """Take a picture, PTS and duration in units of the output's time base; returns the packets that are ready."""

    def finish(self) -> list[EncodedPacket]:
        """The packets that were held back, after the last picture."""


class DiscardingEncoder:
    """A `PictureEncoder` that discards every picture, to measure how fast they come."""

    def __init__(self, on_picture: Callable[[int], None]) -> None:
        """`on_picture` is called with the number so far."""
        self._on_picture = on_picture
        self._pictures = 0

    def open(self, layout: PictureFormat) -> None:
        """Nothing is to be set up."""

    def encode(self, frame: av.VideoFrame, pts: int, duration: int) -> list[EncodedPacket]:
        """Count a picture."""
        del frame, pts, duration
        self._pictures += 1
        self._on_picture(self._pictures)
        return []

    def finish(self) -> list[EncodedPacket]:
        """Nothing was held back."""
        return []
