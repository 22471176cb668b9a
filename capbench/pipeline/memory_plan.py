"""The memory plan of one export by one path."""

from __future__ import annotations

from capbench.pipeline.conversion.registry import FLOOR, PASSTHROUGH
from capbench.pipeline.job import ExportJob
from capbench.pipeline.threads.memory_budget import MemoryPlan, available_memory_bytes, channel_frames, plan_memory

__all__ = ["PACKET_QUEUE_BYTES", "PICTURE_PACKETS", "SOUND_PACKETS", "plan_export"]

SOUND_PACKETS = 256
"""About 5 s of AAC: what an encoder looks ahead, so that the sound need not wait for the first picture."""
PICTURE_PACKETS = 32
"""A second of pictures: what a disk that hesitates may hold up before the encoder waits."""
PACKET_QUEUE_BYTES = 4 * 10**6
"""Of each queue: ten times what 32 pictures of 4K weigh at 20 Mbit/s and 5 s of AAC; a larger packet goes alone."""

_READS_NV12 = ("gpu", "gpu-fused")
"""Paths whose pictures cross as NV12. Of another only the name is known here, and RGBA, the larger, is planned for."""


def plan_export(job: ExportJob, path: str) -> MemoryPlan:
    """Share the job's memory limit, or half of what the machine has free where that is less. Raises `InputError`."""
    available_bytes = available_memory_bytes()
    packet_bytes = PACKET_QUEUE_BYTES * (2 if job.has_sound else 1)
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
            reserved_bytes=packet_bytes,
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
        reserved_bytes=packet_bytes,
    )
