"""The exporters that were held back with the clips of seed 9555, and are seen since.

Encoders' own programs, a newer FFmpeg, GStreamer's editing services, libopenshot, OpenCV and VLC. They are drawn apart
from the first exporters, so that what is drawn of those stays as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.strangers.foreign_exporters import VP9, X264, X265, Command, Exporter, even, ffmpeg, stereo
from tests.strangers.stream_facts import StreamFacts
from tests.strangers.tool_programs import DEBIAN_PYTHON, further_python, newer_ffmpeg

__all__ = ["EXPORTERS_9555"]

_HERE: Final = Path(__file__).parent
_CODES: Final = {"bt709": (1, 1, 1), "bt470bg": (5, 6, 5), "smpte170m": (6, 6, 6), "bt2020nc": (9, 14, 9)}
"""FFmpeg's name of a matrix to primaries, transfer and matrix of ITU-T H.273."""
_NAMES: Final = {
    "bt709": ("bt709", "bt709", "bt709"),
    "bt470bg": ("bt470bg", "smpte170m", "bt470bg"),
    "smpte170m": ("smpte170m", "smpte170m", "smpte170m"),
    "bt2020nc": ("bt2020", "bt2020-10", "bt2020nc"),
}
"""The same as x264 and x265 call them."""


def _stated(facts: StreamFacts) -> str | None:
    name = facts.matrix or facts.container_matrix
    return name if name in _CODES else None


def upright(facts: StreamFacts) -> bool:
    """What can reach an encoder as pictures alone, without turns, an aspect of pixels and edit lists."""
    return (
        even(facts) and not facts.rotation and not facts.is_mirrored and facts.sample_aspect == 1 and not facts.unshown
    )


def has_layout(facts: StreamFacts, *layouts: str) -> bool:
    return facts.pixel_format.removesuffix("10le") in {f"yuv{layout}p" for layout in layouts}


def untagged(facts: StreamFacts) -> bool:
    """What programs can be given that state no colours: BT.601, which nobody states."""
    is_meant = _stated(facts) is None and facts.matrix_by_rule() == 601
    return is_meant and facts.pixel_format.startswith("yuv4") and not facts.full_range


def encoder_program(
    *words: str, colours: Callable[[StreamFacts], list[str]], sound: str = "flac"
) -> Callable[[StreamFacts, Path], Command]:
    """An encoder's own program; `sound` is as `run_encoder` understands it."""

    def command(facts: StreamFacts, output: Path) -> Command:
        return [
            *(sys.executable, "-m", "tests.strangers.encoder_programs.run_encoder", facts.path, output),
            *(sound if facts.sounds else "none", *_stated_by_mkvmerge(facts), "--"),
            *(*words, *colours(facts)),
        ]

    return command


def _stated_by_mkvmerge(facts: StreamFacts) -> list[str]:
    options = ["--color-range", f"0:{2 if facts.full_range else 1}"]
    if (name := _stated(facts)) is not None:
        primaries, transfer, matrix = _CODES[name]
        options += ["--color-matrix-coefficients", f"0:{matrix}", "--color-primaries", f"0:{primaries}"]
        options += ["--color-transfer-characteristics", f"0:{transfer}"]
    return options


def _by_x264(facts: StreamFacts) -> list[str]:
    options = ["--output-csp", f"i{facts.pixel_format.removeprefix('yuv')[:3]}"]
    options += ["--range", "pc" if facts.full_range else "tv", "--output-depth", str(facts.bits)]
    return options + told(facts, _NAMES, "--colorprim", "--transfer", "--colormatrix")


def _by_x265(facts: StreamFacts) -> list[str]:
    options = ["--range", "full" if facts.full_range else "limited", "--output-depth", str(facts.bits)]
    return options + told(facts, _NAMES, "--colorprim", "--transfer", "--colormatrix")


def _by_svt(facts: StreamFacts) -> list[str]:
    options = ["--input-depth", str(facts.bits), "--color-range", str(int(facts.full_range))]
    return options + told(facts, _CODES, "--color-primaries", "--transfer-characteristics", "--matrix-coefficients")


