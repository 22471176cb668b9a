"""Composition of a scene: background, shadow, border and the recording with rounded corners, in float64.

All blending is of gamma-encoded R'G'B', as the scene format defines it. What lies over the recording is in
`overlay_layers`;
`hidden_by_layers` says where it may be: marks of the recording cannot be read there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.scene import Scene
from capbench.quality.oracle.placement import REFERENCE_LINES, Placement
from capbench.quality.oracle.scene_timing import CLICK_S, cursor_place, presence_at

__all__ = ["compose", "hidden_by_layers", "plain_ground"]

Field = NDArray[np.float64]

_CAPTION_LINE = 1.6
"""Height of a caption's line with its share of the plate, in font sizes."""


def compose(
    scene: Scene, recording: Field, placement: Placement, canvas: tuple[int, int], ground: Field | None = None
) -> Field:
    """R'G'B' of 0..1 of the canvas, shape (height, width, 3).

    `recording` is the recording sampled at every canvas pixel, same shape; outside `placement` it does not count.
    `ground` is the background, same shape; None for the `plain_ground` of the scene.
    """
    width, height = canvas
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    unit = height / REFERENCE_LINES * placement.amount
    resting_size = (placement.width / placement.amount, placement.height / placement.amount)
    radius = min(scene.display.rounding_px * height / REFERENCE_LINES, *(side / 2 for side in resting_size))
    radius *= placement.amount
    colour = plain_ground(scene, canvas) if ground is None else ground
    shadow, border = scene.display.shadow, scene.display.border
    if shadow is not None:
        shifted = _distance(x - shadow.offset_px[0] * unit, y - shadow.offset_px[1] * unit, placement, radius)
        t = ((shifted + shadow.blur_px * unit) / (2 * shadow.blur_px * unit)).clip(0, 1)
        colour = colour * (1 - shadow.opacity * (1 - t * t * (3 - 2 * t)))[..., None]
    distance = _distance(x, y, placement, radius)
    if border is not None:
        opacity = border.opacity * (0.5 - (distance - border.width_px * unit)).clip(0, 1)[..., None]
        colour = colour * (1 - opacity) + np.array(_rgb(border.colour)) * opacity
    coverage = (0.5 - distance).clip(0, 1)[..., None]
    composed: Field = colour * (1 - coverage) + recording * coverage
    return composed


def plain_ground(scene: Scene, canvas: tuple[int, int]) -> Field:
    """R'G'B' of the background's colour or gradient, shape (height, width, 3).

    A gradient runs along a line through the middle whose ends are level with the corners (CSS Images 3, 3.1).
    """
    x, y = np.meshgrid(np.arange(canvas[0]) + 0.5, np.arange(canvas[1]) + 0.5)
    start, end = scene.background.gradient or (scene.background.colour, scene.background.colour)
    angle = math.radians(scene.background.angle_degrees)
    across, down = math.sin(angle), -math.cos(angle)
    length = abs(canvas[0] * across) + abs(canvas[1] * down)
    t = (((x - canvas[0] / 2) * across + (y - canvas[1] / 2) * down) / length + 0.5).clip(0, 1)[..., None]
    ground: Field = np.array(_rgb(start)) * (1 - t) + np.array(_rgb(end)) * t
    return ground


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(byte / 255 for byte in bytes.fromhex(colour.removeprefix("#")))


def _distance(x: Field, y: Field, placement: Placement, radius: float) -> Field:
    """Signed distance in pixels from the rounded rectangle, negative inside.

    Outside the corners' squares the nearest edge is straight; inside them it is a quarter circle.
    """
    beyond_x = np.maximum(placement.left - x, x - placement.right)
    beyond_y = np.maximum(placement.top - y, y - placement.bottom)
    corner = np.hypot(np.maximum(beyond_x + radius, 0), np.maximum(beyond_y + radius, 0)) - radius
    straight = np.maximum(beyond_x, beyond_y)
    return np.where((beyond_x > -radius) & (beyond_y > -radius), corner, straight)


def hidden_by_layers(scene: Scene, placement: Placement, canvas: tuple[int, int], time_s: float) -> NDArray[np.bool_]:
    """Pixels that a layer which `compose` does not draw may touch, shape (height, width); generous by some pixels."""
    width, height = canvas
    hidden = np.zeros((height, width), bool)
    unit = height / REFERENCE_LINES

    def hide(left: float, top: float, right: float, bottom: float) -> None:
        rows = slice(max(0, math.floor(top) - 2), max(0, math.ceil(bottom) + 2))
        hidden[rows, max(0, math.floor(left) - 2) : max(0, math.ceil(right) + 2)] = True

    if scene.background.image is not None:
        hidden[:] = True
        hidden[
            math.ceil(placement.top) + 1 : math.floor(placement.bottom) - 1,
            math.ceil(placement.left) + 1 : math.floor(placement.right) - 1,
        ] = False
    if scene.cursor is not None:
        reach = 1.2 * scene.cursor.size_px * unit * placement.amount
        places = [cursor_place(scene.cursor, time_s)]
        places += [cursor_place(scene.cursor, at) for at in scene.cursor.clicks_s if 0 <= time_s - at < CLICK_S]
        for place in places:
            px, py = placement.point(*place)
            hide(px - reach, py - reach, px + reach, py + reach)
    for mask in scene.mask:
        if presence_at(mask, time_s) > 0:
            left, top, part_width, part_height = (0, 0, 1, 1) if mask.kind == "highlight" else mask.rectangle
            hide(*placement.point(left, top), *placement.point(left + part_width, top + part_height))
    for caption in scene.caption:
        if presence_at(caption, time_s) > 0:
            lines = 1 + caption.text.count("\n") + len(caption.text) // 40
            half = caption.size_px * unit * _CAPTION_LINE * (lines + 1) / 2
            middle = min(max(caption.position[1] * height, half), height - half)  # the plate is kept inside
            hide(0, middle - half, width, middle + half)
    if scene.camera is not None:
        _hide_camera(hidden, scene, canvas)
    return hidden


def _hide_camera(hidden: NDArray[np.bool_], scene: Scene, canvas: tuple[int, int]) -> None:
    camera = scene.camera
    assert camera is not None
    width, height = canvas
    unit = height / REFERENCE_LINES
    size = camera.size * min(width, height)
    reach = size * (max(1.0, camera.aspect) if camera.aspect is not None else 3.0)
    if camera.shadow is not None:
        reach += 2 * (camera.shadow.blur_px + max(map(abs, camera.shadow.offset_px))) * unit
    reach += camera.margin_px * unit
    if isinstance(camera.position, str):
        rows = (
            slice(0, math.ceil(reach)) if camera.position.startswith("top") else slice(height - math.ceil(reach), None)
        )
        columns = (
            slice(0, math.ceil(reach)) if camera.position.endswith("left") else slice(width - math.ceil(reach), None)
        )
    else:
        x, y = camera.position[0] * width, camera.position[1] * height
        rows = slice(max(0, int(y - reach)), int(y + reach) + 1)
        columns = slice(max(0, int(x - reach)), int(x + reach) + 1)
    hidden[rows, columns] = True
