"""Exporters that others wrote, this pipeline beside them: how each one is asked to export a clip as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from tests.strangers.stream_facts import StreamFacts
from tests.strangers.tool_programs import FileCache, content_key, moviepy_python, run_tool, version_of

__all__ = ["EXPORTERS", "Command", "Exporter", "Request"]

Command = list[str | Path]
_ROOT: Final = Path(__file__).resolve().parents[2]
_OUTPUT: Final = "{output}"
"""Stands for the output in a command until it has a name."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an exporter was asked to change; `capbench validate` is told the same."""

    size: tuple[int, int] | None = None
    """Width and height, None where the clip's own were asked for."""
    rate: Fraction | None = None
    """Frames a second, None where the clip's own times were asked for."""
    bits: int | None = None
    """Bits of a sample, None where the clip's own depth was asked for."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """One program with one setting."""

    name: str
    """Unique: program, codec, container, quality."""
    program: str
    """What is run: its version is part of every finding."""
    suffix: str
    """Of the file that it writes."""
    command: Callable[[StreamFacts, Path], Command]
    """The command line for a source and an output."""
    takes: Callable[[StreamFacts], bool] = lambda _: True
    """Whether it can be asked to at all: odd sizes, depths and surround sound are not for every encoder."""
    request: Callable[[StreamFacts], Request] = lambda _: Request()
    """What it is asked to change."""
    eight_bits: bool = False
    """Whether its encoder has no more than eight bits."""

    def request_for(self, facts: StreamFacts) -> Request:
        """What it is asked to change of this clip. Encoders that have eight bits and no more are asked for these."""
        asked = self.request(facts)
        return replace(asked, bits=8) if facts.bits > 8 and self.eight_bits else asked

    @property
    def version(self) -> str | None:
        """Version of the program; None where it is absent."""
        return "this work tree" if self.program == "capbench" else version_of(self.program)

    def export(self, source: StreamFacts, cache: FileCache, *, tree: str) -> Path:
        """The export, made where it is absent. `tree` stands for the state of capbench. Raises `ToolError`."""
        command = self.command(source, Path(f"{_OUTPUT}{self.suffix}"))
        # Without places, so that the folder with all files, the checkout and the program may be moved.
        words = [str(word).replace(str(source.path), "{source}").replace(str(_ROOT), "{root}") for word in command[1:]]
        key = content_key(source.path, words, self.program, tree if self.program == "capbench" else self.version)

        def make(path: Path) -> None:
            run_tool([str(word).replace(f"{_OUTPUT}{self.suffix}", str(path)) for word in command])

        return cache.get(f"{source.path.stem.split('-')[0]}-{self.name}", self.suffix, key, make)


def even(facts: StreamFacts) -> bool:
    """Whether 4:2:0 has whole samples of chroma."""
    return facts.width % 2 == 0 and facts.height % 2 == 0


def ffmpeg(
    *encoder: str,
    sound: tuple[str, ...] = ("-c:a", "aac", "-b:a", "192k"),
    filters: str | None = None,
    timing: tuple[str, ...] = ("-fps_mode", "passthrough"),
) -> Callable[[StreamFacts, Path], Command]:
    """FFmpeg's command line for an encoder with its options."""

    def command(facts: StreamFacts, output: Path) -> Command:
        return [
            *("ffmpeg", "-v", "error", "-y", "-threads", "2", "-i", facts.path, "-map", "0:v:0"),
            *(("-map", "0:a") if facts.sounds else ()),
            *(("-vf", filters) if filters else ()),
            *(*timing, *encoder, *(sound if facts.sounds else ()), output),
        ]

    return command


