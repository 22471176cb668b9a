"""Decoded planes to GPU textures, through a ring of mapped buffers: nothing is created per frame.

A frame goes up in two steps. `UploadSlot.fill` copies its planes into a mapped buffer; any thread may do that, the one
that decodes for example. `PlaneUploader.record_filled` puts the copy to the textures into the frame's commands, on the
thread that submits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from capbench.errors import DeviceLostError, PictureError
from capbench.pipeline.decode.decoded_planes import copy_rows, plane_rows, plane_samples
from capbench.pipeline.decode.probe import SourcePlanes
from capbench.pipeline.gpu.device import GpuContext, wait_for

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUCommandEncoder, GPUPromise, GPUTexture

__all__ = ["ROW_ALIGNMENT_BYTES", "PlaneUploader", "UploadSlot"]

ROW_ALIGNMENT_BYTES = 256
"""WebGPU: rows of a buffer that is copied to or from a texture start at multiples of this."""


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ROW_ALIGNMENT_BYTES) * ROW_ALIGNMENT_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class _PlaneTarget:
    """Where a plane lies in an upload buffer, and the texture that it goes to."""

    texture: GPUTexture
    offset: int
    width: int
    """Texels a row."""
    height: int
    row_bytes: int
    """Bytes of a row without its padding."""
    stride: int

    def rows_in(self, buffer: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The plane's place in the bytes of an upload buffer, shape (height, stride)."""
        return buffer[self.offset :][: self.stride * self.height].reshape(self.height, self.stride)


class UploadSlot:
    """One buffer of the ring. It is filled, recorded, submitted, and may be filled again: one after the other.

    `wait` and `fill` may run on another thread than the rest.
    """

    def __init__(self, gpu: GpuContext, buffer: GPUBuffer, targets: tuple[_PlaneTarget, ...], number: int) -> None:
        self.number = number
        """Position in the ring, from 0."""
        self._gpu = gpu
        self._buffer = buffer
        self._targets = targets
        self._mapping: GPUPromise[None] | None = None
        """Promise of the mapping; None right after creation, when the buffer is mapped already."""
        self._lock = threading.Lock()
        """Held during a write: memory that the device takes back must have no writer."""
        self._is_closed = False
        self.is_filled = False
        """Whether it holds samples that were not recorded yet."""

    def wait(self) -> None:
        """Wait until the GPU has given the buffer back.

        Raises `StallError` if it does not come back in time, and `DeviceLostError` where the device is lost or closed.
        """
        if self._mapping is not None:
            wait_for(self._mapping, self._gpu.timeout_s, "an upload buffer", is_closed=lambda: self._is_closed)
            self._mapping = None

    def fill(self, frame: av.VideoFrame) -> None:
        """Copy a frame's planes, each as it is, into the buffer, once the GPU has given that back.

        The frame may go as soon as this returns. Raises as `wait`.
        """
        self.wait()
        with self._lock:
            if self._is_closed:
                raise DeviceLostError("the GPU device was closed while frames were uploaded", stage="upload")
            # Asked for memory of a device that was lost, wgpu-native ends the process.
            self._gpu.check()
            # wgpu-py 0.32 has no public way to write rows into a mapping; `write_mapped` wants the whole of it at once.
            native: Any = self._buffer
            # The view must not outlive the lock: after unmap its memory belongs to the GPU.
            mapped = np.frombuffer(native._experimental_get_mapped_range(), np.uint8)  # noqa: SLF001  see above
            rows = [target.rows_in(mapped) for target in self._targets]
            self._write(list(frame.planes), rows)
            del mapped, rows
        self.is_filled = True

    def _write(self, planes: list[VideoPlane], rows: list[NDArray[np.uint8]]) -> None:
        if (len(planes), len(rows)) not in ((3, 3), (2, 2), (3, 2)):
            raise PictureError(f"a frame of {len(planes)} planes does not fit the textures of one of {len(rows)}")
        plain = len(rows) if len(planes) == len(rows) else 1
        for plane, place, target in zip(planes[:plain], rows[:plain], self._targets[:plain], strict=True):
            copy_rows(plane_rows(plane), place, target.row_bytes)
        for first_byte, plane in enumerate(planes[plain:]):
            rows[1][:, first_byte : self._targets[1].row_bytes : 2] = plane_samples(plane)

    def record(self, encoder: GPUCommandEncoder) -> None:
        """Give the buffer to the GPU and record the copies to the textures. Call `give_back` after the submit."""
        assert self.is_filled, "fill a slot before recording it"
        self.is_filled = False
        self._buffer.unmap()
        for target in self._targets:
            encoder.copy_buffer_to_texture(
                {
                    "buffer": self._buffer,
                    "offset": target.offset,
                    "bytes_per_row": target.stride,
                    "rows_per_image": target.height,
                },
                {"texture": target.texture},
                (target.width, target.height, 1),
            )

    def give_back(self) -> None:
        """Ask for the buffer back once what was submitted has run."""
        self._mapping = self._buffer.map_async("WRITE")

    def close(self) -> None:
        """Wait for a write in progress and allow no further one: the device is about to be closed."""
        with self._lock:
            self._is_closed = True


