"""The picture behind the recording, made once on the CPU: it never changes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from capbench.pipeline.geometry import CanvasSize
from capbench.pipeline.layers.pictures import open_image
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
    ground = Image.new("RGBA", image.size, background.colour)
    ground.alpha_composite(image)
    size = (canvas.width, canvas.height)
    scale = max(size[0] / image.width, size[1] / image.height)
    left, top = (image.width - size[0] / scale) / 2, (image.height - size[1] / scale) / 2
    box = (left, top, left + size[0] / scale, top + size[1] / scale)
    picture = ground.convert("RGB").resize(size, Image.Resampling.BILINEAR, box=box)
    if background.blur_px:
        # Pillow's blur is three box filters. Twice with less comes closer to a Gaussian: variances add up.
        sigma_px = background.blur_px * canvas.unit_px / math.sqrt(2)
        for _ in range(2):
            picture = picture.filter(ImageFilter.GaussianBlur(sigma_px))
    return np.asarray(picture.convert("RGBA"))
