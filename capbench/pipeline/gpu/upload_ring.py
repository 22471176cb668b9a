"""Decoded planes to GPU textures, through a ring of mapped buffers: nothing is created per frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.probe import SourcePlanes
from capbench.pipeline.gpu.device import GpuContext, wait_for

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUCommandEncoder, GPUPromise

__all__ = ["PlaneUploader"]

ROW_ALIGNMENT_BYTES = 256
"""WebGPU: rows of a buffer that is copied to or from a texture start at multiples of this."""


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ROW_ALIGNMENT_BYTES) * ROW_ALIGNMENT_BYTES


@dataclass(slots=True, eq=False)
class _Slot:
    buffer: GPUBuffer
    mapping: GPUPromise[None] | None
    """Promise of the mapping; None right after creation, when the buffer is mapped already."""


class PlaneUploader:
    """Owns one luma texture (r8unorm) and one chroma texture (rg8unorm), and the buffers that fill them."""

    def __init__(self, gpu: GpuContext, planes: SourcePlanes, slots: int) -> None:
        self._gpu = gpu
        self._planes = planes
        usage = "TEXTURE_BINDING|COPY_DST|COPY_SRC"  # COPY_SRC: what arrived can be read back and checked
        self.luma = gpu.texture(planes.width, planes.height, "r8unorm", usage, "luma")
        """Luma texture."""
        self.chroma = gpu.texture(planes.chroma_width, planes.chroma_height, "rg8unorm", usage, "chroma")
        """Chroma texture, Cb in red and Cr in green."""
        self._luma_stride = _aligned(planes.width)
        self._chroma_stride = _aligned(planes.chroma_width * 2)
        self._chroma_offset = self._luma_stride * planes.height
        self.slot_bytes = self._chroma_offset + self._chroma_stride * planes.chroma_height
        """Size of one upload buffer."""
        self._slots = [
            _Slot(gpu.buffer(self.slot_bytes, "MAP_WRITE|COPY_SRC", f"upload {n}", mapped=True), None)
            for n in range(slots)
        ]
        self.ring_bytes = self.slot_bytes * slots
        """Bytes of all upload buffers."""
        self._next = 0
        self.uploaded_bytes = 0
        """Bytes of planes written so far, row padding not counted."""

    def record(self, frame: av.VideoFrame, encoder: GPUCommandEncoder) -> None:
        """Write a planar frame's samples into the next buffer and record its copy to the textures.

        Call `submitted` after the submit. Raises `StallError` if the GPU does not give the buffer back in time.
        """
        slot = self._slots[self._next]
        if slot.mapping is not None:
            wait_for(slot.mapping, self._gpu.timeout_s, "an upload buffer")
        self._fill(slot.buffer, frame)
        slot.buffer.unmap()
        planes = self._planes
        for texture, offset, stride, width, height in (
            (self.luma, 0, self._luma_stride, planes.width, planes.height),
            (self.chroma, self._chroma_offset, self._chroma_stride, planes.chroma_width, planes.chroma_height),
        ):
            layout = {"buffer": slot.buffer, "offset": offset, "bytes_per_row": stride, "rows_per_image": height}
            encoder.copy_buffer_to_texture(layout, {"texture": texture}, (width, height, 1))

    def submitted(self) -> None:
        """Ask for the buffer of the last `record` back and move on to the next."""
        slot = self._slots[self._next]
        slot.mapping = slot.buffer.map_async("WRITE")
        self._next = (self._next + 1) % len(self._slots)

    def _fill(self, buffer: GPUBuffer, frame: av.VideoFrame) -> None:
        # The view must not outlive this call: after unmap its memory belongs to the GPU.
        # wgpu-py 0.32 has no public way to write rows into a mapping in place; `write_mapped` wants them contiguous.
        native: Any = buffer
        mapped = np.frombuffer(native._experimental_get_mapped_range(0, self.slot_bytes), np.uint8)  # noqa: SLF001
        planes = self._planes
        luma = mapped[: self._chroma_offset].reshape(planes.height, self._luma_stride)
        chroma = mapped[self._chroma_offset :].reshape(planes.chroma_height, self._chroma_stride)
        luma[:, : planes.width] = plane_samples(frame.planes[0])
        chroma[:, 0 : planes.chroma_width * 2 : 2] = plane_samples(frame.planes[1])
        chroma[:, 1 : planes.chroma_width * 2 : 2] = plane_samples(frame.planes[2])
        self.uploaded_bytes += planes.width * planes.height + 2 * planes.chroma_width * planes.chroma_height
