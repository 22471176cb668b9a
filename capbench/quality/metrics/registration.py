"""Close looks at one pair of planes: how far one is shifted, blurred, turned or made coarser against the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["border_errors_codes", "coarse_step", "sharpness", "shift_px", "turn_correlations", "worst_cell"]

_BORDER_SAMPLES = 2
_CELL_WEIGHTS = np.array([1.0, 0.5, 0.5], np.float32)
_ENOUGH_GRADIENT_CODES = 0.8
"""Root mean square gradient below which a plane has no edges to measure a shift by."""
_ENOUGH_DETAIL_CODES = 1.0
"""Root mean square Laplacian below which a plane has no detail to lose."""
_FLAT_SPREAD_CODES = 3.0
_STEPS = (2, 4, 8, 16)
_COARSE_SLOPE = -0.5  # half way between none and all
_ENOUGH_SAMPLES = 100


def shift_px(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> tuple[float, float] | None:
    """How far `got` lies right of and below `want`, in samples of the plane.

    None where `want` has too few edges, or fainter ones than the noise between both: quantised edges then pull the
    estimate by tenths of a sample.

    Least squares on got - want = -dx gx - dy gy + c with central differences of the mean of both pictures, whose error
    is of third order in the shift (Lucas and Kanade 1981, with the symmetric gradient). Good to about one sample.
    """
    first, second = want.astype(np.float32), got.astype(np.float32)
    mean = (first + second) / 2
    gx = ((mean[1:-1, 2:] - mean[1:-1, :-2]) / 2).ravel()
    gy = ((mean[2:, 1:-1] - mean[:-2, 1:-1]) / 2).ravel()
    gradient = float(np.sqrt(np.mean(gx * gx) + np.mean(gy * gy))) if gx.size else 0.0
    if gradient < _ENOUGH_GRADIENT_CODES:
        return None
    difference = (first - second)[1:-1, 1:-1].ravel()
    difference = difference - difference.mean()
    normal = np.array([[gx @ gx, gx @ gy], [gx @ gy, gy @ gy]], dtype=np.float64)
    if np.linalg.cond(normal) > 1e4:  # edges in one direction only say nothing about the other
        return None
    dx, dy = np.linalg.solve(normal, np.array([gx @ difference, gy @ difference], dtype=np.float64))
    noise = difference - np.float32(dx) * gx - np.float32(dy) * gy
    if np.sqrt(np.mean(noise * noise)) > gradient:
        return None
    return float(dx), float(dy)


def sharpness(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> float | None:
    """Share of the finest detail of `want` that `got` has: 1 where it is all there, near 0 where it is blurred away.

    The regression of one Laplacian on the other, so noise that was not in `want` does not count as detail.
    None where `want` has no detail.
    """
    wanted, found = _laplacian(want), _laplacian(got)
    energy = float(wanted @ wanted)
    if wanted.size == 0 or energy / wanted.size < _ENOUGH_DETAIL_CODES**2:
        return None
    return float(found @ wanted) / energy


def _laplacian(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    p = plane.astype(np.float32)
    edges = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]
    return edges.ravel()


def border_errors_codes(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Mean absolute difference of the two outermost rows and columns: top, bottom, left, right, in codes."""
    n = _BORDER_SAMPLES
    strips = (np.s_[:n], np.s_[-n:], np.s_[:, :n], np.s_[:, -n:])
    errors = [float(np.abs(got[strip].astype(np.int16) - want[strip]).mean()) for strip in strips]
    return errors[0], errors[1], errors[2], errors[3]


def worst_cell(got: NDArray[np.float32], want: NDArray[np.float32]) -> tuple[float, int, int]:
    """Largest difference of two thumbnails in luma codes, and its column and row; chroma counts half.

    An exporter draws in R'G'B': chroma is interpolated, clamped to what R'G'B' holds and filtered again, which alone
    moves blocks of saturated fine detail by 20 chroma codes.
    """
    difference = (np.abs(got - want) * _CELL_WEIGHTS).max(axis=2)
    row, column = np.unravel_index(int(difference.argmax()), difference.shape)
    return float(difference[row, column]), int(column), int(row)


def turn_correlations(got: NDArray[np.float32], want: NDArray[np.float32]) -> dict[str, float]:
    """Correlation of `want` with `got` as it is and undone from each turn or flip; empty for flat pictures.

    Both are luma thumbnails (rows, columns). Quarter turns are tried where the sides are swapped or equal.
    """
    candidates = {
        "as it is": got,
        "turned by 180°": np.rot90(got, 2),
        "turned by 90°": np.rot90(got, 1),
        "turned by 270°": np.rot90(got, 3),
        "mirrored": got[:, ::-1],
        "upside down": got[::-1],
    }
    wanted = want - want.mean()
    if wanted.std() < _FLAT_SPREAD_CODES or got.std() < _FLAT_SPREAD_CODES:
        return {}
    found = {}
    for name, turned in candidates.items():
        if turned.shape == want.shape:
            centred = turned - turned.mean()
            found[name] = float((wanted * centred).sum() / np.sqrt((wanted**2).sum() * (centred**2).sum()))
    return found


def coarse_step(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> int:
    """Distance in codes of the levels that `got` is left with: 1 where nothing was lost, 4 where 6 bits were kept.

    A value that was rounded to steps of n carries an error that falls by one code for each code of `want` within a
    step, whatever noise a codec adds: the slope of the mean error over `want` modulo n is -1, and 0 in a clean picture.
    """
    error = got.astype(np.int16) - want
    coarse = 1
    for step in _STEPS:
        places = want & (step - 1)
        counts = np.bincount(places.ravel(), minlength=step)
        if counts.min() < _ENOUGH_SAMPLES:
            continue
        means = np.bincount(places.ravel(), weights=error.ravel(), minlength=step) / counts
        if float(np.polyfit(np.arange(step), means, 1)[0]) < _COARSE_SLOPE:
            coarse = step
    return coarse
