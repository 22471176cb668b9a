"""Paths `gpu` and `gpu-fused`: NV12 is made on the renderer's own device, and only NV12 crosses to the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.compositor import Compositor, workgroups
from capbench.pipeline.device import GpuContext
from capbench.pipeline.nv12_buffer import BLOCKS_PER_WORKGROUP, Nv12Layout, nv12_uniforms
from capbench.pipeline.paths.base import PassTimestamps
from capbench.resources import shader_text

__all__ = ["FusedPath", "GpuPath"]


class _Nv12OnGpu:
    """What both paths share: the NV12 buffer, and reading it back."""

    picture_format = "nv12"
    converts_on_cpu = False

    def __init__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec) -> None:
        self.siting = colour.siting
        self._gpu = gpu
        self._compositor = compositor
        self._layout = Nv12Layout(compositor.canvas)
        self.staging_bytes = self._layout.size_bytes
        self.readback_bytes = self._layout.picture_bytes
        uniforms = nv12_uniforms(self._layout, colour)
        self._uniforms = gpu.buffer(uniforms.nbytes, "UNIFORM|COPY_DST", "nv12 parameters")
        gpu.device.queue.write_buffer(self._uniforms, 0, uniforms)
        self._picture = gpu.buffer(self.staging_bytes, "STORAGE|COPY_SRC", "nv12")

    def read(self, mapped: NDArray[np.uint8], frame: Any) -> None:
        """Copy the NV12 rows without their padding."""
        self._layout.copy_to_frame(mapped, frame)

    def finish(self, frame: Any) -> Any:
        """Return it: it is NV12 already."""
        return frame

    def close(self) -> None:
        """Everything lives on the renderer's device and goes with it."""

    def _nv12_bind_group(self, pipeline: Any) -> Any:
        entries = [
            {"binding": 0, "resource": {"buffer": self._uniforms, "offset": 0, "size": self._uniforms.size}},
            {"binding": 1, "resource": {"buffer": self._picture, "offset": 0, "size": self.staging_bytes}},
        ]
        return self._gpu.device.create_bind_group(layout=pipeline.get_bind_group_layout(1), entries=entries)

    def _dispatch(self, encoder: Any, pipeline: Any, groups: tuple[Any, Any], writes: dict[str, Any] | None) -> None:
        compute_pass = encoder.begin_compute_pass(label="convert", timestamp_writes=writes)
        compute_pass.set_pipeline(pipeline)
        for number, group in enumerate(groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(*self._layout.blocks, BLOCKS_PER_WORKGROUP))
        compute_pass.end()


class GpuPath(_Nv12OnGpu):
    """Composite into RGBA, convert in a second pass."""

    def __init__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> None:
        del threads
        super().__init__(gpu, compositor, colour)
        self._pipeline = gpu.compute_pipeline(shader_text("nv12", "convert"), "convert", "convert")
        picture = [{"binding": 0, "resource": compositor.picture.create_view()}]
        layout = self._pipeline.get_bind_group_layout(0)
        self._groups = (
            gpu.device.create_bind_group(layout=layout, entries=picture),
            self._nv12_bind_group(self._pipeline),
        )

    def record(self, encoder: Any, staging: Any, timestamps: PassTimestamps) -> None:
        """Record the passes and the copy of the NV12 buffer."""
        self._compositor.draw(encoder, timestamps.begin)
        self._dispatch(encoder, self._pipeline, self._groups, timestamps.end)
        encoder.copy_buffer_to_buffer(self._picture, 0, staging, 0, self.staging_bytes)


class FusedPath(_Nv12OnGpu):
    """Composite and convert in one dispatch; no RGBA texture exists."""

    def __init__(self, gpu: GpuContext, compositor: Compositor, colour: ColourSpec, *, threads: int) -> None:
        del threads
        super().__init__(gpu, compositor, colour)
        self._pipeline = gpu.compute_pipeline(shader_text("scene", "nv12", "fused"), "fused", "fused")
        self._groups = (compositor.scene_bind_group(self._pipeline), self._nv12_bind_group(self._pipeline))

    def record(self, encoder: Any, staging: Any, timestamps: PassTimestamps) -> None:
        """Record the passes and the copy of the NV12 buffer."""
        self._dispatch(encoder, self._pipeline, self._groups, timestamps.both)
        encoder.copy_buffer_to_buffer(self._picture, 0, staging, 0, self.staging_bytes)
