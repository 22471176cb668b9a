"""What lies behind the recording, as a texture that is drawn only when it changes."""

from __future__ import annotations

from typing import Any

from capbench.pipeline.device import GpuContext
from capbench.pipeline.dispatch import WORKGROUP_PX, bind, workgroups
from capbench.pipeline.geometry import CanvasSize
from capbench.pipeline.layers.background import background_picture
from capbench.pipeline.layers.pictures import texture_of
from capbench.pipeline.scene import Background
from capbench.resources import shader_text

__all__ = ["Backdrop"]


class Backdrop:
    """Background, shadow and border of the recording; alpha says how much the recording covers. Raises `SceneError`."""

    def __init__(
        self, gpu: GpuContext, canvas: CanvasSize, background: Background, scene_uniforms: Any, scene_code: str
    ) -> None:
        self._canvas = canvas
        usage = "STORAGE_BINDING|TEXTURE_BINDING|COPY_SRC"
        self.texture = gpu.texture(canvas.width, canvas.height, "rgba8unorm", usage, "backdrop")
        """rgba8unorm, as large as the canvas."""
        self.is_stale = True
        """Whether the next `record` draws."""
        self.draws = 0
        """How often it was drawn."""
        self._pipeline = gpu.compute_pipeline(scene_code + shader_text("backdrop"), "draw_backdrop", "backdrop")
        picture = texture_of(gpu, background_picture(background, canvas), "background")
        self._groups = (
            bind(gpu, self._pipeline, 0, {0: scene_uniforms}),
            bind(gpu, self._pipeline, 1, {0: self.texture.create_view(), 1: picture.create_view()}),
        )

    def record(self, encoder: Any) -> None:
        """Record the pass that draws it, if it is stale."""
        if not self.is_stale:
            return
        compute_pass = encoder.begin_compute_pass(label="backdrop")
        compute_pass.set_pipeline(self._pipeline)
        for number, group in enumerate(self._groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(self._canvas.width, self._canvas.height, WORKGROUP_PX))
        compute_pass.end()
        self.is_stale = False
        self.draws += 1