def gstreamer(encoder: str, parser: str, muxer: str, sound: str) -> Callable[[StreamFacts, Path], Command]:
    """GStreamer's command line for a chain of elements."""

    def command(facts: StreamFacts, output: Path) -> Command:
        words = f"decodebin name=d d. ! queue ! videoconvert ! {encoder} ! {parser} ! queue ! {muxer} name=m"
        if facts.sounds:
            words += f" d. ! queue ! audioconvert ! audioresample ! {sound} ! queue ! m."
        source = ["filesrc", f"location={facts.path}", "!"]
        return ["gst-launch-1.0", "-q", *source, *words.split(), "m.", "!", "filesink", f"location={output}"]

    return command


def melt(*encoder: str) -> Callable[[StreamFacts, Path], Command]:
    """MLT's melt with an encoder's properties."""

    def command(facts: StreamFacts, output: Path) -> Command:
        rate = facts.rate
        return [
            *(sys.executable, "-m", "tests.strangers.run_melt", facts.path, output),
            *(str(facts.display[0]), str(facts.display[1]), str(rate.numerator), str(rate.denominator)),
            *(str(facts.matrix_by_rule()), *encoder, *(() if facts.sounds else ("an=1",))),
        ]

    return command


def handbrake(encoder: str, quality: str, *more: str) -> Callable[[StreamFacts, Path], Command]:
    """HandBrake with an encoder, its quality and further options."""

    def command(facts: StreamFacts, output: Path) -> Command:
        return [
            *("HandBrakeCLI", "-i", facts.path, "-o", output, "-e", encoder, "-q", quality, "--vfr"),
            *("--crop-mode", "none", "--no-comb-detect", "--no-decomb", "--no-deinterlace", "--auto-anamorphic"),
            *more,
        ]

    return command


def _moviepy(facts: StreamFacts, output: Path) -> Command:
    return [moviepy_python(), Path(__file__).with_name("run_moviepy.py"), facts.path, output]


def _capbench(path: str, *more: str) -> Callable[[StreamFacts, Path], Command]:
    def command(facts: StreamFacts, output: Path) -> Command:
        return [sys.executable, "-m", "capbench", "export", facts.path, output, "--path", path, *more]

    return command


def _ratio(rate: int) -> Callable[[StreamFacts], Request]:
    return lambda _: Request(rate=Fraction(rate))


