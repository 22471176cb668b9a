"""A picture as the background of a canvas, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["blurred", "covering"]

Field = NDArray[np.float64]


def covering(image: Field, canvas: tuple[int, int]) -> Field:
    """The middle of an image (height, width, 3), as large as covers a canvas, resampled with a triangle filter.

    The filter is as wide as the reduction, or as an image's pixel where the image is enlarged.
    """
    scale = max(canvas[0] / image.shape[1], canvas[1] / image.shape[0])
    down = _tents(image.shape[0], canvas[1], scale)
    across = _tents(image.shape[1], canvas[0], scale)
    covered: Field = np.einsum("yr,rck,xc->yxk", down, image, across, optimize=True)
    return covered


def _tents(samples: int, pixels: int, scale: float) -> Field:
    """Weight of every sample in every pixel."""
    centres = samples / 2 + (np.arange(pixels) + 0.5 - pixels / 2) / scale
    half_width = max(1.0, 1 / scale)
    weights = (1 - np.abs(np.arange(samples) + 0.5 - centres[:, None]) / half_width).clip(0)
    normalised: Field = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def blurred(picture: Field, sigma_px: float) -> Field:
    """A Gaussian of a picture (height, width, 3); beyond its border the outermost pixels count on."""
    reach = int(np.ceil(6 * sigma_px))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padding = [(reach, reach) if axis == other else (0, 0) for other in range(3)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(picture, padding, mode="edge"), len(weights), axis)
        picture = windows @ weights
    return picture
