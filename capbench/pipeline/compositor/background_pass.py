"""What lies behind the recording, drawn only when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.gpu.compute_pass import Bindings, ComputePass
from capbench.pipeline.gpu.device import GpuContext
from capbench.resources import shader_source

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder, GPUTexture

__all__ = ["Backdrop"]


class Backdrop:
    """Draws background, shadow and border of the recording into the surround.

    `surround` is the texture to draw into, `scene_bindings` what scene.wgsl and background.wgsl read: parameters and
    background image. `generated` has the constants of the scene.
    """

    def __init__(
        self,
        gpu: GpuContext,
        canvas: CanvasSize,
        surround: GPUTexture,
        *,
        scene_bindings: Bindings,
        generated: Mapping[str, str],
    ) -> None:
        self._canvas = canvas
        self.is_stale = True
        """Whether the next `record` draws."""
        self.draws = 0
        """How often it was drawn."""
        source = shader_source("draw_background", generated)
        self._pass = ComputePass(gpu, source, "draw_background", [scene_bindings, {0: surround.create_view()}])

    def record(self, encoder: GPUCommandEncoder) -> None:
        """Record the pass that draws the whole canvas."""
        self._pass.record(encoder, self._canvas.width, self._canvas.height)
        self.is_stale = False
        self.draws += 1
