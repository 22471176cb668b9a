"""The rectangle with round corners in which a camera's picture can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from capbench.quality.effects.framing.resting_picture import rounded_distance
from capbench.quality.effects.overlays.camera_place import CameraPlace
from capbench.quality.effects.overlays.camera_source import CameraSource
from capbench.recordings.layout import LayoutRectangle

__all__ = ["CameraOutline", "CameraShape", "fit_outline"]

Field = NDArray[np.float64]
CameraShape = Literal["circle", "rounded", "square"]

_DIFFERS_CODES: Final = 10.0
"""Difference from which a pixel is rather not the camera's: coding noise of means is 2, edges are counted apart."""
_CHROMA_WEIGHT: Final = 1.5
"""Of a code of Cb or Cr against one of luma: chroma has less noise, and less of everything."""
_BLEEDS_PX: Final = 5
"""Pixels over which chroma of 4:2:0 and its coding blur an outline, two each way: there luma decides alone."""
_EDGE_PX: Final = 0.6
"""How far off an edge within the camera's picture may be drawn, in pixels."""
_STEPS_PX: Final = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
_MOST_ROUNDS: Final = 12
"""Of a step size: a side moves by so many steps at most."""
_ROUND: Final = 0.9
"""Radius as a share of half the shorter side from which it is a circle; of a rounded square it is seldom half."""
_SQUARE: Final = 0.06
"""Radius below which it is a square: three pixels of an inset 100 high, what compression leaves of a corner."""


@dataclass(frozen=True, slots=True)
class CameraOutline:
    """What can be seen of a camera, in pixels of the picture that was searched."""

    left: float
    """Left edge."""
    top: float
    """Top edge."""
    right: float
    """Right edge."""
    bottom: float
    """Bottom edge."""
    radius: float
    """Radius of its corners."""

    @property
    def shape(self) -> CameraShape:
        """A circle, a rectangle with round corners, or one with square ones."""
        share = self.radius / max(1e-9, min(self.right - self.left, self.bottom - self.top) / 2)
        is_even = abs((self.right - self.left) / max(1e-9, self.bottom - self.top) - 1) < 0.08
        if share >= _ROUND and is_even:
            return "circle"
        return "square" if share < _SQUARE else "rounded"


def fit_outline(picture: Field, camera: CameraSource, place: CameraPlace) -> CameraOutline:
    """The outline that best divides what is the camera's from what is not.

    `picture` is a mean picture, shape (height, width, 3), its chroma as large as its luma.
    """
    height, width = picture.shape[:2]
    half = np.array([place.height * camera.aspect, place.height]) / 2
    middle = np.array(place.middle)
    low = np.maximum(0, np.floor(middle - half - 2)).astype(int)
    high = np.minimum([width, height], np.ceil(middle + half + 2)).astype(int)
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    across, down = place.fractions(x, y, camera.aspect)
    rows, columns = camera.mean.shape
    sigma = max(0.0, 0.5 * rows / place.height - 0.4)
    grid = [down * rows - 0.5, across * columns - 0.5]
    expected = (
        place.gain * ndimage.map_coordinates(ndimage.gaussian_filter(camera.mean, sigma), grid, order=1, mode="nearest")
        + place.offset_codes
    )
    spread = ndimage.map_coordinates(camera.spread, grid, order=1, mode="nearest")
    slope = ndimage.maximum_filter(np.hypot(*np.gradient(expected)), 3)
    part = picture[low[1] : high[1], low[0] : high[0]]
    in_disc = np.hypot(x - middle[0], y - middle[1]) < 0.45 * place.height
    differences = [part[..., 0] - expected]
    for channel in range(2):
        tint = part[..., 1 + channel] - ndimage.map_coordinates(
            camera.chroma[..., channel], grid, order=1, mode="nearest"
        )
        off = _CHROMA_WEIGHT * np.abs(tint - float(np.median(tint[in_disc])))
        differences.append(ndimage.minimum_filter(off, _BLEEDS_PX))
    difference = np.sqrt(np.sum(np.square(differences), axis=0))
    relative = difference / (1 + _EDGE_PX * slope / _DIFFERS_CODES)
    is_beyond = (across < 0) | (across > 1) | (down < 0) | (down > 1)
    # Above 0 where it is rather the camera; nothing is known where it counts or moves.
    evidence = np.where(spread > 2 * _DIFFERS_CODES, 0.0, 1 - np.minimum(relative / _DIFFERS_CODES, 2.0))
    evidence = np.where(is_beyond, -1.0, evidence)

    def score(outline: Field) -> float:
        return float((evidence * _coverage(x, y, outline)).sum())

    radius = 0.48 * place.height
    disc = np.array([*(middle - radius), *(middle + radius), radius])
    starts = [disc, np.array([*(middle - radius), *(middle + radius), 0.1 * radius])]
    starts.append(np.array([*np.maximum(middle - half, 0), *np.minimum(middle + half, [width, height]), 0.0]))
    best = max(starts, key=score)
    return CameraOutline(*(float(value) for value in _climbed(best, score)))


def _climbed(outline: Field, score: Callable[[Field], float]) -> Field:
    """One side after the other, and the radius, in ever smaller steps."""
    best = score(outline)
    for step in _STEPS_PX:
        for _ in range(_MOST_ROUNDS):
            moved = False
            for move in _moves(step):
                tried = outline + move
                side = min(tried[2] - tried[0], tried[3] - tried[1])
                if side < 4:
                    continue
                tried[4] = min(max(tried[4], 0.0), side / 2)
                found = score(tried)
                if found > best + 1e-6:
                    outline, best, moved = tried, found, True
            if not moved:
                break
    return outline


def _moves(step: float) -> list[Field]:
    """Each side alone, the radius alone, and all sides together with the radius, as a circle grows."""
    moves = [sign * step * np.eye(5)[number] for number in range(5) for sign in (1, -1)]
    growing = np.array([-1.0, -1.0, 1.0, 1.0, 1.0])
    moves += [sign * step * growing for sign in (1, -1)]
    moves += [sign * step * np.array(shift) for shift in ((1.0, 0, 1, 0, 0), (0.0, 1, 0, 1, 0)) for sign in (1, -1)]
    return moves


def _coverage(x: Field, y: Field, outline: Field) -> Field:
    left, top, right, bottom, radius = outline
    edges = LayoutRectangle(left, top, right - left, bottom - top)
    covered: Field = (0.5 - rounded_distance(x, y, edges, radius)).clip(0, 1)
    return covered
