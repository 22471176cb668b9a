"""How much memory an export may own, and how that is shared between its queues and rings."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from capbench import cgroup
from capbench.errors import InputError
from capbench.units import format_bytes

__all__ = [
    "MemoryPlan",
    "available_memory_bytes",
    "channel_frames",
    "plan_memory",
]

DEFAULT_BUDGET_BYTES = 150 * 10**6
"""What the pipeline owns by default in queues, rings and pools, at 4K and below."""

LARGE_MEMORY_BYTES = 16 * 10**9
GIF_CHANNEL_FRAMES = 16


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Sizes of everything that holds frames."""

    decoded_frames: int
    """Decoded frames that may wait for the render thread."""
    upload_slots: int
    """Upload buffers in flight."""
    staging_slots: int
    """Readback buffers in flight."""
    pictures: int
    """Pooled pictures between readback and encoder, the one being encoded included."""
    channel_bytes: int
    """Byte bound of each channel."""
    owned_bytes: int
    """All of it, in bytes, when full."""


def available_memory_bytes() -> int:
    """Memory that this process may still take: what the machine has free, and no more than its control groups allow."""
    available = int(psutil.virtual_memory().available)
    free = cgroup.memory_free_bytes()
    return available if free is None else min(available, free)


def channel_frames(memory_bytes: int, *, gif: bool = False) -> int:
    """Frames that a channel may hold: 32 with more than 16 GB of memory, 16 below and for GIF."""
    return 32 if memory_bytes > LARGE_MEMORY_BYTES and not gif else GIF_CHANNEL_FRAMES


def plan_memory(
    *,
    decoded_bytes: int,
    upload_bytes: int,
    staging_bytes: int,
    picture_bytes: int,
    budget_bytes: int | None = None,
    ceiling_bytes: int | None = None,
    max_frames: int,
    reserved_bytes: int = 0,
) -> MemoryPlan:
    """Share a byte budget between decode queue, upload ring, staging ring and picture pool.

    Each starts at the least that works and grows in turn while the budget lasts: a second slot in the staging ring
    (overlap of GPU and CPU) is worth more than a longer queue, so rings come first. `reserved_bytes` of the budget are
    for what does not grow. Without a budget it is `DEFAULT_BUDGET_BYTES`, or the least where that is more, as with RGBA
    at 4K. The least still overlaps: while one of the two pictures is converted, the GPU draws the next and it is copied
    into the other. Raises `InputError` where even the least does not fit into a given budget, or into `ceiling_bytes`.
    """
    sizes = {"staging": staging_bytes, "upload": upload_bytes, "pictures": picture_bytes, "decoded": decoded_bytes}
    most = {"staging": 4, "upload": 3, "pictures": max_frames, "decoded": max_frames}
    counts = {"staging": 1, "upload": 1, "pictures": 2, "decoded": 1}
    # One more frame is always in somebody's hands, between two of these places.
    used = sum(counts[name] * sizes[name] for name in counts) + decoded_bytes + reserved_bytes
    limit_bytes = max(used, DEFAULT_BUDGET_BYTES) if budget_bytes is None else budget_bytes
    if ceiling_bytes is not None:
        limit_bytes = min(limit_bytes, ceiling_bytes)
    if used > limit_bytes:
        raise InputError(
            f"{format_bytes(limit_bytes)} of memory is too little: one frame in each place needs "
            f"{format_bytes(used)}; raise --memory-limit, free some memory, or export a smaller picture"
        )
    growing = True
    while growing:
        growing = False
        for name, size in sizes.items():
            if counts[name] < most[name] and used + size <= limit_bytes:
                counts[name] += 1
                used += size
                growing = True
    return MemoryPlan(
        decoded_frames=counts["decoded"],
        upload_slots=counts["upload"],
        staging_slots=counts["staging"],
        pictures=counts["pictures"],
        channel_bytes=max(counts["decoded"] * decoded_bytes, counts["pictures"] * picture_bytes),
        owned_bytes=used,
    )
