"""What lies over the recording, drawn only where it changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from capbench.pipeline.compositor.exposure import Moment
from capbench.pipeline.compositor.geometry import CanvasSize, Rectangle, clamped_radius
from capbench.pipeline.compositor.layer_buffer import LAYERS_DTYPE, MAX_STALE, FrameView, LayerState
from capbench.pipeline.compositor.layers.camera import CameraLayer
from capbench.pipeline.compositor.layers.caption import CaptionLayer
from capbench.pipeline.compositor.layers.cursor import CursorLayer
from capbench.pipeline.compositor.layers.image_textures import texture_of
from capbench.pipeline.compositor.layers.mask import MaskLayer
from capbench.pipeline.compositor.layers.zoom import Magnification
from capbench.pipeline.gpu.compute_pass import Bindings, ComputePass, Resource
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Scene
from capbench.resources import shader_source

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder, GPUTexture

__all__ = ["Overlay", "dirty_rectangles", "has_overlay"]

Pixels = tuple[int, int, int, int]
"""Left, top, right, bottom, right and bottom excluded."""


def has_overlay(scene: Scene) -> bool:
    """Whether a scene has a layer over the recording."""
    return bool(scene.mask or scene.cursor or scene.camera or scene.caption)


def dirty_rectangles(before: dict[str, LayerState], after: dict[str, LayerState], canvas: CanvasSize) -> list[Pixels]:
    """Pixels that must be drawn again: where something was that changed, and where it is now. At most `MAX_STALE`."""
    changed = [
        look.bounds
        for name in before.keys() | after.keys()
        if (old := before.get(name)) != (new := after.get(name))
        for look in (old, new)
        if look is not None
    ]
    rectangles = {pixels for bounds in changed if (pixels := _pixels(bounds, canvas))}
    outermost = [inner for inner in rectangles if not any(_contains(outer, inner) for outer in rectangles - {inner})]
    return sorted(outermost) if len(outermost) <= MAX_STALE else [_common_bounds(outermost)]


def _pixels(bounds: Rectangle, canvas: CanvasSize) -> Pixels | None:
    left, top = max(0, math.floor(bounds.left)), max(0, math.floor(bounds.top))
    right, bottom = min(canvas.width, math.ceil(bounds.right)), min(canvas.height, math.ceil(bounds.bottom))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _contains(outer: Pixels, inner: Pixels) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def _common_bounds(rectangles: Iterable[Pixels]) -> Pixels:
    left, top, right, bottom = zip(*rectangles, strict=True)
    return min(left), min(top), max(right), max(bottom)


class Overlay:
    """Draws masks, cursor, camera and captions into the surround.

    `surround` is the texture to draw into, `scene_bindings` what scene.wgsl and background.wgsl read, `generated` has
    the constants of the scene.
    Raises `SceneError`, or `SourceError` for a camera that cannot be read.
    """

    def __init__(
        self,
        gpu: GpuContext,
        scene: Scene,
        canvas: CanvasSize,
        resting: Rectangle,
        surround: GPUTexture,
        *,
        scene_bindings: Bindings,
        generated: Mapping[str, str],
    ) -> None:
        self._gpu = gpu
        self._canvas = canvas
        self._resting = resting
        self._radius_px = clamped_radius(scene.display.rounding_px * canvas.unit_px, resting)
        most_amount = max((segment.amount for segment in scene.zoom), default=1.0)
        self._masks = MaskLayer(gpu, scene.mask, canvas, resting)
        self._cursor = CursorLayer(gpu, scene.cursor, canvas, most_amount) if scene.cursor else None
        self._camera = CameraLayer(gpu, scene.camera, canvas) if scene.camera else None
        self._captions = CaptionLayer(gpu, scene.caption, canvas)
        self._looks: dict[str, LayerState] = {}
        self.drawn_pixels = 0
        """Pixels drawn so far; those of overlapping rectangles count once for each."""
        self._uniforms = gpu.buffer(LAYERS_DTYPE.itemsize, "STORAGE|COPY_DST", "layers")
        self._make_passes(surround, scene_bindings, generated)

    def _make_passes(self, surround: GPUTexture, scene_bindings: Bindings, generated: Mapping[str, str]) -> None:
        gpu, masks = self._gpu, self._masks
        means, blurred = masks.means.create_view(), masks.blurred.create_view()
        none = texture_of(gpu, None, "no layer").create_view()
        camera = [texture.create_view() for texture in self._camera.textures] if self._camera else [none] * 4
        cursor = self._cursor.texture.create_view() if self._cursor else none
        captions = self._captions.texture.create_view()
        target = surround.create_view()
        layers: list[Resource] = [target, self._uniforms, means, blurred, cursor, *camera, captions]
        behind = {number: scene_bindings[number] for number in (0, 3, 5, 7)}
        source = shader_source("draw_layers", generated)
        self._pass = ComputePass(gpu, source, "draw_layers", [behind, dict(enumerate(layers))])
        self._cell_passes: dict[str, ComputePass] = {}
        if not masks.has_grids:
            return
        recording = {number: scene_bindings[number] for number in (1, 2, 3, 6)}
        source = shader_source("average_cells", generated)
        groups: dict[str, list[Bindings]] = {
            "average_cells": [recording, {0: means, 1: self._uniforms}],
            "blur_cells": [{}, {0: blurred, 1: self._uniforms, 2: means}],
        }
        self._cell_passes = {name: ComputePass(gpu, source, name, bound) for name, bound in groups.items()}

    def record(
        self,
        encoder: GPUCommandEncoder,
        time_s: float,
        zoom: Magnification,
        moments: Sequence[Moment],
        *,
        is_wiped: bool,
    ) -> None:
        """Record the upload of a new camera picture, and the passes that draw what changed since the last frame.

        `zoom` is that of the frame's own time, `moments` are those that it is the mean of.
        `is_wiped` says that the background was drawn over everything.
        """
        exposure = tuple(self._view(moment.cursor_s, moment.zoom) for moment in moments) if len(moments) > 1 else ()
        view = replace(self._view(time_s, zoom), exposure=exposure)
        if self._camera:
            self._camera.record(encoder, time_s)
        block = np.zeros(1, LAYERS_DTYPE)
        block["display_px"] = view.display.edges
        block["display_radius_px"] = self._radius_px * zoom.amount
        looks: dict[str, LayerState] = {}
        for layer in (self._masks, self._cursor, self._camera, self._captions):
            if layer:
                looks |= layer.place(block, view)
        stale = dirty_rectangles({} if is_wiped else self._looks, looks, self._canvas)
        self._looks = looks
        if stale:
            block["stale_px"][0, : len(stale)] = stale
            self._gpu.device.queue.write_buffer(self._uniforms, 0, block)
            self._draw(encoder, stale)

    def _view(self, time_s: float, zoom: Magnification) -> FrameView:
        return FrameView(time_s, self._resting.magnified(zoom), zoom.amount)

    def _draw(self, encoder: GPUCommandEncoder, stale: list[Pixels]) -> None:
        for entry_point, cells in self._masks.dispatches():
            self._cell_passes[entry_point].record(encoder, *cells)
        widths, heights = [right - left for left, _, right, _ in stale], [bottom - top for _, top, _, bottom in stale]
        self._pass.record(encoder, max(widths), max(heights), len(stale))
        self.drawn_pixels += sum(width * height for width, height in zip(widths, heights, strict=True))

    def submitted(self) -> None:
        """Say that what `record` recorded was submitted."""
        if self._camera:
            self._camera.submitted()

    def close(self) -> None:
        """Close the camera's file."""
        if self._camera:
            self._camera.close()
