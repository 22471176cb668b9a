"""Registers a recording's picture in an output's to a fraction of a pixel: Gauss and Newton on luma, coarse to fine.

The output's luma O at the place of a point of the recording is the recording's luma S times a gain plus an offset; the
five numbers of the place, the gain and the offset are found together by least squares (Lucas and Kanade 1981; Baker and
Matthews 2004, "Lucas-Kanade 20 years on", the forward additive form). What lies over the recording is of another luma:
residuals are weighed by Tukey's biweight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.placing.luma_pyramid import LumaPyramid, Smoothed

__all__ = ["likeness", "register_picture"]

_FINE_WIDTH: Final = 960
"""Samples across an output at the finest level: of a larger picture the means of blocks are registered, which is as
exact, for noise averages out, and a quarter of the work."""
_COARSE_WIDTH: Final = 240
"""The same of the coarsest level, on which a start may be off by some two samples, a hundredth of the picture."""
_BLUR: Final = 0.7
"""Standard deviation of the blur of both pictures in samples of the coarser of the two: less and the filter by which an
exporter scaled shows, more and detail is lost."""
_MOST_POINTS: Final = 6000
"""Points compared: their mean place is then known to less than a hundredth of a pixel in a coarse encoding, and the
system is solved in a millisecond."""
_FEWEST_POINTS: Final = 60
"""Ten for each unknown."""
_TUKEY: Final = 4.685
"""Residuals beyond this many standard deviations do not count: 95% efficiency for normal ones (Holland and Welsch
1977)."""
_LEAST_SPREAD_CODES: Final = 1.0
"""Assumed of the residuals: rounding and coding of a good encoding."""
_MOST_STEPS: Final = 12
_SMALL_STEP_PX: Final = 0.004
"""A step that moves no corner by more ends the iteration."""
_LARGEST_STEP: Final = 0.25
"""Of the picture's width: a longer step left the range in which slopes say anything."""
_NEAR: Final = 0.95
"""Correlation on the coarse level of a start that is good to a fraction of a sample there, and needs the fine one
alone."""
_FITS: Final = 0.25
"""Share of the points' own spread within which a residual counts as agreeing."""


