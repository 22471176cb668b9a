"""Frames of a source, as 8-bit planar pictures of one size in presentation order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Discard
from av.video.reformatter import VideoReformatter

from capbench.errors import DamagedStreamError, SourceError
from capbench.pipeline.decode.frame_times import SteadyClock
from capbench.pipeline.decode.open_source import OpenPart, open_parts, reason_of, video_stream
from capbench.pipeline.decode.probe import planar_format

__all__ = ["every_picture", "frame_bytes", "read_frames"]


def frame_bytes(frame: Any) -> int:
    """Bytes of a frame's planes, rows padded as the decoder laid them out."""
    return sum(plane.buffer_size for plane in frame.planes)


def read_frames(path: Path, *, warn: Callable[[str], None], salvage: bool = False, threads: int = 0) -> Iterator[Any]:
    """Yield each `av.VideoFrame` of the first video stream in one of the planar formats; PTS rise from frame to frame.

    All have the size, format and time base of the first. At damage raises `DamagedStreamError`; with `salvage` leaves
    out what does not decode, goes on behind it, and says so with `warn` at the end. 0 leaves the number of `threads` to
    the decoder. The iterator owns the file: close it, or read it to its end.
    """
    clock, layout, tally = SteadyClock(warn), _Layout(path, warn), _Tally(path, salvage=salvage, threads=threads)
    with closing(open_parts(path)) as parts:
        for part in parts:
            for decoded in tally.survivors(part):
                frame = layout.apply(decoded)
                clock.apply(frame, part.shift_s)
                tally.count(frame)
                yield frame
    for finding in tally.findings:
        warn(finding)


class _Tally:
    """What decoded and what did not."""

    def __init__(self, path: Path, *, salvage: bool, threads: int) -> None:
        self._path = path
        self._threads = threads
        self._salvage = salvage
        self._claimed = 0
        self._good = 0
        self._first_s: Fraction | None = None
        self._last_s = Fraction(0)
        self._concealed = 0
        self._lost_packets = 0
        self._where = ""

    def count(self, frame: Any) -> None:
        """Note a frame that decoded."""
        time_s = Fraction(frame.pts) * Fraction(frame.time_base)
        self._first_s = time_s if self._first_s is None else self._first_s
        self._good, self._last_s = self._good + 1, time_s - self._first_s

    def survivors(self, part: OpenPart) -> Iterator[Any]:
        """Frames that decode. Raises `DamagedStreamError` unless they are all that is wanted, or `SourceError`."""
        stream = video_stream(self._path, part.container)
        for other in part.container.streams:
            other.discard = Discard.default if other is stream else Discard.all
        self._claimed += stream.frames
        pictures = (
            self._salvaged(part.container, stream)
            if self._salvage
            else every_picture(self._path, part.container, part.reopen, threads=self._threads)
        )
        try:
            for frame in pictures:
                self._concealed += frame.is_corrupt
                yield frame
        except av.FFmpegError as error:  # behind which nothing can be found
            self._lose_or_raise(error)

    def _salvaged(self, container: Any, stream: Any) -> Iterator[Any]:
        # Frames decoded side by side are lost together at damage; slices of one frame are not.
        stream.thread_type = "SLICE"
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                self._lose_or_raise(error)

    @property
    def findings(self) -> list[str]:
        """What the user should know, in words."""
        patched = f", {self._concealed} of them patched up by the decoder" if self._concealed else ""
        if self._lost_packets or patched:
            lost = f"; {self._lost_packets} packets did not" if self._lost_packets else ""
            return [f"{self._path} is damaged{self._where}: {self._good} frames decoded{patched}{lost}"]
        if self._claimed and self._claimed != self._good:
            # An edit list cuts frames off, and a header may be plainly wrong; a file cut short looks no different.
            return [f"the header of {self._path} claims {self._claimed} frames, {self._good} decoded"]
        return []

    def _lose_or_raise(self, error: av.FFmpegError) -> None:
        if not self._salvage:
            raise DamagedStreamError(
                f"{self._path} is damaged: {self._good} frames were good, until {float(self._last_s):.3f} s; then "
                f"{reason_of(error)}; pass --salvage to export what decodes",
                good_frames=self._good,
                good_until_s=float(self._last_s),
            ) from error
        if not self._lost_packets:
            self._where = f" from frame {self._good} on, {float(self._last_s):.3f} s in"
        self._lost_packets += 1


class _Layout:
    """Gives every frame the format and size of the first."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._reformatter = VideoReformatter()
        self._format: str | None = None
        self._size = (0, 0)
        self._rescaled = False

    def apply(self, frame: Any) -> Any:
        """The frame itself, or a converted one. Raises `SourceError` where its shape differs from the first's."""
        size = (frame.width, frame.height)
        if self._format is None:
            self._format, self._size = planar_format(frame.format.name), size
        if size != self._size:
            self._accept(size)
        # The j formats are the same planes under another name.
        if size == self._size and frame.format.name.replace("yuvj", "yuv") == self._format:
            return frame
        return self._converted(frame)

    def _accept(self, size: tuple[int, int]) -> None:
        (width, height), (first_width, first_height) = size, self._size
        change = f"the picture of {self._path} changes from {first_width}x{first_height} to {width}x{height}"
        if abs(width * first_height - height * first_width) > max(first_width, first_height):
            raise SourceError(f"{change}, which is another shape; cut the recording there and export the parts")
        if not self._rescaled:
            self._warn(f"{change}; it is scaled to the first size")
            self._rescaled = True

    def _converted(self, frame: Any) -> Any:
        """The frame in an 8-bit planar format of the same matrix and range: a change of layout, not of colour."""
        colourspace = frame.colorspace
        planar = self._reformatter.reformat(
            frame,
            width=self._size[0],
            height=self._size[1],
            format=self._format,
            src_colorspace=colourspace,
            dst_colorspace=colourspace,
            src_color_range=frame.color_range,
            dst_color_range=frame.color_range,
        )
        planar.pts, planar.time_base, planar.duration = frame.pts, frame.time_base, frame.duration
        return planar


def every_picture(path: Path, container: Any, reopen: Callable[[], Any], *, threads: int = 0) -> Iterator[Any]:
    """Yield each `av.VideoFrame` of the first video stream of `container`, the first error ends it.

    Frame threads hand out a picture as many packets late as there are threads. What the last packets hold, errors
    included, comes in one go at the end, and there PyAV 18.1 drops an error that follows a picture, and with it all
    pictures behind: the more cores, the more damage goes unseen. So where the last picture is missing, the end is
    decoded once more on one thread, from a container that `reopen` opens.

    Raises `av.FFmpegError` at damage, and `SourceError` where there is no video.
    """
    stream = video_stream(path, container)
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
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
