"""HDR metadata as FFmpeg's decoders state it with a frame."""

from __future__ import annotations

import struct

import av

from capbench.bitstream.light_metadata import ContentLight, LightMetadata, MasteringDisplay
from capbench.pipeline.decode.hdr.frame_side_data import read_side_data

__all__ = ["HDR_TRANSFERS", "light_metadata_of_frame"]

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of HDR by code point of ITU-T H.273: SMPTE ST 2084 and ARIB STD-B67, both in BT.2100."""
_MASTERING, _CONTENT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"
_MASTERING_LAYOUT = struct.Struct("=22i")
"""`AVMasteringDisplayMetadata`: ten fractions (x and y of red, green, blue and white, darkest and brightest luminance),
whether primaries are stated, whether luminance is."""
_CONTENT_LAYOUT = struct.Struct("=2I")
"""`AVContentLightMetadata`: MaxCLL and MaxFALL."""


def light_metadata_of_frame(frame: av.VideoFrame) -> LightMetadata:
    """What a decoded frame carries: of the bitstream, and of the container where that is silent, if one was opened."""
    data = read_side_data(frame, _MASTERING, _CONTENT)
    mastering, content = data.get(_MASTERING, b""), data.get(_CONTENT, b"")
    return LightMetadata(
        _mastering(mastering) if len(mastering) >= _MASTERING_LAYOUT.size else None,
        ContentLight(*_CONTENT_LAYOUT.unpack_from(content)) if len(content) >= _CONTENT_LAYOUT.size else None,
    )


def _mastering(data: bytes) -> MasteringDisplay | None:
    *terms, has_primaries, has_luminance = _MASTERING_LAYOUT.unpack_from(data)
    values = [over / under if under else 0.0 for over, under in zip(terms[0::2], terms[1::2], strict=True)]
    if not (has_primaries or has_luminance):
        return None
    red, green, blue, white = ((values[at], values[at + 1]) for at in range(0, 8, 2))
    return MasteringDisplay(
        (red, green, blue) if has_primaries else None,
        white if has_primaries else None,
        values[9] if has_luminance else None,
        values[8] if has_luminance else None,
    )
