"""A part of a picture that lost its detail as a blur loses it, while the rest kept it: illegible text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from capbench.quality.measurements import BlurredPart
from capbench.quality.metrics.detail_loss import LOST_SHARE, best_blur_rest
from capbench.quality.metrics.registration import DETAIL_CELL_SAMPLES, DETAIL_CODES, detail_energies

__all__ = ["blurred_part"]

_TILE_CELLS = 4
"""Side of the tiles that are looked at, in cells of 8x8 samples: two lines of small text."""
_TILE_STEP = 2
"""Cells from one place where a tile may begin to the next."""
_MOST_PLACES = 200
"""Places that are tried for the worst tiles: each tile that is taken rules out 9 of them."""
_MOST_TILES = 6
"""Tiles of the largest error that are looked into, in each plane."""
_MARGIN_CELLS = 2
"""Beside a tile, so that a blur of 4 samples has what it needs."""
_LEAST_ERROR_CODES = 6.0
"""Root mean square of what a tile is off by, from which it is looked into: text of 40 codes that is blurred away."""
_LEAST_RATIO = 1.7
"""Error of the cells that lost their detail, over that of those coded best, from which they are looked into: that takes
ten times as long as the rest, and is `limits.BLURRED_PART_RATIO`."""
_MOST_KEPT_CELLS = 4000
"""Cells of which those coded best are found, in rows evenly spread."""
_KEPT_PERCENTILE = 25
"""Of the cells with detail by their error: how finely the best quarter was coded, whatever became of the others."""
_FEWEST_LOST_CELLS = 4
"""In a tile: a word of small text."""
_BAND_CELLS = 8
"""Rows of cells at once: what is made of them stays in the cache."""

Plane = NDArray[np.uint8]


def blurred_part(got: Plane, want: Plane, step_px: int = 1) -> BlurredPart | None:
    """The tile of a plane whose error a blur explains best, or None where none lost its detail.

    Both of shape (height, width); `step_px` is the distance of their samples in luma pixels. How much of the error the
    best blur leaves, and how much larger that error is than the one of the cells that were coded best, tell a blur from
    coarse coding, which is off by some quantiser's step wherever there is detail.
    """
    n = DETAIL_CELL_SAMPLES
    if min(want.shape) < _TILE_CELLS * n:
        return None
    errors = _cell_errors(got, want)
    kept: float | None = None
    found: list[tuple[float, float, int, int]] = []
    for row, column in _worst_tiles(errors):
        kept = _kept_error(want, errors) if kept is None else kept
        blur = _look_into(got, want, (row, column), _LEAST_RATIO * kept)
        if blur is not None:
            found.append((*blur, row, column))
    if not found or kept is None:
        return None
    rest, error, row, column = min(found)
    middle = _TILE_CELLS // 2
    return BlurredPart(rest, error, kept, step_px, (column + middle) * n * step_px, (row + middle) * n * step_px)


def _cell_errors(got: Plane, want: Plane) -> NDArray[np.float32]:
    """Mean squared difference of each whole cell; shape (rows, columns)."""
    n = DETAIL_CELL_SAMPLES
    rows, columns = want.shape[0] // n, want.shape[1] // n
    means = np.empty((rows, columns), np.float32)
    for top in range(0, rows, _BAND_CELLS):
        band = np.s_[top * n : min(rows, top + _BAND_CELLS) * n, : columns * n]
        difference = np.subtract(got[band], want[band], dtype=np.int16).astype(np.float32)
        squared = np.square(difference, out=difference).reshape(-1, n, columns * n).sum(axis=1)
        means[top : top + _BAND_CELLS] = squared.reshape(-1, columns, n).sum(axis=2) / (n * n)
    return means


def _worst_tiles(errors: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Row and column of the first cell of each, the worst first; tiles do not overlap, and begin where they are worst.

    None that is off by less than `_LEAST_ERROR_CODES` is given.
    """
    k = _TILE_CELLS
    sums = np.lib.stride_tricks.sliding_window_view(errors, (k, k))[::_TILE_STEP, ::_TILE_STEP].mean(axis=(2, 3))
    taken: list[tuple[int, int]] = []
    for place in np.argsort(-sums, axis=None, kind="stable")[:_MOST_PLACES]:
        row, column = (int(each) * _TILE_STEP for each in np.unravel_index(place, sums.shape))
        if len(taken) == _MOST_TILES or sums.flat[place] < _LEAST_ERROR_CODES**2:
            return
        if all(max(abs(row - other), abs(column - beside)) >= k for other, beside in taken):
            taken.append((row, column))
            yield row, column


def _look_into(got: Plane, want: Plane, tile: tuple[int, int], least_codes: float) -> tuple[float, float] | None:
    """Share of the error that the best blur leaves, and the error in codes, of the cells of a tile that lost detail.

    None where these are few, or off by less than `least_codes`.
    """
    n, k, m = DETAIL_CELL_SAMPLES, _TILE_CELLS, _MARGIN_CELLS
    row, column = tile
    top, left = max(0, row - m), max(0, column - m)
    part = np.s_[top * n : (row + k + m) * n, left * n : (column + k + m) * n]
    found, wanted = got[part].astype(np.float32), want[part].astype(np.float32)
    is_detailed, energy, shared = detail_energies(found, wanted)
    lost = np.zeros_like(is_detailed)
    inner = np.s_[row - top : row - top + k, column - left : column - left + k]
    lost[inner] = (is_detailed & (shared < LOST_SHARE * energy))[inner]
    if lost.sum() < _FEWEST_LOST_CELLS:
        return None
    return best_blur_rest(found, wanted, lost, least_codes=least_codes)


def _kept_error(want: Plane, errors: NDArray[np.float32]) -> float:
    """By how much the best quarter of the cells with detail is off; infinite where none has detail."""
    n = DETAIL_CELL_SAMPLES
    rows, columns = errors.shape
    step = max(1, rows * columns // _MOST_KEPT_CELLS)
    cells = want[: rows * n, : columns * n].reshape(rows, n, columns, n)[::step].astype(np.float32)
    detailed = errors[::step][cells.std(axis=(1, 3)) > DETAIL_CODES]
    return float(np.sqrt(np.percentile(detailed, _KEPT_PERCENTILE))) if detailed.size else np.inf
