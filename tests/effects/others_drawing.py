"""Looks drawn by programs of others from a recording, a camera recording and a picture of a cursor: none by our code.

python -m tests.effects.others_drawing FOLDER [--looks N] [--first SEED]

Absent programs are left out. MoviePy may be in another Python: `CAPBENCH_MOVIEPY_PYTHON`, as for tests/strangers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from tests.effects.draw_files import camera_folder, source_file
from tests.effects.seeded_looks import CRFS, LOOK_FRAMES
from tests.effects.sources import FPS
from tests.strangers.tool_programs import moviepy_python, run_tool, version_of

__all__ = ["OTHERS", "OtherLook", "draw_by", "other_look"]

_CANVAS: Final = (640, 360)
_TAGS: Final = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")


@dataclass(frozen=True, slots=True)
class OtherLook:
    """What every one of these programs is told to draw. Lengths are output pixels."""

    crf: int
    """Quality of H.264."""
    source: Path
    """The recording, as large as the canvas."""
    camera: Path
    """The camera recording, 4:3."""
    place: tuple[int, int, int, int]
    """Left, top, width and height of the recording."""
    colour: str
    """Of the background, `#rrggbb`."""
    radius: int
    """Of the recording's corners; 0 where the program has no rounding of its own."""
    shadow: tuple[float, int] | None
    """Opacity, and standard deviation of its blur."""
    path: list[tuple[float, float, float]]
    """Of the cursor's tip: time, and fractions across and down the recording."""
    cursor_height: int
    """Height of the cursor's picture."""
    inset: tuple[int, int, int, int]
    """Left, top, width and height of the camera: a square of its middle, or all of it."""
    is_circle: bool
    """Whether the camera is cut to a circle."""
    zoom: tuple[float, float, float, float] | None
    """Start, duration of each ease, amount and end; about the middle of the canvas. No cursor then."""

    def asked(self) -> dict[str, Any]:
        """The table `expect` of it."""
        unit = _CANVAS[1] / 1080
        left, top, width, height = self.inset
        asked: dict[str, Any] = {
            "padding": self.place[1] / _CANVAS[1],
            "rounding_px": self.radius / unit,
            "shadow": self.shadow is not None,
            "background": {"kind": "colour", "colours": [self.colour]},
            "camera": {
                "source": str(self.camera),
                "position": [(left + width / 2) / _CANVAS[0], (top + height / 2) / _CANVAS[1]],
                "size": height / _CANVAS[1],
                "aspect": width / height,
                "rounding_px": height / 2 / unit if self.is_circle else 0.0,
                "mirror": False,
            },
        }
        if self.zoom is None:
            asked["cursor"] = {"path": self.path, "size_px": self.cursor_height / unit}
        else:
            start_s, ease_s, amount, end_s = self.zoom
            asked["zoom"] = [
                {
                    "start_s": start_s,
                    "end_s": end_s,
                    "amount": amount,
                    "centre": [0.5, 0.5],
                    "ease_in_s": ease_s,
                    "ease_out_s": ease_s,
                }
            ]
        return asked


