"""How alike two planes are: PSNR and SSIM by their published definitions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from capbench.errors import PictureError

__all__ = ["PSNR_CEILING_DB", "mean_squared_error", "psnr_db", "ssim"]

PSNR_CEILING_DB = 100.0
"""What identical planes get: the true value is infinite and no mean over frames would survive it."""

_PEAK_CODE = 255
_ROWS_AT_ONCE = 64  # float32 rows of this many lines stay in the cache: three times as fast as the whole plane
_SMALLEST_SSIM_SIDE = 11
"""Samples across the Gaussian window: 3.5 sigma each way, rounded, and the middle."""
_SSIM_BAND_ROWS = 128


def mean_squared_error(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> float:
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


def psnr_db(squared_error: float) -> float:
    """Peak signal to noise ratio 10 log10(255^2 / MSE) of 8-bit codes in dB, at most `PSNR_CEILING_DB`."""
    if squared_error <= 0:
        return PSNR_CEILING_DB
    return min(PSNR_CEILING_DB, 10 * math.log10(_PEAK_CODE**2 / squared_error))


def ssim(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> float | None:
    """Mean SSIM: Gaussian window of sigma 1.5, K1 0.01, K2 0.03, L 255 (Wang et al. 2004, section III).

    None for planes smaller than the window of 11 samples. Raises `PictureError` if shapes differ.
    """
    if got.shape != want.shape:
        raise PictureError(f"planes differ in size: {got.shape} against {want.shape}")
    if min(got.shape) < _SMALLEST_SSIM_SIDE:
        return None
    margin = _SMALLEST_SSIM_SIDE // 2
    total, count = 0.0, 0
    # In bands whose margins overlap: the mean over all inner samples is the same, in a tenth of the memory.
    for top in range(0, got.shape[0] - 2 * margin, _SSIM_BAND_ROWS):
        band = slice(top, top + _SSIM_BAND_ROWS + 2 * margin)
        _, values = structural_similarity(  # type: ignore[no-untyped-call]
            got[band],
            want[band],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=_PEAK_CODE,
            full=True,
        )
        inner = values[margin:-margin, margin:-margin]
        total += float(inner.sum(dtype=np.float64))
        count += inner.size
    return total / count
