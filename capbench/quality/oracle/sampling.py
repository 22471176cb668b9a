"""Reading a 4:2:0 picture at places between its samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.quality.oracle.reference_nv12 import LUMA_WEIGHTS, QUANTISATION

__all__ = ["sample_rgb"]


def sample_rgb(
    planes: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    spec: ColourSpec,
    *,
    columns: NDArray[np.float64],
    rows: NDArray[np.float64],
    chroma_place: tuple[float, float],
) -> NDArray[np.float64]:
    """Gamma-encoded R'G'B' of 0..1, shape (rows, columns, 3), read bilinearly; beyond the border the edge counts on.

    `columns` and `rows` are positions in luma samples, whole at a sample. `chroma_place` is how far right of and below
    the middle of its four luma samples a chroma sample lies, in luma samples: (-0.5, 0) for left siting.
    """
    luma, cb, cr = planes
    chroma_columns, chroma_rows = (columns - 0.5 - chroma_place[0]) / 2, (rows - 0.5 - chroma_place[1]) / 2
    offset, luma_span, chroma_span = QUANTISATION[spec.range]
    y = (_bilinear(luma, columns, rows) - offset) / luma_span
    blue_difference = (_bilinear(cb, chroma_columns, chroma_rows) - 128) / chroma_span
    red_difference = (_bilinear(cr, chroma_columns, chroma_rows) - 128) / chroma_span
    kr, kg, kb = LUMA_WEIGHTS[spec.matrix]
    red, blue = y + 2 * (1 - kr) * red_difference, y + 2 * (1 - kb) * blue_difference
    return np.stack([red, (y - kr * red - kb * blue) / kg, blue], axis=-1).clip(0, 1)


def _bilinear(plane: NDArray[np.uint8], columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """One axis after the other: the places form a grid."""
    across = _along(plane.astype(np.float64).T, columns)
    return _along(across.T, rows)


def _along(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    last = len(values) - 1
    clamped = places.clip(0, last)
    first = np.minimum(clamped.astype(np.intp), max(0, last - 1))
    share = (clamped - first)[:, None]
    mixed: NDArray[np.float64] = values[first] * (1 - share) + values[np.minimum(first + 1, last)] * share
    return mixed