def _by_rav1e(facts: StreamFacts) -> list[str]:
    names = {
        "bt709": ("BT709", "BT709", "BT709"),
        "bt470bg": ("BT470BG", "BT601", "BT470BG"),
        "smpte170m": ("BT601", "BT601", "BT601"),
        "bt2020nc": ("BT2020", "BT2020_10Bit", "BT2020NCL"),
    }
    options = ["--range", "Full" if facts.full_range else "Limited"]
    return options + told(facts, names, "--primaries", "--transfer", "--matrix")


def told(facts: StreamFacts, values: Mapping[str, tuple[object, object, object]], *options: str) -> list[str]:
    """Options for primaries, transfer and matrix, where the clip states them."""
    name = _stated(facts)
    if name is None:
        return []
    return [word for option, value in zip(options, values[name], strict=True) for word in (option, str(value))]


def _by_vpxenc(facts: StreamFacts) -> list[str]:
    names = {"bt709": "bt709", "bt470bg": "bt601", "smpte170m": "smpte170", "bt2020nc": "bt2020"}
    deep = facts.bits > 8
    profile = (1 if "444" in facts.pixel_format else 0) + 2 * deep
    options = [f"--profile={profile}", f"--bit-depth={facts.bits}", f"--input-bit-depth={facts.bits}"]
    name = _stated(facts)
    return options if name is None else [*options, f"--color-space={names[name]}"]


_OPUS: Final = ("-c:a", "libopus", "-b:a", "160k")
_FLAC: Final = ("-c:a", "flac")


def _newer(
    *encoder: str, sound: tuple[str, ...] = ("-c:a", "aac", "-b:a", "192k")
) -> Callable[[StreamFacts, Path], Command]:
    """FFmpeg as imageio-ffmpeg brings it."""
    asked = ffmpeg(*encoder, sound=sound)
    return lambda facts, output: [newer_ffmpeg(), *asked(facts, output)[1:]]


def _edited(container: str, video: str, audio: str) -> Callable[[StreamFacts, Path], Command]:
    """GStreamer's editing services: their own default is 1280x720 at 30 frames a second."""

    def command(facts: StreamFacts, output: Path) -> Command:
        rate, (width, height) = facts.rate, facts.display
        shape = f"width={width},height={height},framerate={rate.numerator}/{rate.denominator}"
        profile = f"{container}:video/x-raw,{shape},pixel-aspect-ratio=1/1->{video}"
        if facts.sounds:
            sound = facts.sounds[0]
            profile += f":audio/x-raw,rate={sound.rate_hz},channels={sound.channels}->{audio}"
        tracks = "video+audio" if facts.sounds else "video"
        return ["ges-launch-1.0", "+clip", facts.path, "-t", tracks, "-o", f"file://{output}", "-f", profile]

    return command


def _scripted(python: Callable[[], str], script: str, *options: str) -> Callable[[StreamFacts, Path], Command]:
    return lambda facts, output: [python(), _HERE / script, facts.path, output, *options]


