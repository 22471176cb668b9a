"""Finds a camera's picture in an output, whatever is cut off it: by correlation at all sizes, then by least squares.

Only the disc that the picture's height is the diameter of is compared: an inset that is cut to a square or a circle
shows it whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, signal

from capbench.quality.effects.overlays.camera_source import CameraSource

__all__ = ["CameraPlace", "disc_correlation", "find_camera"]

Field = NDArray[np.float64]

_COARSE_LINES: Final = 180
"""Height that the output is brought to for the search: an inset of a twelfth of it is 15 pixels high then."""
_SMALLEST: Final = 0.08
"""Height of the smallest camera picture that is looked for, as a share of the output's: 86 of 1080 lines."""
_LARGEST: Final = 1.2
"""Of the largest; more than the output's own height only shows where it is cut."""
_STEP: Final = 1.09
"""From one size to the next: half of it is 4%, one pixel at the edge of a disc of 46."""
_DISC: Final = 0.96
"""Diameter of what is compared as a share of the picture's height."""
_STARTS: Final = 6
"""Best places of the search that are registered."""
_GRID: Final = 56
"""Points along the disc's diameter that are compared in registration."""
_VARIES_CODES: Final = 12.0
"""Spread over time at which a pixel counts half: what moves is where it should be only in one frame."""
_LEAST_WEIGHT: Final = 0.05
_MIN_CORRELATION: Final = 0.8
"""Of mean pictures after registration, contrast and brightness left free."""


@dataclass(frozen=True, slots=True)
class CameraPlace:
    """Where a camera's whole picture would lie. Lengths are pixels of the picture that was searched."""

    middle: tuple[float, float]
    """Its middle, x and y."""
    height: float
    """How high the whole picture is, cut off parts included."""
    mirrored: bool
    """Whether left and right have changed places."""
    gain: float
    """Contrast against the recording's."""
    offset_codes: float
    """Brightness added to it, in luma codes."""
    correlation: float
    """Of the disc with the recording's, 1 at most."""

    def fractions(self, x: Field, y: Field, aspect: float) -> tuple[Field, Field]:
        """Fractions across and down the camera's picture at places of the picture that was searched."""
        across = (x - self.middle[0]) / (self.height * aspect)
        return (-across if self.mirrored else across) + 0.5, (y - self.middle[1]) / self.height + 0.5


def find_camera(picture: Field, camera: CameraSource) -> CameraPlace | None:
    """The camera in a mean luma picture of shape (height, width); None where it is not there."""
    height, width = picture.shape
    reduction = max(1.0, height / _COARSE_LINES)
    size = (max(8, round(width / reduction)), max(8, round(height / reduction)))
    coarse = np.asarray(Image.fromarray(picture.astype(np.float32)).resize(size, Image.Resampling.BOX), np.float64)
    starts = _search(coarse, camera)
    smooth = [ndimage.gaussian_filter(picture, sigma) for sigma in (2.5 * reduction / 2, 0.7)]
    best: CameraPlace | None = None
    for (x, y), side, mirrored in starts:
        parameters = np.array([side * reduction, x * reduction, y * reduction])
        place = _registered(smooth, camera, parameters, mirrored=mirrored)
        if place is not None and (best is None or place.correlation > best.correlation):
            best = place
    return best if best is not None and best.correlation >= _MIN_CORRELATION else None


def _search(coarse: Field, camera: CameraSource) -> list[tuple[tuple[float, float], float, bool]]:
    """Middle, height and whether mirrored, of the places that correlate best, at any size."""
    lines = coarse.shape[0]
    found: list[tuple[float, tuple[float, float], float, bool]] = []
    centred = coarse - coarse.mean()
    side = _SMALLEST * lines
    while side <= _LARGEST * lines:
        diameter = max(7, round(side * _DISC))
        if diameter > min(coarse.shape):
            break
        template, weight = _disc(camera, diameter)
        total = weight.sum()
        mean = _correlated(centred, weight) / total
        variance = np.maximum(_correlated(centred**2, weight) / total - mean**2, 4.0)  # 2 codes: flat is no match
        for mirrored in (False, True):
            shown, load = (template[:, ::-1], weight[:, ::-1]) if mirrored else (template, weight)
            level = (load * shown).sum() / total
            contrast = load * (shown - level)
            energy = (contrast * (shown - level)).sum() / total
            score = _correlated(centred, contrast) / total / np.sqrt(variance * max(energy, 1e-9))
            row, column = np.unravel_index(np.argmax(score), score.shape)
            middle = (float(column) + diameter / 2, float(row) + diameter / 2)
            found.append((float(score[row, column]), middle, diameter / _DISC, mirrored))
        side *= _STEP
    found.sort(key=lambda each: -each[0])
    return [(middle, side, mirrored) for _, middle, side, mirrored in found[:_STARTS]]


def _correlated(picture: Field, kernel: Field) -> Field:
    correlated: Field = signal.fftconvolve(picture, kernel[::-1, ::-1], mode="valid")
    return correlated


