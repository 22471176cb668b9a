"""The layers that a scene draws over the recording, each in the part of the canvas that it can change."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.compositor.layers.caption import lay_out
from capbench.pipeline.compositor.layers.cursor import cursor_texels
from capbench.pipeline.compositor.layers.image_textures import open_image
from capbench.pipeline.scene import Caption, Mask, Scene
from capbench.quality.oracle.background_fill import blurred, covering
from capbench.quality.oracle.composition import plain_ground
from capbench.quality.oracle.overlay_layers import (
    Part,
    camera_edges,
    caption_corner,
    draw_camera,
    draw_caption,
    draw_cursor,
    draw_masks,
)
from capbench.quality.oracle.placement import REFERENCE_LINES, Placement
from capbench.quality.oracle.scene_timing import CLICK_S, cursor_place, presence_at
from capbench.quality.oracle.shutter import ExposedMoment, distinct_placements
from capbench.quality.truth.camera_picture import CameraPicture, camera_picture

__all__ = ["DrawnLayer", "SceneLayers"]

Field = NDArray[np.float64]
Recording = Callable[[Field, Field], Field]
Edges = tuple[float, float, float, float]

_RING_REACH = 1.1  # a ring of a click grows to the cursor's size, and its line is 0.09 of it wide
_WORDS_SHOWN = 30
_SHORTEST_S = 1e-3  # a zoom without an ease jumps


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLayer:
    """One layer at one time."""

    name: str
    """In words, as a report names it."""
    part: tuple[slice, slice]
    """Rows and columns outside which it changes nothing."""
    presence: float
    """How much of it is to be seen, 0 to 1: it may be fading."""
    draw: Callable[[Field], Field]
    """What it makes of that part of the canvas."""


class SceneLayers:
    """Draws a scene's layers by the oracle.

    Letters, polygons and reduced photographs are rastered as the pipeline does it, once: where they lie, how they blend
    and when they show is checked, not the shape of a letter. Times must be asked for in order.
    """

    def __init__(self, scene: Scene, canvas: tuple[int, int]) -> None:
        """For a canvas of that width and height. Raises `SceneError` or `SourceError` for pictures of the scene."""
        self._scene = scene
        self._canvas = canvas
        self._unit = canvas[1] / REFERENCE_LINES
        self._plates = [lay_out(caption, CanvasSize(*canvas)) for caption in scene.caption]
        self._camera: CameraPicture | None = None if scene.camera is None else camera_picture(scene.camera)

    @cached_property
    def ground(self) -> Field:
        """The background, R'G'B', shape (height, width, 3): the same in all frames."""
        background = self._scene.background
        if background.image is None:
            return plain_ground(self._scene, self._canvas)
        texels = np.asarray(open_image(background.image)) / 255
        colour = np.array(tuple(bytes.fromhex(background.colour[1:]))) / 255
        picture = covering(texels[..., :3] * texels[..., 3:] + colour * (1 - texels[..., 3:]), self._canvas)
        return blurred(picture, background.blur_px * self._unit) if background.blur_px else picture

    def moments(self) -> tuple[float, ...]:
        """Output times in seconds at which a fault is seen, the most telling first: motion, appearing, going, clicking.

        Motion blur is longest in the middle of a zoom's motion, and where the cursor is fastest. A quarter into a fade,
        or half way out of one: a frame too many or too few then changes the layer by a quarter and more.
        """
        spans = (*self._scene.mask, *self._scene.caption)
        appearing = [span.start_s + span.fade_s / 4 for span in spans]
        going = [span.end_s - span.fade_s / 2 for span in spans if span.end_s is not None and span.fade_s]
        clicks = () if self._scene.cursor is None else self._scene.cursor.clicks_s
        return tuple(dict.fromkeys((*self._blurring(), *appearing, *going, *clicks)))

    def _blurring(self) -> list[float]:
        """The middles of the fastest motions that are blurred: of the zooms, and of the cursor."""
        blur = self._scene.motion_blur
        if blur is None:
            return []
        times_s: list[float] = []
        if blur.zoom and self._scene.zoom:
            fastest = max(
                self._scene.zoom, key=lambda segment: math.log(segment.amount) / max(segment.ease_in_s, _SHORTEST_S)
            )
            times_s += [fastest.start_s + fastest.ease_in_s / 2]
        if blur.cursor and self._scene.cursor is not None:
            steps = list(itertools.pairwise(self._scene.cursor.path))
            if steps:
                before, after = max(
                    steps, key=lambda step: math.dist(step[0][1:], step[1][1:]) / (step[1].time_s - step[0].time_s)
                )
                times_s += [(before.time_s + after.time_s) / 2]
        return times_s

    def at(
        self, recording: Recording, resting: Placement, moments: Sequence[ExposedMoment], time_s: float
    ) -> list[DrawnLayer]:
        """What is drawn at an output time, from the bottom up.

        `recording` gives R'G'B' of the recording at rest at canvas columns and rows, where `resting` places it;
        `moments` are those of the frame's exposure.
        """
        placements: tuple[Placement, *tuple[Placement, ...]] = (resting, *distinct_placements(moments))
        layers = [
            self._masked((mask,), f"mask {number} ({mask.kind})", recording, placements, time_s)
            for number, mask in enumerate(self._scene.mask, 1)
            if mask.kind != "highlight" and presence_at(mask, time_s) > 0
        ]
        lights = tuple(mask for mask in self._scene.mask if mask.kind == "highlight" and presence_at(mask, time_s) > 0)
        if lights:
            layers.append(self._masked(lights, "highlight", recording, placements, time_s))
        if self._scene.cursor is not None:
            layers.append(self._with_cursor(moments, time_s))
        if self._scene.camera is not None:
            layers.append(self._with_camera(time_s))
        for caption, plate in zip(self._scene.caption, self._plates, strict=True):
            presence = presence_at(caption, time_s)
            if presence > 0:
                texels = plate.texels() / 255
                height, width = texels.shape[:2]
                left, top = caption_corner(caption, (width, height), self._canvas)
                part = (slice(top, top + height), slice(left, left + width))
                layers.append(DrawnLayer(_caption_name(caption), part, presence, _captioned(texels, presence)))
        return [layer for layer in layers if all(side.start < side.stop for side in layer.part)]

    def _masked(
        self,
        masks: tuple[Mask, ...],
        name: str,
        recording: Recording,
        placements: tuple[Placement, *tuple[Placement, ...]],
        time_s: float,
    ) -> DrawnLayer:
        left, top, width, height = (0.0, 0.0, 1.0, 1.0) if masks[0].kind == "highlight" else masks[0].rectangle
        edges = _bounds([(*now.point(left, top), *now.point(left + width, top + height)) for now in placements[1:]])
        place, part = self._part(edges, 1)
        alone = self._scene.model_copy(update={"mask": masks})
        presence = max(presence_at(mask, time_s) for mask in masks)

        def draw(under: Field) -> Field:
            return draw_masks(under, alone, recording, placements, time_s, part)

        return DrawnLayer(name, place, presence, draw)

    def _with_cursor(self, moments: Sequence[ExposedMoment], time_s: float) -> DrawnLayer:
        cursor = self._scene.cursor
        assert cursor is not None
        texels = self._cursor_texels
        height = cursor.size_px * self._unit * max(moment.placement.amount for moment in moments)
        reach = height * max(_RING_REACH, texels.shape[1] / texels.shape[0]) + 3
        rings = [cursor_place(cursor, click) for click in cursor.clicks_s if 0 <= time_s - click < CLICK_S]
        places = [
            moment.placement.point(*place)
            for moment in moments
            for place in (moment.cursor, *rings)
            if place is not None
        ]
        place, part = self._part(_bounds([(x, y, x, y) for x, y in places]), reach)
        scene = self._scene
        return DrawnLayer("cursor", place, 1.0, lambda under: draw_cursor(under, scene, texels, moments, time_s, part))

    @cached_property
    def _cursor_texels(self) -> Field:
        cursor = self._scene.cursor
        assert cursor is not None
        most = max((segment.amount for segment in self._scene.zoom), default=1.0)
        return cursor_texels(cursor, max(1, math.ceil(cursor.size_px * self._unit * max(1.0, most)))) / 255

    def _with_camera(self, time_s: float) -> DrawnLayer:
        camera, picture = self._scene.camera, self._camera
        assert camera is not None
        assert picture is not None
        edges = camera_edges(camera, self._canvas, picture.aspect)
        reach = 1.0
        if camera.shadow is not None:
            reach += (camera.shadow.blur_px + max(map(abs, camera.shadow.offset_px))) * self._unit
        place, part = self._part(edges, reach)

        def draw(under: Field) -> Field:
            shown = picture.content(edges, (under.shape[0], under.shape[1]), part, time_s)
            return draw_camera(under, camera, shown, edges, part)

        return DrawnLayer("camera", place, 1.0, draw)

    def _part(self, edges: Edges, reach: float) -> tuple[tuple[slice, slice], Part]:
        low, high = np.floor(np.array(edges[:2]) - reach), np.ceil(np.array(edges[2:]) + reach)
        left, top = (int(side) for side in low.clip(0, self._canvas))
        right, bottom = (int(side) for side in high.clip(0, self._canvas))
        return (slice(top, bottom), slice(left, right)), Part(left, top, self._canvas)


def _bounds(edges: Sequence[Edges]) -> Edges:
    left, top, right, bottom = zip(*edges, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _captioned(texels: Field, presence: float) -> Callable[[Field], Field]:
    return lambda under: draw_caption(under, texels, (0, 0), presence)


def _caption_name(caption: Caption) -> str:
    words = " ".join(caption.text.split())
    return f"caption “{words if len(words) <= _WORDS_SHOWN else words[:_WORDS_SHOWN] + '…'}”"
