"""Do all rows of a picture show one moment? Errors of even rows beside those of odd rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["uneven_cells"]

_CELL_PX = 16
"""Side of a cell: small enough that something which moves fills it, with rows enough of each field to compare."""
_BAND_ROWS = 4 * _CELL_PX
_OFF_CODES = 10.0
"""Root mean square difference from which the rows of one field are off in a cell."""
_UNEVEN = 3.0
"""Factor over that of the other field. What coding leaves out of a cell is off by as much in both."""
_UNEVEN_AS_A_WHOLE = 2.0
"""The same over a whole picture, where more samples tell: in single cells coarse coding hides a factor of three, and a
small picture has few."""
_LEFT_OUT = 0.5
"""Share of what the rows of one field are off by that they are smoother by where lines of a row were left out, or where
what was interlaced has been made progressive. There it is all of it."""

Field = NDArray[np.float32]


def uneven_cells(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> tuple[int, int]:
    """How many cells are off in their even rows alone, the top field, and how many in their odd rows alone.

    Where fields of two moments are woven into one picture, the rows of one of them are off by what moved in between
    and the others are not. Cells whose rows alternate no more than the reference's do not count: a line of one row that
    coarse coding left out is off in that row alone, and so is what was interlaced and has been made progressive. Of a
    picture that is off in one field as a whole all cells count: what moves down does not comb.
    """
    rows, columns = (side // _CELL_PX * _CELL_PX for side in want.shape)
    even = odd = 0
    off = np.zeros(2)
    # In bands, which stay in the cache: a whole picture of 4K would take 200 MB.
    for top in range(0, rows if columns else 0, _BAND_ROWS):
        band = np.s_[top : min(top + _BAND_ROWS, rows), :columns]
        found, wanted = (plane[band].astype(np.float32) for plane in (got, want))
        squares = np.square(found - wanted)
        fields = _by_cell(squares[0::2]), _by_cell(squares[1::2])
        combed = _alternation(found) > _alternation(wanted) + _OFF_CODES**2
        even += int((_is_off(*fields) & combed).sum())
        odd += int((_is_off(*reversed(fields)) & combed).sum())
        off += [float(field.sum()) for field in fields]
    cells = rows * columns // _CELL_PX**2
    if not cells:
        return even, odd
    late = int(off.argmax())
    more, less = off[late] / cells, off[1 - late] / cells
    is_late = more > max(_OFF_CODES**2, _UNEVEN_AS_A_WHOLE**2 * less)
    if is_late and _smoother(got[:rows, :columns], want[:rows, :columns], late) < _LEFT_OUT * (more - less):
        return (even, cells) if late else (cells, odd)
    return even, odd


def _is_off(field: Field, other: Field) -> NDArray[np.bool_]:
    off: NDArray[np.bool_] = field > np.maximum(_OFF_CODES**2, _UNEVEN**2 * other)
    return off


def _smoother(got: NDArray[np.uint8], want: NDArray[np.uint8], late: int) -> float:
    """By how much less, mean square, rows of a field (0 even, 1 odd) are off the mean of the rows around them."""
    first = 2 - late
    before, after = (
        float(np.square(rows[first:-1:2] - (rows[first - 1 : -2 : 2] + rows[first + 1 :: 2]) / 2).mean())
        for rows in (plane.astype(np.float32) for plane in (want, got))
    )
    return before - after


def _by_cell(rows: Field) -> Field:
    """Means over the rows of one field within each cell."""
    height, width = _CELL_PX // 2, _CELL_PX
    shape = (rows.shape[0] // height, height, rows.shape[1] // width, width)
    means: Field = rows.reshape(shape).mean(axis=(1, 3))
    return means


def _alternation(plane: Field) -> Field:
    """Mean square by cell of how far odd rows are off the mean of the even rows around them."""
    even, odd = plane[0::2], plane[1::2]
    below = np.concatenate([even[1:], even[-1:]])
    return _by_cell(np.square(odd - (even + below) / 2))
