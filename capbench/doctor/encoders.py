"""Which encoders work, and in FFmpeg's own words why another does not."""

from __future__ import annotations

import av
import av.logging

from capbench.doctor.findings import EncoderFinding
from capbench.errors import EncoderError
from capbench.pipeline.encode.encoders import probe_encoder

__all__ = ["KNOWN_ENCODERS", "try_encoder"]

KNOWN_ENCODERS = ("libx264", "libx265", "h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox", "h264_vaapi")
"""Software first, then one for each vendor's hardware."""


def try_encoder(name: str) -> EncoderFinding:
    """Let an encoder work on a few frames; one that does not is a finding and raises nothing."""
    if name not in av.codecs_available:
        return EncoderFinding(name=name, works=False, reason="not part of this build of FFmpeg")
    level = av.logging.get_level()
    # The error code of a missing driver is "operation not permitted"; only the log names the library.
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            probe_encoder(name)
    except EncoderError as error:
        # The first complaint is the cause, later ones follow from it.
        return EncoderFinding(name=name, works=False, reason=log[0][2].strip() if log else str(error))
    finally:
        av.logging.set_level(level)
    return EncoderFinding(name=name, works=True)
