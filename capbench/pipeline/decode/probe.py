"""What a source is, read before anything is exported."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType

from capbench.colour import ColourSpec
from capbench.errors import SourceError
from capbench.pipeline.decode.frame_times import check_apart
from capbench.pipeline.decode.open_source import (
    MAX_PICTURE_PX,
    audio_streams,
    check_size,
    earliest_s,
    open_source,
    reason_of,
    video_stream,
)
from capbench.pipeline.decode.presentation import PresentationTimes
from capbench.pipeline.decode.source_colour import DeclaredColour, chroma_siting, frame_colour, planar_format

__all__ = ["SourceInfo", "SourcePlanes", "pixel_aspect", "probe_source"]

_RATES = (Fraction(1, 60), Fraction(1000))
_WIDEST_PIXEL = 16
"""Pixels of real formats are less than 3 times as wide as high, or as high as wide; more than this is damage."""
_SIDE_DATA_TYPES = range(len(SideDataType), 64)
"""Kinds of side data that FFmpeg may have and PyAV 18.1 has no name for, EXIF among them."""


@dataclass(frozen=True, slots=True)
class SourcePlanes:
    """Sizes of the decoded planes in samples."""

    width: int
    height: int
    chroma_width: int
    chroma_height: int
    chroma_is_interleaved: bool = False
    """Whether Cb and Cr share a plane, as in NV12."""

    @property
    def size_bytes(self) -> int:
        """Bytes of one frame's samples."""
        return self.width * self.height + 2 * self.chroma_width * self.chroma_height


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A readable source. Sizes in pixels as coded, times in seconds on the source's own clock."""

    path: Path
    width: int
    height: int
    rotation_degrees: int
    """Clockwise turn that a viewer must apply: 0, 90, 180 or 270."""
    pixel_aspect: Fraction
    """Width of a pixel over its height."""
    frame_rate: Fraction
    """Average rate; a guess for variable frame rate."""
    time_base: Fraction
    start_s: Fraction
    """Presentation time of the first frame."""
    duration_s: float | None
    """As the header claims, which may be wrong; None where it says nothing."""
    frame_count_claimed: int
    """As the header claims, which may be wrong; 0 where it says nothing."""
    colour: ColourSpec
    declared_colour: DeclaredColour
    """For the pictures that state none themselves; `colour` counts it in."""
    planar_format: str
    """Format in which frames are handed on: yuv420p, yuv422p, yuv444p, or nv12."""
    audio_streams: int
    audio_start_s: Fraction | None
    """Presentation time of the first audio sample over all tracks."""

    @property
    def planes(self) -> SourcePlanes:
        """Sizes of the planes of a frame."""
        halved_x, halved_y = self.planar_format != "yuv444p", self.planar_format in ("yuv420p", "nv12")
        chroma_width = (self.width + 1) // 2 if halved_x else self.width
        chroma_height = (self.height + 1) // 2 if halved_y else self.height
        return SourcePlanes(
            self.width, self.height, chroma_width, chroma_height, chroma_is_interleaved=self.planar_format == "nv12"
        )

    @property
    def origin_s(self) -> Fraction:
        """The time that becomes zero in the output: whichever of picture and sound comes first."""
        if self.audio_start_s is None:
            return self.start_s
        return min(self.start_s, self.audio_start_s)


def probe_source(path: Path) -> SourceInfo:
    """Describe a source. Raises `SourceError`, or `ColourError` for HDR."""
    with open_source(path) as container:
        stream = video_stream(path, container)
        declared = DeclaredColour.of(stream)
        frame = _first_frame(path, container, stream)
        context = stream.codec_context
        colour = frame_colour(path, frame, declared)
        time_base = Fraction(stream.time_base or 1)
        start_s = (frame.pts or 0) * time_base
        sound = audio_streams(container)
        sound_start_s = earliest_s(sound)
        if sound_start_s is not None:
            check_apart(path, sound_start_s - start_s)
        return SourceInfo(
            path=path,
            width=frame.width,
            height=frame.height,
            rotation_degrees=_rotation_degrees(path, frame),
            pixel_aspect=pixel_aspect(path, stream),
            frame_rate=_plausible_rate(stream.average_rate, stream.guessed_rate),
            time_base=time_base,
            start_s=start_s,
            duration_s=_duration_s(container, stream),
            frame_count_claimed=stream.frames,
            colour=ColourSpec(colour.matrix, colour.range, chroma_siting(context.name, context.extradata or b"")),
            declared_colour=declared,
            planar_format=planar_format(frame.format.name),
            audio_streams=len(sound),
            audio_start_s=sound_start_s,
        )


