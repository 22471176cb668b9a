"""The exporters that were held back with the clips of seed 6396, and are seen since.

FFmpeg 4 and 7, mpv, MEncoder, aomenc, Blender's sequencer, PyAV, imageio, mediapy, ffpyplayer, a chain of GStreamer.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

from tests.strangers.encoder_programs.exporters_9555 import (
    encoder_program,
    has_layout,
    told,
    untagged,
    upright,
)
from tests.strangers.foreign_exporters import VP9, X264, X265, Command, Exporter, even, ffmpeg, gstreamer, stereo
from tests.strangers.stream_facts import StreamFacts
from tests.strangers.tool_programs import program_path, writers_python

__all__ = ["EXPORTERS_6396", "by_rgb", "older_ffmpeg", "other_ffmpeg", "reads", "written_by"]

_HERE: Final = Path(__file__).parent
_AAC: Final = ("-c:a", "aac", "-b:a", "192k")
_OPUS: Final = ("-c:a", "libopus", "-b:a", "160k")
_FLAC: Final = ("-c:a", "flac")


def other_ffmpeg(
    name: str,
    *encoder: str,
    sound: tuple[str, ...],
    timing: tuple[str, ...] = ("-fps_mode", "passthrough"),
) -> Callable[[StreamFacts, Path], Command]:
    """Another version than the one on PATH."""
    asked = ffmpeg(*encoder, sound=sound, timing=timing)
    return lambda facts, output: [program_path(name), *asked(facts, output)[1:]]


def reads(facts: StreamFacts) -> bool:
    """What static builds of FFmpeg read: those of version 4 to 7 crash where a transport stream names its service."""
    return even(facts) and facts.path.suffix not in {".ts", ".m3u8"}


def older_ffmpeg(name: str, *encoder: str, sound: tuple[str, ...]) -> Callable[[StreamFacts, Path], Command]:
    """FFmpeg 4 hands no colours on from the source by itself, so it is told them."""
    names = {
        "bt709": ("bt709", "bt709", "bt709"),
        "bt470bg": ("bt470bg", "smpte170m", "bt470bg"),
        "smpte170m": ("smpte170m", "smpte170m", "smpte170m"),
        "bt2020nc": ("bt2020", "bt2020-10", "bt2020nc"),
    }

    def command(facts: StreamFacts, output: Path) -> Command:
        colours = told(facts, names, "-color_primaries", "-color_trc", "-colorspace")
        export = other_ffmpeg(name, *encoder, *colours, sound=sound, timing=("-vsync", "passthrough"))
        return export(facts, output)

    return command


def _mpv(*options: str) -> Callable[[StreamFacts, Path], Command]:
    def command(facts: StreamFacts, output: Path) -> Command:
        return ["mpv", "--no-config", "--really-quiet", facts.path, f"--o={output}", *options]

    return command


def _mencoder(facts: StreamFacts, output: Path) -> Command:
    sound = ("-oac", "mp3lame", "-lameopts", "cbr:br=192") if facts.sounds else ("-nosound",)
    # It leaves out and repeats pictures by default, wherever a clip's times are not those of AVI.
    return [
        *("mencoder", "-really-quiet", facts.path, "-noskip", "-ovc", "lavc", "-lavcopts", "vcodec=mpeg4:vqscale=2"),
        *(*sound, "-o", output),
    ]


def _by_aomenc(facts: StreamFacts) -> list[str]:
    names = {
        "bt709": ("bt709", "bt709", "bt709"),
        "bt470bg": ("bt470bg", "bt601", "bt470bg"),
        "smpte170m": ("bt601", "bt601", "bt601"),
        "bt2020nc": ("bt2020", "bt2020-10bit", "bt2020ncl"),
    }
    options = [f"--bit-depth={facts.bits}", f"--input-bit-depth={facts.bits}"]
    stated = told(facts, names, "--color-primaries", "--transfer-characteristics", "--matrix-coefficients")
    return options + [f"{option}={value}" for option, value in zip(stated[::2], stated[1::2], strict=True)]


def written_by(
    library: str, *options: str, python: Callable[[], str] = writers_python
) -> Callable[[StreamFacts, Path], Command]:
    """A library for Python, in an interpreter that has it."""
    script = _HERE / "run_python_writer.py"
    return lambda facts, output: [python(), script, library, facts.path, output, *options]


def _blender(facts: StreamFacts, output: Path) -> Command:
    width, height = facts.display
    numbers = (width, height, facts.rate.numerator, facts.rate.denominator, facts.frame_count)
    return [
        *("blender", "-b", "--factory-startup", "--python-exit-code", "1", "--python", _HERE / "run_blender.py", "--"),
        *(facts.path, output, *map(str, numbers), "sound" if facts.sounds else "silent"),
    ]


def by_rgb(facts: StreamFacts) -> bool:
    """What a program can be given that knows pictures in R'G'B', one rate, and no tags."""
    return upright(facts) and untagged(facts) and facts.is_constant and stereo(facts)


