"""What a source is, read before anything is exported."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from capbench.bitstream import chroma_location
from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.errors import ColourError, SourceError
from capbench.pipeline.decode.open_source import (
    MAX_PICTURE_PX,
    audio_streams,
    earliest_s,
    open_source,
    reason_of,
    video_stream,
)

__all__ = ["SourceInfo", "SourcePlanes", "planar_format", "probe_source"]

# ISO/IEC 23091-2 (H.273) code points, as FFmpeg numbers them.
_MATRIX_OF_CODE = {
    1: MatrixCoefficients.BT709,
    5: MatrixCoefficients.BT601,
    6: MatrixCoefficients.BT601,
    9: MatrixCoefficients.BT2020,
}
_CODE_UNSPECIFIED = 2
_CODE_RGB = 0
_HDR_TRANSFERS = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}
_RANGE_FULL = 2
_HD_LINES = 720
_RATES = (Fraction(1, 60), Fraction(1000))
_CENTRE_SITED_CODECS = ("mjpeg", "mpeg1video")

# Formats whose planes the GPU takes as they are. The j formats are the same planes with a full-range tag.
_PLANAR = {
    "yuv420p": "yuv420p",
    "yuvj420p": "yuv420p",
    "yuv422p": "yuv422p",
    "yuvj422p": "yuv422p",
    "yuv444p": "yuv444p",
    "yuvj444p": "yuv444p",
}


def planar_format(format_name: str) -> str:
    """8-bit planar format in which a decoded format is handed on: chroma resolution is kept, depth becomes 8 bits."""
    if format_name in _PLANAR:
        return _PLANAR[format_name]
    # A small picture of the format shows how its chroma is subsampled.
    probe = av.VideoFormat(format_name, 64, 64)
    if probe.is_rgb or len(probe.components) < 3:
        return "yuv444p"
    chroma = probe.components[1]
    if chroma.width == probe.width:
        return "yuv444p"
    return "yuv422p" if chroma.height == probe.height else "yuv420p"


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
    planar_format: str
    """Format in which frames are handed on: yuv420p, yuv422p, yuv444p, or nv12 from a hardware decoder."""
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
        frame = _first_frame(path, container, stream)
        context = stream.codec_context
        sound = audio_streams(container)
        return SourceInfo(
            path=path,
            width=frame.width,
            height=frame.height,
            rotation_degrees=_rotation_degrees(path, frame),
            pixel_aspect=Fraction(context.sample_aspect_ratio or 1) or Fraction(1),
            frame_rate=_plausible_rate(stream.average_rate, stream.guessed_rate),
            time_base=Fraction(stream.time_base),
            start_s=Fraction(frame.pts or 0) * Fraction(stream.time_base),
            duration_s=_duration_s(container, stream),
            frame_count_claimed=stream.frames,
            colour=_colour_of(path, frame, context),
            planar_format=planar_format(frame.format.name),
            audio_streams=len(sound),
            audio_start_s=earliest_s(sound),
        )


def _plausible_rate(*claimed: Any) -> Fraction:
    """The first rate that a recording can have, else 30: a damaged header may claim a frame an hour."""
    slowest, fastest = _RATES
    return next((Fraction(rate) for rate in claimed if rate and slowest <= rate <= fastest), Fraction(30))


def _first_frame(path: Path, container: Any, stream: Any) -> Any:
    """The first frame that decodes. What is damaged before it is found, or salvaged, by the export itself."""
    reason = "it has no frames"
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                reason = reason_of(error)
                continue
            if frames:
                return frames[0]
    except av.FFmpegError as error:
        reason = reason_of(error)
    if not stream.codec_context.width:  # its header was refused, as a decoder does with a picture that is too large
        reason += f"; {MAX_PICTURE_PX / 1e6:.0f} megapixels are the most"
    raise SourceError(f"{path} has a video stream of which not a single frame decodes: {reason}")


def _rotation_degrees(path: Path, frame: Any) -> int:
    """Clockwise quarter turns of the display matrix (ISO/IEC 14496-12, 6.2.2). Raises `SourceError` for any other."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 0
    a, b, _, c, d, *_ = struct.unpack("=9i", memoryview(data))
    if a * d - b * c < 0:
        raise SourceError(f"{path} is shown mirrored, which is not supported; flip it and export that")
    degrees = math.degrees(math.atan2(b, a))
    quarters = round(degrees / 90)
    if abs(degrees - 90 * quarters) > 1:  # what a sensor's noise may add to a quarter turn
        raise SourceError(f"{path} is shown turned by {degrees:.0f} degrees; only quarter turns are supported")
    return 90 * quarters % 360


def _duration_s(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _colour_of(path: Path, frame: Any, context: Any) -> ColourSpec:
    transfer = int(frame.color_trc)
    if transfer in _HDR_TRANSFERS:
        raise ColourError(f"{path} is HDR, transfer {_HDR_TRANSFERS[transfer]}; only SDR sources are supported")
    code = int(frame.colorspace)
    if code in (_CODE_UNSPECIFIED, _CODE_RGB):
        matrix = MatrixCoefficients.BT709 if frame.height >= _HD_LINES else MatrixCoefficients.BT601
    elif code in _MATRIX_OF_CODE:
        matrix = _MATRIX_OF_CODE[code]
    else:
        raise ColourError(f"{path} uses matrix code {code} (H.273); supported are 1, 5, 6 and 9")
    full = int(frame.color_range) == _RANGE_FULL or frame.format.name.startswith("yuvj")
    return ColourSpec(
        matrix=matrix,
        range=Range.FULL if full else Range.LIMITED,
        siting=_siting_of(context.name, context.extradata or b""),
    )


def _siting_of(codec: str, extradata: bytes) -> ChromaSiting:
    """JPEG and MPEG-1 put chroma between the columns, the others on the left one unless the stream says so."""
    if codec in _CENTRE_SITED_CODECS:
        return ChromaSiting.CENTRE
    # Odd types lie between the columns (H.264 annex E, figure E-1); the vertical position is not followed.
    return ChromaSiting.CENTRE if (chroma_location(codec, extradata) or 0) % 2 else ChromaSiting.LEFT
