"""GPU time of a frame, by timestamp queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.readback_ring import TIMESTAMP_BYTES

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUCommandEncoder, GPUQuerySet

__all__ = ["FrameTimestamps"]


class FrameTimestamps:
    """Two timestamps a frame, in empty passes around all that is recorded for it.

    Whatever a scene or a path records in between is counted and need not know of it. On a software adapter the times
    are CPU times and must be reported as such.
    """

    def __init__(self, gpu: GpuContext) -> None:
        self._queries: GPUQuerySet | None = None
        if gpu.has_timestamps:
            self._queries = gpu.device.create_query_set(type="timestamp", count=2, label="frame")
            self._resolved = gpu.buffer(TIMESTAMP_BYTES, "QUERY_RESOLVE|COPY_SRC", "timestamps")

    def begin(self, encoder: GPUCommandEncoder) -> None:
        """Record the time at which the frame's passes begin."""
        self._record_time(encoder, "beginning_of_pass_write_index", 0)

    def end(self, encoder: GPUCommandEncoder, staging: GPUBuffer, offset: int) -> None:
        """Record the time at which they have ended, and the copy of both to `offset` of a staging buffer."""
        self._record_time(encoder, "end_of_pass_write_index", 1)
        if self._queries is not None:
            encoder.resolve_query_set(self._queries, 0, 2, self._resolved, 0)
            encoder.copy_buffer_to_buffer(self._resolved, 0, staging, offset, TIMESTAMP_BYTES)

    def _record_time(self, encoder: GPUCommandEncoder, place: str, number: int) -> None:
        if self._queries is not None:
            writes = {"query_set": self._queries, place: number}
            encoder.begin_compute_pass(label="timestamp", timestamp_writes=writes).end()
