"""How much memory an export may own, and how that is shared between its queues and rings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from capbench.errors import InputError
from capbench.units import format_bytes

__all__ = ["MemoryPlan", "available_memory_bytes", "cgroup_free_bytes", "channel_frames", "plan_memory"]

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


def cgroup_free_bytes(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """What the control groups of this process (version 2, then 1) still let it take; None where none sets a limit.

    Limits bind from every group above too. Memory of the file cache counts as used, and goes when it is needed.
    """
    frees = [
        free
        for folder in _cgroup_folders(root, membership)
        for free in (
            _free_in(folder, "memory.max", "memory.current", "inactive_file"),
            _free_in(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        )
        if free is not None
    ]
    return min(frees, default=None)


def available_memory_bytes() -> int:
    """Memory that this process may still take: what the machine has free, and no more than its control groups allow."""
    available = int(psutil.virtual_memory().available)
    free = cgroup_free_bytes()
    return available if free is None else min(available, free)


def _cgroup_folders(root: Path, membership: Path) -> list[Path]:
    """The folder of each group that this process is in and of those above; a container sees its own as the root."""
    folders = [root, root / "memory"]
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return folders
    for line in lines:  # hierarchy:controllers:path
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            own = (root / "memory" if controllers else root) / path.lstrip("/")
            folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(root)]
    return list(dict.fromkeys(folders))


def _free_in(folder: Path, limit_name: str, used_name: str, cache_name: str) -> int | None:
    try:
        limit = (folder / limit_name).read_text(encoding="ascii").strip()
        # Version 1 writes "no limit" as a huge page-aligned number, version 2 as a word.
        if not limit.isdigit() or int(limit) >= 2**60:
            return None
        used = int((folder / used_name).read_text(encoding="ascii"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    cache = next((int(line.split()[1]) for line in statistics if line.split()[0] == cache_name), 0)
    return max(0, int(limit) - used + cache)


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
    # One more frame is always in somebody's hands, between two of these places.
    used = sum(counts[name] * sizes[name] for name in counts) + decoded_bytes
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
