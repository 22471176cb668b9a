"""Image files that a scene names, read within bounds, as arrays that a texture takes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from capbench.errors import SceneError
from capbench.pipeline.gpu.device import GpuContext

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUTexture

__all__ = ["is_image", "open_image", "premultiplied", "texture_of", "write_texels"]


MAX_IMAGE_PX = 2**26
"""Pixels of an image: 8192 x 8192, twice an 8K screen. As RGBA they take 268 MB."""
MAX_IMAGE_FILE_BYTES = 2**29
"""As much as `MAX_IMAGE_PX` take without compression at 8 bytes each, twice what is common."""
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "QOI")
"""What people keep pictures in, told by its first bytes. Of Pillow's other readers one starts a program (EPS), and some
hold pictures of other sizes than they say (ICO)."""
_READ_FORMATS = "PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF, PPM and QOI"

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by EXIF's orientation (CIPA DC-008, 4.6.4 A)."""


def is_image(path: Path) -> bool:
    """Whether a file is an image, by its header; what is none may be a video. Raises `SceneError` for a broken one."""
    try:
        _opened(path).close()
    except UnidentifiedImageError:
        return False
    return True


def open_image(path: Path) -> Image.Image:
    """An image file, upright, as RGBA with straight alpha; of an animation the first picture.

    Raises `SceneError` for what is no image or a broken one, and before it is decoded for one of more than
    `MAX_IMAGE_PX`.
    """
    try:
        image = _opened(path)
    except UnidentifiedImageError:
        raise SceneError(f"{path} is not an image in a supported format ({_READ_FORMATS}); convert it to PNG") from None
    with image:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_IMAGE_FILE_BYTES:
            raise SceneError(
                f"image {path} has {size_bytes} bytes, at most {MAX_IMAGE_FILE_BYTES} are read; scale it down"
            )
        try:
            with _without_remarks():
                image.load()
                upright = _upright(image)
            return _from_16_bits(upright) if upright.mode.startswith("I") else upright.convert("RGBA")
        except (
            Exception
        ) as error:  # decoders raise anything on unknown bytes: OSError, ValueError, EOFError, SyntaxError ...
            raise SceneError(f"image {path} cannot be decoded: {_reason(error)}; save it again as PNG") from error


def _opened(path: Path) -> ImageFile.ImageFile:
    """An image whose header was read. Raises `SceneError`, and `UnidentifiedImageError` for what is no image."""
    too_large = f"{MAX_IMAGE_PX / 1e6:.0f} megapixels is the limit; scale it down"
    Image.init()
    try:
        with _without_remarks():
            image = Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN])
    except UnidentifiedImageError:
        raise
    except Image.DecompressionBombError:
        raise SceneError(f"image {path} is larger than what Pillow opens; {too_large}") from None
    except Exception as error:  # as in `open_image`
        raise SceneError(f"cannot read image {path}: {_reason(error)}") from error
    if image.width * image.height > MAX_IMAGE_PX:
        image.close()
        raise SceneError(f"image {path} is {image.width}x{image.height}; {too_large}")
    return image


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep to itself what Pillow warns of: large pictures, which are bounded here, and remarks that it cannot read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001  remarks beside a picture may be nonsense; the picture is not
        return image
    return image if turn is None else image.transpose(turn)


def _from_16_bits(image: Image.Image) -> Image.Image:
    """RGBA of grey in 16 bits, which Pillow's own conversion would cut off at 255."""
    codes = np.asarray(image).astype(np.int64).clip(0, 65535)
    return Image.fromarray(((codes + 128) // 257).astype(np.uint8)).convert("RGBA")


def _reason(error: Exception) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


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
