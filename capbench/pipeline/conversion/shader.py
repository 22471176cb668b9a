"""Paths `gpu` and `gpu-fused`: NV12 is made on the renderer's own device, and only NV12 crosses to the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.conversion.interface import Finishing
from capbench.pipeline.conversion.nv12_pass import Nv12Pass, texture_to_nv12
from capbench.pipeline.gpu.device import GpuContext
from capbench.resources import shader_source

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUBuffer, GPUCommandEncoder

__all__ = ["FusedPath", "GpuPath"]


class _Nv12OnGpu:
    """What both paths share: reading the NV12 buffer back."""

    picture_format = "nv12"
    finishing = Finishing.NOT_NEEDED

    def __init__(self, conversion: Nv12Pass, colour: ColourSpec) -> None:
        self.siting = colour.siting
        self._conversion = conversion
        self.staging_bytes = conversion.layout.size_bytes
        self.readback_bytes = conversion.layout.picture_bytes

    def read(self, mapped: NDArray[np.uint8], frame: av.VideoFrame) -> None:
        """Copy the NV12 rows without their padding."""
        self._conversion.layout.copy_to_frame(mapped, frame)

    def finish(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return it: it is NV12 already."""
        return frame

    def close(self) -> None:
        """Do nothing: everything lives on the renderer's device and goes with it."""


class GpuPath(_Nv12OnGpu):
    """Composite into RGBA, convert in a second pass."""

    def __init__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> None:
        del threads
        super().__init__(texture_to_nv12(gpu, compositor.picture, compositor.canvas, colour), colour)
        self._compositor = compositor

    def record(self, encoder: GPUCommandEncoder, staging: GPUBuffer) -> None:
        """Record both passes and the copy of the NV12 buffer."""
        self._compositor.draw(encoder)
        self._conversion.record(encoder)
        encoder.copy_buffer_to_buffer(self._conversion.buffer, 0, staging, 0, self.staging_bytes)


class FusedPath(_Nv12OnGpu):
    """Composite and convert in one dispatch; no RGBA texture exists."""

    def __init__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> None:
        del threads
        conversion = Nv12Pass(
            gpu,
            compositor.canvas,
            colour,
            source=shader_source("fused", compositor.generated),
            inputs=compositor.scene_bindings(),
        )
        super().__init__(conversion, colour)

    def record(self, encoder: GPUCommandEncoder, staging: GPUBuffer) -> None:
        """Record the pass and the copy of the NV12 buffer."""
        self._conversion.record(encoder)
        encoder.copy_buffer_to_buffer(self._conversion.buffer, 0, staging, 0, self.staging_bytes)
