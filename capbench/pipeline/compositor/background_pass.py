"""What lies behind the recording, drawn only when it changes."""

from __future__ import annotations

from typing import Any

from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.gpu.compute_pass import WORKGROUP_PX, bind, workgroups
from capbench.pipeline.gpu.device import GpuContext
from capbench.resources import shader_text

__all__ = ["Backdrop"]


class Backdrop:
    """Draws background, shadow and border of the recording into the surround.

    `surround` is the texture to draw into, `scene_bindings` what scene.wgsl and surround.wgsl read: parameters and
    background.
    """

    def __init__(
        self,
        gpu: GpuContext,
        canvas: CanvasSize,
        surround: Any,
        *,
        scene_bindings: dict[int, Any],
        scene_code: str,
    ) -> None:
        self._canvas = canvas
        self.is_stale = True
        """Whether the next `record` draws."""
        self.draws = 0
        """How often it was drawn."""
        code = scene_code + shader_text("surround", "backdrop")
        self._pipeline = gpu.compute_pipeline(code, "draw_backdrop", "backdrop")
        self._groups = (
            bind(gpu, self._pipeline, 0, scene_bindings),
            bind(gpu, self._pipeline, 1, {0: surround.create_view()}),
        )

    def record(self, encoder: Any) -> None:
        """Record the pass that draws the whole canvas."""
        compute_pass = encoder.begin_compute_pass(label="backdrop")
        compute_pass.set_pipeline(self._pipeline)
        for number, group in enumerate(self._groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(self._canvas.width, self._canvas.height, WORKGROUP_PX))
        compute_pass.end()
        self.is_stale = False
        self.draws += 1
