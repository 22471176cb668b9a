"""The cursor: its picture, where it is, and its clicks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from capbench.errors import SceneError
from capbench.pipeline.compositor.geometry import CanvasSize, Rectangle, common_bounds
from capbench.pipeline.compositor.layer_buffer import MAX_CLICKS, FrameView, LayerState
from capbench.pipeline.compositor.layers.cursor_path import cursor_position
from capbench.pipeline.compositor.layers.image_textures import open_image, premultiplied, texture_of
from capbench.pipeline.compositor.scene_uniforms import rgb_of
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Cursor

__all__ = ["CLICK_S", "Click", "CursorLayer", "arrow", "clicks_at", "cursor_texels", "dip"]

CLICK_S = 0.5
"""How long a ring grows and fades."""
DIP_S = 0.12
"""How long before and after a click the cursor is smaller."""
DIP = 0.18
"""By how much it is smaller at the click itself."""

RING_HALF_WIDTH = 0.045
"""Half the width of a ring's line, in heights of the cursor."""

MAX_CURSOR_PX = 2048
"""Longest side of the cursor's texels: as high as a 4K screen, magnified on the GPU beyond that."""
MAX_CURSOR_ASPECT = 16
"""How many times longer than the other a side of a cursor's image may be: a wide badge, not a line of pixels."""

# The outline of an arrow whose tip is the origin, 16 units high, as drawn by hand on squared paper.
_ARROW = ((0, 0), (0, 14), (3.3, 11), (5.5, 16), (8.1, 14.9), (5.9, 10), (10.4, 10))
_ARROW_BOX = (11.6, 17.2)
_ARROW_TIP = (0.6, 0.6)
_OVERSAMPLING = 8
_LARGEST_DRAWING_PX = 4096
"""Height beyond which a large arrow is drawn with less oversampling: as RGBA it takes 45 MB."""


@dataclass(frozen=True, slots=True)
class Click:
    """A click whose ring can be seen."""

    position: tuple[float, float]
    """Fractions across and down the recording."""
    progress: float
    """0 at the click, 1 when the ring is gone."""


