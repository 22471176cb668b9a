"""GPU time of a frame's passes, by timestamp queries."""

from __future__ import annotations

from typing import Any

from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.staging import TIMESTAMP_BYTES

__all__ = ["FrameTimestamps"]


class FrameTimestamps:
    """Two timestamps a frame. On a software adapter they are CPU time and must be reported as such."""

    def __init__(self, gpu: GpuContext) -> None:
        self._queries: Any = None
        if gpu.has_timestamps:
            self._queries = gpu.device.create_query_set(type="timestamp", count=2, label="frame")
            self._resolved = gpu.buffer(TIMESTAMP_BYTES, "QUERY_RESOLVE|COPY_SRC", "timestamps")

    @property
    def begin(self) -> dict[str, Any] | None:
        """`timestamp_writes` of the first of several passes."""
        return self._queries and {"query_set": self._queries, "beginning_of_pass_write_index": 0}

    @property
    def end(self) -> dict[str, Any] | None:
        """`timestamp_writes` of the last of several passes."""
        return self._queries and {"query_set": self._queries, "end_of_pass_write_index": 1}

    @property
    def both(self) -> dict[str, Any] | None:
        """`timestamp_writes` of an only pass."""
        return self._queries and {
            "query_set": self._queries,
            "beginning_of_pass_write_index": 0,
            "end_of_pass_write_index": 1,
        }

    def record(self, encoder: Any, staging: Any, offset: int) -> None:
        """Record the copy of both timestamps to `offset` of a staging buffer."""
        if self._queries is not None:
            encoder.resolve_query_set(self._queries, 0, 2, self._resolved, 0)
            encoder.copy_buffer_to_buffer(self._resolved, 0, staging, offset, TIMESTAMP_BYTES)
