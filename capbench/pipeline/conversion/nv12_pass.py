"""The compute pass that leaves an NV12 picture in a GPU buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.conversion.nv12_layout import Nv12Layout, nv12_constants
from capbench.pipeline.gpu.compute_pass import Bindings, ComputePass
from capbench.pipeline.gpu.device import GpuContext
from capbench.resources import ShaderSource, shader_source

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder, GPUTexture

__all__ = ["Nv12Pass", "texture_to_nv12"]


class Nv12Pass:
    """One dispatch of a shader that imports nv12.wgsl; its entry point has the shader's name.

    `inputs` is bind group 0, the shader's own.
    """

    def __init__(
        self, gpu: GpuContext, canvas: CanvasSize, colour: ColourSpec, *, source: ShaderSource, inputs: Bindings
    ) -> None:
        self.layout = Nv12Layout(canvas)
        """How the picture lies in `buffer`."""
        self.buffer = gpu.buffer(self.layout.size_bytes, "STORAGE|COPY_SRC", "nv12")
        """Storage buffer that holds the picture after the pass."""
        constants = nv12_constants(self.layout, colour)
        self._pass = ComputePass(gpu, source, source.name, [inputs, {0: self.buffer}], constants=constants)

    def record(self, encoder: GPUCommandEncoder) -> None:
        """Record the dispatch on a `wgpu.GPUCommandEncoder`."""
        self._pass.record(encoder, *self.layout.blocks)


def texture_to_nv12(gpu: GpuContext, texture: GPUTexture, canvas: CanvasSize, colour: ColourSpec) -> Nv12Pass:
    """The pass that converts an RGBA texture (rgba8unorm) of the canvas's size."""
    return Nv12Pass(gpu, canvas, colour, source=shader_source("convert"), inputs={0: texture.create_view()})
