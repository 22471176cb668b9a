"""Similarity of two planes: PSNR and SSIM by their published definitions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from capbench.errors import PictureError
from capbench.results.metric_registry import PSNR_CEILING_DB

__all__ = ["mean_squared_error", "psnr_db", "ssim"]

_PEAK_CODE = 255
"""Of 8 bits."""
Codes = NDArray[np.uint8] | NDArray[np.uint16]
_ROWS_AT_ONCE = 64  # float32 rows of this many lines stay in the cache: three times as fast as the whole plane
_SMALLEST_SSIM_SIDE = 11
"""Samples across the Gaussian window: 3.5 sigma each way, rounded, and the middle."""
_MARGIN = _SMALLEST_SSIM_SIDE // 2
_SSIM_BAND_ROWS = 64
_BELL = np.exp(-0.5 * (np.arange(-_MARGIN, _MARGIN + 1) / 1.5) ** 2)
_WINDOW = (_BELL / _BELL.sum()).astype(np.float32)
_C1, _C2 = np.float32((0.01 * _PEAK_CODE) ** 2), np.float32((0.03 * _PEAK_CODE) ** 2)
_MIDDLE_CODE = np.float32(128)


def mean_squared_error(got: Codes, want: Codes) -> float:
    """Mean of the squared difference in codes. Raises `PictureError` if shapes differ."""
    if got.shape != want.shape:
        raise PictureError(f"planes differ in size: {got.shape} against {want.shape}")
    total = 0.0
    for top in range(0, got.shape[0], _ROWS_AT_ONCE):
        rows = got[top : top + _ROWS_AT_ONCE].astype(np.float32)
        rows -= want[top : top + _ROWS_AT_ONCE]
        flat = rows.ravel()
        total += float(np.dot(flat, flat))
    return total / got.size


def psnr_db(squared_error: float, peak_code: int = _PEAK_CODE) -> float:
    """Peak signal to noise ratio 10 log10(peak^2 / MSE) in dB, at most `PSNR_CEILING_DB`.

    `peak_code` is the largest code of the depth that the error was measured in, 2^n - 1 (ITU-T H-series Supplement 64).
    """
    if squared_error <= 0:
        return PSNR_CEILING_DB
    return min(PSNR_CEILING_DB, 10 * math.log10(peak_code**2 / squared_error))


def ssim(got: Codes, want: Codes, peak_code: int = _PEAK_CODE) -> float | None:
    """Mean SSIM: Gaussian window of sigma 1.5, K1 0.01, K2 0.03, L `peak_code` (Wang et al. 2004, section III).

    None for planes smaller than the window of 11 samples. Raises `PictureError` if shapes differ.
    """
    if got.shape != want.shape:
        raise PictureError(f"planes differ in size: {got.shape} against {want.shape}")
    if min(got.shape) < _SMALLEST_SSIM_SIDE:
        return None
    total, count = 0.0, 0
    # In bands whose margins overlap: the mean over all inner samples is the same, and a band fits into the cache.
    for top in range(0, got.shape[0] - 2 * _MARGIN, _SSIM_BAND_ROWS):
        band = slice(top, top + _SSIM_BAND_ROWS + 2 * _MARGIN)
        values = _ssim_of_band(got[band], want[band], peak_code)
        total += float(values.sum(dtype=np.float64))
        count += values.size
    return total / count


def _ssim_of_band(got: Codes, want: Codes, peak_code: int) -> NDArray[np.float32]:
    """SSIM of the samples that have a whole window.

    Only the sum of both variances is needed, so four means do for five. Codes are taken off the middle: what float32
    rounds of their squares is then a ten-thousandth of the constant that is added to the variances. Deeper codes are
    scaled to L 255, which changes no SSIM: both constants grow as the squares of codes do.
    """
    x, y = (_centred(plane, peak_code) for plane in (got, want))
    mean_x, mean_y, squares, product = (_weighted(values) for values in (x, y, x * x + y * y, x * y))
    covariance, variances = product - mean_x * mean_y, squares - (mean_x * mean_x + mean_y * mean_y)
    mean_x += _MIDDLE_CODE
    mean_y += _MIDDLE_CODE
    alike = np.asarray((2 * mean_x * mean_y + _C1) * (2 * covariance + _C2), np.float32)
    alike /= (mean_x * mean_x + mean_y * mean_y + _C1) * (variances + _C2)
    return alike


def _centred(plane: Codes, peak_code: int) -> NDArray[np.float32]:
    values = plane.astype(np.float32)
    if peak_code != _PEAK_CODE:
        values *= np.float32(_PEAK_CODE / peak_code)
    return np.asarray(values - _MIDDLE_CODE, np.float32)


def _weighted(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over the Gaussian window, one axis after the other; the two samples of one weight are added first."""
    for axis in (0, 1):
        count = values.shape[axis] - 2 * _MARGIN
        at = [values[k : k + count] if axis == 0 else values[:, k : k + count] for k in range(_SMALLEST_SSIM_SIDE)]
        mean = _WINDOW[_MARGIN] * at[_MARGIN]
        for k in range(_MARGIN):
            mean += _WINDOW[k] * (at[k] + at[-1 - k])
        values = mean
    return values