def pixel_aspect(path: Path, stream: av.VideoStream) -> Fraction:
    """Width of a pixel over its height, as the container states it, otherwise the codec; 1 if neither does.

    Players go by the container (`av_guess_sample_aspect_ratio`). Raises `SourceError` for an implausible one.
    """
    aspect = Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if not Fraction(1, _WIDEST_PIXEL) <= aspect <= _WIDEST_PIXEL:
        shape = f"{aspect.numerator}:{aspect.denominator}"
        raise SourceError(f"{path} has a pixel aspect ratio of {shape}; at most {_WIDEST_PIXEL}:1 is supported")
    return aspect


def _plausible_rate(*claimed: Fraction | None) -> Fraction:
    """The first plausible rate, otherwise 30: a damaged header may claim a frame an hour."""
    slowest, fastest = _RATES
    return next((Fraction(rate) for rate in claimed if rate and slowest <= rate <= fastest), Fraction(30))


def _first_frame(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
    """The first frame that decodes. What is damaged before it is found, or salvaged, by the export itself."""
    reason = "it has no frames"
    times = PresentationTimes(container, stream)
    try:
        for packet in container.demux(stream):
            times.sent(packet)
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                reason = reason_of(error)
                continue
            if frames:
                check_size(path, frames[0].width, frames[0].height)
                times.restore(frames[0])
                return frames[0]
    except av.FFmpegError as error:
        reason = reason_of(error)
    if not stream.codec_context.width:
        # Its header was refused, as a decoder does with a picture that is too large and with one that it cannot read.
        reason += f"; if it is larger than {MAX_PICTURE_PX / 1e6:.0f} megapixels, that is the reason"
    raise SourceError(f"no frame of the video stream of {path} decodes: {reason}")


def _rotation_degrees(path: Path, frame: av.VideoFrame) -> int:
    """Clockwise quarter turns of the display matrix (ISO/IEC 14496-12, 6.2.2). Raises `SourceError` for any other."""
    data = _display_matrix(frame)
    if data is None:
        return 0
    a, b, _, c, d, *_ = struct.unpack("=9i", data)
    if a * d - b * c < 0:
        raise SourceError(f"{path} is shown mirrored, which is not supported; flip it and export that")
    degrees = math.degrees(math.atan2(b, a))
    quarters = round(degrees / 90)
    if abs(degrees - 90 * quarters) > 1:  # what a sensor's noise may add to a quarter turn
        raise SourceError(f"{path} is rotated by {degrees:.0f} degrees; only quarter turns are supported")
    return 90 * quarters % 360


def _display_matrix(frame: av.VideoFrame) -> bytes | None:
    """The nine numbers of the display matrix, which a container or a picture's EXIF states."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV 18.1 reads no side data if one kind is unknown to it; FFmpeg removes those.
        data = _without_unknown_side_data(frame).side_data.get("DISPLAYMATRIX")
    return bytes(data) if isinstance(data, SideData) else None


def _without_unknown_side_data(frame: av.VideoFrame) -> av.VideoFrame:
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    source = last
    for kind in _SIDE_DATA_TYPES:
        deletion = graph.add("sidedata", f"mode=delete:type={kind}")
        last.link_to(deletion)
        last = deletion
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    source.push(frame)
    known = sink.pull()
    assert isinstance(known, av.VideoFrame)
    return known


def _duration_s(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
