"""Layers over the recording: masks, cursor, camera and captions, in float64, drawn one after the other.

All blending is of gamma-encoded R'G'B'. Pictures are canvases of shape (height, width, 3) in 0..1. Images of cursor,
camera and captions are given: how a polygon or a letter is rastered is not what an oracle can know.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.scene import Camera, Caption, Mask, Scene
from capbench.quality.oracle.placement import REFERENCE_LINES, Placement
from capbench.quality.oracle.scene_timing import CLICK_S, cursor_place, presence_at
from capbench.quality.oracle.shutter import ExposedMoment

__all__ = [
    "Part",
    "camera_edges",
    "caption_corner",
    "draw_camera",
    "draw_caption",
    "draw_cursor",
    "draw_masks",
    "recording_coverage",
    "rounded_coverage",
    "stretched",
]

Field = NDArray[np.float64]
Recording = Callable[[Field, Field], Field]
"""R'G'B' of the recording at rest, at canvas columns and rows: shape (rows, columns, 3)."""

_DIP_S, _DIP = 0.12, 0.18
_FINE = 4
"""Samples along a canvas pixel for the mean of a mask's square."""
_FAR = 5
"""Standard deviations after which a Gaussian counts as 0: a share of 6e-7 is left out."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a canvas that is drawn by itself, because nothing changes outside it."""

    left: int
    """Its first column."""
    top: int
    """Its first row."""
    canvas: tuple[int, int]
    """Width and height of the whole canvas."""


def rounded_coverage(canvas: tuple[int, int], edges: tuple[float, float, float, float], radius: float) -> Field:
    """Share of each pixel inside a rectangle with round corners: half a pixel either side of the edge, linear."""
    return _coverage(_positions((canvas[1], canvas[0])), edges, radius)


def recording_coverage(scene: Scene, placement: Placement, canvas: tuple[int, int]) -> Field:
    """Share of each pixel that the recording covers."""
    return _inside(scene, placement, _positions((canvas[1], canvas[0])), canvas[1])


def camera_edges(camera: Camera, canvas: tuple[int, int], own_aspect: float) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the camera on a canvas; `own_aspect` is its picture's, width over height."""
    height = camera.size * min(canvas)
    width = height * (own_aspect if camera.aspect is None else camera.aspect)
    margin = camera.margin_px * canvas[1] / REFERENCE_LINES
    if isinstance(camera.position, str):
        vertical, horizontal = camera.position.split("-")
        left = margin if horizontal == "left" else canvas[0] - margin - width
        top = margin if vertical == "top" else canvas[1] - margin - height
    else:
        left, top = camera.position[0] * canvas[0] - width / 2, camera.position[1] * canvas[1] - height / 2
    return left, top, left + width, top + height


def stretched(texels: Field, edges: tuple[float, float, float, float], shape: tuple[int, int], part: Part) -> Field:
    """Texels (rows, columns, channels) over a rectangle, read bilinearly at each pixel; its border counts on.

    The result has the `shape` (rows, columns) of a part of the canvas.
    """
    x, y = np.arange(shape[1]) + 0.5 + part.left, np.arange(shape[0]) + 0.5 + part.top
    columns = (x - edges[0]) / (edges[2] - edges[0]) * texels.shape[1] - 0.5
    rows = (y - edges[1]) / (edges[3] - edges[1]) * texels.shape[0] - 0.5
    across = _weights(columns.clip(0, texels.shape[1] - 1), texels.shape[1])
    down = _weights(rows.clip(0, texels.shape[0] - 1), texels.shape[0])
    drawn: Field = np.einsum("yr,rck,xc->yxk", down, texels, across, optimize=True)
    return drawn


