"""Path `weighted`: path `gpu` with a pass of known length on every frame, so that an export waits for its GPU.

    python -m tests.bench.gpu_weight

prints how many turns of the pass's loop take a millisecond here. `tests.bench.gpu_planting` offers the path to workers.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.conversion.shader import GpuPath
from capbench.pipeline.gpu.compute_pass import ComputePass
from capbench.pipeline.gpu.device import GpuContext, open_device, wait_for
from capbench.resources import ShaderSource
from tests.bench.gpu_planting import VARIABLE

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUCommandEncoder

__all__ = ["WeightedPath", "main"]

_SIDE = 512
"""Invocations across and down: as many as a large GPU has places for, so that nothing runs beside them."""
_TEXT = """
override TURNS: u32 = 1;
@group(0) @binding(0) var<storage, read_write> sink: array<f32>;
@compute @workgroup_size(8, 8)
fn weigh(@builtin(global_invocation_id) place: vec3<u32>) {
    var value = f32(place.x) * 0.001 + f32(place.y) * 0.000001;
    for (var turn = 0u; turn < TURNS; turn++) {
        value = fract(value * 1.000001 + 0.618034);
    }
    if (value == 0.123456) {  // next to never, which no compiler can know
        sink[0] = value;
    }
}
"""
_LONG_ENOUGH_S = 0.02
"""Of one pass, so that the way to the GPU and back, below a millisecond, hardly counts."""


class WeightedPath(GpuPath):
    """Path `gpu`, and the pass before it."""

    def __init__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> None:
        super().__init__(gpu, compositor, colour, threads=threads)
        self._weight = _weight(gpu, int(os.environ[VARIABLE]))

    def record(self, encoder: GPUCommandEncoder, staging: GPUBuffer) -> None:
        """Record the additional pass, then those of the path."""
        self._weight.record(encoder, _SIDE, _SIDE)
        super().record(encoder, staging)


def _weight(gpu: GpuContext, turns: int) -> ComputePass:
    source = ShaderSource("weight", _TEXT, tuple(("weight", line) for line in range(1, _TEXT.count("\n") + 2)))
    sink = gpu.buffer(4, "STORAGE|COPY_SRC", "sink")
    return ComputePass(gpu, source, "weigh", [{0: sink}], constants={"TURNS": turns})


def _pass_s(gpu: GpuContext, turns: int) -> float:
    """Shortest time of a few passes of so many turns, in seconds."""
    weight, staging = _weight(gpu, turns), gpu.buffer(4, "MAP_READ|COPY_DST", "staging")
    source = gpu.buffer(4, "COPY_SRC", "source")
    gpu.finish_compiling()
    times_s = []
    for _ in range(4):
        encoder = gpu.device.create_command_encoder()
        weight.record(encoder, _SIDE, _SIDE)
        encoder.copy_buffer_to_buffer(source, 0, staging, 0, 4)
        begun_s = time.perf_counter()
        gpu.device.queue.submit([encoder.finish()])
        wait_for(staging.map_async("READ"), gpu.timeout_s, "a pass")
        times_s.append(time.perf_counter() - begun_s)
        staging.unmap()
    return min(times_s)


def main() -> int:
    """Print the turns that take a millisecond; returns 0."""
    gpu = open_device()
    turns = 4
    while (pass_s := _pass_s(gpu, turns)) < _LONG_ENOUGH_S:
        turns *= 2
    gpu.close()
    sys.stdout.write(f"{turns / pass_s / 1000:.6f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
