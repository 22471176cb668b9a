"""What a source is, read before anything is exported."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from capbench.bitstream import chroma_location, rows_down
from capbench.colour import ColourSpec
from capbench.errors import ColourError, SourceError
from capbench.pipeline.decode.frame_times import check_apart, fine_time_base
from capbench.pipeline.decode.hdr.dolby_vision import dolby_vision_profile
from capbench.pipeline.decode.hdr.frame_metadata import light_metadata_of_frame
from capbench.pipeline.decode.hdr.frame_side_data import read_side_data
from capbench.pipeline.decode.hdr.hdr_source import HdrSource, choose_peak
from capbench.pipeline.decode.open_source import (
    MAX_PICTURE_PX,
    audio_streams,
    check_size,
    earliest_s,
    open_source,
    reason_of,
    video_stream,
)
from capbench.pipeline.decode.presentation import PresentationTimes, begins_at_zero
from capbench.pipeline.decode.source_colour import (
    DeclaredColour,
    FrameColour,
    chroma_siting,
    deep_format,
    frame_colour,
    planar_format,
)

__all__ = ["SourceInfo", "SourcePlanes", "pixel_aspect", "probe_source"]

_RATES = (Fraction(1, 60), Fraction(1000))
_TOP_SITED = (2, 3)
"""`chroma_sample_loc_type` of chroma on the upper luma row (H.265, figure E.1)."""
_UNREADABLE_PROFILE = 5
_HDR_PRIMARIES = ("BT.2020", "BT.709", "Display P3")
"""The first is BT.2100's and stands for a source that says nothing."""
_WIDEST_PIXEL = 16
"""Pixels of real formats are less than 3 times as wide as high, or as high as wide; more than this is damage."""


@dataclass(frozen=True, slots=True)
class SourcePlanes:
    """Sizes of the decoded planes in samples."""

    width: int
    height: int
    chroma_width: int
    chroma_height: int
    chroma_is_interleaved: bool = False
    """Whether Cb and Cr share a plane, as in NV12."""
    sample_bytes: int = 1
    """Bytes of a sample: 2 of more than 8 bits."""

    @property
    def size_bytes(self) -> int:
        """Bytes of one frame's samples."""
        return self.sample_bytes * (self.width * self.height + 2 * self.chroma_width * self.chroma_height)


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
    """Format in which frames are handed on: yuv420p, yuv422p, yuv444p, or nv12; of HDR the first three with 10 or 12
    bits, such as yuv420p10le."""
    audio_streams: int
    audio_start_s: Fraction | None
    """Presentation time of the first audio sample over all tracks."""
    hdr: HdrSource | None = None
    """Its light, where it is HDR; None for SDR."""

    @property
    def planes(self) -> SourcePlanes:
        """Sizes of the planes of a frame."""
        halved_x, halved_y = "444" not in self.planar_format, self.planar_format.startswith(("yuv420p", "nv12"))
        chroma_width = (self.width + 1) // 2 if halved_x else self.width
        chroma_height = (self.height + 1) // 2 if halved_y else self.height
        return SourcePlanes(
            self.width,
            self.height,
            chroma_width,
            chroma_height,
            chroma_is_interleaved=self.planar_format == "nv12",
            sample_bytes=1 if self.hdr is None else 2,
        )

    @property
    def origin_s(self) -> Fraction:
        """The time that becomes zero in the output: whichever of picture and sound comes first."""
        if self.audio_start_s is None:
            return self.start_s
        return min(self.start_s, self.audio_start_s)


def probe_source(path: Path, *, accepts_hdr: bool = False) -> SourceInfo:
    """Describe a source. Raises `SourceError`, or `ColourError` for HDR unless it is accepted.

    Dolby Vision profile 5 is refused in any case: its codes are no Y'CbCr, and untagged.
    """
    with open_source(path) as container:
        stream = video_stream(path, container)
        declared = DeclaredColour.of(stream)
        frame = _first_frame(path, container, stream)
        context = stream.codec_context
        if dolby_vision_profile(path, container, frame) == _UNREADABLE_PROFILE:
            raise ColourError(
                f"{path} is Dolby Vision profile 5, whose IPT codes only its own decoder can read; name a source of "
                "profile 8, HDR10 or HLG"
            )
        colour = frame_colour(path, frame, declared, accepts_hdr=accepts_hdr)
        location = chroma_location(context.name, context.extradata or b"")
        hdr = None if colour.hdr is None else _hdr_source(path, frame, colour, location)
        time_base = Fraction(stream.time_base or 1)
        start_s = (frame.pts or 0) * time_base
        sound = audio_streams(container)
        sound_start_s = earliest_s(sound)
        if sound_start_s is not None and begins_at_zero(container):
            sound_start_s = max(sound_start_s, Fraction(0))
        if sound_start_s is not None:
            check_apart(path, sound_start_s - start_s)
        return SourceInfo(
            path=path,
            width=frame.width,
            height=frame.height,
            rotation_degrees=_rotation_degrees(path, frame),
            pixel_aspect=pixel_aspect(path, stream),
            frame_rate=_plausible_rate(stream.average_rate, stream.guessed_rate),
            time_base=fine_time_base(time_base),
            start_s=start_s,
            duration_s=_duration_s(container, stream),
            frame_count_claimed=stream.frames,
            colour=ColourSpec(
                colour.matrix,
                colour.range,
                chroma_siting(path, context.name, context.extradata or b""),
                rows_down(location),
            ),
            declared_colour=declared,
            planar_format=planar_format(frame.format.name) if hdr is None else deep_format(frame.format.name)[0],
            audio_streams=len(sound),
            audio_start_s=sound_start_s,
            hdr=hdr,
        )


def _hdr_source(path: Path, frame: av.VideoFrame, colour: FrameColour, location: int | None) -> HdrSource:
    """Raises `ColourError` for primaries that are not supported."""
    assert colour.hdr is not None
    primaries = colour.primaries or _HDR_PRIMARIES[0]
    if primaries not in _HDR_PRIMARIES:
        raise ColourError(f"{path} is HDR with primaries {primaries}; supported are {', '.join(_HDR_PRIMARIES)}")
    peak = choose_peak(colour.hdr, light_metadata_of_frame(frame))
    return HdrSource(colour.hdr, primaries, deep_format(frame.format.name)[1], peak, location in _TOP_SITED)


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
            for frame in frames:
                check_size(path, frame.width, frame.height)
                times.restore(frame)
                if times.is_presented(frame):
                    return frame
    except av.FFmpegError as error:
        reason = reason_of(error)
    if not stream.codec_context.width:
        # Its header was refused, as a decoder does with a picture that is too large and with one that it cannot read.
        reason += f"; if it is larger than {MAX_PICTURE_PX / 1e6:.0f} megapixels, that is the reason"
    raise SourceError(f"no frame of the video stream of {path} decodes: {reason}")


def _rotation_degrees(path: Path, frame: av.VideoFrame) -> int:
    """Clockwise quarter turns of the display matrix (ISO/IEC 14496-12, 6.2.2). Raises `SourceError` for any other."""
    # A container or a picture's EXIF states it.
    data = read_side_data(frame, "DISPLAYMATRIX").get("DISPLAYMATRIX")
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


def _duration_s(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
