"""Chosen frames of a file, decoded from the key frame before them, and checked to be the very same pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from capbench.errors import PartError
from capbench.pipeline.decode.hls_playlist import is_playlist
from capbench.pipeline.decode.open_source import open_source, video_stream
from capbench.quality.reading.clip import Clip
from capbench.quality.reading.observed_frame import frame_digest

__all__ = ["FrameStamp", "find_frames"]

_EARLIER_S = (Fraction(0), Fraction(10))
"""How far before the first frame the key frame is looked for, at most: right before it, and then, where pictures came
out differently (leading pictures of an open GOP, a refresh that is spread over frames), ten seconds earlier. After that
the file is decoded from its start."""
_READ_FROM_START = ("avi",)
"""Containers whose times follow from what was decoded before."""


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """What one decoded frame of a file is known by."""

    index: int
    """Position in its file, from 0."""
    pts: int | None
    """Time stamp in ticks of its stream; None where the file has none."""
    digest: int
    """`frame_digest` of it."""


def find_frames(path: Path, stamps: Sequence[FrameStamp]) -> Iterator[av.VideoFrame]:
    """These frames of a file, in order of their positions, each as it came when the whole file was decoded.

    Raises `PartError` where a frame does not come out the same again, even from the start of the file.
    """
    found = 0
    for frames in _ways(path, stamps):
        with closing(frames) as pictures:
            for place, frame in pictures:
                # What came before on another way is not wanted again.
                if place < found:
                    continue
                if place > found or frame_digest(frame) != stamps[place].digest:
                    break
                found += 1
                yield frame
                if found == len(stamps):
                    return
    raise PartError(f"{path}: frame {stamps[found].index} does not decode to the same picture twice")


def _ways(path: Path, stamps: Sequence[FrameStamp]) -> Iterator[Generator[tuple[int, av.VideoFrame]]]:
    """Ways to read frames, each as pairs of a place in `stamps` and a frame: the shortest first."""
    if not stamps:
        return
    times = [stamp.pts for stamp in stamps]
    if stamps[0].index and None not in times and not is_playlist(path):
        places = {pts: place for place, pts in enumerate(times) if pts is not None}
        if len(places) == len(stamps):
            for earlier_s in _EARLIER_S:
                yield _from_key_frame(path, places, earlier_s)
    yield _from_start(path, {stamp.index: place for place, stamp in enumerate(stamps)})


def _from_key_frame(path: Path, places: dict[int, int], earlier_s: Fraction) -> Generator[tuple[int, av.VideoFrame]]:
    with open_source(path) as container:
        if container.format.name in _READ_FROM_START:
            return
        stream = video_stream(path, container)
        stream.thread_type = "AUTO"
        try:
            container.seek(min(places) - round(earlier_s / (stream.time_base or 1)), stream=stream)
            for packet in container.demux(stream):
                for frame in packet.decode():
                    if frame.pts is not None and frame.pts in places:
                        yield places[frame.pts], frame
        except av.FFmpegError:
            return  # the file cannot be entered there, or is damaged: the next way meets whatever the first reading met


def _from_start(path: Path, places: dict[int, int]) -> Generator[tuple[int, av.VideoFrame]]:
    for index, frame in enumerate(Clip(path).frames()):
        if index in places:
            yield places[index], frame
