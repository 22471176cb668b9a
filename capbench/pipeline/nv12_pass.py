"""The compute pass that leaves an NV12 picture in a GPU buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capbench.colour import ColourSpec
from capbench.pipeline.compositor import workgroups
from capbench.pipeline.device import GpuContext
from capbench.pipeline.geometry import CanvasSize
from capbench.pipeline.nv12_buffer import BLOCKS_PER_WORKGROUP, Nv12Layout, nv12_uniforms
from capbench.resources import shader_text

__all__ = ["Nv12Pass", "texture_to_nv12"]


class Nv12Pass:
    """One dispatch of a shader that is joined behind nv12.wgsl. Bind group 0 is the shader's own input."""

    def __init__(
        self,
        gpu: GpuContext,
        canvas: CanvasSize,
        colour: ColourSpec,
        *,
        pipeline: Any,
        input_group: Callable[[Any], Any],
    ) -> None:
        self.layout = Nv12Layout(canvas)
        """How the picture lies in `buffer`."""
        self.buffer = gpu.buffer(self.layout.size_bytes, "STORAGE|COPY_SRC", "nv12")
        """Storage buffer that holds the picture after the pass."""
        uniforms = nv12_uniforms(self.layout, colour)
        parameters = gpu.buffer(uniforms.nbytes, "UNIFORM|COPY_DST", "nv12 parameters")
        gpu.device.queue.write_buffer(parameters, 0, uniforms)
        self._pipeline = pipeline
        output = [
            {"binding": 0, "resource": {"buffer": parameters, "offset": 0, "size": parameters.size}},
            {"binding": 1, "resource": {"buffer": self.buffer, "offset": 0, "size": self.layout.size_bytes}},
        ]
        output_group = gpu.device.create_bind_group(layout=pipeline.get_bind_group_layout(1), entries=output)
        self._groups = (input_group(pipeline), output_group)

    def record(self, encoder: Any, timestamp_writes: dict[str, Any] | None = None) -> None:
        """Record the dispatch on a `wgpu.GPUCommandEncoder`."""
        compute_pass = encoder.begin_compute_pass(label="convert", timestamp_writes=timestamp_writes)
        compute_pass.set_pipeline(self._pipeline)
        for number, group in enumerate(self._groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(*self.layout.blocks, BLOCKS_PER_WORKGROUP))
        compute_pass.end()


def texture_to_nv12(gpu: GpuContext, texture: Any, canvas: CanvasSize, colour: ColourSpec) -> Nv12Pass:
    """The pass that converts an RGBA texture (rgba8unorm) of the canvas's size."""
    pipeline = gpu.compute_pipeline(shader_text("nv12", "convert"), "convert", "convert")

    def input_group(pipeline: Any) -> Any:
        entries = [{"binding": 0, "resource": texture.create_view()}]
        return gpu.device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries)

    return Nv12Pass(gpu, canvas, colour, pipeline=pipeline, input_group=input_group)
