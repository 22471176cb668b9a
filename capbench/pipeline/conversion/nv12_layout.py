"""How an NV12 picture lies in a GPU buffer, and the parameters of shaders/shared/nv12.wgsl."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.decode.decoded_planes import copy_rows, plane_rows

__all__ = ["Nv12Layout", "nv12_constants"]

_ROW_ALIGNMENT_BYTES = 16
"""Rows of frames that PyAV makes, and whole 32-bit words, of which a shader can write nothing smaller."""


@dataclass(frozen=True, slots=True)
class Nv12Layout:
    """Luma rows, then chroma rows, each padded as in a frame of `encode.frame_pool`: a plane is one piece of memory."""

    canvas: CanvasSize

    @property
    def stride_bytes(self) -> int:
        """Bytes from one row to the next, of luma and of chroma alike."""
        return -(-self.canvas.width // _ROW_ALIGNMENT_BYTES) * _ROW_ALIGNMENT_BYTES

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole picture with its padding."""
        return self.stride_bytes * self.canvas.height * 3 // 2

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks of 4x2 pixels across and down."""
        return -(-self.canvas.width // 4), self.canvas.height // 2

    @property
    def picture_bytes(self) -> int:
        """Bytes of the samples alone: 1.5 a pixel."""
        return self.canvas.width * self.canvas.height * 3 // 2

    def copy_to_frame(self, mapped: NDArray[np.uint8], frame: av.VideoFrame) -> None:
        """Copy a mapped picture of `size_bytes` into the planes of an `av.VideoFrame` in nv12."""
        rows = mapped[: self.size_bytes].reshape(self.canvas.height * 3 // 2, self.stride_bytes)
        luma, chroma = rows[: self.canvas.height], rows[self.canvas.height :]
        for plane, source in zip(frame.planes, (luma, chroma), strict=True):
            copy_rows(source, plane_rows(plane), self.canvas.width)


def nv12_constants(layout: Nv12Layout, colour: ColourSpec) -> dict[str, float]:
    """The pipeline constants of shaders/shared/nv12.wgsl."""
    kr, kb = colour.matrix.kr_kb
    return {
        "nv12_width": layout.canvas.width,
        "nv12_height": layout.canvas.height,
        "nv12_stride_words": layout.stride_bytes // 4,
        "nv12_centre_sited": colour.siting is ChromaSiting.CENTRE,
        "nv12_kr": kr,
        "nv12_kb": kb,
        "nv12_luma_offset": colour.luma_offset_code,
        "nv12_luma_span": colour.luma_span_codes,
        "nv12_chroma_span": colour.chroma_span_codes,
    }
