"""Detailed comparison of a pair of planes: blur of one relative to the other, and what differs where."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DETAIL_CELL_SAMPLES",
    "DETAIL_CODES",
    "border_errors_codes",
    "cell_differences",
    "detail_energies",
    "detail_error_codes",
    "detail_left",
    "detailed_cells",
    "errors_beside_border_codes",
    "even_border_errors_codes",
    "inner_error_codes",
    "sharpness",
    "worst_cell",
    "worst_even_cell",
]

_BORDER_SAMPLES = 2
_BAND_ROWS = 64
"""Rows at once: what is made of them stays in the cache, which is twice as fast as whole planes."""
_CELL_WEIGHTS = np.array([1.0, 0.5, 0.5], np.float32)
_ENOUGH_DETAIL_CODES = 2.5
"""Root mean square Laplacian below which a plane has no detail to lose: rounding to whole codes alone is 1.3, samples
that flicker by one code 2.2."""
DETAIL_CELL_SAMPLES = 8
"""Side of the cells in which detail is told from grain; a band has a whole number of them."""
_ENOUGH_DETAIL_ENERGY = _ENOUGH_DETAIL_CODES**2 * DETAIL_CELL_SAMPLES**2
"""The same as the sum of squares of a cell."""
_GRAIN_PERCENTILE = 20
"""A fifth of any picture has nothing but its grain: text and foliage leave as much empty or out of focus."""
_ABOVE_GRAIN = 6.0
"""Energy of a cell over that: of 64 samples of even noise it varies to 3 times, and film has twice the grain in its
mid-tones. A step of 100 codes has 8 times that of grain of 4 codes."""
_FEWEST_DETAILED_CELLS = 4
_CELL_SAMPLES = (8, 4, 4)
"""Side of a thumbnail's block in samples of Y, Cb, Cr of 4:2:0."""
DETAIL_CODES = 12.0
"""Standard deviation of luma within a block that has detail: text, edges, foliage."""
_MOST_DETAIL_CELLS = 2000
"""Blocks looked at in a large picture, in rows evenly spread: their median is known to a thirtieth."""
_FLAT_CODES = 8
"""Range of codes from a border through two blocks where nothing is but grain."""
_EVEN_RATIO = 5.0
"""Mean difference of a block over the spread of the differences within it and its neighbours, from which the difference
is even. Coarse coding misses a block's mean where it misses its detail: at most 3.6 times as much in exports at 0.04
bits a pixel, in 160x90 to 640x360. A soft shadow blended in linear light has 7.3."""
_EVEN_FROM_CODES = 16.0
"""Differences below this are not looked into: that takes longer than the rest, and few pictures have larger ones."""