def draw_masks(  # noqa: PLR0917  a picture, what is drawn, and where and when
    picture: Field,
    scene: Scene,
    recording: Recording,
    placements: tuple[Placement, *tuple[Placement, ...]],
    time_s: float,
    part: Part | None = None,
) -> Field:
    """The picture with its masks.

    `placements` are the recording's at rest, and in each moment of the exposure of the frame at `time_s`: one where
    nothing moves. A mask that hides is the mean of its colours and covers as much as in the moment in which it covers
    most; the darkness around highlights is its mean.
    Here and below, `part` says which part of the canvas the picture is; None for the whole.
    """
    resting, *moments = placements
    lines = _lines(picture, part)
    positions = _positions(picture.shape, part)
    inside = [_inside(scene, moment, positions, lines) for moment in moments]
    shown = [mask for mask in scene.mask if presence_at(mask, time_s) > 0]
    covered = {mask: [_mask_coverage(mask, moment, positions, lines) for moment in moments] for mask in shown}
    for mask in shown:
        if mask.kind == "highlight":
            continue
        shares = [within * coverage for within, coverage in zip(inside, covered[mask], strict=True)]
        hidden_at = _hidden(mask, recording, resting, mask.strength_px * lines / REFERENCE_LINES)
        colours = [
            hidden_at(_fractions(moment, positions)) * share[..., None]
            for moment, share in zip(moments, shares, strict=True)
        ]
        hidden = np.sum(colours, axis=0) / np.maximum(np.sum(shares, axis=0), 1e-9)[..., None]
        picture = _over(picture, hidden, np.max(shares, axis=0) * presence_at(mask, time_s))
    highlights = [mask for mask in shown if mask.kind == "highlight"]
    if highlights:
        dark = [
            within * np.prod([1 - covered[mask][number] for mask in highlights], axis=0)
            for number, within in enumerate(inside)
        ]
        darkness = max(mask.darkness * presence_at(mask, time_s) for mask in highlights)
        picture = _over(picture, np.zeros(3), darkness * np.mean(dark, axis=0))
    return picture


def draw_cursor(  # noqa: PLR0917  as above
    picture: Field,
    scene: Scene,
    texels: Field,
    moments: Sequence[ExposedMoment],
    time_s: float,
    part: Part | None = None,
) -> Field:
    """The picture with rings of clicks and the cursor, both clipped to the recording.

    Each of them is its mean over the moments of the exposure of the frame at `time_s`, colour multiplied by alpha.
    `texels`, shape (rows, columns, 4), are the cursor's image with one transparent texel all around, colour multiplied
    by alpha.
    """
    cursor = scene.cursor
    assert cursor is not None, "the scene has no cursor to draw"
    lines = _lines(picture, part)
    x, y = _positions(picture.shape, part)
    inside = [_inside(scene, moment.placement, (x, y), lines) for moment in moments]
    resting_size = cursor.size_px * lines / REFERENCE_LINES
    colour = np.array(tuple(bytes.fromhex(cursor.click_colour[1:]))) / 255
    for click_s in cursor.clicks_s:
        age = (time_s - click_s) / CLICK_S
        if 0 <= age < 1:
            rings = []
            place = cursor_place(cursor, click_s)
            for moment, within in zip(moments, inside, strict=True):
                size = resting_size * moment.placement.amount
                centre_x, centre_y = moment.placement.point(*place)
                radius = size * (0.2 + 0.8 * age * (2 - age))
                from_line = np.abs(np.hypot(x - centre_x, y - centre_y) - radius) - 0.045 * size
                rings.append((0.5 - from_line).clip(0, 1) * within)
            picture = _over(picture, colour, np.mean(rings, axis=0) * cursor.click_opacity * (1 - age))
    nearest_s = min((abs(time_s - click_s) for click_s in cursor.clicks_s), default=math.inf)
    dipped = resting_size * (1 - _DIP * max(0.0, 1 - nearest_s / _DIP_S))
    drawn = []
    for moment, within in zip(moments, inside, strict=True):
        texel = dipped * moment.placement.amount / (texels.shape[0] - 2)
        assert moment.cursor is not None, "a moment of a scene with a cursor"
        tip_x, tip_y = moment.placement.point(*moment.cursor)
        left = tip_x - texel * (1 + cursor.hotspot[0] * (texels.shape[1] - 2))
        top = tip_y - texel * (1 + cursor.hotspot[1] * (texels.shape[0] - 2))
        columns, rows = (x[0] - left) / texel - 0.5, (y[:, 0] - top) / texel - 0.5
        drawn.append(_interpolated(texels, columns, rows) * within[..., None])
    sampled = np.mean(drawn, axis=0)
    covered: Field = sampled[..., :3] + picture * (1 - sampled[..., 3:])
    return covered


