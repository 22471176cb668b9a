"""Encoders: which ones work on this machine, and their options for a quality."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from capbench.errors import EncoderError, InputError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.results.path_names import HARDWARE_ENCODER_SUFFIXES

__all__ = [
    "AUTOMATIC",
    "BITS_PER_PIXEL",
    "NO_ENCODER",
    "ChosenEncoder",
    "EncoderSettings",
    "choose_encoder",
    "codec_options",
    "codec_tag",
    "encoder_order",
    "has_threads",
    "is_hevc",
    "pixel_format_for",
    "preset_look_ahead",
    "probe_encoder",
]

BITS_PER_PIXEL = {"highest": 0.3, "high": 0.15, "medium": 0.08, "low": 0.04}
"""Quality name to bits a pixel of pictures of 480 lines and more: the bit rate is width x height x this x frames a
second."""
_FULL_DETAIL_PIXELS = 854 * 480
"""Pixels from which these bits are enough. In smaller pictures detail is as fine as samples, so that what is beside it
says less of it: at constant quality x264 needs bits a pixel that grow as pixels become fewer, by the power of 0.46 at
CRF 23 and 0.49 at 28, the mean of eight kinds of text, film and rain from 96x54 to 854x480. The root is near enough."""

_LEAST_BIT_RATE = 10_000
"""x264 counts in whole kilobits and refuses 0, which a picture of icon size would result in."""
_LARGEST_BIT_RATE = 10**9
"""Above every level of H.264 (800 Mbit/s) and HEVC; FFmpeg's options for it end at 2**31."""
_X264_FAMILY = ("libx264", "libx265")
_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)
_LOOK_AHEAD_FRAMES = {
    "ultrafast": 0,
    "superfast": 0,
    "veryfast": 10,
    "faster": 20,
    "fast": 30,
    "medium": 40,
    "slow": 50,
}
"""Frames that x264's presets look ahead (`x264 --fullhelp`); 60 for slower ones."""
_PLANAR_ONLY = ("libx265",)
"""Encoders that do not take NV12."""
_PROBE_SIZE = (256, 256)
_PROBE_FRAMES = 3
_PROBE_LUMA = 180
_PROBE_TOLERANCE_CODES = 12
"""A flat grey survives any working encoder far better than this; a broken one shows black or green."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How to encode. Of `qp`, `crf`, `bitrate_bits_per_s` and `quality` the first that is given counts."""

    name: str = "libx264"
    """FFmpeg's name of the encoder; `h264`, `hevc` or `auto` take the first that works here, hardware before software;
    `none` writes nothing.

    A named one is the default: which hardware a machine has must not decide what a benchmark measures.
    """
    quality: str = "high"
    """Key of `BITS_PER_PIXEL`."""
    qp: int | None = None
    """Fixed quantiser, for comparisons."""
    crf: float | None = None
    """Constant rate factor of libx264 and libx265."""
    bitrate_bits_per_s: int | None = None
    """Bit rate to aim at, in bits a second."""
    preset: str = "veryfast"
    """Preset of libx264 and libx265."""
    gop_s: float = 2.0
    """Longest distance between key frames in seconds."""