Strip = slice | tuple[slice, slice]
Planes3 = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def sharpness(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> float | None:
    """Share of the finest detail of `want` that `got` has: 1 where it is all there, near 0 where it is blurred away.

    The regression of one Laplacian on the other, so noise that was not in `want` does not count as detail, where `want`
    has much more of it than elsewhere: grain is everywhere, and any encoder leaves it out before it blurs an edge.
    None where `want` has no detail, or the same everywhere.
    """
    if min(want.shape) < DETAIL_CELL_SAMPLES + 2:
        return None
    energies, products = [], []
    for rows in _bands(want.shape[0], margin=1):
        wanted, found = (_laplacian(plane[rows]).reshape(-1, plane.shape[1] - 2) for plane in (want, got))
        energies.append(_sums_of_cells(wanted * wanted).ravel())
        products.append(_sums_of_cells(wanted * found).ravel())
    energy, common = np.concatenate(energies), np.concatenate(products)
    detailed = _are_detailed(energy)
    if energy.mean() < _ENOUGH_DETAIL_ENERGY or detailed.sum() < _FEWEST_DETAILED_CELLS:
        return None
    return float(common[detailed].sum() / energy[detailed].sum())


def _are_detailed(energy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Of cells by the energy of their Laplacians: those that have more than the grain which is everywhere."""
    grain = float(np.percentile(energy, _GRAIN_PERCENTILE))
    detailed: NDArray[np.bool_] = energy > max(_ENOUGH_DETAIL_ENERGY, _ABOVE_GRAIN * grain)
    return detailed


def detailed_cells(
    got: NDArray[np.float32], want: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    """Which cells of 8x8 samples have detail in `want`, the energy of it, and of it times that of `got`.

    Of shape (rows, columns) each; the first cell begins at the second row and column.
    """
    energy, common = _energies(got, want)
    return _are_detailed(energy), energy, common


def detail_energies(
    got: NDArray[np.float32], want: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    """As `detailed_cells`, of a part of a picture that may be full of detail: no cell counts as grain."""
    energy, common = _energies(got, want)
    return energy > _ENOUGH_DETAIL_ENERGY, energy, common


def _energies(got: NDArray[np.float32], want: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    wanted, found = (_laplacian(plane).reshape(-1, plane.shape[1] - 2) for plane in (want, got))
    return _sums_of_cells(wanted * wanted), _sums_of_cells(wanted * found)


def _sums_of_cells(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the whole cells of a plane."""
    n = DETAIL_CELL_SAMPLES
    rows, columns = values.shape[0] // n, values.shape[1] // n
    sums: NDArray[np.float32] = values[: rows * n, : columns * n].reshape(rows, n, columns, n).sum(axis=(1, 3))
    return sums


def _laplacian(plane: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    p = plane.astype(np.int16)
    edges = p[:-2, 1:-1] + p[2:, 1:-1]
    edges += p[1:-1, :-2]
    edges += p[1:-1, 2:]
    edges -= 4 * p[1:-1, 1:-1]
    return edges.astype(np.float32).ravel()


def _bands(height: int, *, margin: int) -> Iterator[slice]:
    """Bands of rows that share `margin` rows each way, so that their inner rows are those of the plane, each once."""
    for top in range(0, height - 2 * margin, _BAND_ROWS):
        yield slice(top, top + _BAND_ROWS + 2 * margin)


def border_errors_codes(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Mean absolute difference of the two outermost rows and columns: top, bottom, left, right, in codes.

    Of the mean of both: a coarse coder keeps that where it softens a line along the border, such as the dark column of
    many recorded films, and one column is then off by +14, the other by -13. Rows that nobody wrote are off in one way.
    """
    n = _BORDER_SAMPLES
    return _errors_of_strips(got, want, (np.s_[:n], np.s_[-n:], np.s_[:, :n], np.s_[:, -n:]))


def even_border_errors_codes(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """By how much most of each border is off in one direction, in codes: top, bottom, left, right.

    The median along it of what is flat in `want` from the border through two blocks, by itself or less the one of the
    second block, whichever is less: detail is lost in any way, such as a line along the border, and colours that are
    off are so behind it as well. Coding has both signs along a border where nothing is, however coarse it is; rows that
    nobody wrote are off in one way. 0 where less than half of a border is flat, or the planes are too small to tell.
    """
    n, block = _BORDER_SAMPLES, DETAIL_CELL_SAMPLES
    if min(want.shape) < 4 * block:
        return 0.0, 0.0, 0.0, 0.0
    found = []
    for side, wanted in (got, want), (got[::-1], want[::-1]), (got.T, want.T), (got.T[::-1], want.T[::-1]):
        rows = wanted[: 2 * block].astype(np.int16)
        flat = np.ptp(rows, axis=0) <= _FLAT_CODES
        difference = (side[: 2 * block] - rows)[:, flat]
        if 2 * difference.shape[1] < flat.size:
            found.append(0.0)
            continue
        border, behind = (float(np.median(each.mean(axis=0))) for each in (difference[:n], difference[block:]))
        found.append(min(abs(border), abs(border - behind)))
    return found[0], found[1], found[2], found[3]


def errors_beside_border_codes(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """The same of the rows and columns next to those, up to the eighth: an encoder codes them in one block."""
    n, block = _BORDER_SAMPLES, DETAIL_CELL_SAMPLES
    strips = (np.s_[n:block], np.s_[-block:-n], np.s_[:, n:block], np.s_[:, -block:-n])
    # A plane of two rows has nothing beside them.
    return _errors_of_strips(got, want, strips) if min(want.shape) > n else (0.0, 0.0, 0.0, 0.0)


def _errors_of_strips(
    got: NDArray[np.uint8], want: NDArray[np.uint8], strips: tuple[Strip, Strip, Strip, Strip]
) -> tuple[float, float, float, float]:
    top, bottom, left, right = (got[strip].astype(np.int16) - want[strip] for strip in strips)
    return _paired_error(top), _paired_error(bottom), _paired_error(left.T), _paired_error(right.T)


def _paired_error(difference: NDArray[np.int16]) -> float:
    """Mean absolute difference of the means of two rows each; of one row, which a plane of one has, by itself."""
    pairs = difference[: len(difference) // 2 * 2]
    if not len(pairs):
        return float(np.abs(difference).mean())
    return float(np.abs(pairs[0::2] + pairs[1::2]).mean()) / 2


def inner_error_codes(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two rows and columns in the middle and at the quarters, in codes.

    What the border is compared with: as many samples, in pairs as there, since grain that an encoder left out averages
    away in larger cells.
    """
    n, (height, width) = _BORDER_SAMPLES, want.shape
    rows = [got[at : at + n].astype(np.int16) - want[at : at + n] for at in _quarters(height)]
    columns = [got[:, at : at + n].astype(np.int16) - want[:, at : at + n] for at in _quarters(width)]
    return float(np.mean([_paired_error(each) for each in (*rows, *(each.T for each in columns))]))


def _quarters(length: int) -> list[int]:
    return [length // 4, length // 2, length * 3 // 4]


def worst_cell(differences: NDArray[np.float32]) -> tuple[float, int, int]:
    """Largest of the blocks' differences, shape (rows, columns), and its column and row."""
    row, column = np.unravel_index(int(differences.argmax()), differences.shape)
    return float(differences[row, column]), int(column), int(row)


def worst_even_cell(
    got: tuple[Planes3, NDArray[np.float32]], want: tuple[Planes3, NDArray[np.float32]]
) -> tuple[float, int, int] | None:
    """As `worst_cell`, of the blocks that are off by more than 16 codes evenly; None where there are none.

    Both are the planes of 4:2:0 and their thumbnail. A difference is even where most of the 3x3 blocks around share at
    least half of it and their samples do not scatter: then it is no loss of detail, nor what a picture that moved on
    left in single blocks of the encoder.
    """
    difference = np.abs(got[1] - want[1]) * _CELL_WEIGHTS
    even = np.zeros(difference.shape[:2], np.float32)
    for plane, side in enumerate(_CELL_SAMPLES):
        off = difference[..., plane]
        if float(off.max()) > _EVEN_FROM_CODES:
            spread = _spread_around(got[0][plane], want[0][plane], side, off.shape) * _CELL_WEIGHTS[plane]
            is_even = (off > np.maximum(_EVEN_RATIO * spread, _EVEN_FROM_CODES)) & _is_shared(
                (got[1] - want[1])[..., plane]
            )
            np.maximum(even, np.where(is_even, off, 0), out=even)
    row, column = np.unravel_index(int(even.argmax()), even.shape)
    size = float(even[row, column])
    return (size, int(column), int(row)) if size else None


def _is_shared(difference: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where most of the 3x3 blocks around are off the same way, by half as much at least."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(difference, 1, mode="edge"), (3, 3))
    middle = np.median(around, axis=(2, 3))
    shared: NDArray[np.bool_] = (middle * np.sign(difference)) >= np.abs(difference) / 2
    return shared


def _spread_around(
    got: NDArray[np.uint8], want: NDArray[np.uint8], side: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Largest standard deviation of the differences within a block of `side` samples and the eight around it.

    Thumbnails have somewhat larger blocks where the picture's sides are no multiples: up to one block off at the end,
    which those around it cover.
    """
    rows, columns = shape
    spread = np.zeros((rows + 2, columns + 2), np.float32)
    whole = np.s_[: min(rows, want.shape[0] // side) * side, : min(columns, want.shape[1] // side) * side]
    difference = got[whole].astype(np.float32) - want[whole]
    blocks = difference.reshape(difference.shape[0] // side, side, difference.shape[1] // side, side)
    spread[1 : 1 + blocks.shape[0], 1 : 1 + blocks.shape[2]] = blocks.std(axis=(1, 3))
    around: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(spread, (3, 3)).max(axis=(2, 3))
    return around


def detail_error_codes(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> float | None:
    """How coarsely detail was coded: the median, over blocks with detail in `want`, of the spread of the differences.

    A standard deviation within 8x8 samples. A fault of a part of the picture is in few of those blocks, and what is off
    evenly does not count. None where too few have detail.
    """
    blocks, wanted = _some_blocks(got), _some_blocks(want)
    detailed = _spread_within(wanted) > DETAIL_CODES
    if detailed.sum() < _FEWEST_DETAILED_CELLS:
        return None
    return float(np.median(_spread_within(blocks - wanted)[detailed]))


def _spread_within(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of each block of 8x8; shape (rows, columns).

    To the bit what `blocks.std(axis=(1, 3))` says, in less than half the time: NumPy sums eight samples at a call, this
    one sample of all blocks.
    """
    samples = np.ascontiguousarray(blocks.transpose(1, 3, 0, 2))
    squares = samples - _sum_within(samples) / np.float32(64)
    np.multiply(squares, squares, out=squares)
    return np.asarray(np.sqrt(_sum_within(squares) / np.float32(64)), np.float32)


def _sum_within(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum over the first two axes, of eight each, in the order of NumPy: pairs of pairs in a row, then the rows."""
    pairs = samples[:, 0::2] + samples[:, 1::2]
    fours = pairs[:, 0::2] + pairs[:, 1::2]
    rows = fours[:, 0] + fours[:, 1]
    total: NDArray[np.float32] = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total


def detail_left(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> tuple[float, float] | None:
    """What became of the detail of `want`, by blocks of 8x8 samples; None where it has none, or nothing is off.

    First the share of its variance within blocks that is not error: 1 for the same picture, 0 where the means of blocks
    are all that is left, less where there is something else instead. Then the share of the error that is content of
    `got`: see `DetailLoss.added`.
    """
    found, wanted = (blocks - blocks.mean(axis=(1, 3), keepdims=True) for blocks in map(_some_blocks, (got, want)))
    error = wanted - found
    variance, squared = float(np.vdot(wanted, wanted)), float(np.vdot(error, error))
    if not variance or not squared:
        return None
    return 1 - squared / variance, -float(np.vdot(error, found)) / squared


def _some_blocks(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Whole blocks of 8x8 samples in rows evenly spread, some 2000: shape (rows, 8, columns, 8)."""
    side = _CELL_SAMPLES[0]
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    step = max(1, rows * columns // _MOST_DETAIL_CELLS)
    blocks: NDArray[np.float32] = (
        plane[: rows * side, : columns * side].reshape(rows, side, columns, side)[::step].astype(np.float32)
    )
    return blocks


def cell_differences(got: NDArray[np.float32], want: NDArray[np.float32]) -> NDArray[np.float32]:
    """Difference of each block of two thumbnails in luma codes, chroma counting half; shape (rows, columns).

    An exporter draws in R'G'B': chroma is interpolated, clamped to what R'G'B' holds and filtered again, which alone
    moves blocks of saturated fine detail by 20 chroma codes.
    """
    differences: NDArray[np.float32] = (np.abs(got - want) * _CELL_WEIGHTS).max(axis=2)
    return differences
