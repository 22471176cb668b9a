"""Looks drawn by the float64 oracle, motion blur as a mean of many of its pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import av
import numpy as np

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.observed_frame import ObservedPicture, observe
from capbench.quality.reading.planes import Planes, as_frame, planes_of
from capbench.quality.truth.reference_render import GroundTruth
from capbench.quality.truth.scene_layers import SceneLayers
from tests.effects.sources import FPS, Source, encode

__all__ = ["draw_look"]

_SAMPLES: Final = 6
"""Pictures that a blurred frame is the mean of."""


def draw_look(
    scene: Scene,
    source: Source,
    canvas: tuple[int, int],
    path: Path,
    *,
    crf: int,
    shutter: float = 0.0,
    scene_at: Callable[[int], Scene] | None = None,
) -> None:
    """Draw and encode a scene. `shutter` is the part of a frame for which it is open, around the frame's time.

    `scene_at` gives the scene of each frame where that is not the same: a fault.
    """
    blank = next(observe([as_frame(_grey(canvas))], lambda frame: frame))
    drawn = []
    scenes = {id(scene): _truth(scene, source, canvas)}
    kept = [scene]  # an id is only known to be new while the old one lives
    for index, frame in enumerate(source.frames):
        shown = scene if scene_at is None else scene_at(index)
        if id(shown) not in scenes:
            scenes[id(shown)] = _truth(shown, source, canvas)
            kept.append(shown)
        truth = scenes[id(shown)]
        under = _observed(frame)
        if not shutter:
            drawn.append(planes_of(truth.render(under, blank, index / FPS).picture.frame))
            continue
        times_s = [max(0.0, (index + shutter * ((n + 0.5) / _SAMPLES - 0.5)) / FPS) for n in range(_SAMPLES)]
        parts = [planes_of(truth.render(under, blank, at).picture.frame) for at in times_s]
        drawn.append(
            Planes(
                *(np.rint(np.mean(same, axis=0)).astype(np.uint8) for same in zip(*(p.all for p in parts), strict=True))
            )
        )
    encode(drawn, path, crf=crf)


def _truth(scene: Scene, source: Source, canvas: tuple[int, int]) -> GroundTruth:
    spec = ColourSpec()
    return GroundTruth(
        scene=scene,
        canvas=canvas,
        shown=(float(source.size[0]), float(source.size[1])),
        spec=spec,
        chroma_place=chroma_place(spec.siting),
        wanted=spec,
        layers=SceneLayers(scene, canvas),
    )


def _observed(frame: av.VideoFrame) -> ObservedPicture:
    return next(observe([frame], lambda each: each))


def _grey(canvas: tuple[int, int]) -> Planes:
    half = (canvas[1] // 2, canvas[0] // 2)
    return Planes(*(np.full(shape, 128, np.uint8) for shape in ((canvas[1], canvas[0]), half, half)))