def other_look(folder: Path, seed: int, *, rounds: bool, zooms: bool, crops: bool) -> OtherLook:
    """The look of a seed, for a program that rounds and blurs, zooms, or crops the camera."""
    rng = np.random.default_rng([seed, 20])
    padding = int(rng.integers(9, 26)) * 2
    height = _CANVAS[1] - 2 * padding
    width = round(height * 16 / 9 / 2) * 2
    side = int(rng.integers(38, 60)) * 2
    wide = side if crops else round(side * 4 / 3)
    corner = rng.integers(0, 2, 2)
    margin = int(rng.integers(6, 16))
    times_s = (0.1, 0.3, 0.5, 0.7)
    return OtherLook(
        crf=CRFS[seed % len(CRFS)],
        source=source_file(folder, 1 + seed % 3),
        camera=camera_folder(folder) / "camera.mp4",
        place=((_CANVAS[0] - width) // 2, padding, width, height),
        colour=str(rng.choice(["#204080", "#c05070", "#e0d0c0", "#307040"])),
        radius=int(rng.integers(6, 18)) if rounds else 0,
        shadow=(0.6, int(rng.integers(5, 9))) if rounds and rng.random() < 0.5 else None,
        path=[(at, _place(rng), _place(rng)) for at in times_s],
        cursor_height=int(rng.integers(14, 26)),
        inset=(
            margin if corner[0] else _CANVAS[0] - margin - wide,
            margin if corner[1] else _CANVAS[1] - margin - side,
            wide,
            side,
        ),
        is_circle=crops and bool(rng.random() < 0.6),
        zoom=(0.1, 0.2, round(float(rng.uniform(1.3, 2.0)), 2), 0.7) if zooms and seed % 2 else None,
    )


def _place(rng: np.random.Generator) -> float:
    return round(float(rng.uniform(0.3, 0.7)), 3)


def cursor_file(folder: Path, height: int) -> Path:
    """A picture of a pointer that no program here has for its own: white with a dark rim, its tip at the top left."""
    path = folder / "cursors" / f"{height}.png"
    path.parent.mkdir(exist_ok=True)
    fine = 8
    picture = Image.new("RGBA", (round(0.72 * height) * fine, height * fine), (0, 0, 0, 0))
    width, tall = picture.size
    outline = [(0, 0), (0, 0.8 * tall), (0.26 * width, 0.62 * tall), (0.5 * width, 0.99 * tall)]
    outline += [(0.72 * width, 0.9 * tall), (0.5 * width, 0.56 * tall), (0.98 * width, 0.56 * tall)]
    draw = ImageDraw.Draw(picture)
    draw.polygon(outline, fill=(250, 250, 250, 255))
    draw.line([*outline, outline[0]], fill=(20, 20, 20, 255), width=round(0.07 * tall), joint="curve")
    picture.resize((width // fine, height), Image.Resampling.BOX).save(path)
    return path


def _by_ffmpeg(look: OtherLook, folder: Path, output: Path) -> None:
    """scale, geq, alphamerge, gblur, overlay, zoompan."""
    left, top, width, height = look.place
    inset_left, inset_top, _, side = look.inset
    canvas = f"{_CANVAS[0]}x{_CANVAS[1]}"
    seconds = LOOK_FRAMES / FPS
    graph = [f"color=c={look.colour}:s={canvas}:r={FPS}:d={seconds},format=gbrp[ground]"]
    mask = _rounded_mask(width, height, look.radius)
    graph.append(f"[0:v]scale={width}:{height}:flags=bicubic,format=gbrp[screen]")
    graph.append(f"color=c=black:s={width}x{height}:r={FPS}:d={seconds},format=gray,{mask}[mask]")
    graph.append("[screen][mask]alphamerge[framed]")
    ground = "ground"
    if look.shadow is not None:
        opacity, sigma = look.shadow
        graph.append(
            f"color=c=black:s={width}x{height}:r={FPS}:d={seconds},format=gray,{mask},"
            f"pad={canvas.replace('x', ':')}:{left}:{top},gblur=sigma={sigma},lut=y=val*{opacity}[dark]"
        )
        graph.append(f"color=c=black:s={canvas}:r={FPS}:d={seconds},format=gbrp[night]")
        graph.append("[night][dark]alphamerge[shadow];[ground][shadow]overlay=format=gbrp[shaded]")
        ground = "shaded"
    graph.append(f"[{ground}][framed]overlay={left}:{top}:format=gbrp[base]")
    if look.zoom is not None:
        start_s, ease_s, amount, end_s = look.zoom
        at = f"on/{FPS}"
        share = f"clip(min(({at}-{start_s})/{ease_s},({end_s}-{at})/{ease_s}),0,1)"
        eased = f"({share})*({share})*(3-2*({share}))"
        graph.append(
            f"[base]scale=iw*4:ih*4:flags=bicubic,zoompan=z='pow({amount},{eased})':x='(iw-iw/zoom)/2':"
            f"y='(ih-ih/zoom)/2':d=1:s={canvas}:fps={FPS},format=gbrp[zoomed]"
        )
        pointed = "zoomed"
    else:
        x = _straight([(at, left + across * width) for at, across, _ in look.path])
        y = _straight([(at, top + down * height) for at, _, down in look.path])
        graph.append(f"[base][2:v]overlay=x='{x}':y='{y}':eval=frame:format=gbrp[pointed]")
        pointed = "pointed"
    round_mask = _rounded_mask(side, side, side // 2 if look.is_circle else 0)
    graph.append(f"[1:v]scale=-2:{side}:flags=bicubic,crop={side}:{side},format=gbrp[face]")
    graph.append(f"color=c=black:s={side}x{side}:r={FPS}:d={seconds},format=gray,{round_mask}[hole]")
    graph.append("[face][hole]alphamerge[inset]")
    graph.append(f"[{pointed}][inset]overlay={inset_left}:{inset_top}:format=gbrp,")
    graph[-1] += "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p[out]"
    inputs: list[str | Path] = ["-i", look.source, "-i", look.camera]
    inputs += ["-loop", "1", "-framerate", str(FPS), "-t", str(seconds), "-i", cursor_file(folder, look.cursor_height)]
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", ";".join(graph), "-map", "[out]"]
    encoding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(look.crf), "-frames:v", str(LOOK_FRAMES), *_TAGS]
    run_tool([*command, *encoding, output])


def _rounded_mask(width: int, height: int, radius: int) -> str:
    if not radius:
        return "geq=lum=255"
    across = f"max(abs(X+0.5-{width / 2})-{width / 2 - radius},0)"
    down = f"max(abs(Y+0.5-{height / 2})-{height / 2 - radius},0)"
    return f"geq=lum='255*clip({radius}+0.5-hypot({across},{down}),0,1)'"


def _straight(points: list[tuple[float, float]]) -> str:
    """An expression of FFmpeg's that is straight from point to point."""
    expression = f"{points[-1][1]:.3f}"
    for (start_s, before), (end_s, after) in reversed(list(pairwise(points))):
        way = f"{before:.3f}+({after - before:.3f})*(t-{start_s})/{end_s - start_s:.4f}"
        expression = f"if(lt(t,{end_s}),{way},{expression})"
    return f"if(lt(t,{points[0][0]}),{points[0][1]:.3f},{expression})"


def _by_melt(look: OtherLook, folder: Path, output: Path) -> None:
    """The transition affine, with key frames of rectangles."""
    left, top, width, height = look.place
    last = LOOK_FRAMES - 1
    cursor = cursor_file(folder, look.cursor_height)
    with Image.open(cursor) as picture:
        cursor_width = picture.width
    keys = ";".join(
        f"{round(at * FPS)}={left + across * width:.2f} {top + down * height:.2f} {cursor_width} {look.cursor_height} 1"
        for at, across, down in look.path
    )
    tracks = {
        "screen": (look.source, f"{left} {top} {width} {height} 1"),
        "pointer": (cursor, keys),
        "camera": (look.camera, "{} {} {} {} 1".format(*look.inset)),
    }
    producers = "".join(
        f'<producer id="{name}" in="0" out="{last}"><property name="resource">{file}</property>'
        f'<property name="length">{LOOK_FRAMES}</property></producer>'
        for name, (file, _) in tracks.items()
    )
    blends = "".join(
        f'<transition in="0" out="{last}"><property name="mlt_service">affine</property>'
        f'<property name="a_track">0</property><property name="b_track">{number}</property>'
        f'<property name="rect">{rect}</property><property name="fill">1</property>'
        f'<property name="distort">1</property><property name="always_active">1</property></transition>'
        for number, (_, rect) in enumerate(tracks.values(), 1)
    )
    document = (
        f'<mlt><profile width="{_CANVAS[0]}" height="{_CANVAS[1]}" progressive="1" sample_aspect_num="1" '
        f'sample_aspect_den="1" display_aspect_num="16" display_aspect_den="9" frame_rate_num="{FPS}" '
        f'frame_rate_den="1" colorspace="709"/><producer id="ground" in="0" out="{last}">'
        f'<property name="mlt_service">color</property><property name="resource">{look.colour}</property></producer>'
        f'{producers}<tractor in="0" out="{last}"><multitrack><track producer="ground"/>'
        + "".join(f'<track producer="{name}"/>' for name in tracks)
        + f"</multitrack>{blends}</tractor></mlt>"
    )
    script = output.with_suffix(".mlt")
    script.write_text(document, encoding="utf-8")
    consumer = [f"avformat:{output}", "real_time=-1", "terminate_on_pause=1", "an=1", "vcodec=libx264"]
    # It links a toolkit that looks for a display.
    subprocess.run(
        ["melt", "-silent", str(script), "-consumer", *consumer, f"crf={look.crf}"],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=True,
    )


_MOVIEPY: Final = """
import json, sys
import numpy as np
from moviepy import ColorClip, CompositeVideoClip, ImageClip, VideoFileClip
look = json.loads(sys.argv[1])
left, top, width, height = look["place"]
x, y, _, side = look["inset"]
times = [point[0] for point in look["path"]]
def at(t):
    return (left + np.interp(t, times, [p[1] for p in look["path"]]) * width,
            top + np.interp(t, times, [p[2] for p in look["path"]]) * height)
colour = tuple(bytes.fromhex(look["colour"][1:]))
ground = ColorClip(tuple(look["canvas"]), colour, duration=look["seconds"])
screen = VideoFileClip(look["source"], audio=False).resized((width, height)).with_position((left, top))
camera = VideoFileClip(look["camera"], audio=False).resized(height=side)
camera = camera.cropped(x_center=camera.w / 2, width=side)
if look["is_circle"]:
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    hole = np.clip(side / 2 + 0.5 - np.hypot(rows - side / 2, columns - side / 2), 0, 1)
    camera = camera.with_mask(ImageClip(hole, is_mask=True, duration=camera.duration))
camera = camera.with_position((x, y))
pointer = ImageClip(look["cursor"], duration=look["seconds"]).with_position(at)
whole = CompositeVideoClip([ground, screen, pointer, camera], size=tuple(look["canvas"]))
whole.with_duration(look["seconds"]).write_videofile(
    look["output"], fps=look["fps"], codec="libx264", preset="veryfast", audio=False, logger=None,
    ffmpeg_params=["-crf", str(look["crf"]), "-vf", "scale=out_color_matrix=bt709:out_range=tv", *look["tags"]])
"""


def _by_moviepy(look: OtherLook, folder: Path, output: Path) -> None:
    """CompositeVideoClip with positions of time, and a mask for a circle."""
    told = {
        "place": look.place,
        "inset": look.inset,
        "path": look.path,
        "colour": look.colour,
        "canvas": _CANVAS,
        "seconds": LOOK_FRAMES / FPS,
        "source": str(look.source),
        "camera": str(look.camera),
        "is_circle": look.is_circle,
        "cursor": str(cursor_file(folder, look.cursor_height)),
        "output": str(output),
        "fps": FPS,
        "crf": look.crf,
        "tags": _TAGS,
    }
    run_tool([moviepy_python(), "-c", _MOVIEPY, json.dumps(told)])


@dataclass(frozen=True, slots=True)
class OtherProgram:
    """One of them."""

    name: str
    """What `version_of` knows it by."""
    draw: Callable[[OtherLook, Path, Path], None]
    """Of a look, the study's folder and the output."""
    rounds: bool
    """Whether it rounds corners, casts shadows and cuts circles here."""
    zooms: bool
    """Whether it zooms here."""
    crops: bool
    """Whether it shows a square of the camera's middle here."""


OTHERS: Final = (
    OtherProgram("ffmpeg", _by_ffmpeg, rounds=True, zooms=True, crops=True),
    OtherProgram("melt", _by_melt, rounds=False, zooms=False, crops=False),
    OtherProgram("moviepy", _by_moviepy, rounds=False, zooms=False, crops=True),
)
"""All that the study knows."""


def draw_by(program: OtherProgram, folder: Path, seed: int) -> Path:
    """The file of a look that a program draws; its parameters lie beside it."""
    path = folder / "others" / f"{program.name}-{seed:04}.mp4"
    facts = path.with_suffix(".json")
    if not facts.is_file():
        path.parent.mkdir(exist_ok=True)
        look = other_look(folder, seed, rounds=program.rounds, zooms=program.zooms, crops=program.crops)
        program.draw(look, folder, path)
        drawn = {"drawn_by": f"{program.name} {version_of(program.name)}", "crf": look.crf}
        told = {"asked": look.asked(), "drawn": drawn, "fault": "", "source": str(look.source)}
        facts.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return path


def main() -> None:
    """Draw what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--looks", type=int, default=12, help="of each program")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    options = parser.parse_args()
    for program in OTHERS:
        if version_of(program.name) is None:
            sys.stderr.write(f"{program.name} is not there\n")
            continue
        for seed in range(options.first, options.first + options.looks):
            sys.stderr.write(f"{draw_by(program, options.folder, seed)}\n")


if __name__ == "__main__":
    main()
