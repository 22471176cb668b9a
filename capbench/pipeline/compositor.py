"""The scene on the GPU: what stays the same is drawn once, the rest for every frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.device import GpuContext
from capbench.pipeline.geometry import CanvasSize
from capbench.pipeline.upload import PlaneUploader
from capbench.resources import shader_text

__all__ = ["Compositor", "workgroups"]

WORKGROUP_PX = (16, 8)
"""`@workgroup_size` of backdrop.wgsl and composite.wgsl."""


def workgroups(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Workgroups that cover a grid of invocations."""
    return -(-width // size[0]), -(-height // size[1])


class Compositor:
    """Draws a scene. `picture` is made on first use: the fused path never needs it."""

    def __init__(
        self, gpu: GpuContext, uploader: PlaneUploader, canvas: CanvasSize, uniforms: NDArray[np.void]
    ) -> None:
        self.canvas = canvas
        self._gpu = gpu
        self._uploader = uploader
        self._uniforms = gpu.buffer(uniforms.nbytes, "UNIFORM|COPY_DST", "scene")
        gpu.device.queue.write_buffer(self._uniforms, 0, uniforms)
        self._sampler = gpu.device.create_sampler(
            mag_filter="linear", min_filter="linear", address_mode_u="clamp-to-edge", address_mode_v="clamp-to-edge"
        )
        self._backdrop = self._canvas_texture("backdrop")
        self._draw_backdrop()
        self._picture: Any = None
        self._pipeline: Any = None
        self._bind_groups: tuple[Any, ...] = ()

    @property
    def picture(self) -> Any:
        """RGBA texture (rgba8unorm) that `draw` fills."""
        if self._picture is None:
            self._picture = self._canvas_texture("picture")
            code = shader_text("scene", "composite")
            self._pipeline = self._gpu.compute_pipeline(code, "composite", "composite")
            output = [{"binding": 0, "resource": self._picture.create_view()}]
            self._bind_groups = (
                self.scene_bind_group(self._pipeline),
                self._bind_group(self._pipeline, 1, output),
            )
        return self._picture

    def scene_bind_group(self, pipeline: Any) -> Any:
        """Bind group 0 of scene.wgsl for a pipeline that draws the scene itself."""
        resources = [
            {"buffer": self._uniforms, "offset": 0, "size": self._uniforms.size},
            self._uploader.luma.create_view(),
            self._uploader.chroma.create_view(),
            self._sampler,
            self._backdrop.create_view(),
        ]
        entries = [{"binding": number, "resource": resource} for number, resource in enumerate(resources)]
        return self._bind_group(pipeline, 0, entries)

    def draw(self, encoder: Any, timestamp_writes: dict[str, Any] | None = None) -> None:
        """Record the pass that draws the uploaded frame into `picture`."""
        assert self._picture is not None, "ask for `picture` before drawing into it"
        compute_pass = encoder.begin_compute_pass(label="composite", timestamp_writes=timestamp_writes)
        compute_pass.set_pipeline(self._pipeline)
        for number, group in enumerate(self._bind_groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(self.canvas.width, self.canvas.height, WORKGROUP_PX))
        compute_pass.end()

    def _canvas_texture(self, label: str) -> Any:
        usage = "STORAGE_BINDING|TEXTURE_BINDING|COPY_SRC"
        return self._gpu.texture(self.canvas.width, self.canvas.height, "rgba8unorm", usage, label)

    def _bind_group(self, pipeline: Any, number: int, entries: list[dict[str, Any]]) -> Any:
        layout = pipeline.get_bind_group_layout(number)
        return self._gpu.device.create_bind_group(layout=layout, entries=entries)

    def _draw_backdrop(self) -> None:
        pipeline = self._gpu.compute_pipeline(shader_text("scene", "backdrop"), "draw_backdrop", "backdrop")
        scene = {"buffer": self._uniforms, "offset": 0, "size": self._uniforms.size}
        encoder = self._gpu.device.create_command_encoder(label="backdrop")
        compute_pass = encoder.begin_compute_pass(label="backdrop")
        compute_pass.set_pipeline(pipeline)
        compute_pass.set_bind_group(0, self._bind_group(pipeline, 0, [{"binding": 0, "resource": scene}]))
        output = [{"binding": 0, "resource": self._backdrop.create_view()}]
        compute_pass.set_bind_group(1, self._bind_group(pipeline, 1, output))
        compute_pass.dispatch_workgroups(*workgroups(self.canvas.width, self.canvas.height, WORKGROUP_PX))
        compute_pass.end()
        self._gpu.device.queue.submit([encoder.finish()])
