"""How an NV12 picture lies in a GPU buffer, and the parameters of shaders/nv12.wgsl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.geometry import CanvasSize
from capbench.pipeline.planes import plane_samples

__all__ = ["BLOCKS_PER_WORKGROUP", "Nv12Layout", "nv12_uniforms"]

BLOCKS_PER_WORKGROUP = (16, 4)
"""`@workgroup_size` of convert.wgsl and fused.wgsl, in blocks of 4x2 pixels."""

NV12_DTYPE = np.dtype(
    [
        ("width", "<u4"),
        ("height", "<u4"),
        ("stride_words", "<u4"),
        ("centre_sited", "<u4"),
        ("kr", "<f4"),
        ("kb", "<f4"),
        ("luma_offset", "<f4"),
        ("luma_span", "<f4"),
        ("chroma_span", "<f4"),
        ("padding", "<u4", 3),
    ]
)
"""`struct Nv12` of shaders/nv12.wgsl, field by field."""


@dataclass(frozen=True, slots=True)
class Nv12Layout:
    """Luma rows, then chroma rows, each row padded to whole 32-bit words: a shader can write nothing smaller."""

    canvas: CanvasSize

    @property
    def stride_bytes(self) -> int:
        """Bytes from one row to the next, of luma and of chroma alike."""
        return -(-self.canvas.width // 4) * 4

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole picture with its padding."""
        return self.stride_bytes * self.canvas.height * 3 // 2

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks of 4x2 pixels across and down."""
        return self.stride_bytes // 4, self.canvas.height // 2

    @property
    def picture_bytes(self) -> int:
        """Bytes of the samples alone: 1.5 a pixel."""
        return self.canvas.width * self.canvas.height * 3 // 2

    def copy_to_frame(self, mapped: NDArray[np.uint8], frame: Any) -> None:
        """Copy a mapped picture of `size_bytes` into the planes of an `av.VideoFrame` in nv12."""
        width, height = self.canvas.width, self.canvas.height
        rows = mapped[: self.size_bytes].reshape(height * 3 // 2, self.stride_bytes)[:, :width]
        plane_samples(frame.planes[0])[:] = rows[:height]
        plane_samples(frame.planes[1], 2)[:] = rows[height:]


def nv12_uniforms(layout: Nv12Layout, colour: ColourSpec) -> NDArray[np.void]:
    """The uniform block of shaders/nv12.wgsl: one record of `NV12_DTYPE`, 48 bytes."""
    block = np.zeros(1, NV12_DTYPE)
    block["width"], block["height"] = layout.canvas.width, layout.canvas.height
    block["stride_words"] = layout.stride_bytes // 4
    block["centre_sited"] = colour.siting is ChromaSiting.CENTRE
    block["kr"], block["kb"] = colour.matrix.kr_kb
    block["luma_offset"], block["luma_span"] = colour.luma_offset_code, colour.luma_span_codes
    block["chroma_span"] = colour.chroma_span_codes
    return block