def codec_options(settings: EncoderSettings, width: int, height: int, rate: Fraction) -> tuple[int, dict[str, str]]:
    """Bit rate (0 where quantisers decide) and the encoder's options. Raises `InputError`."""
    if settings.qp is not None and not 0 <= settings.qp <= 51:
        raise InputError(f"qp must be between 0 and 51, got {settings.qp}")
    if settings.quality not in BITS_PER_PIXEL:
        raise InputError(f"unknown quality {settings.quality!r}; available: {', '.join(BITS_PER_PIXEL)}")
    if settings.name in _X264_FAMILY and settings.preset not in _PRESETS:
        raise InputError(f"unknown preset {settings.preset!r}; available: {', '.join(_PRESETS)}")
    options = {"preset": settings.preset} if settings.name in _X264_FAMILY else {}
    if settings.name == "libx265":
        options["x265-params"] = "log-level=error"
    if settings.qp is not None:
        return 0, options | _fixed_quantiser(settings.name, settings.qp)
    if settings.crf is not None:
        if settings.name not in _X264_FAMILY or not 0 <= settings.crf <= 51:
            family = " or ".join(_X264_FAMILY)
            raise InputError(f"crf must be between 0 and 51, for {family}; got {settings.crf:g} for {settings.name}")
        return 0, options | {"crf": f"{settings.crf:g}"}
    if settings.bitrate_bits_per_s is not None:
        if not _LEAST_BIT_RATE <= settings.bitrate_bits_per_s <= _LARGEST_BIT_RATE:
            raise InputError(
                f"the bit rate must be between {_LEAST_BIT_RATE} and {_LARGEST_BIT_RATE} bits a second, "
                f"got {settings.bitrate_bits_per_s}"
            )
        return settings.bitrate_bits_per_s, options
    bit_rate = round(_weighted_pixels(width, height) * BITS_PER_PIXEL[settings.quality] * rate)
    return max(_LEAST_BIT_RATE, bit_rate), options


def _weighted_pixels(width: int, height: int) -> float:
    """Pixels of a picture, each counted by how many bits it needs more than those of a large one."""
    pixels = width * height
    return pixels * max(1.0, math.sqrt(_FULL_DETAIL_PIXELS / pixels))


def has_threads(encoder: str) -> bool:
    """Whether an encoder is software that takes a number of threads."""
    return encoder not in ("gif", NO_ENCODER) and not encoder.endswith(HARDWARE_ENCODER_SUFFIXES)


def preset_look_ahead(preset: str) -> int:
    """Frames that x264 looks ahead with a preset."""
    return _LOOK_AHEAD_FRAMES.get(preset, 60)


def _fixed_quantiser(encoder: str, qp: int) -> dict[str, str]:
    if encoder == "libx264":
        return {"qp": str(qp)}
    if encoder == "libx265":
        return {"x265-params": f"qp={qp}:log-level=error"}
    if encoder.endswith("_nvenc"):
        return {"rc": "constqp", "qp": str(qp)}
    if encoder.endswith(("_vaapi", "_qsv")):
        return {"global_quality": str(qp)}
    raise InputError(f"{encoder} has no fixed quantiser here; use --quality")


def is_hevc(encoder: str) -> bool:
    """Whether an encoder of that name writes HEVC."""
    return "265" in encoder or "hevc" in encoder


def codec_tag(encoder: str) -> str | None:
    """Sample entry of the MP4 file where FFmpeg's own choice is not the one that plays everywhere.

    `hvc1` keeps HEVC's parameter sets out of the stream (ISO/IEC 14496-15, 8.3.3); Apple's players take nothing else.
    """
    return "hvc1" if is_hevc(encoder) else None


def pixel_format_for(encoder: str, pixel_format: str) -> str:
    """Pixel format to open an encoder with for pictures of `pixel_format`: the same samples, perhaps reordered."""
    if encoder in _PLANAR_ONLY and pixel_format == "nv12":
        return "yuv420p"
    return "nv12" if encoder.endswith("_qsv") and pixel_format == "yuv420p" else pixel_format


