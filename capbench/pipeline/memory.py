"""How much memory an export may own, and how that is shared between its queues and rings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from capbench.errors import InputError
from capbench.units import format_bytes

__all__ = ["MemoryPlan", "available_memory_bytes", "cgroup_limit_bytes", "channel_frames", "plan_memory"]

DEFAULT_BUDGET_BYTES = 144 * 10**6
"""What the pipeline owns by default in queues, rings and pools: under the 150 MB that the design allows at 4K."""

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


def cgroup_limit_bytes(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Memory limit of this process's control group (version 2, then 1); None where there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (root / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        # Version 1 writes "no limit" as a huge page-aligned number.
        if text.isdigit() and int(text) < 2**60:
            return int(text)
    return None


def available_memory_bytes() -> int:
    """Memory that this process may still take: what the machine has free, and no more than the control group allows."""
    available = int(psutil.virtual_memory().available)
    limit = cgroup_limit_bytes()
    return available if limit is None else min(available, limit)


def channel_frames(memory_bytes: int, *, gif: bool = False) -> int:
    """Frames that a channel may hold: 32 with more than 16 GB of memory, 16 below and for GIF."""
    return 32 if memory_bytes > LARGE_MEMORY_BYTES and not gif else GIF_CHANNEL_FRAMES


def plan_memory(
    *,
    decoded_bytes: int,
    upload_bytes: int,
    staging_bytes: int,
    picture_bytes: int,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    max_frames: int,
) -> MemoryPlan:
    """Share a byte budget between decode queue, upload ring, staging ring and picture pool.

    Each starts at the least that works and grows in turn while the budget lasts: a second slot in the staging ring
    (overlap of GPU and CPU) is worth more than a longer queue, so rings come first. Raises `InputError` where even the
    least does not fit.
    """
    sizes = {"staging": staging_bytes, "upload": upload_bytes, "pictures": picture_bytes, "decoded": decoded_bytes}
    most = {"staging": 4, "upload": 3, "pictures": max_frames, "decoded": max_frames}
    counts = {"staging": 1, "upload": 1, "pictures": 2, "decoded": 1}
    used = sum(counts[name] * sizes[name] for name in counts)
    if used > budget_bytes:
        raise InputError(
            f"a memory limit of {format_bytes(budget_bytes)} is too small: one frame in each place needs "
            f"{format_bytes(used)}; raise --memory-limit or export a smaller picture"
        )
    growing = True
    while growing:
        growing = False
        for name, size in sizes.items():
            if counts[name] < most[name] and used + size <= budget_bytes:
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
