"""Every picture of a stream, or the error that kept one back, however many threads decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from capbench.pipeline.decode.open_source import video_stream

__all__ = ["every_picture"]


def every_picture(path: Path, container: Any, reopen: Callable[[], Any]) -> Iterator[Any]:
    """Yield each `av.VideoFrame` of the first video stream of `container`, the first error ends it.

    Frame threads hand out a picture as many packets late as there are threads. What the last packets hold, errors
    included, comes in one go at the end, and there PyAV 18.1 drops an error that follows a picture, and with it all
    pictures behind: the more cores, the more damage goes unseen. So where the last picture is missing, the end is
    decoded once more on one thread, from a container that `reopen` opens.

    Raises `av.FFmpegError` at damage, and `SourceError` where there is no video.
    """
    stream = video_stream(path, container)
    stream.thread_type = "AUTO"
    last_sent = last_shown = None
    for packet in container.demux(stream):
        # An edit list marks what must be decoded and not be shown.
        if packet.pts is not None and not packet.is_discard:
            last_sent = packet.pts if last_sent is None else max(last_sent, packet.pts)
        for frame in packet.decode():
            last_shown = frame.pts
            yield frame
    if last_sent is not None and (last_shown is None or last_shown < last_sent):
        with reopen() as again:
            _decode_end(path, again, last_shown)


def _decode_end(path: Path, container: Any, from_pts: int | None) -> None:
    """Decode from the key frame before `from_pts`, on one thread, which hides no error. Raises `av.FFmpegError`."""
    stream = video_stream(path, container)
    stream.thread_type = "SLICE"
    if from_pts is not None:
        container.seek(from_pts, stream=stream)
    for packet in container.demux(stream):
        packet.decode()
