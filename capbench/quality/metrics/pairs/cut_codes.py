"""Were the bits that an output of 8 has not kept rounded off, or cut off? By means of levels, not by flat colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.quality.metrics.pairs.native_pairs import ComparedPair
from capbench.quality.oracle.reference_nv12 import LUMA_WEIGHTS, QUANTISATION

__all__ = ["LEVEL_GROUPS", "cut_code_sums"]

LEVEL_GROUPS = 64
"""Groups of adjacent levels: 256 levels of 8 bits, four to a group."""
_LEVELS = 256
_MOST_CODES = 1.0
"""Error of a sample that counts at most. What moved, or was left out, is off by more, and mostly in one direction: a
bright line that coding makes fainter, say. Where most samples are as they were drawn is what cutting off changes."""
_WITHIN = 0.02
"""Distance from the borders of R'G'B' of 0..1 from which no clamping changes codes on average."""

Field = NDArray[np.float32]


def cut_code_sums(pair: ComparedPair, bits: int, spec: ColourSpec) -> NDArray[np.float64]:
    """Of each plane and group of levels four sums: samples, their error, what rounding and cutting off make of it.

    Shape (3, `LEVEL_GROUPS`, 4), errors in 8-bit codes. `pair` is of `bits`, more than 8, in limited codes of `spec`.
    Of the output's planes those count that hold whole 8-bit codes, which no filter has gone over. Colours at the
    borders of R'G'B' are left out: clamping moves their means.
    """
    one_code = 1 << (bits - 8)
    want = [plane.astype(np.float32) / np.float32(one_code) for plane in pair.want]
    rows, columns = (a // b for a, b in zip(want[0].shape, want[1].shape, strict=True))
    inside = _inside(want, (rows, columns), spec)
    inside_of_planes = (np.repeat(np.repeat(inside, rows, axis=0), columns, axis=1), inside, inside)
    sums = np.zeros((3, LEVEL_GROUPS, 4))
    for plane, (found, wanted, chosen) in enumerate(zip(pair.got, want, inside_of_planes, strict=True)):
        if np.any(found % one_code):
            continue
        at = np.s_[: chosen.shape[0], : chosen.shape[1]]
        codes = wanted[at][chosen]
        error = (found[at][chosen] // one_code - codes).clip(-_MOST_CODES, _MOST_CODES)
        floor = np.floor(codes)
        group = floor.astype(np.intp) * LEVEL_GROUPS // _LEVELS
        for column, values in enumerate((np.ones_like(codes), error, np.floor(codes + 0.5) - codes, floor - codes)):
            sums[plane, :, column] = np.bincount(group, weights=values, minlength=LEVEL_GROUPS)
    return sums


def _inside(planes: list[Field], ratio: tuple[int, int], spec: ColourSpec) -> NDArray[np.bool_]:
    """Which chroma samples are within R'G'B' with all of the luma that is shown with them."""
    rows, columns = ratio
    kr, kg, kb = LUMA_WEIGHTS[spec.matrix]
    black, luma_span, chroma_span = QUANTISATION[spec.range]
    cb, cr = ((plane - 128) / chroma_span for plane in planes[1:])
    luma = planes[0][: cb.shape[0] * rows, : cb.shape[1] * columns].reshape(cb.shape[0], rows, cb.shape[1], columns)
    red, blue = 2 * (1 - kr) * cr, 2 * (1 - kb) * cb
    shares = np.stack([red, -(kr * red + kb * blue) / kg, blue])
    low, high = ((part - black) / luma_span for part in (luma.min(axis=(1, 3)), luma.max(axis=(1, 3))))
    within: NDArray[np.bool_] = (low + shares.min(axis=0) >= _WITHIN) & (high + shares.max(axis=0) <= 1 - _WITHIN)
    return within
