"""Image files as arrays that a texture takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from capbench.errors import SceneError
from capbench.pipeline.gpu.device import GpuContext

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUTexture

__all__ = ["is_image", "open_image", "premultiplied", "texture_of", "write_texels"]


def is_image(path: Path) -> bool:
    """Whether Pillow takes a file for an image; what it does not know may be a video."""
    try:
        with Image.open(path):
            return True
    except UnidentifiedImageError:
        return False
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error}") from error


def open_image(path: Path) -> Image.Image:
    """An image file, upright, as RGBA with straight alpha. Raises `SceneError`."""
    try:
        with Image.open(path) as image:
            upright: Image.Image = ImageOps.exif_transpose(image)
            return upright.convert("RGBA")
    except UnidentifiedImageError:
        raise SceneError(f"{path} is not an image that Pillow reads; convert it to PNG") from None
    except (OSError, Image.DecompressionBombError) as error:
        raise SceneError(f"cannot read image {path}: {error}") from error


def premultiplied(image: Image.Image) -> NDArray[np.uint8]:
    """The image's texels, shape (height, width, 4), colour multiplied by alpha: such texels may be interpolated."""
    texels = np.asarray(image.convert("RGBA"), np.float32)
    colour = texels[..., :3] * (texels[..., 3:] / 255)
    return np.concatenate([np.floor(colour + 0.5), texels[..., 3:]], axis=-1).astype(np.uint8)


def texture_of(gpu: GpuContext, texels: NDArray[np.uint8] | None, label: str) -> GPUTexture:
    """An rgba8unorm texture of texels of shape (height, width, 4); None gives a single transparent one."""
    texels = np.zeros((1, 1, 4), np.uint8) if texels is None else texels
    texture = gpu.texture(texels.shape[1], texels.shape[0], "rgba8unorm", "TEXTURE_BINDING|COPY_DST", label)
    write_texels(gpu, texture, texels, (0, 0))
    return texture


def write_texels(gpu: GpuContext, texture: GPUTexture, texels: NDArray[np.uint8], origin: tuple[int, int]) -> None:
    """Write texels of shape (height, width, 4) into an rgba8unorm texture, the first at `origin`, x and y."""
    height, width = texels.shape[:2]
    gpu.device.queue.write_texture(
        {"texture": texture, "origin": (*origin, 0)},
        np.ascontiguousarray(texels),
        {"offset": 0, "bytes_per_row": width * 4, "rows_per_image": height},
        (width, height, 1),
    )
