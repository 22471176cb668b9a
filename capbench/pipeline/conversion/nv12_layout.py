"""How an NV12 picture lies in a GPU buffer, and the parameters of shaders/shared/nv12.wgsl."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.decode.decoded_planes import plane_samples

__all__ = ["Nv12Layout", "nv12_constants"]


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

    def copy_to_frame(self, mapped: NDArray[np.uint8], frame: av.VideoFrame) -> None:
        """Copy a mapped picture of `size_bytes` into the planes of an `av.VideoFrame` in nv12."""
        width, height = self.canvas.width, self.canvas.height
        rows = mapped[: self.size_bytes].reshape(height * 3 // 2, self.stride_bytes)[:, :width]
        plane_samples(frame.planes[0])[:] = rows[:height]
        plane_samples(frame.planes[1], 2)[:] = rows[height:]


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
