"""R'G'B' to 8-bit 4:2:0 Y'CbCr and back.

Equations: ITU-R BT.709-6 items 3.2 to 3.5 (the other matrices differ only in Kr and Kb: BT.601-7 item 2.5.1, BT.2020-2
table 4); quantisation as ITU-T H.264 (08/2021) equations E-5 to E-10. Only enumerations come from `capbench.colour`:
the numbers are written here a second time on purpose: two implementations that share a formula share its mistakes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.errors import PictureError

__all__ = ["LUMA_WEIGHTS", "QUANTISATION", "nv12_to_rgb", "rgb_to_nv12"]

LUMA_WEIGHTS = {
    MatrixCoefficients.BT601: (0.299, 0.587, 0.114),
    MatrixCoefficients.BT709: (0.2126, 0.7152, 0.0722),
    MatrixCoefficients.BT2020: (0.2627, 0.6780, 0.0593),
}
"""Weights of R', G', B' in Y'."""

QUANTISATION = {Range.LIMITED: (16.0, 219.0, 224.0), Range.FULL: (0.0, 255.0, 255.0)}
"""Code of black, codes from black to white, codes for chroma from -0.5 to +0.5."""

_NEUTRAL_CODE = 128.0


def rgb_to_nv12(
    rgb: NDArray[np.uint8] | NDArray[np.floating], spec: ColourSpec
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Luma (height, width) and interleaved chroma (height / 2, width / 2, 2) of a gamma-encoded picture.

    `rgb` has shape (height, width, 3), both even: uint8 codes of 0..255 or floats of 0..1. Chroma is filtered before it
    is quantised, from columns 2i-1, 2i, 2i+1 weighted [1 2 1]/4 (left siting, the edge column repeated) or 2i, 2i+1
    (centre siting), each the mean of rows 2j and 2j+1. Codes round to nearest, half up. Raises `PictureError`.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.shape[0] % 2 or rgb.shape[1] % 2 or 0 in rgb.shape:
        raise PictureError(f"expected (even height, even width, 3), got {rgb.shape = }")
    values = rgb.astype(np.float64) / (255.0 if rgb.dtype == np.uint8 else 1.0)
    red_weight, green_weight, blue_weight = LUMA_WEIGHTS[spec.matrix]
    black, luma_span, chroma_span = QUANTISATION[spec.range]
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]
    luma = red_weight * red + green_weight * green + blue_weight * blue
    differences = np.stack([(blue - luma) / (2 * (1 - blue_weight)), (red - luma) / (2 * (1 - red_weight))], axis=-1)
    chroma = _halve(differences, spec.siting)
    return _round_to_codes(black + luma_span * luma), _round_to_codes(_NEUTRAL_CODE + chroma_span * chroma)


def nv12_to_rgb(
    luma: NDArray[np.uint8], chroma: NDArray[np.uint8], spec: ColourSpec, *, clamp: bool = True
) -> NDArray[np.float64]:
    """Gamma-encoded R'G'B' of 0..1, shape (height, width, 3), of a picture that is read as `spec` says.

    Chroma is interpolated bilinearly at each luma sample's place in the siting's grid; beyond the border the outermost
    sample counts on. `clamp=False` keeps values outside 0..1, which codes beyond the nominal range give.
    Raises `PictureError`.
    """
    height, width = luma.shape
    if chroma.shape != (height // 2, width // 2, 2) or height % 2 or width % 2:
        raise PictureError(f"planes disagree: {luma.shape = } {chroma.shape = }")
    red_weight, green_weight, blue_weight = LUMA_WEIGHTS[spec.matrix]
    black, luma_span, chroma_span = QUANTISATION[spec.range]
    brightness = (luma.astype(np.float64) - black) / luma_span
    differences = _double((chroma.astype(np.float64) - _NEUTRAL_CODE) / chroma_span, spec.siting)
    blue = brightness + 2 * (1 - blue_weight) * differences[..., 0]
    red = brightness + 2 * (1 - red_weight) * differences[..., 1]
    green = (brightness - red_weight * red - blue_weight * blue) / green_weight
    rgb = np.stack([red, green, blue], axis=-1)
    return rgb.clip(0.0, 1.0) if clamp else rgb


def _halve(samples: NDArray[np.float64], siting: ChromaSiting) -> NDArray[np.float64]:
    rows = (samples[0::2] + samples[1::2]) / 2
    even, odd = rows[:, 0::2], rows[:, 1::2]
    if siting is ChromaSiting.CENTRE:
        return (even + odd) / 2
    before = np.concatenate([even[:, :1], odd[:, :-1]], axis=1)  # column -1 does not exist: column 0 stands in
    return (before + 2 * even + odd) / 4


def _double(samples: NDArray[np.float64], siting: ChromaSiting) -> NDArray[np.float64]:
    # Vertically a chroma sample lies between its two rows in both sitings: a quarter of a chroma row off each.
    above = np.concatenate([samples[:1], samples[:-1]])
    below = np.concatenate([samples[1:], samples[-1:]])
    rows = np.empty((samples.shape[0] * 2, *samples.shape[1:]))
    rows[0::2], rows[1::2] = 0.75 * samples + 0.25 * above, 0.75 * samples + 0.25 * below
    left = np.concatenate([rows[:, :1], rows[:, :-1]], axis=1)
    right = np.concatenate([rows[:, 1:], rows[:, -1:]], axis=1)
    doubled = np.empty((rows.shape[0], rows.shape[1] * 2, rows.shape[2]))
    if siting is ChromaSiting.CENTRE:
        doubled[:, 0::2], doubled[:, 1::2] = 0.75 * rows + 0.25 * left, 0.75 * rows + 0.25 * right
    else:
        doubled[:, 0::2], doubled[:, 1::2] = rows, 0.5 * rows + 0.5 * right
    return doubled


def _round_to_codes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.floor(values + 0.5).clip(0, 255).astype(np.uint8)