def _disc(camera: CameraSource, diameter: int) -> tuple[Field, Field]:
    """The middle of the camera's picture and the weight of each pixel, shape (diameter, diameter)."""
    rows, columns = camera.mean.shape
    side = rows * _DISC
    box = (columns / 2 - side / 2, rows / 2 - side / 2, columns / 2 + side / 2, rows / 2 + side / 2)
    if columns < side:
        box = (0, box[1], columns, box[3])
    mean, spread = (
        np.asarray(
            Image.fromarray(field.astype(np.float32)).resize((diameter, diameter), Image.Resampling.BOX, box=box),
            np.float64,
        )
        for field in (camera.mean, camera.spread)
    )
    across = (np.arange(diameter) + 0.5) / diameter * 2 - 1
    inside = across[None] ** 2 + across[:, None] ** 2 <= 1
    return mean, np.where(inside, np.maximum(_LEAST_WEIGHT, 1 / (1 + (spread / _VARIES_CODES) ** 2)), 0.0)


def _disc_points(camera: CameraSource, *, mirrored: bool) -> tuple[Field, Field, list[Field]]:
    """Points of the disc, in heights right of and below its middle, and their rows and columns in the camera's mean."""
    across = ((np.arange(_GRID) + 0.5) / _GRID - 0.5) * _DISC
    u, v = np.meshgrid(across, across)
    inside = np.hypot(u, v) <= _DISC / 2
    u, v = u[inside], v[inside]
    rows, columns = camera.mean.shape
    return u, v, [v * rows + rows / 2 - 0.5, (-u if mirrored else u) * rows + columns / 2 - 0.5]


def _registered(smooth: list[Field], camera: CameraSource, start: Field, *, mirrored: bool) -> CameraPlace | None:
    """Height, x and y of the middle by least squares, from coarse to fine; brightness and contrast are free."""
    u, v, in_camera = _disc_points(camera, mirrored=mirrored)
    rows = len(camera.mean)
    weight = np.maximum(
        _LEAST_WEIGHT, 1 / (1 + (ndimage.map_coordinates(camera.spread, in_camera, order=1) / _VARIES_CODES) ** 2)
    )
    parameters = start.astype(float)
    gain, offset, correlation = 1.0, 0.0, 0.0
    for number, picture in enumerate(smooth):
        # The camera's picture is as smooth as the output's: sigma in its own pixels.
        sigma = (2.5 / 2 if number == 0 else 0.5) * rows / max(start[0], 1.0) * (start[0] / 60 if number == 0 else 1)
        wanted = ndimage.map_coordinates(ndimage.gaussian_filter(camera.mean, sigma), in_camera, order=1)
        down, right = np.gradient(picture, axis=0), np.gradient(picture, axis=1)
        for _ in range(12):
            side, x, y = parameters
            places = [y + v * side - 0.5, x + u * side - 0.5]
            shown = ndimage.map_coordinates(picture, places, order=1, mode="nearest")
            slope_x = ndimage.map_coordinates(right, places, order=1, mode="nearest")
            slope_y = ndimage.map_coordinates(down, places, order=1, mode="nearest")
            # shown(p + dp) = gain * wanted + offset, linear in both.
            system = np.stack([slope_x * u + slope_y * v, slope_x, slope_y, -wanted, -np.ones_like(u)], axis=1)
            load = weight / (1 + (np.abs(shown - gain * wanted - offset) / 25) ** 2)
            normal = (system * load[:, None]).T @ system + np.diag([1e-3, 1e-3, 1e-3, 1e-6, 1e-6])
            solution = np.linalg.solve(normal, -(system * load[:, None]).T @ shown)
            gain, offset = float(solution[3]), float(solution[4])
            move = np.clip(solution[:3], -0.06 * side, 0.06 * side)
            parameters = parameters + move
            if np.abs(move).max() < 0.01:
                break
        if not (0.5 * start[0] < parameters[0] < 2 * start[0]):
            return None
        correlation = _weighted_correlation(shown, wanted, weight)
    return CameraPlace(
        (float(parameters[1]), float(parameters[2])), float(parameters[0]), mirrored, gain, offset, correlation
    )


def _weighted_correlation(one: Field, other: Field, weight: Field) -> float:
    total = weight.sum()
    first, second = one - (weight * one).sum() / total, other - (weight * other).sum() / total
    norm = np.sqrt((weight * first**2).sum() * (weight * second**2).sum())
    return float((weight * first * second).sum() / norm) if norm > 0 else 0.0


def disc_correlation(luma: NDArray[np.uint8], camera: CameraSource, place: CameraPlace) -> float:
    """How well the disc of one frame's luma agrees with the camera's mean picture, 1 at most."""
    u, v, in_camera = _disc_points(camera, mirrored=place.mirrored)
    spread = ndimage.map_coordinates(camera.spread, in_camera, order=1)
    places = [place.middle[1] + v * place.height - 0.5, place.middle[0] + u * place.height - 0.5]
    shown = ndimage.map_coordinates(luma, places, np.float64, order=1, mode="nearest")
    return _weighted_correlation(
        shown, ndimage.map_coordinates(camera.mean, in_camera, order=1), 1 / (1 + (spread / _VARIES_CODES) ** 2)
    )
