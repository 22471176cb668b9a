"""Limits that control groups set for this process, of version 1 and version 2: memory and processor time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_limit_cores", "memory_free_bytes", "memory_limit_bytes"]

_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Names of a group's limit and use, and of the file cache in its statistics, for version 2 and version 1."""
_NO_LIMIT_BYTES = 2**60
"""Version 1 writes "no limit" as a huge page-aligned number, version 2 as a word."""


def memory_limit_bytes(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int | None:
    """Smallest memory limit of this process's control groups and of those above; None where none sets one."""
    return min((limit for _, _, limit in _memory_limits(root, membership)), default=None)


def memory_free_bytes(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int | None:
    """What the control groups still let this process take; None where none sets a limit.

    Memory of the file cache counts as used there, and goes when it is needed.
    """
    return min(
        (max(0, limit - _used_bytes(folder, *files[1:])) for folder, files, limit in _memory_limits(root, membership)),
        default=None,
    )


def cpu_limit_cores(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> float | None:
    """Smallest quota over period of this process's control groups and of those above; None where none sets one."""
    limits = (_quota_cores(folder) for folder in _folders(root, membership, "cpu"))
    return min((limit for limit in limits if limit is not None), default=None)


def _memory_limits(root: Path, membership: Path) -> Iterator[tuple[Path, tuple[str, str, str], int]]:
    """Each group's folder, the names of its files, and its limit in bytes."""
    for folder in _folders(root, membership, "memory"):
        for files in _MEMORY_FILES:
            text = _text(folder / files[0]).strip()
            if text.isdigit() and int(text) < _NO_LIMIT_BYTES:
                yield folder, files, int(text)


def _used_bytes(folder: Path, used_name: str, cache_name: str) -> int:
    used, statistics = _text(folder / used_name).strip(), _text(folder / "memory.stat")
    if not used.isdigit() or not statistics:
        return 0
    fields = (line.split() for line in statistics.splitlines())
    return int(used) - next((int(line[1]) for line in fields if line[0] == cache_name), 0)


def _quota_cores(folder: Path) -> float | None:
    """`max` (version 2) and -1 (version 1) are no limit."""
    unified = _text(folder / "cpu.max").split()
    legacy = [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    for quota, period in (unified, legacy) if len(unified) == 2 else (legacy,):
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            return int(quota) / int(period)
    return None


def _folders(root: Path, membership: Path, controller: str) -> list[Path]:
    """The folder of each group that this process is in and of those above; a container sees its own as the root."""
    folders = [root, root / controller]
    for line in _text(membership).splitlines():  # hierarchy:controllers:path
        _, controllers, path = line.split(":", 2)
        if controllers == "" or controller in controllers.split(","):
            base = root / (controllers if (root / controllers).is_dir() else controller) if controllers else root
            own = base / path.lstrip("/")
            folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(root)]
    return list(dict.fromkeys(folders))


def _text(file: Path) -> str:
    """What a file holds; nothing where it is not there or may not be read, as for groups of other containers."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