def probe_encoder(name: str) -> None:
    """Encode a few grey frames and check that they decode to grey: listing an encoder proves nothing.

    Raises `EncoderError` with FFmpeg's reason.
    """
    try:
        encoder = av.CodecContext.create(name, "w")
    except (av.FFmpegError, ValueError) as error:
        raise EncoderError(f"unknown encoder {name!r}: {error}; capbench doctor lists what works here") from error
    if not isinstance(encoder, VideoCodecContext):
        raise EncoderError(f"{name} does not encode video; capbench doctor lists what does")
    # Not even opened: as root, libsvtav1 makes the opening thread and all that it starts real-time (SCHED_FIFO).
    if (codec := encoder.codec.canonical_name) not in _SOFTWARE:
        raise EncoderError(
            f"{name} writes {codec}, and exports are H.264 or HEVC; capbench doctor lists what works here"
        )
    encoder.width, encoder.height = _PROBE_SIZE
    pixel_format = encoder.pix_fmt = pixel_format_for(name, "nv12")
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    if name == "libx265":
        encoder.options = {"x265-params": "log-level=error"}
    try:
        encoder.open()
        packets = [
            packet for number in range(_PROBE_FRAMES) for packet in encoder.encode(_grey_frame(pixel_format, number))
        ]
        packets += encoder.encode(None)
        decoder = av.CodecContext.create("hevc" if is_hevc(name) else "h264", "r")
        assert isinstance(decoder, VideoCodecContext)
        frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    except (av.FFmpegError, ValueError, OSError) as error:
        raise EncoderError(f"encoder {name} does not open here: {getattr(error, 'strerror', None) or error}") from error
    if len(frames) != _PROBE_FRAMES:
        raise EncoderError(f"encoder {name} returned {len(frames)} of {_PROBE_FRAMES} frames")
    worst = int(np.abs(plane_samples(frames[0].planes[0]).astype(int) - _PROBE_LUMA).max())
    if worst > _PROBE_TOLERANCE_CODES:
        raise EncoderError(f"encoder {name} opens but its picture is wrong: grey {_PROBE_LUMA} is off by {worst} codes")


def _grey_frame(pixel_format: str, number: int) -> av.VideoFrame:
    frame = av.VideoFrame(*_PROBE_SIZE, pixel_format)
    for plane, code in zip(frame.planes, (_PROBE_LUMA, 128, 128), strict=False):
        plane_samples(plane)[:] = code
    frame.pts, frame.time_base = number, Fraction(1, 30)
    return frame


NO_ENCODER = "none"
"""In place of an encoder's name: pictures are drawn, read back and discarded, and nothing is written."""
AUTOMATIC = {"auto": "h264", "h264": "h264", "hevc": "hevc"}
"""What may stand in place of an encoder's name, and the codec that it means."""

# Each platform's usual order; VAAPI and the like need a device that PyAV's encoders are not given here.
_HARDWARE = {"darwin": ("videotoolbox",), "win32": ("nvenc", "qsv", "amf"), "linux": ("nvenc", "qsv")}
_SOFTWARE = {"h264": "libx264", "hevc": "libx265"}


@dataclass(frozen=True, slots=True)
class ChosenEncoder:
    """An encoder that works on this machine."""

    name: str
    """FFmpeg's name."""
    refused: tuple[str, ...] = ()
    """Why each of those before it in the order was not taken."""


def encoder_order(codec: str, platform: str = sys.platform) -> list[str]:
    """FFmpeg's names of the encoders of `h264` or `hevc` in the order in which they are tried: hardware first."""
    return [*(f"{codec}_{maker}" for maker in _HARDWARE.get(platform, ())), _SOFTWARE[codec]]


def choose_encoder(asked: str, platform: str = sys.platform) -> ChosenEncoder:
    """The encoder to use for a name, or the first of a codec's that works here. Raises `EncoderError`."""
    if asked not in AUTOMATIC:
        if reason := _why_not(asked):
            raise EncoderError(reason)
        return ChosenEncoder(asked)
    refused: list[str] = []
    for name in encoder_order(AUTOMATIC[asked], platform):
        reason = _why_not(name)
        if reason is None:
            return ChosenEncoder(name, tuple(refused))
        refused.append(reason)
    raise EncoderError(f"no {AUTOMATIC[asked]} encoder works here: {'; '.join(refused)}")


@cache
def _why_not(name: str) -> str | None:
    """Once a process: what an encoder can do does not change, and asking a driver can take a second."""
    try:
        probe_encoder(name)
    except EncoderError as error:
        return str(error)
    return None
