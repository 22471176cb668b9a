"""Where detail is missing: was it blurred, left out by coarse coding, or covered by something else?"""  # noqa: D400

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from capbench.quality.measurements import DetailLoss
from capbench.quality.metrics.registration import DETAIL_CELL_SAMPLES, detailed_cells

__all__ = ["LOST_SHARE", "best_blur_rest", "detail_loss"]

_BAND_ROWS = 64
_MOST_BANDS = 6
"""Bands of rows that are looked at, evenly spread: a blur is the same all over, and each is filtered a dozen times."""
_MARGIN_ROWS = 12
"""Beside a band, so that a blur of 4 samples has what it needs."""
_SIGMAS = (0.5, 0.7, 0.9, 1.2, 1.6, 2.0, 2.5, 3.0, 4.0)
"""Standard deviations of the blurs that are tried, in samples. Enlarged from half by a bicubic filter is like 0.9."""
_STRONG = range(_SIGMAS.index(2.5), len(_SIGMAS))
"""Which of them leave nothing of the finest detail."""
_BLOCKS = (2, 3, 4, 8)
"""Sides of the blocks that are tried, in samples: enlarged by repetition."""
_INTACT_SHARE = 0.6
"""Share of its finest detail from which a cell has most of it: no cell of a picture that was blurred by 0.9 samples."""
LOST_SHARE = 0.35
"""Share of its finest detail below which a cell has lost it, as `limits.SHARPNESS_SHARE`."""

Field = NDArray[np.float32]


def detail_loss(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> DetailLoss | None:
    """Of one plane relative to the other, both of shape (height, width). None where they are too small."""
    if min(want.shape) < DETAIL_CELL_SAMPLES + 2:
        return None
    common = errors = 0.0
    detailed = intact = lost = 0
    lost_error, lost_rests = 0.0, np.zeros(len(_SIGMAS) + len(_BLOCKS))
    for rows, inner in _bands(want.shape[0]):
        wanted, found = want[rows].astype(np.float32), got[rows].astype(np.float32)
        within, kept = (_within_blocks(plane[inner]) for plane in (wanted - found, found))
        common += float((within * kept).sum())
        errors += float((within * within).sum())
        is_detailed, energy, shared = detailed_cells(found[inner], wanted[inner])
        is_lost = is_detailed & (shared < LOST_SHARE * energy)
        detailed += int(is_detailed.sum())
        intact += int((is_detailed & (shared > _INTACT_SHARE * energy)).sum())
        if is_lost.any():
            lost += int(is_lost.sum())
            lost_error += _error_in(is_lost, found[inner], wanted[inner])
            lost_rests += [_error_in(is_lost, found[inner], tried[inner]) for tried in _tried(wanted)]
    return DetailLoss(
        beside_blur=float(lost_rests.min()) / lost_error if lost_error else None,
        is_strong=bool(lost_error) and int(lost_rests.argmin()) in _STRONG,
        lost_codes=float(np.sqrt(lost_error / (lost * DETAIL_CELL_SAMPLES**2))) if lost else 0.0,
        added=-common / errors if errors else 0.0,
        intact=intact / max(1, detailed),
    )


def best_blur_rest(
    got: Field, want: Field, cells: NDArray[np.bool_], *, least_codes: float
) -> tuple[float, float] | None:
    """Of some cells, as those of `detailed_cells`, what share of their squared error the best blur leaves.

    And the root mean square of the error; None where that is less than `least_codes`, or nothing.
    """
    error = _error_in(cells, got, want)
    codes = float(np.sqrt(error / (cells.sum() * DETAIL_CELL_SAMPLES**2)))
    if not error or codes < least_codes:
        return None
    rest = min(_error_in(cells, got, tried) for tried in _tried(want))
    return rest / error, codes


def _bands(height: int) -> Iterator[tuple[slice, slice]]:
    """Rows of the plane with their margins, and of these the rows that are looked at."""
    tops = range(0, max(1, height - DETAIL_CELL_SAMPLES - 1), _BAND_ROWS)
    for top in tops[:: -(-len(tops) // _MOST_BANDS)]:
        first = max(0, top - _MARGIN_ROWS)
        yield slice(first, top + _BAND_ROWS + 2 + _MARGIN_ROWS), slice(top - first, top - first + _BAND_ROWS + 2)


def _within_blocks(plane: Field) -> Field:
    """What differs from the mean of its block."""
    n = DETAIL_CELL_SAMPLES
    rows, columns = plane.shape[0] // n, plane.shape[1] // n
    blocks = plane[: rows * n, : columns * n].reshape(rows, n, columns, n)
    difference: Field = blocks - blocks.mean(axis=(1, 3), keepdims=True)
    return difference


def _error_in(cells: NDArray[np.bool_], found: Field, wanted: Field) -> float:
    """Sum of squared differences in cells, which begin at the second row and column as those of the Laplacian do."""
    n, (rows, columns) = DETAIL_CELL_SAMPLES, cells.shape
    part = np.s_[1 : 1 + rows * n, 1 : 1 + columns * n]
    squared = ((found[part] - wanted[part]) ** 2).reshape(rows, n, columns, n).sum(axis=(1, 3))
    return float(squared[cells].sum())


def _tried(wanted: Field) -> Iterator[Field]:
    for sigma in _SIGMAS:
        yield gaussian_filter(wanted, sigma, mode="nearest")
    for side in _BLOCKS:
        yield _in_blocks(wanted, side)


def _in_blocks(plane: Field, side: int) -> Field:
    rows, columns = plane.shape[0] // side * side, plane.shape[1] // side * side
    blocks = plane[:rows, :columns].reshape(rows // side, side, columns // side, side)
    enlarged = plane.copy()
    enlarged[:rows, :columns] = np.broadcast_to(blocks.mean(axis=(1, 3), keepdims=True), blocks.shape).reshape(
        rows, columns
    )
    return enlarged
