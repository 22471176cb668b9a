"""The processes of a tree, whether all of them are stopped, and their CPU time."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

import psutil

__all__ = ["cpu_s", "descendants", "holds_for_writing", "is_stopped"]

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_AT_REST = frozenset("TtDZXx")
"""States of a thread that executes no code of its own: stopped, traced, in the kernel for a disk or for `vfork` (a stop
then takes effect before it returns), ended."""


def descendants(root: int) -> list[int]:
    """Process ids below `root`, parents before children; without `root` itself."""
    return list(_linux_descendants(root)) if sys.platform == "linux" else _psutil_descendants(root)


def is_stopped(pid: int) -> bool:
    """Whether no thread of a process executes code of its own; True for one that is gone."""
    return _linux_is_stopped(pid) if sys.platform == "linux" else _psutil_is_stopped(pid)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, in the kernel's ticks; 0 for one that is gone."""
    if sys.platform == "linux":
        fields = _stat(_PROC / str(pid) / "stat")
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def holds_for_writing(root: int, path: Path) -> bool | None:
    """Whether a process below `root` has a file open for writing; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    wanted = os.path.realpath(path)
    for pid in descendants(root):
        opened = _PROC / str(pid) / "fd"
        try:
            numbers = os.listdir(opened)  # noqa: PTH208  names alone
        except OSError:
            continue  # gone meanwhile, or another user's
        for number in numbers:
            with contextlib.suppress(OSError):  # closed meanwhile
                # pathlib would lose the mark of a file without a name
                if os.readlink(opened / number) == wanted and _is_writable(pid, number):  # noqa: PTH115
                    return True
    return False


def _is_writable(pid: int, number: str) -> bool:
    """Whether a file descriptor is open for writing, by the octal `flags` of proc(5)'s `fdinfo`."""
    flags = re.search(rb"^flags:\s*([0-7]+)", (_PROC / str(pid) / "fdinfo" / number).read_bytes(), re.MULTILINE)
    return flags is not None and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY


def _linux_descendants(root: int) -> dict[int, None]:
    """From each thread's list of children (proc(5), CONFIG_PROC_CHILDREN): `/proc` need not be walked.

    The list is only reliable for stopped processes, says proc(5); whoever stops a tree lists it again until stable.
    """
    found: dict[int, None] = {}
    pending = [root]
    while pending:
        pid = pending.pop(0)
        try:
            threads = list((_PROC / str(pid) / "task").iterdir())
        except OSError:
            continue  # gone meanwhile; its children have moved up to the supervisor
        for thread in threads:
            try:
                children = [int(word) for word in (thread / "children").read_bytes().split()]
            except FileNotFoundError:
                if thread.exists():  # a kernel without such lists
                    return dict.fromkeys(_psutil_descendants(root))
                continue
            except OSError:
                continue
            pending += [child for child in children if child not in found]
            found |= dict.fromkeys(children)
    return found


def _psutil_descendants(root: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(root).children(recursive=True)]
    except psutil.Error:
        return []


def _linux_is_stopped(pid: int) -> bool:
    try:
        threads = list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return True
    return all(not fields or fields[0] in _AT_REST for fields in (_stat(thread / "stat") for thread in threads))


def _psutil_is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return True


def _stat(path: Path) -> list[str]:
    """Fields of proc(5)'s `stat` from the third, the state, on; empty for a process that is gone."""
    with contextlib.suppress(OSError):
        # The program's name, in parentheses, may hold anything.
        return path.read_bytes().rpartition(b")")[2].decode("ascii").split()
    return []
