"""What FFmpeg's Python binding hides of a file: the chroma location of a stream, and boxes of MP4."""

from capbench.bitstream.h264_sps import h264_chroma_location
from capbench.bitstream.hevc_sps import hevc_chroma_location

__all__ = ["chroma_location"]


def chroma_location(codec: str, extradata: bytes) -> int | None:
    """`chroma_sample_loc_type_top_field`, 0 being left and 1 centre; None where the stream does not say.

    H.264 and HEVC are read, by FFmpeg's name of the codec; for others, or where the set is damaged, None.
    """
    try:
        if codec in ("h264", "libx264"):
            return h264_chroma_location(extradata)
        if codec in ("hevc", "libx265"):
            return hevc_chroma_location(extradata)
    except ValueError:
        return None
    return None
