"""The picture behind the recording, made once on the CPU: it never changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.compositor.layers.image_textures import open_image
from capbench.pipeline.scene import Background

__all__ = ["background_picture"]


def background_picture(background: Background, canvas: CanvasSize) -> NDArray[np.uint8] | None:
    """Texels of the canvas's size, shape (height, width, 4), opaque; None where the shader draws the background.

    The image is resampled with a triangle filter as wide as the reduction, and blurred in gamma space.
    Raises `SceneError`.
    """
    if background.image is None:
        return None
    image = open_image(background.image)
    if image.getchannel("A").getextrema() != (255, 255):
        ground = Image.new("RGBA", image.size, background.colour)
        ground.alpha_composite(image)
        image = ground
    size = (canvas.width, canvas.height)
    scale = max(size[0] / image.width, size[1] / image.height)
    left, top = (image.width - size[0] / scale) / 2, (image.height - size[1] / scale) / 2
    box = (left, top, left + size[0] / scale, top + size[1] / scale)
    picture = image.convert("RGB").resize(size, Image.Resampling.BILINEAR, box=box)
    texels = np.full((canvas.height, canvas.width, 4), 255, np.uint8)
    texels[..., :3] = _blurred(np.asarray(picture), background.blur_px * canvas.unit_px)
    return texels


def _blurred(picture: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    """A Gaussian of a picture (height, width, 3); beyond its border the outermost pixels count on.

    Done on means of squares and interpolated, so that the time does not grow with the blur. Variances add up: n samples
    have (n^2 - 1) / 12 of their mean, linear interpolation between them twice that, the Gaussian supplies the rest.
    """
    if sigma_px == 0:
        return picture
    side = max(1, int(sigma_px * 2 / 3))
    sigma = math.sqrt(max(sigma_px**2 - (side**2 - 1) / 4, 1e-6)) / side
    height, width = picture.shape[:2]
    reach = math.ceil(4 * sigma)
    # One square more on each side, to interpolate to.
    padding = [((reach + 1) * side, (reach + 1) * side + -length % side) for length in (height, width)]
    padded = np.pad(picture, (*padding, (0, 0)), mode="edge").astype(np.float32)
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    means = padded.reshape(rows, side, columns, side, 3).mean(axis=(1, 3), dtype=np.float32)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    for axis in (0, 1):
        means = _weighted(means, weights / weights.sum(), axis)
    down, across = _between(height, side), _between(width, side)
    tall = means[down.first] * (1 - down.share[:, None, None]) + means[down.first + 1] * down.share[:, None, None]
    share = across.share[:, None]
    smooth = tall[:, across.first] * (1 - share) + tall[:, across.first + 1] * share
    blurred: NDArray[np.uint8] = np.floor(smooth + 0.5).astype(np.uint8)
    return blurred


def _weighted(samples: NDArray[np.float32], weights: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
    """Weighted sums along an axis, which becomes shorter by all weights but one."""
    count = samples.shape[axis] - len(weights) + 1
    total = np.zeros([count if number == axis else length for number, length in enumerate(samples.shape)], np.float32)
    for number, weight in enumerate(weights):
        total += np.float32(weight) * samples.take(range(number, number + count), axis)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Between:
    """For each pixel the square before it, and how far it is on the way to the next."""

    first: NDArray[np.intp]
    share: NDArray[np.float32]


def _between(pixels: int, side: int) -> _Between:
    # The margin is gone but for what one square on each side needs.
    places = (np.arange(pixels) + 0.5) / side - 0.5 + 1
    first = np.floor(places).astype(np.intp)
    return _Between(first, (places - first).astype(np.float32))
