"""How much of a device's own copy bandwidth the conversion reaches: `python -m tests.bench.conversion_bandwidth`.

By timestamp queries around many passes, so on a software adapter these are CPU times. Bytes are counted as the work has
them: RGBA read once and NV12 written once, and a copy's bytes read and written. Conversion and copy alternate.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_pass import texture_to_nv12
from capbench.pipeline.gpu.device import GpuContext, open_device, wait_for
from capbench.pipeline.gpu.gpu_timestamps import FrameTimestamps

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder

PICTURES = 6
"""Pictures of 4K that take turns: 270 MB, which no cache holds."""
TURNS = 40
"""How often each is converted between two timestamps."""
TURNS_SOFTWARE = 1
TRIALS = 9


class Stopwatch:
    """Times what is recorded on the device."""

    def __init__(self, gpu: GpuContext) -> None:
        self._gpu = gpu
        self._timestamps = FrameTimestamps(gpu)
        self._staging = gpu.buffer(16, "MAP_READ|COPY_DST", "times")

    def time_s(self, record: Callable[[GPUCommandEncoder], None]) -> float:
        """Seconds between the first and the last of the commands that `record` puts into an encoder."""
        encoder = self._gpu.device.create_command_encoder()
        self._timestamps.begin(encoder)
        record(encoder)
        self._timestamps.end(encoder, self._staging, 0)
        self._gpu.device.queue.submit([encoder.finish()])
        wait_for(self._staging.map_async("READ_NOSYNC"), self._gpu.timeout_s, "timing")
        start, end = np.frombuffer(self._staging.read_mapped(copy=True), np.uint64)
        self._staging.unmap()
        return float(end - start) * self._gpu.timestamp_period_ns / 1e9


def measure(gpu: GpuContext, size: CanvasSize) -> None:
    """Print one line for a size."""
    turns = TURNS_SOFTWARE if gpu.is_software else TURNS
    picture_bytes = size.width * size.height * 4
    textures = [
        gpu.texture(size.width, size.height, "rgba8unorm", "TEXTURE_BINDING|COPY_DST", f"picture {n}")
        for n in range(PICTURES)
    ]
    passes = [texture_to_nv12(gpu, texture, size, ColourSpec()) for texture in textures]
    moved_bytes = picture_bytes + passes[0].layout.size_bytes
    half = moved_bytes // 2 // 4 * 4
    buffers = [
        (gpu.buffer(half, "COPY_SRC|COPY_DST", f"from {n}"), gpu.buffer(half, "COPY_SRC|COPY_DST", f"to {n}"))
        for n in range(PICTURES)
    ]

    def convert(encoder: GPUCommandEncoder) -> None:
        for _ in range(turns):
            for conversion in passes:
                conversion.record(encoder)

    def copy(encoder: GPUCommandEncoder) -> None:
        for _ in range(turns):
            for source, target in buffers:
                encoder.copy_buffer_to_buffer(source, 0, target, 0, half)

    stopwatch = Stopwatch(gpu)
    times: dict[str, list[float]] = {"convert": [], "copy": []}
    for _ in range(TRIALS):
        times["convert"].append(stopwatch.time_s(convert) / turns / PICTURES)
        times["copy"].append(stopwatch.time_s(copy) / turns / PICTURES)
    convert_s, copy_s = (statistics.median(times[name][1:]) for name in ("convert", "copy"))  # the first warms up
    print(  # noqa: T201  a program of its own
        f"{size.width}x{size.height}: convert {convert_s * 1e6:.1f} us, {moved_bytes / convert_s / 1e9:.0f} GB/s; "
        f"copy {copy_s * 1e6:.1f} us, {2 * half / copy_s / 1e9:.0f} GB/s; ratio {copy_s / convert_s:.0%}"
    )


def main() -> None:
    """Measure 1080p and 4K on the device that exports use."""
    gpu = open_device()
    print(gpu.adapter, "(software: CPU times)" if gpu.is_software else "")  # noqa: T201  a program of its own
    for size in (CanvasSize(1920, 1080), CanvasSize(3840, 2160)):
        measure(gpu, size)
    gpu.close()


if __name__ == "__main__":
    main()
