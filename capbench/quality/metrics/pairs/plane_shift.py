"""How far one plane is shifted against another, and how well that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlaneShift", "any_plane_shift", "far_plane_shift", "mean_shift", "plane_shift", "shift_apart"]

_TILE_SAMPLES = 8
"""Side of the smallest tiles: the transform block in which most coders quantise."""
_DOUBLINGS = 2
"""Tiles are made larger up to twice, to 32 samples, as far as enough of them have edges: a coder that predicts, or
transforms 32x32 samples at once, errs alike in all of them."""
_ENOUGH_TILES = 8.0
"""Tiles of a larger size that must have edges. As with `_FEWEST_TILES` they count by their share of the gradients."""
_FEWEST_TILES = 5.0
"""Below it the error itself is not known: of five independent estimates the spread is good to a third."""
_EDGE_CODES = 1.0
"""Gradient from which a sample counts. What is fainter, a soft gradient, becomes stairs of one code when it is rounded,
and a difference of a third of a code then looks like stairs that are a third of their width aside."""
_ENOUGH_GRADIENT_CODES = 0.8
"""Root mean square of the gradients that count, about their mean, from which they are edges. Rounding makes 0.2 on a
slope, which has no place itself: wherever it lies, it differs by a constant."""
_SLOPE_CODES = 0.4
"""Root mean square of the gradients of a tile, about the mean of its row or column, below which it is a slope: twice
what rounding makes. On a slope a difference of a code is a bias of a code as well as a shift of one over its gradient,
and quantisation makes another bias of each: red, green and blue that grow from left to right had moved by a pixel at
CRF 36. So each direction needs edges of its own."""
_LEAST_KEPT = 0.3
"""Share of the gradients that must be left: where detail was lost the planes differ by that, wherever it lay."""
_MOST_CONDITION = 1e4
"""Edges in one slanting direction say nothing about the place along them."""
_NEAR_SAMPLES = 1.0
"""How far least squares are good to: beyond it they find too little of soft edges, and nothing of fine ones."""
_MEASURED_AGAIN_SAMPLES = 0.1
"""Shift from which it is asked how much of a shift the planes show: below it half as much again is not worth asking."""
_LEAST_FOUND, _MOST_FOUND = 0.5, 3.0
"""Share that least squares find of a shift: 0.9 of soft edges, 1.7 of letters that are two samples of chroma wide.
Beyond these the two measurements do not belong together, and the first one stands."""
_TOLD_ERRORS = 3.0
"""Standard errors from which a shift is one."""
_TAPS = 8
"""Samples from which one between them is made."""
_FARTHEST_SAMPLES = 16
_FARTHEST_SHARE = 4
"""Of the shorter side of a small plane, whose planes would else have too little in common."""
_CORRELATED = 512
"""Largest side of the middle of a plane that is correlated."""
_MOVED_REST = 0.5
"""Share of the squared error that a move must leave less than."""
_UNKNOWN_SAMPLES = 1e6
"""Error of a shift that nothing shows; a finite one, because figures are written down."""
_FINEST_ERROR_SAMPLES = 0.02
"""Smaller errors count as this in a mean: what the method itself is good to."""

Codes = NDArray[np.uint8]
Samples = NDArray[np.uint8] | NDArray[np.float32]
Moments = NDArray[np.float64]
"""Of tiles, shape (rows, columns, 4, 4): sums of products of the gradients across and down, 1, and the difference, over
the samples that count."""


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """What least squares ask of two planes."""

    tiles: Moments
    """Of the mean of both and their difference."""
    edges: NDArray[np.float64]
    """Squares of the gradients across about the means of rows of tiles, and of those down about the means of columns,
    summed, shape (2,)."""
    kept: float
    """Regression of the gradients of `got` on those of `want`: 1 where all are there, less where coding lost some."""


@dataclass(frozen=True, slots=True)
class PlaneShift:
    """Where a plane lies relative to another, in samples."""

    right: float
    """How far to the right."""
    down: float
    """How far down."""
    right_error: float
    """Standard error of `right`."""
    down_error: float
    """Standard error of `down`."""


def plane_shift(got: Codes, want: Codes) -> PlaneShift | None:
    """How far `got` lies right of and below `want`, both of one shape; None as of `_shift_at_once`.

    Central differences find too little slope where a plane is fine, so that a shift seems larger than it is: 0.42
    samples instead of 0.25 of coloured letters. So `want` is moved by what was found, and what is then found says how
    much of a shift these planes show, whatever coding left of them (the secant method).
    """
    found = _shift_at_once(got, want)
    if found is None:
        return None
    shift, errors = np.array([found.right, found.down]), np.array([found.right_error, found.down_error])
    is_large = (np.abs(shift) > _MEASURED_AGAIN_SAMPLES) & (np.abs(shift) > _TOLD_ERRORS * errors)
    if not is_large.any() or np.abs(shift).max() > _NEAR_SAMPLES:
        return found
    again = _shift_at_once(got, _moved(want, *np.where(is_large, shift, 0).tolist()))
    if again is None:
        return found
    shares = 1 - np.array([again.right, again.down]) / np.where(is_large, shift, 1)
    is_known = is_large & (shares > _LEAST_FOUND) & (shares < _MOST_FOUND)
    right, down, right_error, down_error = (np.stack([shift, errors]) / np.where(is_known, shares, 1)).ravel().tolist()
    return PlaneShift(right, down, right_error, down_error)


def _moved(plane: Codes, right: float, down: float) -> NDArray[np.float32]:
    """A plane moved by up to a sample or so, with its border repeated: Lanczos' kernel of eight samples."""
    moved = plane.astype(np.float32)
    for axis, by in enumerate((down, right)):
        before = int(np.floor(-by))
        around = np.arange(1 - _TAPS // 2, 1 + _TAPS // 2)
        away = -by - before - around
        weights = np.sinc(away) * np.sinc(away / (_TAPS // 2))
        places = np.arange(plane.shape[axis]) + before
        taken = (np.take(moved, places + each, axis=axis, mode="clip") for each in around)
        parts = [np.float32(weight) * part for weight, part in zip(weights / weights.sum(), taken, strict=True)]
        moved = np.sum(parts, axis=0)
    return moved


def _shift_at_once(got: Samples, want: Samples) -> PlaneShift | None:
    """How far `got` lies right of and below `want`, both of one shape.

    None where `want` has too few edges, or fainter ones than the noise between both: quantised edges then pull the
    estimate by tenths of a sample. Where all edges run in one direction the shift along them is 0, and its error
    larger than any picture.

    Least squares on got - want = -dx gx - dy gy + c, where the plane has edges, with central differences of the mean of
    both pictures, whose error is of third order in the shift (Lucas and Kanade 1981, with the symmetric gradient). Good
    to about one sample. What coding adds is alike within its blocks, so that samples are no independent witnesses: the
    standard error is that of the jackknife that leaves out a tile at a time (Quenouille 1956; Künsch 1989 for blocks).
    Where coding left a share k of the gradients that makes 4k/(1 + k)^2 of a shift, which is made up for.
    """
    gathered = _gathered(got, want)
    if gathered is None or gathered.kept < _LEAST_KEPT:
        return None
    tiles = gathered.tiles
    count = tiles[..., 2, 2].sum()
    # Bars and lines in one direction say nothing of the other.
    known = np.flatnonzero(gathered.edges >= max(1.0, count) * _ENOUGH_GRADIENT_CODES**2)
    if not known.size:
        return None
    sums = tiles.sum(axis=(0, 1))
    gradients = _centred(sums)[np.ix_(known, known)]
    is_faint = count == 0 or np.trace(gradients) / count < _ENOUGH_GRADIENT_CODES**2
    if is_faint or np.linalg.cond(gradients) > _MOST_CONDITION:
        return None
    shift, terms = np.zeros(3), [*known, 2]
    shift[terms] = np.linalg.solve(sums[np.ix_(terms, terms)], sums[terms, 3])
    if _is_noise(tiles, shift):
        return None
    chosen = _largest_tiles(tiles)
    if chosen is None:
        return None
    errors = _jackknife_errors(chosen, sums, known)
    if errors is None:
        return None
    more = (1 + gathered.kept) ** 2 / (4 * gathered.kept)
    right, down, right_error, down_error = (more * np.concatenate([shift[:2], errors])).tolist()
    return PlaneShift(right, down, right_error, down_error)


def any_plane_shift(got: Codes, want: Codes) -> PlaneShift | None:
    """`plane_shift` of planes that it finds near each other, and `far_plane_shift` of others that show where they lie.

    Fine edges that are several samples apart may seem near: where they are suspected, `far_plane_shift` is for them.
    """
    near = plane_shift(got, want)
    if near is not None and max(abs(near.right), abs(near.down)) <= _NEAR_SAMPLES:
        return near
    # A plane that has no place itself, such as a grey one, is not worth the transforms.
    if near is None and plane_shift(want, want) is None:
        return None
    return far_plane_shift(got, want)


def far_plane_shift(got: Codes, want: Codes) -> PlaneShift | None:
    """`plane_shift` of planes that may be several samples apart, up to 16: as one that is moved by whole samples first.

    In small planes up to a quarter of the shorter side.

    The whole samples are those of the highest phase correlation (Kuglin and Hines 1975), where they leave less than
    half of the squared error; elsewhere, as between pictures that differ in other ways, there is no such shift.
    """
    height, width = want.shape
    farthest = min(_FARTHEST_SAMPLES, height // _FARTHEST_SHARE, width // _FARTHEST_SHARE)
    if farthest <= _NEAR_SAMPLES:
        return plane_shift(got, want)
    middle = tuple(slice(max(0, (side - _CORRELATED) // 2), (side + _CORRELATED) // 2) for side in want.shape)
    a, b = (plane[middle].astype(np.float32) for plane in (got, want))
    window = np.outer(np.hanning(a.shape[0]), np.hanning(a.shape[1])).astype(np.float32)
    spectrum = np.fft.rfft2((a - a.mean()) * window) * np.conj(np.fft.rfft2((b - b.mean()) * window))
    peaks = np.fft.irfft2(spectrum / np.maximum(np.abs(spectrum), 1e-6), a.shape)
    reach = range(-farthest, farthest + 1)
    near = peaks[np.ix_([place % a.shape[0] for place in reach], [place % a.shape[1] for place in reach])]
    down, right = (int(place) - farthest for place in np.unravel_index(int(near.argmax()), near.shape))
    found = got[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
    wanted = want[max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)]
    if _squared_error(found, wanted) >= _MOVED_REST * _squared_error(got, want):
        return plane_shift(got, want)
    # What is left may not be told; then a direction in which nothing has edges still has no place.
    rest = plane_shift(found, wanted) or plane_shift(wanted, wanted) or PlaneShift(0, 0, 0, 0)
    return PlaneShift(right + rest.right, down + rest.down, rest.right_error, rest.down_error)


def mean_shift(shifts: Sequence[PlaneShift]) -> PlaneShift | None:
    """Mean of the shifts of several planes, each weighted by how well it is known; None of none."""
    if not shifts:
        return None
    values = np.array([[each.right, each.down] for each in shifts])
    errors = np.array([[each.right_error, each.down_error] for each in shifts])
    weights = 1 / np.square(np.maximum(errors, _FINEST_ERROR_SAMPLES))
    weights /= weights.sum(axis=0)
    right, down = (weights * values).sum(axis=0).tolist()
    right_error, down_error = np.sqrt(np.square(weights * errors).sum(axis=0)).tolist()
    return PlaneShift(right, down, right_error, down_error)


def shift_apart(first: PlaneShift | None, second: PlaneShift | None) -> PlaneShift | None:
    """How much farther the second is shifted than the first; None where one has no place."""
    if first is None or second is None:
        return None
    errors = np.hypot([first.right_error, first.down_error], [second.right_error, second.down_error]).tolist()
    return PlaneShift(second.right - first.right, second.down - first.down, *errors)


def _squared_error(got: Codes, want: Codes) -> float:
    return float(np.mean(np.square(got.astype(np.float32) - want)))


def _gathered(got: Samples, want: Samples) -> _Gathered | None:
    """Of tiles of 8x8 samples of the inside, the last ones smaller; None without an inside, and without edges."""
    rows, columns = want.shape[0] - 2, want.shape[1] - 2
    if rows < 1 or columns < 1:
        return None
    starts = np.arange(0, columns, _TILE_SAMPLES)
    tiles = np.empty((-(-rows // _TILE_SAMPLES), len(starts), 4, 4))
    edges = np.zeros(2)
    common, energy = 0.0, 0.0
    for number, top in enumerate(range(0, rows, _TILE_SAMPLES)):
        band = np.s_[top : top + _TILE_SAMPLES + 2]
        first, second = (_with_gradients(plane[band]) for plane in (want, got))
        across, down = (first[n] + second[n] for n in (0, 1))
        across *= np.float32(0.5)
        down *= np.float32(0.5)
        counted = (across * across + down * down >= _EDGE_CODES**2).astype(np.float32)
        common += sum(float(np.vdot(first[n] * counted, second[n])) for n in (0, 1))
        energy += sum(float(np.vdot(first[n] * counted, first[n])) for n in (0, 1))
        values = (across * counted, down * counted, counted, (first[2] - second[2]) * counted)
        for i, a in enumerate(values):
            for j in range(i, 4):
                sums = np.add.reduceat(np.einsum("rc,rc->c", a, values[j]), starts, dtype=np.float64)
                tiles[number, :, i, j] = tiles[number, :, j, i] = sums
        about = _about_slopes(first[0], first[1], starts)  # of what is wanted: coding has edges at its blocks
        is_slope = about.sum(axis=1) < _SLOPE_CODES**2 * len(across) * np.diff(np.append(starts, columns))
        tiles[number, is_slope] = 0
        edges += about[~is_slope].sum(axis=0)
    return _Gathered(tiles, edges, common / energy) if energy else None


def _about_slopes(
    across: NDArray[np.float32], down: NDArray[np.float32], starts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """How far the gradients of the tiles of a band, which start at these columns, are from those of slopes.

    That is the sum of squares of those across about the mean of each row of a tile, and of those down about the mean of
    each of its columns, shape (tiles, 2).
    """

    def summed(values: NDArray[np.float32]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.add.reduceat(values, starts, axis=-1, dtype=np.float64)
        return sums

    widths = np.diff(np.append(starts, across.shape[1]))
    of_rows = (summed(across * across) - np.square(summed(across)) / widths).sum(axis=0)
    of_columns = summed(len(down) * down.var(axis=0))
    return np.stack([of_rows, of_columns], axis=-1)


def _with_gradients(plane: Samples) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Central differences across and down of the inside of some rows, and the inside itself."""
    codes = plane.astype(np.float32)
    half = np.float32(0.5)
    return (codes[1:-1, 2:] - codes[1:-1, :-2]) * half, (codes[2:, 1:-1] - codes[:-2, 1:-1]) * half, codes[1:-1, 1:-1]


def _centred(sums: Moments) -> Moments:
    """Products of both gradients about their means, of shape (..., 2, 2)."""
    means = sums[..., :2, 2] / np.maximum(sums[..., 2, 2, None], 1)
    products: Moments = sums[..., :2, :2] - means[..., :, None] * sums[..., :2, 2][..., None, :]
    return products


def _energies(tiles: Moments) -> NDArray[np.float64]:
    """Sum of squares of the gradients of each tile."""
    energies: NDArray[np.float64] = tiles[..., 0, 0] + tiles[..., 1, 1]
    return energies


def _is_noise(tiles: Moments, shift: NDArray[np.float64]) -> bool:
    """Whether the planes differ by more than their edges have, where these are, once the shift is undone."""
    terms = np.concatenate([-shift, [1.0]])
    rest = np.einsum("i,...ij,j->...", terms, tiles, terms)
    energies, counts = _energies(tiles), np.maximum(tiles[..., 2, 2], 1)
    # Tiles count by the energy of their gradients: what is flat tells of neither.
    return float((energies * rest / counts).sum()) > float((energies**2 / counts).sum())


def _witnesses(tiles: Moments) -> float:
    """How many tiles of equal gradients would count as much."""
    energies = _energies(tiles)
    return float(energies.sum() ** 2 / np.square(energies).sum())


def _largest_tiles(tiles: Moments) -> Moments | None:
    """The largest tiles of which enough have edges, of shape (tiles, 4, 4); None where too few of the smallest have."""
    chosen = tiles if _witnesses(tiles) >= _FEWEST_TILES else None
    for _ in range(_DOUBLINGS):
        even = np.pad(tiles, [(0, side % 2) for side in tiles.shape[:2]] + [(0, 0)] * 2)
        rows, columns = even.shape[0] // 2, even.shape[1] // 2
        tiles = even.reshape(rows, 2, columns, 2, 4, 4).sum(axis=(1, 3))
        if _witnesses(tiles) >= _ENOUGH_TILES:
            chosen = tiles
    return None if chosen is None else chosen.reshape(-1, 4, 4)


def _jackknife_errors(tiles: Moments, sums: Moments, known: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """Standard errors of both shifts, of one that is not `known` very large; None where a tile alone has the edges."""
    rest = sums - tiles
    if np.any(np.linalg.cond(_centred(rest)[:, known[:, None], known]) > _MOST_CONDITION):
        return None
    terms = np.append(known, 2)
    shifts = np.linalg.solve(rest[:, terms[:, None], terms], rest[:, terms, 3:])[:, :-1, 0]
    spread = shifts - shifts.mean(axis=0)
    errors = np.full(2, _UNKNOWN_SAMPLES)
    errors[known] = np.sqrt((len(tiles) - 1) / len(tiles) * np.square(spread).sum(axis=0))
    return errors