def _factor(size: tuple[int, int], wanted: int) -> int:
    """Pixels for a sample so that a picture is that wide, unless it is so low that no row would be left."""
    return max(1, min(round(size[0] / wanted), min(size) // 8))


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Points of the recording and its luma there."""

    places: NDArray[np.float64]
    """Pixels of the recording, shape (n, 2)."""
    codes: NDArray[np.float64]
    """Luma."""


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Both pictures, blurred alike, as they are compared about a place."""

    output: Smoothed
    points: _Points


def register_picture(output: LumaPyramid, recording: LumaPyramid, start: FramePlacement) -> FramePlacement | None:
    """The place near `start` at which the recording fits; None where nothing does, or it left the picture.

    Of the place found, `uncertainty_px` and `agreeing` are those at the finest level.
    """
    place: FramePlacement | None = start
    finest = _factor(output.size, _FINE_WIDTH)
    coarse = max(finest, _factor(output.size, _COARSE_WIDTH))
    is_near = likeness(output, recording, start) >= _NEAR
    for factor in dict.fromkeys((finest,) if is_near else (coarse, finest)):
        if place is None:
            return None
        place = _refine(_level(output, recording, place, factor), place, output.size)
    return place


def likeness(output: LumaPyramid, recording: LumaPyramid, place: FramePlacement) -> float:
    """Correlation of the lumas of both pictures at a place as it is, on the coarse level, -1..1."""
    factor = max(_factor(output.size, _FINE_WIDTH), _factor(output.size, _COARSE_WIDTH))
    level = _level(output, recording, place, factor)
    there = _inside(level, place, output.size)
    if there.sum() < _FEWEST_POINTS:
        return 0.0
    places = level.points.places[there]
    found = _sample(level.output.values, _forward(place, places), level.output.factor)
    wanted = level.points.codes[there]
    spread = float(found.std() * wanted.std())
    if spread == 0.0:
        return 0.0
    return float(((found - found.mean()) * (wanted - wanted.mean())).mean()) / spread


def _level(output: LumaPyramid, recording: LumaPyramid, place: FramePlacement, factor: int) -> _Level:
    scale = place.magnification
    # About as many output pixels for a sample of the one picture as of the other.
    of_recording = max(1, min(round(factor / scale), min(recording.size) // 8))
    sigma_px = _BLUR * max(factor, of_recording * scale)
    smooth = recording.smoothed(of_recording, min(8.0, sigma_px / (of_recording * scale)))
    return _Level(output.smoothed(factor, min(8.0, sigma_px / factor)), _seen(smooth, place, output.size))


def _seen(smooth: Smoothed, place: FramePlacement, canvas: tuple[int, int]) -> _Points:
    """The edges of the part of the recording that can be seen, or evenly chosen ones of them."""
    places, codes = smooth.edges
    seen = np.flatnonzero(_within(_forward(place, places), canvas, 0.0))
    if len(seen) > _MOST_POINTS:
        seen = seen[np.linspace(0, len(seen) - 1, _MOST_POINTS).astype(np.intp)]
    return _Points(places[seen], codes[seen])


def _forward(place: FramePlacement, places: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = place.matrix
    moved: NDArray[np.float64] = places @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _within(places: NDArray[np.float64], canvas: tuple[int, int], margin_px: float) -> NDArray[np.bool_]:
    low, high = margin_px, np.array(canvas) - margin_px
    inside = (places >= low) & (places <= high)
    both: NDArray[np.bool_] = inside[:, 0] & inside[:, 1]
    return both


def _inside(level: _Level, place: FramePlacement, canvas: tuple[int, int]) -> NDArray[np.bool_]:
    return _within(_forward(place, level.points.places), canvas, level.output.factor)


def _sample(values: NDArray[np.float32], places: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    columns, rows = places[:, 0] / factor - 0.5, places[:, 1] / factor - 0.5
    sampled: NDArray[np.float64] = map_coordinates(values, (rows, columns), order=1, mode="nearest", output=np.float64)
    return sampled


def _refine(level: _Level, start: FramePlacement, canvas: tuple[int, int]) -> FramePlacement | None:
    place, longest = start, _LARGEST_STEP * max(canvas)
    for _ in range(_MOST_STEPS):
        step = _step(level, place, canvas)
        if step is None:
            return None
        place, moved_px = step
        if not math.isfinite(moved_px) or moved_px > longest:
            return None
        if moved_px < _SMALL_STEP_PX * level.output.factor:
            break
    return place


def _step(level: _Level, place: FramePlacement, canvas: tuple[int, int]) -> tuple[FramePlacement, float] | None:
    """The place after one step, and by how many pixels the farthest compared point moved."""
    there = _inside(level, place, canvas)
    if there.sum() < _FEWEST_POINTS:
        return None
    points, wanted = level.points.places[there], level.points.codes[there]
    moved = _forward(place, points)
    factor = level.output.factor
    found = _sample(level.output.values, moved, factor)
    right, down = (
        (_sample(level.output.values, moved + half, factor) - _sample(level.output.values, moved - half, factor))
        / factor
        for half in (np.array([factor / 2, 0.0]), np.array([0.0, factor / 2]))
    )
    motion = _motion(place, points)
    slopes = right[:, None] * motion[..., 0] + down[:, None] * motion[..., 1]
    # Unknowns: the five numbers of the place, then gain and offset. Slopes times the step less gain times the recording
    # less the offset is minus what was found.
    system = np.concatenate([slopes, -wanted[:, None], np.full((len(wanted), 1), -1.0)], axis=1)
    gain, offset = _gain_and_offset(wanted, found)
    residual = found - gain * wanted - offset
    spread = max(_LEAST_SPREAD_CODES, 1.4826 * float(np.median(np.abs(residual - np.median(residual)))))
    weights = np.clip(1 - (residual / (_TUKEY * spread)) ** 2, 0, None) ** 2
    weighted = system * weights[:, None]
    normal = weighted.T @ system
    try:
        solved = np.linalg.solve(normal, -(weighted.T @ found))
        covariance = np.linalg.inv(normal)[:5, :5]
    except np.linalg.LinAlgError:
        return None
    change = solved[:5]
    noise = float(np.sqrt(np.average(residual**2, weights=weights + 1e-12)))
    moved_px = float(np.abs(np.einsum("nkp,k->np", motion, change)).max())
    reach = np.abs(motion).max(axis=0)
    uncertainty_px = noise * float(np.sqrt(max(float(axis @ covariance @ axis) for axis in reach.T)))
    agreeing = float((np.abs(residual) < max(_TUKEY * _LEAST_SPREAD_CODES, _FITS * float(wanted.std()))).mean())
    return (
        FramePlacement(
            recording_size=place.recording_size,
            scale=(place.scale[0] * math.exp(change[0]), place.scale[1] * math.exp(change[1])),
            rotation_degrees=place.rotation_degrees + math.degrees(change[2]),
            centre=(place.centre[0] + float(change[3]), place.centre[1] + float(change[4])),
            uncertainty_px=uncertainty_px,
            agreeing=agreeing,
        ),
        moved_px,
    )


def _motion(place: FramePlacement, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """How points move in output pixels with each of the five numbers of a place, shape (n, 5, 2).

    The numbers are the logarithms of both scales, the turn in radians, and both coordinates of the middle.
    """
    turn = math.radians(place.rotation_degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    x = (points[:, 0] - place.recording_size[0] / 2) * place.scale[0]
    y = (points[:, 1] - place.recording_size[1] / 2) * place.scale[1]
    motion = np.zeros((len(points), 5, 2))
    motion[:, 0] = np.stack([cos * x, sin * x], axis=1)
    motion[:, 1] = np.stack([-sin * y, cos * y], axis=1)
    motion[:, 2] = np.stack([-sin * x - cos * y, cos * x - sin * y], axis=1)
    motion[:, 3, 0] = 1.0
    motion[:, 4, 1] = 1.0
    return motion


def _gain_and_offset(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[float, float]:
    """Of a line through most of the pairs: fitted twice, the second time without what is far off the first."""
    gain, offset = _line(wanted, found)
    residual = np.abs(found - gain * wanted - offset)
    near = residual <= 2 * np.median(residual)
    return _line(wanted[near], found[near])


def _line(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[float, float]:
    centred = wanted - wanted.mean()
    energy = float(centred @ centred)
    gain = float(centred @ found) / energy if energy > 0 else 1.0
    # An export neither inverts luma nor trebles its contrast; a worse line is a worse place's.
    gain = min(max(gain, 0.2), 3.0)
    return gain, float(found.mean() - gain * wanted.mean())
