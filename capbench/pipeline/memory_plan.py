"""The memory plan of one export by one path."""

from __future__ import annotations

from capbench.pipeline.conversion.registry import FLOOR, PASSTHROUGH
from capbench.pipeline.job import ExportJob
from capbench.pipeline.threads.memory_budget import MemoryPlan, available_memory_bytes, channel_frames, plan_memory

__all__ = ["SOUND_FRAMES", "SOUND_FRAME_BYTES", "plan_export"]

SOUND_FRAMES = 256
"""About 5 s of sound: more than an encoder's look-ahead."""
SOUND_FRAME_BYTES = 1024 * 2 * 4
"""1024 samples of two channels in float."""

_READS_NV12 = ("gpu", "gpu-fused")
"""Paths whose pictures cross as NV12. Of another only the name is known here, and RGBA, the larger, is planned for."""


def plan_export(job: ExportJob, path: str) -> MemoryPlan:
    """Share the job's memory limit, or half of what the machine has free where that is less. Raises `InputError`."""
    available_bytes = available_memory_bytes()
    sound_bytes = SOUND_FRAMES * SOUND_FRAME_BYTES if job.has_sound else 0
    decoded_bytes, nv12_bytes, rgba_bytes = job.source.planes.size_bytes, job.canvas.nv12_bytes, job.canvas.rgba_bytes
    max_frames = channel_frames(available_bytes, gif=job.is_gif)
    if path in (PASSTHROUGH, FLOOR):
        return plan_memory(
            decoded_bytes=decoded_bytes,
            upload_bytes=0,
            staging_bytes=0,
            picture_bytes=0,
            budget_bytes=job.options.memory_limit_bytes,
            ceiling_bytes=available_bytes // 2,
            max_frames=max_frames,
            reserved_bytes=sound_bytes,
        )
    readback_bytes = nv12_bytes if path in _READS_NV12 else rgba_bytes
    converted_bytes = 0 if path in _READS_NV12 or job.is_gif else nv12_bytes
    return plan_memory(
        decoded_bytes=decoded_bytes,
        upload_bytes=decoded_bytes,
        # A frame is kept until its picture was delivered: a device may be lost in between.
        staging_bytes=readback_bytes + decoded_bytes,
        picture_bytes=readback_bytes + converted_bytes,
        budget_bytes=job.options.memory_limit_bytes,
        ceiling_bytes=available_bytes // 2,
        max_frames=max_frames,
        reserved_bytes=sound_bytes,
    )
