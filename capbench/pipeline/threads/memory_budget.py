"""How much memory an export may own, and how that is shared between its queues and rings."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from capbench import cgroup
from capbench.errors import InputError
from capbench.units import format_bytes

__all__ = [
    "FrameSizes",
    "MemoryPlan",
    "available_memory_bytes",
    "channel_frames",
    "plan_memory",
]

DEFAULT_BUDGET_BYTES = 160 * 10**6
"""What the pipeline owns by default in queues, rings and pools, at 4K and below: two frames of 4K in each ring."""

LARGE_MEMORY_BYTES = 16 * 10**9
GIF_CHANNEL_FRAMES = 16


MOST_QUEUED_BYTES = 40 * 10**6
"""What one queue or pool holds by default: three frames at 4K, a dozen at 1080p. Longer ones smoothed out no
stall that was observed, and cost 100 MB at 4K."""


@dataclass(frozen=True, slots=True)
class FrameSizes:
    """Bytes of one frame in each place of an export that has it; 0 where it has not."""

    decoded_bytes: int
    """In the queue of decoded frames."""
    upload_bytes: int = 0
    """In the upload ring, with the decoded frame that is kept meanwhile."""
    staging_bytes: int = 0
    """In the readback ring, with the decoded frame that is kept meanwhile."""
    picture_bytes: int = 0
    """In the pool of pictures."""

    @property
    def least_bytes(self) -> int:
        """With one frame in each place, two pictures, and one frame in transit between two places.

        This still overlaps: while one of the two pictures is converted, the GPU draws the next and it is copied into
        the other.
        """
        return self.staging_bytes + self.upload_bytes + 2 * self.picture_bytes + 2 * self.decoded_bytes


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Sizes of everything that holds frames."""

    decoded_frames: int
    """Decoded frames that may wait for the upload thread."""
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
    sizes: FrameSizes,
    *,
    budget_bytes: int | None = None,
    ceiling_bytes: int | None = None,
    max_frames: int,
    reserved_bytes: int = 0,
    others_bytes: int = 0,
) -> MemoryPlan:
    """Share a byte budget between decode queue, upload ring, staging ring and picture pool.

    Each starts at the least that works and grows in turn while the budget lasts: a second slot in the staging ring
    (overlap of GPU and CPU) is worth more than a longer queue, so rings come first. `reserved_bytes` are for what does
    not grow, and `others_bytes` of `budget_bytes` belong to other owners. Without a budget it is
    `DEFAULT_BUDGET_BYTES`, or the least where that is more, as with RGBA at 4K, and a queue takes no more than
    `MOST_QUEUED_BYTES`.

    Raises `InputError` where even the least does not fit into a given budget, or into `ceiling_bytes`.
    """
    least_bytes = used = sizes.least_bytes + reserved_bytes
    limit_bytes = max(used, DEFAULT_BUDGET_BYTES) if budget_bytes is None else budget_bytes - others_bytes
    if least_bytes > limit_bytes:
        needed_bytes = least_bytes + others_bytes
        raise InputError(
            f"{format_bytes(limit_bytes + others_bytes)} of memory is too little: libraries, codecs and one frame in "
            f"each place need {format_bytes(needed_bytes)}; pass --memory-limit {-(-needed_bytes // 10**6)}M or more, "
            "or export a smaller picture"
        )
    if ceiling_bytes is not None:
        limit_bytes = min(limit_bytes, ceiling_bytes)
    if least_bytes > limit_bytes:
        raise InputError(
            f"{format_bytes(limit_bytes)} of memory, half of what is free, is too little: one frame in each place "
            f"needs {format_bytes(least_bytes)}; free some memory or export a smaller picture"
        )
    places = {
        "staging": (sizes.staging_bytes, 1, 4),
        "upload": (sizes.upload_bytes, 1, 3),
        "pictures": (sizes.picture_bytes, 2, _most_frames(sizes.picture_bytes, max_frames, budget_bytes)),
        "decoded": (sizes.decoded_bytes, 1, _most_frames(sizes.decoded_bytes, max_frames, budget_bytes)),
    }
    counts = {name: least for name, (_, least, _) in places.items()}
    growing = True
    while growing:
        growing = False
        for name, (size, _, most) in places.items():
            if counts[name] < most and used + size <= limit_bytes:
                counts[name] += 1
                used += size
                growing = True
    return MemoryPlan(
        decoded_frames=counts["decoded"],
        upload_slots=counts["upload"],
        staging_slots=counts["staging"],
        pictures=counts["pictures"],
        channel_bytes=max(counts["decoded"] * sizes.decoded_bytes, counts["pictures"] * sizes.picture_bytes),
        owned_bytes=used,
    )


def _most_frames(frame_bytes: int, max_frames: int, budget_bytes: int | None) -> int:
    if budget_bytes is not None or not frame_bytes:
        return max_frames
    return min(max_frames, max(1, MOST_QUEUED_BYTES // frame_bytes))
