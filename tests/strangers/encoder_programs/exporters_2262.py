"""The exporters that were held back with the clips of seed 2262, and are seen since.

FFmpeg 4.1, 6 and 8, an older PyAV, MJPEG Tools, VP8 by vpxenc, GStreamer's transcoder and Theora, AV1 by HandBrake,
DNxHR by melt, ffmpegcv, VidGear and scikit-video.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from tests.strangers.encoder_programs.exporters_6396 import (
    by_rgb,
    older_ffmpeg,
    other_ffmpeg,
    reads,
    written_by,
)
from tests.strangers.encoder_programs.exporters_9555 import encoder_program, has_layout, untagged, upright
from tests.strangers.foreign_exporters import (
    VP9,
    X264,
    X265,
    Command,
    Exporter,
    even,
    gstreamer,
    handbrake,
    melt,
    stereo,
)
from tests.strangers.stream_facts import StreamFacts
from tests.strangers.tool_programs import older_writers_python

__all__ = ["EXPORTERS_2262"]

_AAC: Final = ("-c:a", "aac", "-b:a", "192k")
_OPUS: Final = ("-c:a", "libopus", "-b:a", "160k")
_FLAC: Final = ("-c:a", "flac")
_TELEVISION: Final = frozenset({Fraction(24), Fraction(25), Fraction(30), Fraction(24000, 1001), Fraction(30000, 1001)})
"""Frames a second of MPEG-2's Main Level: ISO/IEC 13818-2, tables 6-4 and 8-10."""


def _no_colours(_facts: StreamFacts) -> list[str]:
    """Neither program can be told the colours; mkvmerge states them."""
    return []


def _transcoded(facts: StreamFacts, output: Path) -> Command:
    sound = ":audio/x-flac" if facts.sounds else ""
    profile = f"video/x-matroska:video/x-h264{sound}"
    return ["gst-transcoder-1.0", f"file://{facts.path}", f"file://{output}", profile]


def _of_television(facts: StreamFacts) -> bool:
    fits = facts.width <= 720 and facts.height <= 576
    return fits and upright(facts) and facts.is_constant and facts.rate in _TELEVISION


def _read_by_all(facts: StreamFacts) -> bool:
    """What builds of FFmpeg for these libraries decode: AV1 is not among it."""
    return by_rgb(facts) and facts.codec != "av1"


EXPORTERS_2262: Final = (
    Exporter(
        "ffmpeg41-h264-mkv",
        "ffmpeg-4.1",
        ".mkv",
        older_ffmpeg("ffmpeg-4.1", *X264, "20", sound=_FLAC),
        # That build's x264 has no more than eight.
        lambda facts: reads(facts) and facts.bits == 8,
    ),
    Exporter(
        "ffmpeg6-hevc-mov",
        "ffmpeg-6",
        ".mov",
        other_ffmpeg("ffmpeg-6", *X265, "22", "-tag:v", "hvc1", sound=_AAC),
        reads,
    ),
    Exporter("ffmpeg6-vp9-webm", "ffmpeg-6", ".webm", other_ffmpeg("ffmpeg-6", *VP9, "22", sound=_OPUS), reads),
    Exporter("ffmpeg8-h264-mp4", "ffmpeg-8", ".mp4", other_ffmpeg("ffmpeg-8", *X264, "24", sound=_AAC), even),
    Exporter(
        "ffmpeg8-av1-mkv",
        "ffmpeg-8",
        ".mkv",
        other_ffmpeg("ffmpeg-8", "-c:v", "libsvtav1", "-preset", "10", "-crf", "28", sound=_OPUS),
        lambda facts: even(facts) and has_layout(facts, "420") and min(facts.width, facts.height) >= 64,
    ),
    Exporter(
        "older-pyav-h264-mov",
        "older-pyav",
        ".mov",
        written_by("pyav", "libx264", "preset=veryfast", "crf=18", python=older_writers_python),
        lambda facts: upright(facts) and has_layout(facts, "420", "422", "444") and stereo(facts),
    ),
    Exporter(
        "mpeg2enc-mkv",
        "mpeg2enc",
        ".mkv",
        encoder_program(
            # Without B-frames, whose order mkvmerge does not know when it is told times.
            *("mpeg2enc", "-v", "0", "-f", "3", "-a", "1", "-b", "9000", "-V", "224", "-q", "3", "-R", "0"),
            *("-o", "{stream}"),
            colours=_no_colours,
            sound="ac3",
        ),
        lambda facts: _of_television(facts) and facts.pixel_format == "yuv420p" and not facts.full_range,
        eight_bits=True,
    ),
    Exporter(
        "vpxenc-vp8-webm",
        "vpxenc",
        ".webm",
        encoder_program(
            *("vpxenc", "--quiet", "--codec=vp8", "--rt", "--cpu-used=6", "--end-usage=cq", "--cq-level=8"),
            *("--target-bitrate=8000", "--webm", "-o", "{stream}", "-"),
            colours=_no_colours,
            sound="libvorbis",
        ),
        # VP8 means BT.601 of limited range.
        lambda facts: upright(facts) and untagged(facts) and facts.pixel_format == "yuv420p",
        eight_bits=True,
    ),
    Exporter(
        "gst-transcoder-h264-mkv",
        "gst-transcoder-1.0",
        ".mkv",
        _transcoded,
        lambda facts: even(facts) and stereo(facts),
        eight_bits=True,
    ),
    Exporter(
        "gstreamer-theora-mkv",
        "gst-launch-1.0",
        ".mkv",
        gstreamer("theoraenc quality=56", "identity", "matroskamux", "vorbisenc quality=0.6"),
        # Theora means BT.601 of limited range. Its parser leaves pictures out, and is not needed.
        lambda facts: upright(facts) and untagged(facts) and facts.pixel_format == "yuv420p",
        eight_bits=True,
    ),
    Exporter(
        "handbrake-av1-mkv-constant",
        "HandBrakeCLI",
        ".mkv",
        handbrake("svt_av1", "26", "--encoder-preset", "10", "--cfr", "-E", "opus"),
        lambda facts: even(facts) and facts.is_constant and min(facts.width, facts.height) >= 64,
        eight_bits=True,
    ),
    Exporter(
        "melt-dnxhr-mov",
        "melt",
        ".mov",
        melt("vcodec=dnxhd", "vprofile=dnxhr_hq", "pix_fmt=yuv422p", "acodec=pcm_s16le"),
        lambda facts: even(facts) and facts.frame_count > 1 and facts.display[0] >= 256 and facts.display[1] >= 120,
        eight_bits=True,
    ),
    Exporter(
        "ffmpegcv-h264-mkv",
        "ffmpegcv",
        ".mkv",
        written_by("ffmpegcv", python=older_writers_python),
        _read_by_all,
        eight_bits=True,
    ),
    Exporter(
        "vidgear-h264-mkv",
        "vidgear",
        ".mkv",
        written_by("vidgear", python=older_writers_python),
        _read_by_all,
        eight_bits=True,
    ),
    Exporter(
        "scikit-video-h264-mkv",
        "scikit-video",
        ".mkv",
        written_by("scikit-video", python=older_writers_python),
        by_rgb,
        eight_bits=True,
    ),
)
"""Each is asked for the picture, the times and the sound as they are."""
