"""The false-alarm rate of validation, on clean exports that no limit of a check was chosen by.

`capbench selftest` makes the same twenty clean exports every time, and the limits were set with an eye on them. This
draws others at random: sources, scenes, sizes, rates, paths, encoders, presets, qualities and key frame distances.

    python -m tests.bench.clean_study [--exports 60] [--seed 1] [--media ../shared/media] [--json FILE]

Every alarm is printed with its sentence. Exits 1 when there was one. Another seed is another hold-out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av

from capbench.errors import CapbenchError
from capbench.pipeline.encode.encoders import EncoderSettings
from capbench.pipeline.export import ExportOptions, export
from capbench.quality.validate import validate_run
from capbench.recordings import RecordingSpec, make_recording
from capbench.results import CheckStatus

SIZES = ((1280, 720), (854, 480), (960, 540), (642, 362), (426, 240), (720, 1280), (1366, 768), (1920, 1080))
RATES = (24, 25, Fraction(30000, 1001), 30, 50, Fraction(60000, 1001), 60)
OUTPUT_SIZES = (None, None, None, (1280, 720), (640, 480), (722, 406))
OUTPUT_RATES = (None, None, None, Fraction(25), Fraction(30), Fraction(60))
SCENES = ("bare", "bare", "framed", "studio", "everything")
PATHS = ("gpu", "gpu-fused", "cpu", "passthrough")
FORMATS = (None, None, None, None, "yuv420p10le", "yuv444p", "yuv422p", "odd yuv444p")
"""Pixel formats that a source is encoded to first; None keeps the recording as it is."""
MEDIA = (
    *("b_pyramid_800x640.mp4", "bt601_full_range_320x240.mp4", "bt601_limited_range_320x240.mp4"),
    *("bt709_full_range_1280x720.mp4", "discard_first_keyframe_64x64.mp4", "edit_list_positive_shift_1920x1080.mp4"),
    *("h264_10bit_200x200.mp4", "hls/playlist.m3u8", "nasa_rotated90_480x270.mp4", "nasa_two_audio_320x180.mp4"),
    *("non_zero_start_200x112.mp4", "odd_444_321x241.mp4", "partially_fragmented_1080x720.mp4"),
    *("rotated180_568x320.mov", "shorter_audio_320x240.mp4", "video_only_1080x720.mp4"),
)
"""The clips that decode to their end."""


@dataclass(frozen=True, slots=True)
class Case:
    """One export that is right."""

    source: str
    """What is exported, in words."""
    spec: RecordingSpec | Path
    """A synthetic recording, or a real clip."""
    pixel_format: str | None
    """What it is encoded to before it is a source."""
    options: ExportOptions
    """How it is exported."""

    def __str__(self) -> str:
        options, encoder = self.options, self.options.encoder
        size = f" to {options.width}x{options.height}" if options.width else ""
        rate = f" at {options.fps} fps" if options.fps else ""
        amount = (
            f"qp {encoder.qp}" if encoder.qp is not None else f"crf {encoder.crf}" if encoder.crf else encoder.quality
        )
        return (
            f"{self.source}, {options.scene} by {options.path}{size}{rate}, {encoder.name} {encoder.preset} {amount}, "
            f"key frame every {encoder.gop_s:g} s"
        )


def draw_case(choose: random.Random) -> Case:
    """A case with a synthetic source."""
    (width, height), rate, pixel_format = choose.choice(SIZES), choose.choice(RATES), choose.choice(FORMATS)
    container: Literal["mp4", "hls"] = "hls" if pixel_format is None and choose.random() < 0.25 else "mp4"
    spec = RecordingSpec("clean-study", width, height, rate, 3.0, container, seed=choose.randrange(100, 1000))
    scene, path = choose.choice(SCENES), choose.choice(PATHS)
    size, output_rate = choose.choice(OUTPUT_SIZES), choose.choice(OUTPUT_RATES)
    if path == "passthrough":
        scene, size, output_rate, pixel_format = "bare", None, None, None
    words = f"{width}x{height} {rate} fps {container}" + (f" {pixel_format}" if pixel_format else "")
    return Case(words, spec, pixel_format, _options(choose, scene, path, size, output_rate))


def draw_clip(choose: random.Random, clip: Path) -> Case:
    """A case with a real clip."""
    scene, path = choose.choice(SCENES[1:]), choose.choice(PATHS[:3])
    return Case(clip.name, clip, None, _options(choose, scene, path, None, None))


def _options(
    choose: random.Random, scene: str, path: str, size: tuple[int, int] | None, rate: Fraction | None
) -> ExportOptions:
    name = choose.choice(("libx264", "libx264", "libx265"))
    amount: dict[str, Any] = choose.choice(
        (
            {"crf": float(choose.randrange(14, 31))},
            {"qp": choose.randrange(10, 33)},
            {"quality": choose.choice(("highest", "high", "medium"))},
        )
    )
    preset = choose.choice(("ultrafast", "veryfast", "fast", "medium"))
    encoder = EncoderSettings(name=name, preset=preset, gop_s=choose.choice((0.5, 1.0, 2.0, 5.0)), **amount)
    width, height = size or (None, None)
    return ExportOptions(scene=scene, path=path, width=width, height=height, fps=rate, encoder=encoder)


def make_source(case: Case, folder: Path) -> Path:
    """The file to export."""
    if isinstance(case.spec, Path):
        return case.spec
    recording = make_recording(case.spec, folder=folder)
    return recording if case.pixel_format is None else _encoded(recording, folder / "source.mp4", case.pixel_format)


def _encoded(recording: Path, target: Path, pixel_format: str) -> Path:
    """The same pictures and sound in another pixel format; an odd one loses its last column and row."""
    odd = pixel_format.startswith("odd ")
    pixel_format = pixel_format.removeprefix("odd ")
    with av.open(str(recording)) as source, av.open(str(target), "w") as output:
        old = source.streams.video[0]
        width, height = old.width - odd, old.height - odd
        graph: Any = av.filter.Graph()
        chain = [graph.add_buffer(template=old), graph.add("format", pixel_format)]
        chain += [graph.add("crop", f"{width}:{height}:0:0:exact=1"), graph.add("buffersink")]
        graph.link_nodes(*chain).configure()
        video: Any = output.add_stream("libx264", rate=old.average_rate, options={"crf": "12", "preset": "fast"})
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
        sound: Any = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(old, source.streams.audio[0]):
            if packet.stream.type == "audio":
                if packet.dts is not None:
                    packet.stream = sound
                    output.mux(packet)
                continue
            for frame in packet.decode():
                graph.vpush(frame)
                output.mux(video.encode(graph.vpull()))
        output.mux(video.encode(None))
    return target


def alarms_of(case: Case, folder: Path) -> list[str]:
    """Checks that failed or could not be made, or the error that the export ended with."""
    output = folder / "out.mp4"
    options = case.options
    try:
        source = make_source(case, folder)
        report = export(source, output, options)
        if report.path_used != options.path:
            return [f"path {report.path_used} ran: {'; '.join(report.fallbacks)}"]
        checked = validate_run(
            source, output, scene=options.scene, width=options.width, height=options.height, rate=options.fps
        )
    except CapbenchError as error:
        return [f"{type(error).__name__}: {error}"]
    wrong = [check for check in checked.checks if check.status in (CheckStatus.FAIL, CheckStatus.UNCHECKED)]
    return [f"{check.name}: {check.message}" for check in wrong]


def cases(exports: int, seed: int, media: Path | None) -> Iterator[Case]:
    """All of them, in order."""
    choose = random.Random(seed)
    for _ in range(exports):
        yield draw_case(choose)
    for name in MEDIA if media else ():
        yield draw_clip(choose, Path(media or ".") / name)


def main() -> int:
    """Print a line for each export and one for each alarm."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--exports", type=int, default=60, help="exports of synthetic recordings")
    parser.add_argument("--seed", type=int, default=1, help="which hold-out")
    parser.add_argument("--media", type=Path, help="folder of the real clips; left out, none is exported")
    parser.add_argument("--json", type=Path, help="where to write every case with its alarms")
    chosen = parser.parse_args()
    found: list[dict[str, Any]] = []
    for case in cases(chosen.exports, chosen.seed, chosen.media):
        with tempfile.TemporaryDirectory() as folder:
            alarms = alarms_of(case, Path(folder))
        found.append({"case": str(case), "alarms": alarms})
        lines = [f"{'ALARM' if alarms else 'quiet'}  {case}", *(f"       {alarm}" for alarm in alarms)]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    noisy = sum(bool(one["alarms"]) for one in found)
    sys.stdout.write(f"{noisy} of {len(found)} clean exports raised an alarm\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(noisy > 0)


if __name__ == "__main__":
    sys.exit(main())
