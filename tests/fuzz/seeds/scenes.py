"""Scenes: files that are read, and exports that draw them, with the pictures, videos and fonts that they name."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from capbench.resources import matrix_folder
from tests.fuzz.seeds.seed_input import EXPORTED, FAST_EXPORT, SeedInput
from tests.hdr_clips import HdrClip, write_hdr

__all__ = ["composite_seeds", "look_seeds", "scene_seeds"]

_SCENE: Final = """\
[background]
image = "background.png"
blur_px = 20

[display]
padding = 0.1
rounding_px = 30
shadow = { opacity = 0.5, blur_px = 60, offset_px = [0, 20] }
border = { width_px = 20, colour = "#e6fffa", opacity = 0.5 }

[[zoom]]
start_s = 0.1
end_s = 0.4
amount = 1.5
centre = [0.4, 0.6]
ease_in_s = 0.1
ease_out_s = 0.1

[[mask]]
kind = "blur"
rectangle = [0.1, 0.1, 0.3, 0.3]
strength_px = 40

[cursor]
image = "cursor.png"
hotspot = [0.1, 0.1]
size_px = 200
smoothing_s = 0.1
clicks_s = [0.2]
path = [[0.0, 0.2, 0.2], [0.2, 0.6, 0.5], [0.4, 0.8, 0.8]]

[camera]
source = "camera.mkv"
position = "top-left"
size = 0.3
shadow = { opacity = 0.4, blur_px = 20, offset_px = [0, 8] }

[[caption]]
text = "One line\\nand another"
font = "font.ttf"
size_px = 160
start_s = 0.1
end_s = 0.4
fade_s = 0.1

[motion_blur]
samples = 2
"""
_LOOK: Final = """\
padding = 0.0
rounding_px = 0
shadow = false
background = { kind = "gradient", colours = ["#4158d0", "#c850c0"] }
motion_blur = "any"
caption = "any"

[cursor]
size_px = 48
clicks_s = [0.2]
path = [[0.0, 0.2, 0.2], [0.4, 0.8, 0.8]]

[camera]
position = "bottom-right"
size = 0.25

[[zoom]]
start_s = 0.1
end_s = 0.3
amount = 1.5
centre = [0.5, 0.5]
"""


def scene_seeds() -> Iterator[SeedInput]:
    """Every shipped scene, read."""
    for path in sorted((matrix_folder() / "scenes").glob("*.toml")):
        yield SeedInput(
            name=f"scene-{path.stem}",
            kind="scene",
            files={"scene.toml": path.read_bytes()},
            mutable=("scene.toml",),
            arguments=("-load-scene", "scene.toml"),
        )


def composite_seeds(folder: Path, clips: Mapping[str, bytes]) -> Iterator[SeedInput]:
    """Exports through the compositor: clips that cannot be passed through, scenes, a GIF, HDR."""
    for source, options in {
        "hevc10.mp4": ("--path", "cpu"),
        "mjpeg.mov": ("--path", "gpu"),
        "prores.mov": ("--path", "gpu-fused"),
        "mpeg4.avi": ("--path", "gpu", "--fps", "12", "--width", "48", "--height", "32"),
    }.items():
        if source in clips:
            yield SeedInput(
                name=f"composite-{source}",
                kind="composite",
                files={source: clips[source]},
                mutable=(source,),
                arguments=("export", source, "out.mp4", *options, *FAST_EXPORT),
                may_leave=EXPORTED,
                export_of=None if "--fps" in options else source,
                needs_adapter=True,
            )
    named = _named_files(clips)
    for name, output, options in (
        ("drawn", "out.mp4", ("--path", "gpu-fused", *FAST_EXPORT)),
        ("drawn-gif", "out.gif", ("--path", "cpu", "--json", "report.json")),
    ):
        yield SeedInput(
            name=f"composite-{name}",
            kind="composite",
            files={"h264.mp4": clips["h264.mp4"], **named},
            mutable=tuple(named),
            arguments=("export", "h264.mp4", output, "--scene", "scene.toml", *options),
            may_leave=(output, "report.json"),
            export_of="h264.mp4" if output == "out.mp4" else None,
            needs_adapter=True,
        )
    yield SeedInput(
        name="composite-truth",
        kind="composite",
        files={"h264.mp4": clips["h264.mp4"], "out.mp4": clips["h264.mp4"], **named},
        mutable=tuple(named),
        arguments=("-validate-scene", "h264.mp4", "out.mp4", "scene.toml"),
        ends=(1, 0),
    )
    if "hevc10.mp4" in clips:
        hdr = write_hdr(folder / "hdr.mp4", HdrClip(qp=30)).read_bytes()
        yield SeedInput(
            name="composite-hdr",
            kind="composite",
            files={"hdr.mp4": hdr},
            mutable=("hdr.mp4",),
            arguments=("export", "hdr.mp4", "out.mp4", "--tone-map", "bt2390", *FAST_EXPORT),
            may_leave=EXPORTED,
            export_of="hdr.mp4",
            needs_adapter=True,
        )


def look_seeds(clips: Mapping[str, bytes]) -> Iterator[SeedInput]:
    """What was asked of another application's output, read, and compared with an output."""
    yield SeedInput("look-read", "look", {"look.toml": _LOOK.encode()}, ("look.toml",), ("-load-look", "look.toml"))
    options = ("--no-vmaf", "--json", "report.json")
    files = {"reference.mp4": clips["h264.mp4"], "h264.mp4": clips["h264.mp4"], "look.toml": _LOOK.encode()}
    yield SeedInput(
        name="look-validate",
        kind="look",
        files=files,
        mutable=("look.toml", "look.toml", "h264.mp4"),
        arguments=("validate", "reference.mp4", "h264.mp4", "--expect", "look.toml", *options),
        ends=(1, 0),
        may_leave=("report.json",),
    )


def _named_files(clips: Mapping[str, bytes]) -> dict[str, bytes]:
    """A scene with every layer, and the files that it names."""
    rows, columns = np.mgrid[0:32, 0:48]
    picture = np.stack([columns * 5, rows * 7, columns ^ rows, np.full_like(rows, 200)], axis=-1).astype(np.uint8)
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return {
        "scene.toml": _SCENE.encode(),
        "background.png": _png(picture[..., :3]),
        "cursor.png": _png(picture),
        "camera.mkv": clips["h264.mkv"],
        "font.ttf": font.font_bytes,
    }


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    return file.getvalue()
