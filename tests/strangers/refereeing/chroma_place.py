"""Where chroma lies against where it should: by least squares on smoothed planes, across and down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["ChromaPlace", "Lattice", "place_chroma"]

_Floats = NDArray[np.float64]
_Plane = NDArray[np.float32]

_SMOOTH_PX: Final = 2.0
"""Standard deviation of the Gaussian that both planes are seen through: what filters of any resampling differ by, and
most of what coding adds, is finer than that."""
_EDGE_PX: Final = 10
"""Not looked at along the border: three times the Gaussian, and what moved in from outside."""
_MOST_POINTS: Final = 120
"""Of the lattice in each direction, at which both are compared."""
_FARTHEST_PX: Final = 4.0
"""Beyond which a place is not believed: two samples of 4:2:0."""
_REACH: Final = 6
"""Standard deviations beyond which the Gaussian is nothing: it is 1.5e-8 of its height there, less than planes of 32
bits tell apart."""
_ROUNDS: Final = 6
"""Of Gauss and Newton's method, at most: from a pixel away it ends within a hundredth after four."""
_NEAR_PX: Final = 0.005
"""A step by which it has ended."""
_LIKELY_PX: Final = 2.0
"""Standard deviation of places before anything is known: without it a slope that has no place would be solved for."""
_LEAST_VARIANCE: Final = 0.01
"""Of smoothed codes: rounding alone leaves 0.007."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Where the samples of a plane lie, in pixels of luma from the upper left one."""

    down: _Floats
    """Of each row."""
    across: _Floats
    """Of each column."""


@dataclass(frozen=True, slots=True)
class ChromaPlace:
    """How far chroma lies from its place, in pixels of luma."""

    across_px: float
    """To the right."""
    down_px: float
    """Down."""
    across_error_px: float
    """Standard error."""
    down_error_px: float
    """Standard error."""
    left: float
    """Share of the squared difference that is left once it is moved back."""
    steepest: float
    """Change of smoothed chroma to the next column that 98% of the picture stay below, in codes."""


def place_chroma(
    want: Sequence[_Plane],
    got: Sequence[_Plane],
    lattices: tuple[Lattice, Lattice],
    size: tuple[int, int],
) -> ChromaPlace | None:
    """Cb and Cr of some frames, each of shape (frames, rows, columns), against those they should be.

    `lattices` are those of `want` and of `got`, `size` is the height and width in pixels of luma. None where the
    picture is too small. Of each plane and frame, got(p) = a + b want(p - d) is solved for a, b and d (Lucas and
    Kanade 1981) where both are smoothed alike; a and b are the slope's and the coder's own, d is common to all.
    """
    points = [_points(side) for side in size]
    if min(map(len, points)) < 4:
        return None
    before, after = lattices
    found = [_seen(after, points, np.zeros(2), plane) for plane in got]
    place = np.zeros(2)
    whole = 0.0
    for turn in range(_ROUNDS):
        seen = [_seen_with_slopes(before, points, place, plane) for plane in want]
        normals, sides, rests = _equations(seen, found)
        whole = whole if turn else rests
        normal, prior = np.sum(normals, axis=0), np.eye(2) / _LIKELY_PX**2
        step = np.linalg.solve(normal + prior, np.sum(sides, axis=0) - prior @ place)
        if turn + 1 == _ROUNDS or float(np.abs(step).max()) < _NEAR_PX:
            break
        place = np.clip(place + np.clip(step, -1, 1), -_FARTHEST_PX, _FARTHEST_PX)
    errors = np.maximum(_formal_errors(normal, points), _scatter(normals, sides))
    left = rests / whole if whole > 0 else 1.0
    steepest = max(float(np.quantile(np.abs(slopes[2]), 0.98)) for slopes in seen)
    return ChromaPlace(
        across_px=float(place[1]),
        down_px=float(place[0]),
        across_error_px=float(errors[1]),
        down_error_px=float(errors[0]),
        left=left,
        steepest=steepest,
    )


