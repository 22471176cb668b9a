"""Run the conversion shader on a picture, outside an export."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_pass import texture_to_nv12
from capbench.pipeline.gpu.device import GpuContext

__all__ = ["Planes", "convert_on_gpu", "picture_of"]

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Luma (height, width) and chroma (height / 2, width / 2, 2)."""


def convert_on_gpu(gpu: GpuContext, rgb: NDArray[np.uint8], colour: ColourSpec) -> Planes:
    """NV12 of an 8-bit picture of shape (height, width, 3)."""
    height, width = rgb.shape[:2]
    canvas = CanvasSize(width, height)
    rgba = np.dstack([rgb, np.full((height, width), 255, np.uint8)])
    texture = gpu.texture(width, height, "rgba8unorm", "TEXTURE_BINDING|COPY_DST", "test picture")
    layout = {"bytes_per_row": width * 4, "rows_per_image": height}
    gpu.device.queue.write_texture({"texture": texture}, np.ascontiguousarray(rgba), layout, (width, height, 1))
    conversion = texture_to_nv12(gpu, texture, canvas, colour)
    encoder = gpu.device.create_command_encoder()
    conversion.record(encoder)
    gpu.device.queue.submit([encoder.finish()])
    words = gpu.device.queue.read_buffer(conversion.buffer)
    rows = np.frombuffer(words, np.uint8).reshape(height * 3 // 2, conversion.layout.stride_bytes)[:, :width]
    return rows[:height], rows[height:].reshape(height // 2, width // 2, 2)


def picture_of(kind: str, width: int, height: int) -> NDArray[np.uint8]:
    """A picture of shape (height, width, 3): `random`, `gradient` or `saturated`."""
    if kind == "random":
        return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "gradient":
        across = np.linspace(0, 255, width)[None, :].repeat(height, 0)
        down = np.linspace(255, 0, height)[:, None].repeat(width, 1)
        return np.dstack([across, down, (across + down) / 2]).round().astype(np.uint8)
    corners = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)], np.uint8)
    # A period of 7 columns and 3 rows meets every place in a 4x2 block.
    index = (np.arange(width)[None, :] % 7 + 3 * (np.arange(height)[:, None] % 3)) % 8
    picture: NDArray[np.uint8] = corners[index]
    return picture
