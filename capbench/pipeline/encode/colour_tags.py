"""Colour tags of a stream, in the code points of ISO/IEC 23091-2 (H.273)."""

from __future__ import annotations

from av.video.codeccontext import VideoCodecContext

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range

__all__ = ["chroma_location_option", "tag_stream"]

# (matrix coefficients, colour primaries, transfer characteristics); the SDR transfers are the same curve.
_CODES = {
    MatrixCoefficients.BT601: (6, 6, 6),
    MatrixCoefficients.BT709: (1, 1, 1),
    MatrixCoefficients.BT2020: (9, 9, 14),
}


def tag_stream(context: VideoCodecContext, colour: ColourSpec) -> None:
    """Set matrix, primaries, transfer and range on an encoder; FFmpeg writes them to the VUI and to the colr box."""
    context.colorspace, context.color_primaries, context.color_trc = _CODES[colour.matrix]
    context.color_range = 1 if colour.range is Range.LIMITED else 2


def chroma_location_option(colour: ColourSpec) -> dict[str, str]:
    """The encoder option for chroma siting, for which PyAV has no attribute."""
    return {"chroma_sample_location": "left" if colour.siting is ChromaSiting.LEFT else "center"}
