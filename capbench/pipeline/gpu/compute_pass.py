"""Compute passes in few words: bind groups and workgroup counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capbench.pipeline.gpu.device import GpuContext

__all__ = ["WORKGROUP_PX", "bind", "workgroups"]

WORKGROUP_PX = (16, 8)
"""`@workgroup_size` of the shaders that write one pixel an invocation."""


def workgroups(width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
    """Workgroups that cover a grid of invocations."""
    return -(-width // size[0]), -(-height // size[1])


def bind(gpu: GpuContext, pipeline: Any, group: int, resources: Mapping[int, Any] | Sequence[Any]) -> Any:
    """A bind group of a pipeline's own layout: resources by binding number, or in order from 0. Buffers are whole."""
    numbered = resources if isinstance(resources, Mapping) else dict(enumerate(resources))
    entries = [
        {
            "binding": number,
            "resource": {"buffer": resource, "offset": 0, "size": resource.size}
            if hasattr(resource, "map_state")
            else resource,
        }
        for number, resource in numbered.items()
    ]
    return gpu.device.create_bind_group(layout=pipeline.get_bind_group_layout(group), entries=entries)
