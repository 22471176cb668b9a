"""Pictures from the GPU to the CPU: a ring of buffers, several in flight, none waited for right after its submit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.gpu.device import GpuContext, wait_for

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUPromise

__all__ = ["TIMESTAMP_BYTES", "ReadbackRing"]

TIMESTAMP_BYTES = 16
"""Two 64-bit timestamps ride behind each picture in its staging buffer: they cost no mapping of their own."""

Tag = TypeVar("Tag")


@dataclass(slots=True, eq=False)
class _InFlight(Generic[Tag]):
    buffer: GPUBuffer
    mapping: GPUPromise[None]
    tag: Tag


class ReadbackRing(Generic[Tag]):
    """Readback buffers. The picture's bytes come first, `TIMESTAMP_BYTES` of pass timestamps last."""

    def __init__(self, gpu: GpuContext, picture_bytes: int, slots: int) -> None:
        self._gpu = gpu
        # Copies into a buffer end at multiples of 4, resolved queries start at multiples of 8.
        self.timestamp_offset = -(-picture_bytes // 8) * 8
        """Where the timestamps lie in a slot."""
        self.slot_bytes = self.timestamp_offset + TIMESTAMP_BYTES
        """Size of one slot."""
        self._free = deque(
            gpu.buffer(self.slot_bytes, "MAP_READ|COPY_DST", f"staging {number}") for number in range(slots)
        )
        self._in_flight: deque[_InFlight[Tag]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether `take` must be called before the next `next_buffer`."""
        return not self._free

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in flight."""
        return not self._in_flight

    def next_buffer(self) -> GPUBuffer:
        """The buffer that the next picture's commands copy into."""
        return self._free[0]

    def submitted(self, tag: Tag) -> None:
        """Say that commands which fill `next_buffer` were submitted; starts to map it without waiting."""
        buffer = self._free.popleft()
        # READ_NOSYNC is READ without the extra empty submit that wgpu-py makes: our own submit came just before.
        self._in_flight.append(_InFlight(buffer, buffer.map_async("READ_NOSYNC"), tag))

    def wait(self) -> None:
        """Wait until the oldest picture can be read. Raises `StallError` or `DeviceLostError`."""
        wait_for(self._in_flight[0].mapping, self._gpu.timeout_s, "reading a picture back")

    def wait_for_all(self) -> None:
        """Wait until every picture in flight can be read: the GPU is idle then. Raises as `wait`."""
        if self._in_flight:
            wait_for(self._in_flight[-1].mapping, self._gpu.timeout_s, "finishing what was submitted")

    def take(self, read: Callable[[NDArray[np.uint8]], None]) -> tuple[Tag, int]:
        """Let `read` see the oldest picture's mapped bytes; returns its tag and the ticks its passes took.

        Call `wait` first. `read` must keep no view: the memory goes back to the GPU when it returns.
        """
        oldest = self._in_flight.popleft()
        mapped = np.frombuffer(oldest.buffer.read_mapped(copy=False), np.uint8)
        try:
            read(mapped)
            start, end = (int(tick) for tick in mapped[self.timestamp_offset :].view(np.uint64))
        finally:
            del mapped
            oldest.buffer.unmap()
            self._free.append(oldest.buffer)
        return oldest.tag, max(0, end - start)
