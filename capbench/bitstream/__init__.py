"""What FFmpeg's Python binding hides of a file: the chroma location of a stream, boxes of MP4, Matroska's Colour."""

from pathlib import Path

from capbench.bitstream.av1_sequence import av1_chroma_location
from capbench.bitstream.h264_sps import h264_chroma_location
from capbench.bitstream.hevc_sps import hevc_chroma_location
from capbench.bitstream.matroska_colour import find_matroska_colour

__all__ = ["CENTRED_CODECS", "SITED_CODECS", "chroma_location", "rows_down", "stated_chroma_location"]

CENTRED_CODECS = ("mjpeg", "mpeg1video", "h263", "h263p", "theora")
"""Codecs that have one siting and no field for it, the middle: JFIF 1.02, ISO/IEC 11172-2 (2.4.1), ITU-T H.263 (figure
2), Theora I (4.4.3)."""
SITED_CODECS = (*CENTRED_CODECS, "h264", "hevc", "mpeg2video", "mpeg4", "prores", "dnxhd")
"""Codecs whose standard says where chroma lies, in a field, for good, or where that field is absent. VP8, VP9, FFV1 and
what AV1 calls unknown leave it open. VC-3, which FFmpeg calls dnxhd, codes 4:2:2 of BT.709 (SMPTE ST 2019-1), where
samples of chroma lie on every second one of luma (ITU-R BT.709-6, 3.9)."""


_ROWS_DOWN = {2: -0.5, 3: -0.5, 4: 0.5, 5: 0.5}
"""`chroma_sample_loc_type` of chroma on the upper and on the lower one of two luma rows (H.265, figure E.1)."""


def rows_down(location: int | None) -> float:
    """How far below the middle of two luma rows chroma of a `chroma_sample_loc_type` lies, in rows."""
    return 0.0 if location is None else _ROWS_DOWN.get(location, 0.0)


def chroma_location(codec: str, extradata: bytes) -> int | None:
    """`chroma_sample_loc_type_top_field`, 0 being left and 1 centre; None where the stream does not say.

    H.264, HEVC and AV1 are read, by FFmpeg's name of the codec; for others, or where the set is damaged, None.
    """
    try:
        if codec in ("h264", "libx264"):
            return h264_chroma_location(extradata)
        if codec in ("hevc", "libx265"):
            return hevc_chroma_location(extradata)
        if codec in ("av1", "libdav1d", "libaom-av1"):
            return av1_chroma_location(extradata)
    except ValueError:
        return None
    return None


def stated_chroma_location(path: Path, codec: str, extradata: bytes) -> int | None:
    """The same, or of a codec that leaves it open what the container says: Matroska and WebM have a place for it."""
    coded = chroma_location(codec, extradata)
    if coded is not None or codec in SITED_CODECS or not path.is_file():
        return coded
    colour = find_matroska_colour(path)
    return None if colour is None else colour.chroma_location
