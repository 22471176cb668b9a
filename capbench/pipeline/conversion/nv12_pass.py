"""The compute pass that leaves an NV12 picture in a GPU buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_layout import BLOCKS_PER_WORKGROUP, Nv12Layout, nv12_constants
from capbench.pipeline.gpu.compute_pass import bind, workgroups
from capbench.pipeline.gpu.device import GpuContext
from capbench.resources import shader_text

__all__ = ["Nv12Pass", "texture_to_nv12"]


class Nv12Pass:
    """One dispatch of the only entry point of a shader that is joined behind nv12.wgsl.

    `input_group` makes bind group 0, the shader's own input, for the pipeline that it is given.
    """

    def __init__(
        self,
        gpu: GpuContext,
        canvas: CanvasSize,
        colour: ColourSpec,
        *,
        code: str,
        entry_point: str,
        input_group: Callable[[Any], Any],
    ) -> None:
        self.layout = Nv12Layout(canvas)
        """How the picture lies in `buffer`."""
        self.buffer = gpu.buffer(self.layout.size_bytes, "STORAGE|COPY_SRC", "nv12")
        """Storage buffer that holds the picture after the pass."""
        constants = nv12_constants(self.layout, colour)
        self._pipeline = gpu.compute_pipeline(code, entry_point, entry_point, constants)
        self._groups = (input_group(self._pipeline), bind(gpu, self._pipeline, 1, [self.buffer]))

    def record(self, encoder: Any) -> None:
        """Record the dispatch on a `wgpu.GPUCommandEncoder`."""
        compute_pass = encoder.begin_compute_pass(label="convert")
        compute_pass.set_pipeline(self._pipeline)
        for number, group in enumerate(self._groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(*self.layout.blocks, BLOCKS_PER_WORKGROUP))
        compute_pass.end()


def texture_to_nv12(gpu: GpuContext, texture: Any, canvas: CanvasSize, colour: ColourSpec) -> Nv12Pass:
    """The pass that converts an RGBA texture (rgba8unorm) of the canvas's size."""
    return Nv12Pass(
        gpu,
        canvas,
        colour,
        code=shader_text("nv12", "convert"),
        entry_point="convert",
        input_group=lambda pipeline: bind(gpu, pipeline, 0, [texture.create_view()]),
    )
