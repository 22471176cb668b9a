"""wgpu's classes, for annotations alone: import this under `TYPE_CHECKING`, for at run time it is empty.

Only exports that draw load wgpu. Its public names are made when it is imported, which a type checker does not follow;
the classes behind them, which its documentation describes, are annotated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wgpu._classes import (
        GPU,
        GPUAdapter,
        GPUAdapterInfo,
        GPUBindGroup,
        GPUBuffer,
        GPUCommandEncoder,
        GPUComputePassEncoder,
        GPUComputePipeline,
        GPUDevice,
        GPUPromise,
        GPUQuerySet,
        GPUSampler,
        GPUTexture,
        GPUTextureView,
    )

    __all__ = [
        "GPU",
        "GPUAdapter",
        "GPUAdapterInfo",
        "GPUBindGroup",
        "GPUBuffer",
        "GPUCommandEncoder",
        "GPUComputePassEncoder",
        "GPUComputePipeline",
        "GPUDevice",
        "GPUPromise",
        "GPUQuerySet",
        "GPUSampler",
        "GPUTexture",
        "GPUTextureView",
    ]
