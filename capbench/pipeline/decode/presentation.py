"""When decoded pictures are shown where the container does not know it."""

from __future__ import annotations

import heapq

import av

__all__ = ["PresentationTimes"]

_CONTAINERS_WITHOUT_PTS = ("avi",)
"""AVI numbers its chunks in the order of decoding and stores no time (OpenDML AVI 1.02): what FFmpeg makes of that as
presentation times is out of order wherever frames are."""


class PresentationTimes:
    """Assigns increasing times to the pictures of one stream if the container stores only decoding times.

    A player shows one picture a chunk, each when its turn comes, so that the n-th picture has the n-th decoding time.
    A chunk without a picture (a frame that the recorder dropped) leaves a time over; what is left over is found out at
    the next picture that no later one precedes, and skipped.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._is_needed = container.format.name in _CONTAINERS_WITHOUT_PTS
        self._waiting: list[int] = []
        """Decoding times of packets whose picture has not come yet, a heap."""
        if self._is_needed:
            stream.codec_context.copy_opaque = True

    def sent(self, packet: av.Packet[av.VideoStream]) -> int | None:
        """Record a packet before it is decoded; returns a time at which a picture is shown, or None for no picture."""
        if not self._is_needed:
            return packet.pts
        if packet.dts is None or not packet.size:
            return None
        heapq.heappush(self._waiting, packet.dts)
        packet.opaque = packet.dts
        return packet.dts

    def restore(self, frame: av.VideoFrame) -> None:
        """Set the PTS of a decoded picture; None where more pictures than packets came."""
        if not self._is_needed:
            return
        own = frame.opaque
        if isinstance(own, int) and frame.pict_type != av.video.frame.PictureType.B:
            # What was decoded before a picture that is not bi-predicted is shown before it.
            while len(self._waiting) > 1 and self._waiting[0] < own:
                heapq.heappop(self._waiting)
        frame.pts = heapq.heappop(self._waiting) if self._waiting else None
