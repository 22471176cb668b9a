"""When decoded pictures are shown where the container does not know it, and what it presents at all."""

from __future__ import annotations

import heapq

import av

__all__ = ["PresentationTimes", "begins_at_zero"]

_CONTAINERS_WITHOUT_PTS = ("avi",)
"""AVI numbers its chunks in the order of decoding and stores no time (OpenDML AVI 1.02): what FFmpeg makes of that as
presentation times is out of order wherever frames are."""

_EDITED_FORMATS = frozenset({"mov", "mp4"})


def begins_at_zero(container: av.container.InputContainer) -> bool:
    """Whether what lies before time 0 is not presented: in MP4 and MOV, where an edit list says what time 0 shows.

    ISO/IEC 14496-12, 8.6.6. FFmpeg 8.1 leaves out what the list of a whole file cuts off; of a fragmented one it
    leaves out AAC, and gives pictures and other sound times before 0.
    """
    return not _EDITED_FORMATS.isdisjoint(container.format.name.split(","))


class PresentationTimes:
    """Assigns increasing times to the pictures of one stream if the container stores only decoding times.

    A player shows one picture a chunk, each when its turn comes, so that the n-th picture has the n-th decoding time.
    A chunk without a picture (a frame that the recorder dropped) leaves a time over; what is left over is found out at
    the next picture that no later one precedes, and skipped.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._is_needed = container.format.name in _CONTAINERS_WITHOUT_PTS
        self._begins_at_zero = begins_at_zero(container)
        self._waiting: list[int] = []
        """Decoding times of packets whose picture has not come yet, a heap."""
        if self._is_needed:
            stream.codec_context.copy_opaque = True

    def sent(self, packet: av.Packet[av.VideoStream]) -> int | None:
        """Record a packet before it is decoded; returns a time at which a picture is shown.

        None where the packet states none, or holds no picture.
        """
        if not self._is_needed:
            return packet.pts
        if packet.dts is None or not packet.size:
            return None
        heapq.heappush(self._waiting, packet.dts)
        packet.opaque = packet.dts
        return packet.dts

    def is_presented(self, frame: av.VideoFrame) -> bool:
        """Whether a decoded picture is shown at all, and not only decoded because others depend on it."""
        return not self._begins_at_zero or frame.pts is None or frame.pts >= 0

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