def _half(facts: StreamFacts) -> Request:
    width, height = facts.display
    return Request(size=(width // 4 * 2, height // 4 * 2))


X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-crf")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "0", "-crf")
_OPUS = ("-c:a", "libopus", "-b:a", "128k")
_AAC_GST = "avenc_aac ! aacparse"


def stereo(facts: StreamFacts) -> bool:
    """Whether there is one sound at most, of two channels at most."""
    return all(sound.channels <= 2 for sound in facts.sounds) and len(facts.sounds) <= 1


def _square(facts: StreamFacts) -> bool:
    return facts.sample_aspect == 1 and not facts.rotation and not facts.is_mirrored and even(facts)


EXPORTERS: Final = (
    Exporter("ffmpeg-h264-mp4-high", "ffmpeg", ".mp4", ffmpeg(*X264, "14")),
    Exporter("ffmpeg-h264-mp4-middle", "ffmpeg", ".mp4", ffmpeg(*X264, "23"), even),
    Exporter("ffmpeg-h264-mov-low", "ffmpeg", ".mov", ffmpeg(*X264, "30"), even),
    Exporter("ffmpeg-h264-mkv-lowest", "ffmpeg", ".mkv", ffmpeg(*X264, "38"), even),
    Exporter("ffmpeg-hevc-mkv-lowest", "ffmpeg", ".mkv", ffmpeg(*X265, "38"), even),
    Exporter("ffmpeg-h264-mkv-flac", "ffmpeg", ".mkv", ffmpeg(*X264, "20", sound=("-c:a", "flac"))),
    Exporter("ffmpeg-h264-ts", "ffmpeg", ".ts", ffmpeg(*X264, "18"), even),
    Exporter("ffmpeg-hevc-mp4", "ffmpeg", ".mp4", ffmpeg(*X265, "20", "-tag:v", "hvc1"), even),
    Exporter("ffmpeg-hevc10-mkv", "ffmpeg", ".mkv", ffmpeg(*X265, "18", "-pix_fmt", "yuv420p10le"), even),
    Exporter("ffmpeg-vp9-webm", "ffmpeg", ".webm", ffmpeg(*VP9, "22", sound=_OPUS), even),
    Exporter(
        "ffmpeg-av1-mkv",
        "ffmpeg",
        ".mkv",
        ffmpeg("-c:v", "libsvtav1", "-preset", "10", "-crf", "24", "-pix_fmt", "yuv420p", sound=_OPUS),
        lambda facts: even(facts) and min(facts.width, facts.height) >= 64,
        eight_bits=True,
    ),
    Exporter(
        "ffmpeg-mpeg2-ts",
        "ffmpeg",
        ".ts",
        ffmpeg(
            "-c:v",
            "mpeg2video",
            "-q:v",
            "2",
            "-bf",
            "2",
            "-pix_fmt",
            "yuv420p",
            sound=("-c:a", "mp2", "-ac", "2", "-ar", "48000", "-b:a", "256k"),
        ),
        lambda facts: (
            even(facts)
            and stereo(facts)
            and facts.is_constant
            and facts.rate in {24, 25, 30, 50, 60, Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)}
        ),
        eight_bits=True,
    ),
    Exporter(
        "ffmpeg-prores-mov",
        "ffmpeg",
        ".mov",
        ffmpeg("-c:v", "prores_ks", "-profile:v", "3", "-pix_fmt", "yuv422p10le", sound=("-c:a", "pcm_s16le")),
        even,
    ),
    Exporter(
        "ffmpeg-mjpeg-avi",
        "ffmpeg",
        ".avi",
        ffmpeg("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p", sound=("-c:a", "pcm_s16le")),
        lambda facts: even(facts) and facts.is_constant,
        eight_bits=True,
    ),
    Exporter(
        "ffmpeg-mjpeg-601-mov",
        "ffmpeg",
        ".mov",
        ffmpeg(
            "-c:v",
            "mjpeg",
            "-q:v",
            "2",
            "-pix_fmt",
            "yuvj420p",
            sound=("-c:a", "pcm_s16le"),
            filters="scale=out_color_matrix=bt601:out_range=pc",
        ),
        even,
        eight_bits=True,
    ),
    Exporter(
        "ffmpeg-h264-422-10-mkv",
        "ffmpeg",
        ".mkv",
        ffmpeg(*X264, "16", "-pix_fmt", "yuv422p10le"),
        even,
    ),
    Exporter(
        "ffmpeg-h264-444-mkv",
        "ffmpeg",
        ".mkv",
        ffmpeg(*X264, "16", "-pix_fmt", "yuv444p", sound=_OPUS),
        eight_bits=True,
    ),
    Exporter("ffmpeg-ffv1-mkv", "ffmpeg", ".mkv", ffmpeg("-c:v", "ffv1", sound=("-c:a", "pcm_s16le"))),
    Exporter(
        "ffmpeg-to-25",
        "ffmpeg",
        ".mp4",
        ffmpeg(*X264, "20", filters="fps=25"),
        lambda facts: even(facts) and facts.is_constant and facts.frame_count > 4,
        _ratio(25),
    ),
    Exporter(
        "ffmpeg-r-25",
        "ffmpeg",
        ".mp4",
        ffmpeg(*X264, "20", timing=("-fps_mode", "cfr", "-r", "25")),
        lambda facts: even(facts) and facts.is_constant and facts.frame_count > 4,
        _ratio(25),
    ),
    Exporter(
        "ffmpeg-half-size",
        "ffmpeg",
        ".mp4",
        ffmpeg(*X264, "16", filters="scale=iw/4*2:-2:flags=bicubic"),
        lambda facts: _square(facts) and facts.width % 4 == 0 and facts.height % 4 == 0 and facts.height >= 144,
        _half,
    ),
    Exporter(
        "gstreamer-x264-mp4",
        "gst-launch-1.0",
        ".mp4",
        gstreamer("x264enc speed-preset=veryfast pass=qual quantizer=18", "h264parse", "mp4mux", _AAC_GST),
        even,
    ),
    Exporter(
        "gstreamer-x265-mkv",
        "gst-launch-1.0",
        ".mkv",
        gstreamer("x265enc speed-preset=ultrafast option-string=crf=20", "h265parse", "matroskamux", "flacenc"),
        even,
    ),
    Exporter(
        "gstreamer-openh264-mp4",
        "gst-launch-1.0",
        ".mp4",
        gstreamer("openh264enc rate-control=quality bitrate=4000000 complexity=low", "h264parse", "mp4mux", _AAC_GST),
        lambda facts: even(facts) and min(facts.width, facts.height) >= 64,
        eight_bits=True,
    ),
    Exporter(
        "gstreamer-vp9-webm",
        "gst-launch-1.0",
        ".webm",
        gstreamer(
            "vp9enc deadline=1 cpu-used=6 end-usage=cq cq-level=16 target-bitrate=0", "vp9parse", "webmmux", "opusenc"
        ),
        even,
    ),
    Exporter(
        "gstreamer-mpeg2-ts",
        "gst-launch-1.0",
        ".ts",
        gstreamer(
            "mpeg2enc format=3 bitrate=8000 quantisation=2",
            "mpegvideoparse",
            "mpegtsmux",
            "twolamemp2enc ! mpegaudioparse",
        ),
        lambda facts: even(facts) and stereo(facts) and facts.is_constant and 20 < facts.rate < 61,
        eight_bits=True,
    ),
    Exporter(
        "melt-h264-mp4",
        "melt",
        ".mp4",
        melt("vcodec=libx264", "preset=veryfast", "crf=16", "acodec=aac", "ab=192k"),
        lambda facts: even(facts) and facts.frame_count > 1,
        eight_bits=True,
    ),
    Exporter(
        "melt-vp9-webm",
        "melt",
        ".webm",
        melt("vcodec=libvpx-vp9", "deadline=realtime", "cpu-used=6", "crf=20", "vb=0", "acodec=libopus"),
        lambda facts: even(facts) and facts.frame_count > 1,
        eight_bits=True,
    ),
    Exporter(
        "handbrake-x264-mp4",
        "HandBrakeCLI",
        ".mp4",
        handbrake("x264", "18", "--encoder-preset", "veryfast"),
        even,
        eight_bits=True,
    ),
    Exporter(
        "handbrake-x265-mkv",
        "HandBrakeCLI",
        ".mkv",
        handbrake("x265", "20", "--encoder-preset", "ultrafast"),
        even,
        eight_bits=True,
    ),
    Exporter(
        "handbrake-vp9-webm",
        "HandBrakeCLI",
        ".webm",
        handbrake("VP9", "24", "--encoder-preset", "veryfast", "-E", "opus"),
        even,
        eight_bits=True,
    ),
    Exporter(
        "moviepy-h264-mp4",
        "moviepy",
        ".mp4",
        _moviepy,
        lambda facts: even(facts) and facts.frame_count > 1,
        eight_bits=True,
    ),
    Exporter("capbench-gpu", "capbench", ".mp4", _capbench("gpu", "--quality", "high"), eight_bits=True),
    Exporter("capbench-gpu-fused", "capbench", ".mp4", _capbench("gpu-fused", "--quality", "medium"), eight_bits=True),
    Exporter("capbench-cpu", "capbench", ".mp4", _capbench("cpu", "--quality", "high"), eight_bits=True),
    Exporter(
        "capbench-passthrough", "capbench", ".mp4", _capbench("passthrough", "--quality", "medium"), eight_bits=True
    ),
)
"""Each is asked for the picture, the times and the sound as they are, but for the two that ask for a rate or a size."""
