"""What is mutated: small media of every container and codec that PyAV writes, playlists, text files, result folders."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np

from capbench.gate.history.baseline_figures import take_baseline, write_baseline
from capbench.recordings import RecordingSpec
from capbench.recordings.write import write_recording
from capbench.results.tidy_table import load
from tests.gate_folders import write_plan, write_runs

__all__ = ["SeedInput", "make_seed_inputs"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_SIZE: Final = (96, 64)
_FRAMES: Final = 14
_MEDIA: Final = (
    ("h264.mp4", "libx264", "yuv420p", "aac"),
    ("h264.mkv", "libx264", "yuv420p", "flac"),
    ("h264.ts", "libx264", "yuv420p", "mp2"),
    ("hevc.mp4", "libx265", "yuv420p10le", None),
    ("vp9.webm", "libvpx-vp9", "yuv420p", "libopus"),
    ("av1.mkv", "libsvtav1", "yuv420p", None),
    ("mpeg4.avi", "mpeg4", "yuv420p", "pcm_s16le"),
    ("mjpeg.mov", "mjpeg", "yuvj420p", "pcm_s16le"),
    ("mpeg2.ts", "mpeg2video", "yuv420p", "mp2"),
)
"""File, encoder of the picture, pixel format, encoder of the sound."""
_OPTIONS: Final = {
    "libx264": {"preset": "ultrafast", "bf": "2", "g": "7"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
}
_FAST_EXPORT: Final = ("--path", "passthrough", "--preset", "ultrafast", "--json", "report.json")


@dataclass(frozen=True, slots=True)
class SeedInput:
    """A valid input and how capbench is given it."""

    name: str
    """Unique."""
    kind: str
    """media, playlist, matrix, scene, gate, baseline or result."""
    files: dict[str, bytes]
    """Relative path to content."""
    mutable: tuple[str, ...]
    """Of these, those that are mutated."""
    arguments: tuple[str, ...]
    """Command line of capbench, run in the folder of the files."""
    may_leave: tuple[str, ...] = ()
    """Files that the command may leave behind."""
    export_of: str | None = None
    """Of an export: the file whose frames are counted."""


def make_seed_inputs() -> list[SeedInput]:
    """All of them, in a fixed order. Takes a few seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*_media(folder), *_playlists(folder), *_texts(), *_results(folder)]


def _media(folder: Path) -> Iterator[SeedInput]:
    clips = {}
    for name, encoder, pixel_format, sound in _MEDIA:
        if encoder in av.codec.codecs_available:
            _write_apart(folder / name, encoder, pixel_format, sound)
            clips[name] = (folder / name).read_bytes()
    for name, data in clips.items():
        yield SeedInput(
            name=f"export-{name}",
            kind="media",
            files={name: data},
            mutable=(name,),
            arguments=("export", name, "out.mp4", *_FAST_EXPORT),
            may_leave=("out.mp4", "report.json"),
            export_of=name,
        )
        yield SeedInput(
            name=f"validate-{name}",
            kind="media",
            files={"reference.mp4": clips["h264.mp4"], name: data},
            mutable=(name,),
            arguments=("validate", "reference.mp4", name, "--no-vmaf", "--json", "report.json"),
            may_leave=("report.json",),
        )
    name, data = "h264.mp4", clips["h264.mp4"]
    yield SeedInput(
        name="validate-reference",
        kind="media",
        files={"reference.mp4": data, name: data},
        mutable=("reference.mp4",),
        arguments=("validate", "reference.mp4", name, "--no-vmaf", "--json", "report.json"),
        may_leave=("report.json",),
    )


def _write_apart(path: Path, encoder: str, pixel_format: str, sound: str | None) -> None:
    """`_write_clip`; for libsvtav1, which makes root's process a real-time one (SCHED_FIFO), in another process."""
    if encoder != "libsvtav1":
        _write_clip(path, encoder, pixel_format, sound)
        return
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        process.submit(_write_clip, path, encoder, pixel_format, sound).result()


