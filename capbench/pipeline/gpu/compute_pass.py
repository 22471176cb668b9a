"""One dispatch of a compute shader: its pipeline, its bind groups and its count of workgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from capbench.pipeline.gpu.device import GpuContext
from capbench.resources import ShaderSource

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import (
        GPUBindGroup,
        GPUBuffer,
        GPUCommandEncoder,
        GPUComputePipeline,
        GPUSampler,
        GPUTextureView,
    )

__all__ = ["Bindings", "ComputePass", "Resource", "workgroups"]

Resource: TypeAlias = "GPUBuffer | GPUTextureView | GPUSampler"
Bindings: TypeAlias = "Mapping[int, Resource]"
"""What a bind group holds, by binding number. Buffers are bound whole."""


def workgroups(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Workgroups that cover a grid of invocations."""
    return -(-width // size[0]), -(-height // size[1])


class ComputePass:
    """A compute pass of one dispatch, made once and recorded for every frame that needs it.

    `groups` has the bindings of each group from 0 on, those that the entry point uses and no others; `constants` are
    WGSL's overrides. It compiles on another thread: `GpuContext.finish_compiling` waits for that, and where nobody did
    the first `record`. Both raise `ShaderError` where the shader does not compile.
    """

    def __init__(
        self,
        gpu: GpuContext,
        source: ShaderSource,
        entry_point: str,
        groups: Sequence[Bindings],
        *,
        constants: Mapping[str, float] | None = None,
    ) -> None:
        self._label = entry_point
        self._workgroup_size = source.workgroup_size(entry_point)
        self._gpu = gpu
        self._pipeline = gpu.compute_pipeline(source, entry_point, constants)
        self._bindings = groups
        self._groups: list[GPUBindGroup] | None = None

    def record(self, encoder: GPUCommandEncoder, width: int, height: int, layers: int = 1) -> None:
        """Record the pass for a grid of so many invocations across and down, and workgroups in depth."""
        pipeline = self._pipeline.result()
        if self._groups is None:
            self._groups = [_bind(self._gpu, pipeline, number, bound) for number, bound in enumerate(self._bindings)]
        compute_pass = encoder.begin_compute_pass(label=self._label)
        compute_pass.set_pipeline(pipeline)
        for number, group in enumerate(self._groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(width, height, self._workgroup_size), layers)
        compute_pass.end()


def _bind(gpu: GpuContext, pipeline: GPUComputePipeline, group: int, bindings: Bindings) -> GPUBindGroup:
    """A bind group of a pipeline's own layout."""
    entries = [
        {"binding": number, "resource": _whole(cast("GPUBuffer", bound)) if hasattr(bound, "map_state") else bound}
        for number, bound in bindings.items()
    ]
    return gpu.device.create_bind_group(layout=pipeline.get_bind_group_layout(group), entries=entries)


def _whole(buffer: GPUBuffer) -> dict[str, object]:
    return {"buffer": buffer, "offset": 0, "size": buffer.size}