def _equations(seen: list[list[_Plane]], found: list[_Plane]) -> tuple[list[_Floats], list[_Floats], float]:
    """Normal matrices and right sides of each plane of each frame, and the squares that are left of all.

    Planes as they are seen come with their slopes down and across; what a constant and a gain explain is taken out.
    """
    normals, sides, rests = [], [], 0.0
    for (smooth, *slopes), plane in zip(seen, found, strict=True):
        for number, shown in enumerate(plane):
            slope_down, slope_across = (each[number] for each in slopes)
            columns = (smooth[number], shown - smooth[number], -slope_down, -slope_across)
            table = np.stack([(each - each.mean()).ravel() for each in columns])
            products = (table @ table.T).astype(np.float64)
            gain = products[0, 1:] / max(products[0, 0], 1e-9)
            products = products[1:, 1:] - np.outer(gain, products[0, 1:])
            variance = max(_LEAST_VARIANCE, float(products[0, 0]) / shown.size)
            rests += float(products[0, 0])
            normals.append(products[1:, 1:] / variance)
            sides.append(products[1:, 0] / variance)
    return normals, sides, rests


def _points(side: int) -> _Floats:
    step = max(2, -(-(side - 2 * _EDGE_PX) // _MOST_POINTS))
    return np.arange(_EDGE_PX, side - _EDGE_PX, step, dtype=np.float64)


def _seen(lattice: Lattice, points: list[_Floats], place: _Floats, plane: _Plane) -> _Plane:
    """A plane at the points, once it lies at `place`, seen through the Gaussian."""
    down, across = _weights_of(lattice, points, place, is_slope=False)
    return _product(down, plane, across)


def _seen_with_slopes(lattice: Lattice, points: list[_Floats], place: _Floats, plane: _Plane) -> list[_Plane]:
    """The same, then its slope down and its slope across, in codes per pixel of luma."""
    down, across = _weights_of(lattice, points, place, is_slope=False)
    falling, rising = _weights_of(lattice, points, place, is_slope=True)
    return [_product(down, plane, across), _product(falling, plane, across), _product(down, plane, rising)]


def _product(down: csr_array, plane: _Plane, across: csr_array) -> _Plane:
    return np.stack([(across @ (down @ each).T).T for each in plane])


def _weights_of(
    lattice: Lattice, points: list[_Floats], place: _Floats, *, is_slope: bool
) -> tuple[csr_array, csr_array]:
    down, across = (
        # Sparse: of a wide picture a point sees a few dozen samples of thousands.
        csr_array(_weights(where - moved, samples, is_slope=is_slope).astype(np.float32))
        for where, moved, samples in zip(points, place, (lattice.down, lattice.across), strict=True)
    )
    return down, across


def _weights(points: _Floats, samples: _Floats, *, is_slope: bool) -> _Floats:
    """Of each sample (columns) in what is seen at each point (rows), or in how that changes from point to point."""
    away = points[:, None] - samples[None, :]
    bell = np.where(np.abs(away) < _REACH * _SMOOTH_PX, np.exp(-(away**2) / (2 * _SMOOTH_PX**2)), 0.0)
    total = bell.sum(axis=1, keepdims=True)
    if not is_slope:
        weights: _Floats = bell / total
        return weights
    fall = -away / _SMOOTH_PX**2 * bell
    slopes: _Floats = fall / total - bell * fall.sum(axis=1, keepdims=True) / total**2
    return slopes


def _formal_errors(normal: _Floats, points: list[_Floats]) -> _Floats:
    """Of least squares, where points nearer to each other than the Gaussian is wide tell the same."""
    apart = float(np.prod([np.diff(each[:2]).item() for each in points]))
    alike = max(1.0, 4 * np.pi * _SMOOTH_PX**2 / apart)
    errors: _Floats = np.sqrt(np.diag(np.linalg.inv(normal + np.eye(2) / _LIKELY_PX**2)) * alike)
    return errors


def _scatter(normals: list[_Floats], sides: list[_Floats]) -> _Floats:
    """Of the places that each plane of each frame has by itself, as the error of their weighted mean."""
    prior = np.eye(2) / _LIKELY_PX**2
    alone = np.array([np.linalg.solve(normal + prior, side) for normal, side in zip(normals, sides, strict=True)])
    weights = np.array([np.diag(normal) for normal in normals]) + 1e-12
    weights /= weights.sum(axis=0)
    # Frames that repeat the one before are no new evidence: both planes count, and no more.
    scatter: _Floats = np.sqrt((weights * alone**2).sum(axis=0) / 2)
    return scatter