EXPORTERS_6396: Final = (
    Exporter("ffmpeg4-h264-mp4", "ffmpeg-4", ".mp4", older_ffmpeg("ffmpeg-4", *X264, "20", sound=_AAC), reads),
    Exporter(
        "ffmpeg4-vp9-webm",
        "ffmpeg-4",
        ".webm",
        older_ffmpeg("ffmpeg-4", *VP9, "24", sound=_OPUS),
        lambda facts: reads(facts) and not facts.full_range,
    ),
    Exporter(
        "ffmpeg7-hevc-mp4",
        "ffmpeg-7",
        ".mp4",
        other_ffmpeg("ffmpeg-7", *X265, "24", "-tag:v", "hvc1", sound=_AAC),
        reads,
    ),
    Exporter(
        "ffmpeg7-av1-mkv",
        "ffmpeg-7",
        ".mkv",
        other_ffmpeg(
            *("ffmpeg-7", "-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-crf", "22"), sound=_FLAC
        ),
        lambda facts: reads(facts) and upright(facts) and has_layout(facts, "420"),
    ),
    Exporter(
        "mpv-h264-mkv",
        "mpv",
        ".mkv",
        _mpv("--of=matroska", "--ovc=libx264", "--ovcopts=preset=veryfast,crf=18", "--oac=flac"),
        lambda facts: upright(facts) and has_layout(facts, "420") and stereo(facts),
    ),
    Exporter(
        "mpv-vp9-webm",
        "mpv",
        ".webm",
        _mpv(
            *("--of=webm", "--ovc=libvpx-vp9", "--ovcopts=deadline=realtime,cpu-used=6,crf=20,b=0"),
            *("--oac=libopus", "--oacopts=b=160k"),
        ),
        lambda facts: upright(facts) and has_layout(facts, "420") and stereo(facts),
    ),
    Exporter(
        "mencoder-mpeg4-avi",
        "mencoder",
        ".avi",
        _mencoder,
        lambda facts: by_rgb(facts) and facts.pixel_format == "yuv420p",
        eight_bits=True,
    ),
    Exporter(
        "aomenc-av1-mkv",
        "aomenc",
        ".mkv",
        encoder_program(
            *("aomenc", "--quiet", "--ivf", "--rt", "--cpu-used=8", "--end-usage=q", "--cq-level=22"),
            *("-o", "{stream}", "-"),
            colours=_by_aomenc,
        ),
        lambda facts: upright(facts) and has_layout(facts, "420") and not facts.full_range,
    ),
    Exporter(
        "pyav-h264-mp4",
        "pyav",
        ".mp4",
        written_by("pyav", "libx264", "preset=veryfast", "crf=20"),
        lambda facts: upright(facts) and has_layout(facts, "420", "422", "444") and stereo(facts),
    ),
    Exporter(
        "pyav-hevc-mkv",
        "pyav",
        ".mkv",
        written_by("pyav", "libx265", "preset=ultrafast", "crf=20"),
        lambda facts: upright(facts) and has_layout(facts, "420", "422", "444") and stereo(facts),
    ),
    Exporter(
        "imageio-h264-mp4",
        "imageio",
        ".mp4",
        written_by("imageio"),
        # It goes by the name of a file.
        lambda facts: by_rgb(facts) and facts.path.suffix in {".avi", ".mkv", ".mov", ".mp4", ".mpg", ".webm"},
        eight_bits=True,
    ),
    Exporter("mediapy-h264-mkv", "mediapy", ".mkv", written_by("mediapy"), by_rgb, eight_bits=True),
    Exporter("ffpyplayer-h264-mkv", "ffpyplayer", ".mkv", written_by("ffpyplayer"), by_rgb, eight_bits=True),
    Exporter(
        "blender-h264-mkv",
        "blender",
        ".mkv",
        _blender,
        # Its rates are whole numbers, or those over 1.001.
        lambda facts: by_rgb(facts) and (facts.rate.denominator == 1 or facts.rate * Fraction(1001, 1000) % 1 == 0),
        eight_bits=True,
    ),
    Exporter(
        "gstreamer-openh264-mov",
        "gst-launch-1.0",
        ".mov",
        gstreamer("openh264enc rate-control=quality bitrate=6000000", "h264parse", "qtmux", "avenc_alac"),
        lambda facts: even(facts) and min(facts.width, facts.height) >= 64 and not facts.full_range and stereo(facts),
        eight_bits=True,
    ),
)
"""Each is asked for the picture, the times and the sound as they are."""