def draw_camera(
    picture: Field,
    camera: Camera,
    content: Field,
    edges: tuple[float, float, float, float],
    part: Part | None = None,
) -> Field:
    """The picture with the camera in a rectangle. `content`, of its shape, holds the camera's picture there."""
    unit = _lines(picture, part) / REFERENCE_LINES
    x, y = _positions(picture.shape, part)
    left, top, right, bottom = edges
    radius = min(camera.rounding_px * unit, (right - left) / 2, (bottom - top) / 2)
    if camera.shadow is not None:
        offset_x, offset_y = (offset * unit for offset in camera.shadow.offset_px)
        distance = _rounded_distance((x - offset_x, y - offset_y), edges, radius)
        t = ((distance / (camera.shadow.blur_px * unit) + 1) / 2).clip(0, 1)
        picture = _over(picture, np.zeros(3), camera.shadow.opacity * (1 - t**2 * (3 - 2 * t)))
    return _over(picture, content, _coverage((x, y), edges, radius))


def caption_corner(caption: Caption, size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    """Column and row of the first pixel of a caption's plate that is so wide and high.

    Its middle lies at the caption's position, to whole pixels, and the plate is kept inside the canvas.
    """
    across, down = (
        min(max(round(fraction * length - side / 2), 0), length - side)
        for fraction, length, side in zip(caption.position, canvas, size, strict=True)
    )
    return across, down


def draw_caption(picture: Field, texels: Field, corner: tuple[int, int], presence: float) -> Field:
    """The picture with a caption's texels, colour multiplied by alpha, from a pixel on: x and y."""
    drawn = picture.copy()
    rows, columns = texels.shape[:2]
    part = drawn[corner[1] : corner[1] + rows, corner[0] : corner[0] + columns]
    part[:] = presence * texels[..., :3] + part * (1 - presence * texels[..., 3:])
    return drawn


def _over(picture: Field, colour: Field, alpha: Field) -> Field:
    return picture + (colour - picture) * alpha[..., None]


def _lines(picture: Field, part: Part | None) -> int:
    return picture.shape[0] if part is None else part.canvas[1]


def _positions(shape: tuple[int, ...], part: Part | None = None) -> tuple[Field, Field]:
    """Canvas positions of the pixels of a picture of that shape: columns and rows."""
    left, top = (0, 0) if part is None else (part.left, part.top)
    x, y = np.meshgrid(np.arange(shape[1]) + 0.5 + left, np.arange(shape[0]) + 0.5 + top)
    return x, y


def _coverage(positions: tuple[Field, Field], edges: tuple[float, float, float, float], radius: float) -> Field:
    return (0.5 - _rounded_distance(positions, edges, radius)).clip(0, 1)


def _inside(scene: Scene, placement: Placement, positions: tuple[Field, Field], lines: int) -> Field:
    unit = lines / REFERENCE_LINES * placement.amount
    radius = min(scene.display.rounding_px * unit, placement.width / 2, placement.height / 2)
    return _coverage(positions, _edges(placement), radius)


def _edges(placement: Placement) -> tuple[float, float, float, float]:
    return placement.left, placement.top, placement.right, placement.bottom


def _fractions(placement: Placement, positions: tuple[Field, Field]) -> tuple[Field, Field]:
    """Fractions of the recording at columns, and at rows."""
    x, y = positions
    return (x[0] - placement.left) / placement.width, (y[:, 0] - placement.top) / placement.height


def _rounded_distance(positions: tuple[Field, Field], edges: tuple[float, float, float, float], radius: float) -> Field:
    """Distance from the rectangle shrunk by the radius, less the radius; inside, from the nearest edge."""
    x, y = positions
    left, top, right, bottom = edges
    beyond_x = np.maximum(left + radius - x, x - right + radius)
    beyond_y = np.maximum(top + radius - y, y - bottom + radius)
    outside = np.hypot(beyond_x.clip(0), beyond_y.clip(0))
    return np.where((beyond_x > 0) | (beyond_y > 0), outside, np.maximum(beyond_x, beyond_y)) - radius


def _mask_coverage(mask: Mask, placement: Placement, positions: tuple[Field, Field], lines: int) -> Field:
    left, top, width, height = mask.rectangle
    edges = (*placement.point(left, top), *placement.point(left + width, top + height))
    radius = mask.rounding_px * lines / REFERENCE_LINES * placement.amount
    return _coverage(positions, edges, min(radius, (edges[2] - edges[0]) / 2, (edges[3] - edges[1]) / 2))


def _hidden(
    mask: Mask, recording: Recording, resting: Placement, strength_px: float
) -> Callable[[tuple[Field, Field]], Field]:
    """What a mask shows instead of the recording, at the fractions of the canvas's columns and rows."""
    left, top, width, height = mask.rectangle
    edges = (*resting.point(left, top), *resting.point(left + width, top + height))
    shown = (_squares if mask.kind == "pixelate" else _gaussian)(recording, edges, strength_px)
    # Positions at rest: a zoom magnifies what the mask made of the resting recording.
    return lambda fractions: shown(
        resting.left + fractions[0] * resting.width, resting.top + fractions[1] * resting.height
    )


def _squares(
    recording: Recording, edges: tuple[float, float, float, float], side_px: float
) -> Callable[[Field, Field], Field]:
    """The mean of each square, counted from the mask's corner, at columns and rows inside a mask."""
    left, top, right, bottom = edges
    columns, rows = math.ceil((right - left) / side_px - 1e-6), math.ceil((bottom - top) / side_px - 1e-6)
    count = _FINE * math.ceil(side_px)
    places = (np.arange(count) + 0.5) / count
    fine_x = left + (np.arange(columns)[:, None] + places).ravel() * side_px
    fine_y = top + (np.arange(rows)[:, None] + places).ravel() * side_px
    means = recording(fine_x, fine_y).reshape(rows, count, columns, count, 3).mean(axis=(1, 3))

    def shown(x: Field, y: Field) -> Field:
        column = np.floor((x - left) / side_px).clip(0, columns - 1).astype(np.intp)
        row = np.floor((y - top) / side_px).clip(0, rows - 1).astype(np.intp)
        squares: Field = means[row][:, column]
        return squares

    return shown


def _gaussian(
    recording: Recording, edges: tuple[float, float, float, float], sigma_px: float
) -> Callable[[Field, Field], Field]:
    """A Gaussian of the recording at columns and rows inside a mask, summed over steps of half a pixel."""
    left, top, right, bottom = edges
    far = _FAR * sigma_px
    fine_x, fine_y = np.arange(left - far, right + far, 0.5), np.arange(top - far, bottom + far, 0.5)
    samples = recording(fine_x, fine_y)

    def shown(x: Field, y: Field) -> Field:
        across, down = _gaussian_weights(x, fine_x, sigma_px), _gaussian_weights(y, fine_y, sigma_px)
        blurred: Field = np.einsum("yr,rck,xc->yxk", down, samples, across, optimize=True)
        return blurred

    return shown


def _gaussian_weights(places: Field, samples: Field, sigma_px: float) -> Field:
    weights = np.exp(-0.5 * ((places[:, None] - samples) / sigma_px) ** 2)
    # Places far outside the mask have no weight and are not drawn.
    normalised: Field = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    return normalised


def _interpolated(texels: Field, columns: Field, rows: Field) -> Field:
    """Texels read bilinearly at whole-numbered centres; nothing beyond the border."""
    padded = np.pad(texels, ((1, 1), (1, 1), (0, 0)))
    across = _weights(columns + 1, padded.shape[1])
    down = _weights(rows + 1, padded.shape[0])
    sampled: Field = np.einsum("yr,xc,rck->yxk", down, across, padded, optimize=True)
    return sampled


def _weights(places: Field, count: int) -> Field:
    """Each place's share of every texel: a tent of half width 1."""
    return (1 - np.abs(places[:, None] - np.arange(count))).clip(0)
