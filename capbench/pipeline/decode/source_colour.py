"""The colour of a source's pictures, and their conversion to 8-bit planes of the same colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from capbench.bitstream import CENTRED_CODECS, stated_chroma_location
from capbench.colour import ChromaSiting, MatrixCoefficients, Range
from capbench.errors import ColourError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.hdr.frame_metadata import HDR_TRANSFERS

__all__ = [
    "COLOURSPACES",
    "DeclaredColour",
    "FrameColour",
    "PlanarConverter",
    "chroma_siting",
    "deep_format",
    "frame_colour",
    "planar_format",
]

# ISO/IEC 23091-2 (H.273) code points, as FFmpeg numbers them.
_MATRIX_OF_CODE = {
    1: MatrixCoefficients.BT709,
    5: MatrixCoefficients.BT601,
    6: MatrixCoefficients.BT601,
    9: MatrixCoefficients.BT2020,
}
_CODE_UNSPECIFIED = 2
_CODE_RGB = 0
COLOURSPACES = {
    MatrixCoefficients.BT601: Colorspace.ITU601,
    MatrixCoefficients.BT709: Colorspace.ITU709,
    MatrixCoefficients.BT2020: Colorspace.BT2020,
}
"""Matrices as swscale's reformatter names them."""
_RANGE_UNSPECIFIED = 0
_UNKNOWN_PRIMARIES = (0, 2, 3)
"""Two reserved codes, and "unspecified"."""
_PRIMARIES_OF_CODE = {1: "BT.709", 5: "BT.601", 6: "BT.601", 7: "BT.601", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
"""Those of 625 and of 525 lines count as one, as their matrix does."""
_HDR_STANDARDS = {"PQ": "PQ (SMPTE ST 2084)", "HLG": "HLG (ARIB STD-B67)"}
_RANGE_FULL = 2
_FULL_RANGE_FORMATS = ("yuvj", "mono")
"""Beginnings of the names of formats that have no other range: JPEG's, and black and white."""
_HD_LINES = 720

# Formats whose planes the GPU takes as they are. The j formats are the same planes with a full-range tag.
_PLANAR = {
    "yuv420p": "yuv420p",
    "yuvj420p": "yuv420p",
    "yuv422p": "yuv422p",
    "yuvj422p": "yuv422p",
    "yuv444p": "yuv444p",
    "yuvj444p": "yuv444p",
    "nv12": "nv12",
}
_INTERLEAVED_DEEP = {
    f"p{chroma}{depth}le": f"yuv4{planar}p{depth}le"
    for chroma, planar in (("0", "20"), ("2", "22"), ("4", "44"))
    for depth in ("10", "12")
}
"""What hardware decoders give of more than 8 bits, and what software decoders give of the same stream."""


@dataclass(frozen=True, slots=True)
class FrameColour:
    """Meaning of the colour tags of one frame."""

    matrix: MatrixCoefficients
    range: Range
    is_matrix_tagged: bool
    """Whether the frame states its matrix; otherwise it is a guess from the number of lines."""
    primaries: str | None
    """Name of the primaries; None where the frame states none that are known."""
    hdr: str | None = None
    """`PQ` or `HLG`; None for SDR."""

    def reads_like(self, first: FrameColour) -> bool:
        """Whether samples of this frame mean the same as the first one's."""
        # An untagged stream that changes its size does not change its colour with it.
        same_matrix = self.matrix == first.matrix or not (self.is_matrix_tagged or first.is_matrix_tagged)
        same_primaries = self.primaries == first.primaries or None in (self.primaries, first.primaries)
        return same_matrix and self.range == first.range and same_primaries and self.hdr == first.hdr

    def __str__(self) -> str:
        """For an error: `BT.709, limited range, BT.709 primaries`."""
        parts = [f"BT.{self.matrix.value}", f"{self.range.value} range"]
        parts += [] if self.primaries is None else [f"{self.primaries} primaries"]
        return ", ".join(parts if self.hdr is None else [*parts, self.hdr])


@dataclass(frozen=True, slots=True)
class DeclaredColour:
    """What the container, or the stream's header, states: code points of H.273 as FFmpeg numbers them."""

    primaries: int = _CODE_UNSPECIFIED
    """Colour primaries."""
    transfer: int = _CODE_UNSPECIFIED
    """Transfer characteristics."""
    matrix: int = _CODE_UNSPECIFIED
    """Matrix coefficients."""
    range: int = _RANGE_UNSPECIFIED
    """1 limited, 2 full, 0 unspecified."""

    @staticmethod
    def of(stream: av.VideoStream) -> DeclaredColour:
        """To be asked before anything decodes: decoders that write their own header over it (ProRes) then forget it."""
        context = stream.codec_context
        return DeclaredColour(
            int(context.color_primaries), int(context.color_trc), int(context.colorspace), int(context.color_range)
        )


def frame_colour(
    path: Path, frame: av.VideoFrame, declared: DeclaredColour, *, accepts_hdr: bool = False
) -> FrameColour:
    """Read the tags of a frame, and where it has none those that were declared for its stream.

    Raises `ColourError` for HDR, unless it is accepted, and for matrices that are not supported.
    """
    hdr = HDR_TRANSFERS.get(_stated(int(frame.color_trc), declared.transfer))
    if hdr is not None and not accepts_hdr:
        raise ColourError(f"{path} is HDR, transfer {_HDR_STANDARDS[hdr]}; pass --tone-map bt2390 to export SDR of it")
    is_rgb = _holds_rgb(frame.format)
    # "R'G'B'" of a frame that is not is no statement.
    code = _stated(int(frame.colorspace), declared.matrix, silent=(_CODE_UNSPECIFIED, _CODE_RGB))
    # Pictures that are converted from R'G'B' get the matrix that an untagged picture of their size is read with.
    is_tagged = code not in (_CODE_UNSPECIFIED, _CODE_RGB) and not is_rgb
    if not is_tagged:
        matrix = MatrixCoefficients.BT709 if frame.height >= _HD_LINES else MatrixCoefficients.BT601
        matrix = matrix if hdr is None else MatrixCoefficients.BT2020
    elif code in _MATRIX_OF_CODE:
        matrix = _MATRIX_OF_CODE[code]
    else:
        raise ColourError(f"{path} uses matrix code {code} (H.273); supported are 1, 5, 6 and 9")
    codes = _stated(int(frame.color_range), declared.range, silent=(_RANGE_UNSPECIFIED,))
    full = codes == _RANGE_FULL or frame.format.name.startswith(_FULL_RANGE_FORMATS)
    if is_rgb:  # swscale rounds towards limited range, and truncates towards full range
        full = False
    primaries = _stated(int(frame.color_primaries), declared.primaries, silent=_UNKNOWN_PRIMARIES)
    return FrameColour(
        matrix=matrix,
        range=Range.FULL if full else Range.LIMITED,
        is_matrix_tagged=is_tagged,
        primaries=None
        if primaries in _UNKNOWN_PRIMARIES
        else _PRIMARIES_OF_CODE.get(primaries, f"H.273 code {primaries}"),
        hdr=hdr,
    )


def _stated(own: int, declared: int, *, silent: tuple[int, ...] = (_CODE_UNSPECIFIED,)) -> int:
    return declared if own in silent else own


def chroma_siting(path: Path, codec: str, extradata: bytes) -> ChromaSiting:
    """JPEG, MPEG-1 and a few others put chroma between the columns, others on the left one unless the file says so."""
    if codec in CENTRED_CODECS:
        return ChromaSiting.CENTRE
    # Odd types lie between the columns (H.264 annex E, figure E-1); the vertical position is not followed.
    return ChromaSiting.CENTRE if (stated_chroma_location(path, codec, extradata) or 0) % 2 else ChromaSiting.LEFT


def planar_format(format_name: str) -> str:
    """8-bit planar format in which a decoded format is handed on: chroma resolution is kept, depth becomes 8 bits."""
    if format_name in _PLANAR:
        return _PLANAR[format_name]
    # A small picture of the format shows how its chroma is subsampled.
    probe = av.VideoFormat(format_name, 64, 64)
    if _holds_rgb(probe) or len(probe.components) < 3:
        return "yuv444p"
    chroma = probe.components[1]
    if chroma.width == probe.width:
        return "yuv444p"
    if _has_quarter_columns(format_name):
        return "yuv422p"
    return "yuv422p" if chroma.height == probe.height else "yuv420p"


def deep_format(format_name: str) -> tuple[str, int]:
    """Planar format of 10 bits in which a decoded format is handed on, or of 12 where it has more; and its bits."""
    bits = 10 if max(part.bits for part in av.VideoFormat(format_name, 64, 64).components) <= 10 else 12
    planar = planar_format(format_name)
    return f"{'yuv420p' if planar == 'nv12' else planar}{bits}le", bits


class PlanarConverter:
    """Converts frames to a planar format. A Y'CbCr frame keeps matrix and range: only its layout changes."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._deinterleaver = VideoReformatter()
        self._separator = VideoReformatter()

    def convert(
        self,
        frame: av.VideoFrame,
        planar: str,
        size: tuple[int, int],
        colour: FrameColour,
        siting: ChromaSiting = ChromaSiting.LEFT,
    ) -> av.VideoFrame:
        """A frame of format `planar` and `size` (width, height) in pixels, to be read by `colour`; times are kept.

        `siting` is where the frame has its chroma, and where it has it afterwards.
        """
        if _has_quarter_columns(frame.format.name):
            frame = self._with_half_columns(frame, siting)
        deep = _INTERLEAVED_DEEP.get(frame.format.name)
        if deep is not None:
            # Of interleaved chroma swscale makes other codes, by one, than of planes with the same samples.
            frame = self._deinterleaver.reformat(frame, format=deep)
        matrix = COLOURSPACES[colour.matrix]
        codes = ColorRange.JPEG if colour.range is Range.FULL else ColorRange.MPEG
        is_rgb = _holds_rgb(frame.format)
        # swscale assumes full range for every grey format, so full range is stated and the samples stay as they are.
        swscale_codes = ColorRange.JPEG if not is_rgb and len(frame.format.components) < 3 else codes
        # It assumes BT.601 for output from R'G'B' unless told otherwise, and R'G'B' is always full range.
        converted = self._reformatter.reformat(
            frame,
            width=size[0],
            height=size[1],
            format=planar,
            src_colorspace=None if is_rgb else matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG if is_rgb else swscale_codes,
            dst_color_range=swscale_codes,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
        )
        converted.color_range = codes
        converted.pts, converted.duration = frame.pts, frame.duration
        if frame.time_base is not None:
            converted.time_base = frame.time_base
        return converted

    def _with_half_columns(self, frame: av.VideoFrame, siting: ChromaSiting) -> av.VideoFrame:
        """A frame of 4:1:1 or 4:1:0 as 4:2:2. swscale takes all chroma to lie in the middle of its four columns."""
        codes = frame.color_range
        quarter = self._separator.reformat(frame, format="yuv411p", src_color_range=codes, dst_color_range=codes)
        half = av.VideoFrame(frame.width, frame.height, "yuv422p")
        plane_samples(half.planes[0])[:] = plane_samples(quarter.planes[0])
        for given, made in zip(quarter.planes[1:], half.planes[1:], strict=True):
            padded = np.pad(plane_samples(given), ((0, 0), (1, 1)), mode="edge").astype(np.uint16)
            before, here, after = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
            if siting is ChromaSiting.LEFT:
                first, second = here, (here + after + 1) // 2
            else:
                first, second = (before + 3 * here + 2) // 4, (3 * here + after + 2) // 4
            samples = plane_samples(made)
            samples[:, ::2] = first[:, : (samples.shape[1] + 1) // 2]
            samples[:, 1::2] = second[:, : samples.shape[1] // 2]
        half.color_range, half.pts, half.duration = frame.color_range, frame.pts, frame.duration
        if frame.time_base is not None:
            half.time_base = frame.time_base
        return half


@cache
def _has_quarter_columns(format_name: str) -> bool:
    """Whether there is a sample of chroma for four columns: 4:1:1, as in DV of 525 lines, and 4:1:0."""
    components = av.VideoFormat(format_name, 64, 64).components
    return len(components) > 2 and components[1].width == 16


def _holds_rgb(pixel_format: av.VideoFormat) -> bool:
    """Whether samples are R'G'B', directly or through a palette, or are converted to it (CIE XYZ)."""
    return pixel_format.is_rgb or pixel_format.has_palette or pixel_format.name.startswith("xyz")
