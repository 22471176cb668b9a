"""Looks drawn by the float64 oracle, motion blur as a mean of many of its pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.observed_frame import ObservedPicture, observe
from capbench.quality.reading.planes import Planes, as_frame, planes_of
from capbench.quality.truth.reference_render import GroundTruth
from capbench.quality.truth.scene_layers import SceneLayers
from tests.effects.sources import FPS, Source, decoded, encode

__all__ = ["DrawnLook", "draw_look", "true_placement"]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLook:
    """An output whose look is known."""

    source: Source
    """The recording that it shows."""
    pictures: list[Planes]
    """Its frames as decoded."""
    placements: list[FramePlacement]
    """Where the recording lies in each, as drawn."""
    shows: list[int]
    """Which frame of the recording each shows."""


def true_placement(scene: Scene, source: Source, canvas: tuple[int, int], time_s: float) -> FramePlacement:
    """Where a scene puts the recording."""
    place = _truth(scene, source, canvas, with_layers=False).placement(time_s)
    left, top, right, bottom = scene.display.crop
    width, height = place.width / (1 - left - right), place.height / (1 - top - bottom)
    return FramePlacement(
        recording_size=source.size,
        scale=(width / source.size[0], height / source.size[1]),
        rotation_degrees=0.0,
        centre=(place.left - left * width + width / 2, place.top - top * height + height / 2),
        residual_codes=2.0,
        uncertainty_px=0.05,
        agreeing=1.0,
    )


def draw_look(
    scene: Scene,
    source: Source,
    canvas: tuple[int, int],
    path: Path,
    *,
    crf: int,
    shutter: float = 0.0,
    samples: int = 6,
    scene_at: Callable[[int], Scene] | None = None,
    frames: int | None = None,
) -> DrawnLook:
    """Draw, encode and decode a scene. `shutter` is the part of a frame for which it is open, around the frame's time.

    `scene_at` gives the scene of each frame where that is not the same: a fault.
    """
    count = len(source.frames) if frames is None else frames
    blank = next(observe([as_frame(_grey(canvas))], lambda frame: frame))
    drawn = []
    scenes = {id(scene): _truth(scene, source, canvas)}
    kept = [scene]  # an id is only known to be new while the old one lives
    for index in range(count):
        shown = scene if scene_at is None else scene_at(index)
        if id(shown) not in scenes:
            scenes[id(shown)] = _truth(shown, source, canvas)
            kept.append(shown)
        truth = scenes[id(shown)]
        under = _observed(source.frames[index])
        if not shutter:
            drawn.append(planes_of(truth.render(under, blank, index / FPS).picture.frame))
            continue
        times_s = [max(0.0, (index + shutter * ((n + 0.5) / samples - 0.5)) / FPS) for n in range(samples)]
        parts = [planes_of(truth.render(under, blank, at).picture.frame) for at in times_s]
        drawn.append(
            Planes(
                *(np.rint(np.mean(same, axis=0)).astype(np.uint8) for same in zip(*(p.all for p in parts), strict=True))
            )
        )
    encode(drawn, path, crf=crf)
    return DrawnLook(
        source,
        decoded(path),
        [true_placement(scene if scene_at is None else scene_at(n), source, canvas, n / FPS) for n in range(count)],
        list(range(count)),
    )


def _truth(scene: Scene, source: Source, canvas: tuple[int, int], *, with_layers: bool = True) -> GroundTruth:
    spec = ColourSpec()
    return GroundTruth(
        scene=scene,
        canvas=canvas,
        shown=(float(source.size[0]), float(source.size[1])),
        spec=spec,
        chroma_place=chroma_place(spec.siting, 0),
        wanted=spec,
        layers=SceneLayers(scene if with_layers else Scene(), canvas),
    )


def _observed(frame: av.VideoFrame) -> ObservedPicture:
    return next(observe([frame], lambda each: each))


def _grey(canvas: tuple[int, int]) -> Planes:
    half = (canvas[1] // 2, canvas[0] // 2)
    return Planes(*(np.full(shape, 128, np.uint8) for shape in ((canvas[1], canvas[0]), half, half)))