def _write_clip(path: Path, encoder: str, pixel_format: str, sound: str | None) -> None:
    """Moving squares, and a chirp."""
    width, height = _SIZE
    rows, columns = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as container:
        video = container.add_stream(encoder, rate=Fraction(30), options=_OPTIONS.get(encoder, {}))
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        video.codec_context.thread_count = 1
        audio = None if sound is None else container.add_stream(sound, rate=48000, layout="stereo")
        for number in range(_FRAMES):
            picture = np.stack([columns * 2 + 5 * number, rows * 3 + 3 * number, (columns ^ rows) + number], axis=-1)
            frame = av.VideoFrame.from_ndarray((picture % 256).astype(np.uint8), "rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if isinstance(audio, av.AudioStream):
            _write_sound(container, audio)


def _write_sound(container: av.container.OutputContainer, stream: av.AudioStream) -> None:
    time = np.arange(48000 * _FRAMES // 30) / 48000
    samples = (9000 * np.sin(2 * np.pi * (300 + 900 * time) * time)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(samples, 2)[None], format="s16", layout="stereo")
    frame.sample_rate = 48000
    frame.pts = 0
    resampler = av.AudioResampler(stream.format, "stereo", 48000, frame_size=stream.codec_context.frame_size or 1024)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def _playlists(folder: Path) -> Iterator[SeedInput]:
    made = folder / "hls"
    made.mkdir()
    write_recording(RecordingSpec("hls", 160, 90, 30, 1, "hls"), made / "playlist.m3u8")
    files = {path.name: path.read_bytes() for path in sorted(made.iterdir())}
    variant = b'#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.42c00b"\nplaylist.m3u8\n'
    master = b"#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n" + variant
    for name, mutable, more in (
        ("playlist.m3u8", ("playlist.m3u8",), {}),
        ("master.m3u8", ("master.m3u8", "playlist.m3u8"), {"master.m3u8": master}),
        ("playlist.m3u8", tuple(each for each in files if each != "playlist.m3u8"), {}),
    ):
        yield SeedInput(
            name=f"export-{name}-{mutable[0]}",
            kind="playlist",
            files={**files, **more},
            mutable=mutable,
            arguments=("export", name, "out.mp4", *_FAST_EXPORT),
            may_leave=("out.mp4", "report.json"),
        )


def _texts() -> Iterator[SeedInput]:
    shipped = {path.name: path.read_bytes() for path in sorted((_ROOT / "matrix").glob("*.toml"))}
    for name in ("standard.toml", "quick.toml", "rivals.toml", "curve.toml", "subjects.toml"):
        files = {key: shipped[key] for key in {name, "standard.toml", "subjects.toml"}}
        yield SeedInput(f"matrix-{name}", "matrix", files, (name,), ("run", name, "--case", "no-such-case*"))
    for path in sorted((_ROOT / "matrix" / "scenes").glob("*.toml")):
        yield SeedInput(
            f"scene-{path.stem}",
            "scene",
            {"scene.toml": path.read_bytes()},
            ("scene.toml",),
            ("-load-scene", "scene.toml"),
        )


def _results(folder: Path) -> Iterator[SeedInput]:
    base, new = folder / "base", folder / "new"
    for path, subject, factor in ((base, "cpu", 1.0), (new, "gpu", 0.8)):
        write_runs(path, subject, [factor * value for value in (10.0, 10.2, 9.9, 10.1)])
        write_plan(path, ("run", "m.toml"), blocks=4)
    write_baseline(take_baseline(load(base)), folder / "baseline.json")
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((*base.rglob("*"), *new.rglob("*")))
        if path.is_file()
    }
    compare = ("compare", "base", "new", "--json", "c.json", "--junit", "j.xml", "--comment", "c.md")
    left = ("c.json", "j.xml", "c.md")
    gates = (_ROOT / "matrix" / "gates.toml").read_bytes()
    yield SeedInput(
        "gate", "gate", {**files, "gates.toml": gates}, ("gates.toml",), (*compare, "--gates", "gates.toml"), left
    )
    yield SeedInput(
        name="baseline",
        kind="baseline",
        files={**files, "baseline.json": (folder / "baseline.json").read_bytes()},
        mutable=("baseline.json",),
        arguments=("compare", "baseline.json", "base", "--json", "c.json"),
        may_leave=left,
    )
    yield SeedInput("result-compare", "result", files, tuple(files), compare, left)
    yield SeedInput("result-csv", "result", files, tuple(files), ("results", "new", "--to", "csv"), ())
    yield SeedInput("result-page", "result", files, tuple(files), ("report", "new", "-o", "page.html"), ("page.html",))