def arrow(height_px: int) -> Image.Image:
    """The built-in cursor: a black arrow with a white edge. Its tip is nearly the image's top left corner."""
    oversampling = min(_OVERSAMPLING, max(1, _LARGEST_DRAWING_PX // height_px))
    scale = height_px * oversampling / _ARROW_BOX[1]
    size = (round(_ARROW_BOX[0] * scale), round(_ARROW_BOX[1] * scale))
    outline = [((x + _ARROW_TIP[0]) * scale, (y + _ARROW_TIP[1]) * scale) for x, y in _ARROW]
    image = Image.new("RGBA", size, (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    draw.polygon(outline, fill=(16, 16, 20, 255))
    draw.line([*outline, outline[0], outline[1]], fill=(255, 255, 255, 255), width=round(1.1 * scale), joint="curve")
    width_px = max(1, round(height_px * _ARROW_BOX[0] / _ARROW_BOX[1]))
    return image.resize((width_px, height_px), Image.Resampling.BOX)


def cursor_texels(cursor: Cursor, height_px: int) -> NDArray[np.uint8]:
    """The cursor's image at a height, colour multiplied by alpha, with one transparent texel all around.

    Shape (height_px + 2, width + 2, 4), or smaller in both where it would be larger than `MAX_CURSOR_PX`. The border
    lets edges fade between pixels as the cursor moves. Raises `SceneError`.
    """
    if cursor.image is None:
        image = arrow(min(height_px, MAX_CURSOR_PX))
    else:
        whole = open_image(cursor.image)
        if max(whole.size) > MAX_CURSOR_ASPECT * min(whole.size):
            raise SceneError(
                f"cursor image {cursor.image} is {whole.width}x{whole.height}; one side may be at most "
                f"{MAX_CURSOR_ASPECT} times the other"
            )
        height_px = min(height_px, MAX_CURSOR_PX, MAX_CURSOR_PX * whole.height // whole.width)
        width_px = max(1, round(height_px * whole.width / whole.height))
        image = whole.resize((width_px, height_px), Image.Resampling.LANCZOS)
    return np.pad(premultiplied(image), ((1, 1), (1, 1), (0, 0)))


def clicks_at(cursor: Cursor, time_s: float) -> list[Click]:
    """The clicks whose rings can be seen, each where the cursor was when it clicked; the latest last."""
    seen = [
        Click(cursor_position(cursor, click_s), (time_s - click_s) / CLICK_S)
        for click_s in sorted(cursor.clicks_s)
        if 0 <= time_s - click_s < CLICK_S
    ]
    return seen[-MAX_CLICKS:]


def dip(cursor: Cursor, time_s: float) -> float:
    """Size of the cursor as a factor: 1, and less around a click."""
    nearest_s = min((abs(time_s - click_s) for click_s in cursor.clicks_s), default=DIP_S)
    return 1 - DIP * max(0.0, 1 - nearest_s / DIP_S)


def _ring_radius(click: Click) -> float:
    """In heights of the cursor: fast first, slow at the end."""
    return 0.2 + 0.8 * (1 - (1 - click.progress) ** 2)


class CursorLayer:
    """The cursor on the GPU. Its image is uploaded once, as large as the scene's strongest zoom shows it."""

    def __init__(self, gpu: GpuContext, cursor: Cursor, canvas: CanvasSize, most_amount: float) -> None:
        self._cursor = cursor
        self._height_px = cursor.size_px * canvas.unit_px
        texels = cursor_texels(cursor, max(1, math.ceil(self._height_px * most_amount)))
        self.texture = texture_of(gpu, texels, "cursor")
        """rgba8unorm, colour multiplied by alpha."""
        self._texels = texels.shape[1], texels.shape[0]

    def place(self, block: NDArray[np.void], view: FrameView) -> dict[str, LayerState]:
        """Write the frame's cursor and rings into a record of `LAYERS_DTYPE`."""
        cursor, height_px = self._cursor, self._height_px * view.amount
        smaller = dip(cursor, view.time_s)
        boxes = [self._box(moment, self._height_px * moment.amount * smaller) for moment in view.moments]
        bounds = common_bounds(boxes)
        block["cursor_px"] = bounds.edges
        block["exposed_cursor_px"][0, : len(boxes)] = [box.edges for box in boxes]
        looks = {"cursor": LayerState((view.displays, [box.edges for box in boxes]), bounds)}
        clicks = clicks_at(cursor, view.time_s)
        half_width_px = RING_HALF_WIDTH * height_px
        block["click_count"] = len(clicks)
        block["click_colour"] = (*rgb_of(cursor.click_colour), half_width_px)
        for number, click in enumerate(clicks):
            x, y = view.display.point(*click.position)
            radius_px = height_px * _ring_radius(click)
            ring = (x, y, radius_px, cursor.click_opacity * (1 - click.progress))
            block["clicks"][0, number] = ring
            looks[f"click {number}"] = LayerState(
                (ring, view.displays), common_bounds([self._ring_bounds(moment, click) for moment in view.moments])
            )
        return looks

    def _ring_bounds(self, view: FrameView, click: Click) -> Rectangle:
        x, y = view.display.point(*click.position)
        reach_px = self._height_px * view.amount * (_ring_radius(click) + RING_HALF_WIDTH) + 1
        return Rectangle(x, y, x, y).grown(reach_px)

    def _box(self, view: FrameView, height_px: float) -> Rectangle:
        """Edges of the whole texture on the canvas, its transparent border included."""
        columns, rows = self._texels
        texel_px = height_px / (rows - 2)
        x, y = view.display.point(*cursor_position(self._cursor, view.time_s))
        hotspot_x, hotspot_y = self._cursor.hotspot
        left = x - (1 + hotspot_x * (columns - 2)) * texel_px
        top = y - (1 + hotspot_y * (rows - 2)) * texel_px
        return Rectangle(left, top, left + columns * texel_px, top + rows * texel_px)
