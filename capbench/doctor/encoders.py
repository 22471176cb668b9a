"""Encoders that really work: opened and fed, because a list of names proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import av.logging
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from capbench.doctor.findings import EncoderFinding

__all__ = ["KNOWN_ENCODERS", "try_encoder"]

KNOWN_ENCODERS = ("libx264", "libx265", "h264_nvenc", "h264_qsv", "h264_amf", "h264_videotoolbox", "h264_vaapi")
"""Software first, then one for each vendor's hardware."""

# Hardware encoders refuse pictures much smaller than this.
_WIDTH, _HEIGHT, _FRAMES = 640, 360, 3
# x265 writes its log to stderr by itself, past FFmpeg's logging.
_OPTIONS = {"libx265": {"x265-params": "log-level=none"}}


def try_encoder(name: str) -> EncoderFinding:
    """Encode a few grey frames. Never raises for an encoder that does not work: that is the finding."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            packets = _encode_grey(name)
    except UnknownCodecError:
        return EncoderFinding(name=name, works=False, reason="not part of this build of FFmpeg")
    except (av.FFmpegError, ValueError) as error:
        return EncoderFinding(name=name, works=False, reason=_first_cause(log) or str(error))
    finally:
        av.logging.set_level(level)
    if packets != _FRAMES:
        return EncoderFinding(name=name, works=False, reason=f"gave {packets} packets for {_FRAMES} frames")
    return EncoderFinding(name=name, works=True)


def _encode_grey(name: str) -> int:
    """Number of packets that came out."""
    encoder = av.CodecContext.create(name, "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError(f"{name} is no video encoder")
    encoder.width, encoder.height, encoder.pix_fmt = _WIDTH, _HEIGHT, _pixel_format(encoder)
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    encoder.options = _OPTIONS.get(name, {})
    packets = 0
    for number in range(_FRAMES):
        frame = av.VideoFrame(_WIDTH, _HEIGHT, encoder.pix_fmt)
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts = number
        packets += len(encoder.encode(frame))
    return packets + len(encoder.encode(None))


def _pixel_format(encoder: VideoCodecContext) -> str:
    formats = [offered.name for offered in encoder.codec.video_formats or ()]
    return "nv12" if "nv12" in formats else "yuv420p"


def _first_cause(log: Sequence[tuple[int, str, str]]) -> str | None:
    """The first thing that FFmpeg complained about: later lines, and the error code, only follow from it."""
    return log[0][2].strip() if log else None
