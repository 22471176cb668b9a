"""The exporters that are held back: programs, versions and codecs that came after all others were seen.

FFmpeg 7.1 as Remotion brings it, WebCodecs and minih264 for JavaScript, AV1 and ProRes by GStreamer, XviD by MEncoder,
HEVC by melt, HEVC of ten bits and Theora by HandBrake, imageio by way of PyAV. Nobody looks at what they write while
anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.strangers.encoder_programs.exporters_6396 import by_rgb, other_ffmpeg, reads, written_by
from tests.strangers.encoder_programs.exporters_9555 import has_layout, untagged, upright
from tests.strangers.foreign_exporters import X264, Command, Exporter, even, gstreamer, handbrake, melt, stereo
from tests.strangers.stream_facts import StreamFacts

__all__ = ["HELD_BACK_EXPORTERS"]

_HERE: Final = Path(__file__).parent
_FDK: Final = ("-c:a", "libfdk_aac", "-b:a", "192k")
_OPUS: Final = ("-c:a", "libopus", "-b:a", "160k")


def _by_node(library: str) -> Callable[[StreamFacts, Path], Command]:
    """A library for JavaScript, in the folder of modules that has it."""
    return lambda facts, output: ["node", _HERE / "run_node_encoder.cjs", library, facts.path, output]


def _xvid(facts: StreamFacts, output: Path) -> Command:
    sound = ("-oac", "pcm") if facts.sounds else ("-nosound",)
    options = ("-noskip", "-ovc", "xvid", "-xvidencopts", "fixed_quant=2:max_bframes=0")
    return ["mencoder", "-really-quiet", facts.path, *options, *sound, "-o", output]


def _plain(facts: StreamFacts) -> bool:
    """What encoders can be given that know 4:2:0 of eight bits and no tags."""
    return upright(facts) and untagged(facts) and facts.pixel_format == "yuv420p"


HELD_BACK_EXPORTERS: Final = (
    Exporter(
        "ffmpeg71-h264-mov",
        "ffmpeg-7.1",
        ".mov",
        other_ffmpeg("ffmpeg-7.1", *X264, "21", sound=_FDK),
        # Its build reads what people record and publish, and little else.
        lambda facts: reads(facts) and facts.codec in {"h264", "hevc", "vp8", "vp9"} and stereo(facts),
    ),
    Exporter(
        "ffmpeg71-av1-mp4",
        "ffmpeg-7.1",
        ".mp4",
        other_ffmpeg(
            *("ffmpeg-7.1", "-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-crf", "24"), sound=_OPUS
        ),
        lambda facts: (
            reads(facts)
            and upright(facts)
            and has_layout(facts, "420")
            and facts.codec in {"h264", "hevc", "vp8", "vp9"}
        ),
    ),
    Exporter(
        "minih264-mkv",
        "h264-mp4-encoder",
        ".mkv",
        _by_node("h264-mp4-encoder"),
        lambda facts: _plain(facts) and facts.is_constant,
        eight_bits=True,
    ),
    Exporter("webcodecs-h264-mp4", "webcodecs", ".mp4", _by_node("webcodecs"), _plain, eight_bits=True),
    Exporter(
        "gstreamer-av1-mkv",
        "gst-launch-1.0",
        ".mkv",
        gstreamer(
            "av1enc cpu-used=8 usage-profile=realtime end-usage=q min-quantizer=10 max-quantizer=24",
            "av1parse",
            "matroskamux",
            "flacenc",
        ),
        # This version's `av1enc` can be told no colours.
        lambda facts: _plain(facts) and stereo(facts),
        eight_bits=True,
    ),
    Exporter(
        "gstreamer-prores-mov",
        "gst-launch-1.0",
        ".mov",
        gstreamer("avenc_prores_ks profile=3", "identity", "qtmux", "avenc_alac"),
        lambda facts: upright(facts) and not facts.full_range and stereo(facts),
    ),
    Exporter(
        "handbrake-x265-10-mp4",
        "HandBrakeCLI",
        ".mp4",
        handbrake("x265_10bit", "21", "--encoder-preset", "ultrafast"),
        even,
    ),
    Exporter(
        "handbrake-theora-mkv",
        "HandBrakeCLI",
        ".mkv",
        handbrake("theora", "58", "-E", "flac16"),
        # Theora means BT.601 of limited range.
        lambda facts: _plain(facts) and stereo(facts),
        eight_bits=True,
    ),
    Exporter(
        "mencoder-xvid-avi",
        "mencoder",
        ".avi",
        _xvid,
        lambda facts: by_rgb(facts) and facts.pixel_format == "yuv420p",
        eight_bits=True,
    ),
    Exporter(
        "melt-hevc-mkv",
        "melt",
        ".mkv",
        melt("vcodec=libx265", "preset=ultrafast", "crf=19", "x265-params=log-level=error", "acodec=flac"),
        lambda facts: even(facts) and facts.frame_count > 1,
        eight_bits=True,
    ),
    Exporter(
        "imageio-pyav-h264-mkv",
        "imageio-pyav",
        ".mkv",
        written_by("imageio-pyav"),
        by_rgb,
        eight_bits=True,
    ),
)
"""Each is asked for the picture, the times and the sound as they are. Held back, all of them."""