class PlaneUploader:
    """Owns the textures that hold a source's planes, and the buffers that fill them.

    Planes go up as the decoder laid them out: three of one byte a sample, luma and interleaved chroma (NV12), or three
    of a word a sample (r16uint, which shaders load and do not interpolate).

    For a software adapter Cb and Cr of a byte are interleaved in the copy: llvmpipe spends 8 ms more on a 1080p frame
    where it samples two planes of chroma instead of one, and interleaving them takes 0.3 ms. `interleaves_chroma` says
    otherwise.
    """

    def __init__(
        self, gpu: GpuContext, planes: SourcePlanes, slots: int, *, interleaves_chroma: bool | None = None
    ) -> None:
        is_deep = planes.sample_bytes > 1
        interleaves = gpu.is_software if interleaves_chroma is None else interleaves_chroma
        interleaves = interleaves and not is_deep
        plain = "r16uint" if is_deep else "r8unorm"
        self.chroma_is_interleaved = planes.chroma_is_interleaved or interleaves
        """Whether one texture has both Cb and Cr, in red and green."""
        usage = "TEXTURE_BINDING|COPY_DST|COPY_SRC"  # COPY_SRC: what arrived can be read back and checked
        chroma_size = planes.chroma_width, planes.chroma_height
        luma = gpu.texture(planes.width, planes.height, plain, usage, "luma")
        if self.chroma_is_interleaved:
            chroma = [gpu.texture(*chroma_size, "rg8unorm", usage, "chroma")]
        else:
            chroma = [gpu.texture(*chroma_size, plain, usage, name) for name in ("Cb", "Cr")]
        self.textures: tuple[GPUTexture, GPUTexture, GPUTexture] = (luma, chroma[0], chroma[-1])
        """Luma, Cb and Cr (r8unorm); of interleaved chroma twice the same, Cb in red and Cr in green (rg8unorm)."""
        targets, offset = [], 0
        for texture in (luma, *chroma):
            width, height, _ = texture.size
            row_bytes = width * (1 if texture.format == "r8unorm" else 2)
            targets.append(_PlaneTarget(texture, offset, width, height, row_bytes, _aligned(row_bytes)))
            offset += _aligned(row_bytes) * height
        self.slot_bytes = offset
        """Size of one upload buffer."""
        self.slots = tuple(
            UploadSlot(
                gpu,
                gpu.buffer(self.slot_bytes, "MAP_WRITE|COPY_SRC", f"upload {number}", mapped=True),
                tuple(targets),
                number,
            )
            for number in range(slots)
        )
        """The ring. Each may be filled on another thread and is then given to `record_filled`."""
        gpu.writers.update(self.slots)
        self.ring_bytes = self.slot_bytes * slots
        """Bytes of all upload buffers."""
        self._frame_bytes = sum(target.row_bytes * target.height for target in targets)
        self._next = 0
        self._recorded: UploadSlot | None = None
        self.uploaded_bytes = 0
        """Bytes of planes recorded so far, row padding not counted."""

    def record(self, frame: av.VideoFrame, encoder: GPUCommandEncoder) -> None:
        """Fill the next slot here and now, and record it. Raises as `UploadSlot.fill`; call `submitted` as always."""
        slot = self.slots[self._next]
        self._next = (self._next + 1) % len(self.slots)
        slot.fill(frame)
        self.record_filled(slot, encoder)

    def record_filled(self, slot: UploadSlot, encoder: GPUCommandEncoder) -> None:
        """Record the copy of a filled slot to the textures, before what draws from them; then call `submitted`."""
        slot.record(encoder)
        self._recorded = slot
        self.uploaded_bytes += self._frame_bytes

    def submitted(self) -> None:
        """State that the commands of the last slot were submitted: it may be filled again."""
        assert self._recorded is not None, "nothing was recorded"
        self._recorded.give_back()
        self._recorded = None