EXPORTERS_9555: Final = (
    Exporter("newer-ffmpeg-h264-mp4", "imageio-ffmpeg", ".mp4", _newer(*X264, "20"), even),
    Exporter("newer-ffmpeg-h264-mkv-low", "imageio-ffmpeg", ".mkv", _newer(*X264, "34", sound=_OPUS), even),
    Exporter("newer-ffmpeg-hevc-mov", "imageio-ffmpeg", ".mov", _newer(*X265, "18", "-tag:v", "hvc1"), even),
    Exporter("newer-ffmpeg-vp9-webm", "imageio-ffmpeg", ".webm", _newer(*VP9, "24", sound=_OPUS), even),
    Exporter(
        "newer-ffmpeg-av1-mp4",
        "imageio-ffmpeg",
        ".mp4",
        _newer("-c:v", "libsvtav1", "-preset", "10", "-crf", "26", "-pix_fmt", "yuv420p10le"),
        even,
    ),
    Exporter(
        "newer-ffmpeg-openh264-mp4",
        "imageio-ffmpeg",
        ".mp4",
        _newer("-c:v", "libopenh264", "-b:v", "4M", "-pix_fmt", "yuv420p"),
        lambda facts: even(facts) and not facts.full_range,
        eight_bits=True,
    ),
    Exporter(
        "newer-ffmpeg-kvazaar-mkv",
        "imageio-ffmpeg",
        ".mkv",
        _newer("-c:v", "libkvazaar", "-kvazaar-params", "preset=ultrafast,qp=22", "-pix_fmt", "yuv420p", sound=_FLAC),
        lambda facts: facts.width % 8 == 0 and facts.height % 8 == 0 and not facts.full_range,
        eight_bits=True,
    ),
    Exporter(
        "x264-mkv",
        "x264",
        ".mkv",
        encoder_program(
            *("x264", "--quiet", "--preset", "veryfast", "--crf", "18", "-o", "{stream}", "{source}"),
            colours=_by_x264,
            sound="copied",
        ),
        lambda facts: upright(facts) and has_layout(facts, "420", "422", "444"),
    ),
    Exporter(
        "x265-mkv",
        "x265",
        ".mkv",
        encoder_program(
            *("x265", "--log-level", "error", "--preset", "ultrafast", "--crf", "20"),
            *("--y4m", "--input", "-", "-o", "{stream}"),
            colours=_by_x265,
        ),
        lambda facts: upright(facts) and has_layout(facts, "420", "422", "444"),
    ),
    Exporter(
        "svt-av1-mkv",
        "SvtAv1EncApp",
        ".mkv",
        encoder_program(
            *("SvtAv1EncApp", "--preset", "10", "--crf", "26", "--progress", "0", "-i", "stdin", "-b", "{stream}"),
            colours=_by_svt,
        ),
        lambda facts: upright(facts) and has_layout(facts, "420"),
    ),
    Exporter(
        "rav1e-mkv",
        "rav1e",
        ".mkv",
        encoder_program("rav1e", "-q", "-s", "10", "--quantizer", "70", "-y", "-o", "{stream}", "-", colours=_by_rav1e),
        # Ten pictures of 640x360 a second.
        lambda facts: (
            upright(facts) and has_layout(facts, "420", "422", "444") and facts.width * facts.height <= 480 * 270
        ),
    ),
    Exporter(
        "vpxenc-vp9-webm",
        "vpxenc",
        ".webm",
        encoder_program(
            *("vpxenc", "--quiet", "--codec=vp9", "--rt", "--cpu-used=6", "--end-usage=q", "--cq-level=18"),
            *("--webm", "-o", "{stream}", "-"),
            colours=_by_vpxenc,
            sound="libopus",
        ),
        lambda facts: upright(facts) and has_layout(facts, "420", "444") and not facts.full_range,
    ),
    Exporter(
        "ges-h264-mkv",
        "ges-launch-1.0",
        ".mkv",
        _edited("video/x-matroska", "video/x-h264", "audio/x-flac"),
        lambda facts: upright(facts) and facts.is_constant and stereo(facts),
        eight_bits=True,
    ),
    Exporter(
        "ges-vp8-webm",
        "ges-launch-1.0",
        ".webm",
        _edited("video/webm", "video/x-vp8", "audio/x-vorbis"),
        lambda facts: upright(facts) and facts.is_constant and stereo(facts),
        eight_bits=True,
    ),
    Exporter(
        "openshot-h264-mp4",
        "openshot",
        ".mp4",
        _scripted(lambda: DEBIAN_PYTHON, "run_openshot.py", "libx264", "aac"),
        lambda facts: upright(facts) and untagged(facts) and facts.is_constant and stereo(facts),
        eight_bits=True,
    ),
    Exporter(
        "opencv-ffv1-mkv",
        "opencv",
        ".mkv",
        _scripted(further_python, "run_opencv.py", "FFV1"),
        lambda facts: upright(facts) and untagged(facts) and facts.is_constant,
        eight_bits=True,
    ),
    Exporter(
        "opencv-mpeg4-mkv",
        "opencv",
        ".mkv",
        _scripted(further_python, "run_opencv.py", "mp4v"),
        lambda facts: upright(facts) and untagged(facts) and facts.is_constant,
        eight_bits=True,
    ),
    Exporter(
        "vlc-h264-mkv",
        "vlc",
        ".mkv",
        _scripted(
            lambda: sys.executable,
            "run_vlc.py",
            "vcodec=h264,venc=x264{crf=18,preset=veryfast},acodec=mpga,ab=192",
            "avformat{mux=matroska}",
        ),
        lambda facts: upright(facts) and stereo(facts),
        eight_bits=True,
    ),
)
"""Each is asked for the picture, the times and the sound as they are."""
