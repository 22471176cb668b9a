"""The processes of a tree, whether all of them are stopped, their CPU time, and stopping one of them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

__all__ = ["PSUTIL", "THIS_SYSTEM", "ProcessControl", "descendants", "holds_for_writing"]

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_STOPPED = frozenset("TtZXx")
"""States of a thread that executes nothing until somebody continues it: stopped, traced, ended."""
_AT_REST = _STOPPED | {"D"}
"""Those, and in the kernel for a disk or for `vfork`: a stop that was asked for takes effect before it returns."""


@dataclass(frozen=True, slots=True)
class ProcessControl:
    """Reading and stopping processes by their ids. One that is gone is stopped, and has used no CPU time.

    Nothing is raised for a process that is gone or belongs to another user: whoever stops it looks whether it stopped.
    """

    descendants: Callable[[int], list[int]]
    """Process ids below one, parents before children."""
    is_stopped: Callable[[int], bool]
    """Whether every thread of a process is stopped."""
    is_at_rest: Callable[[int], bool]
    """Whether a process that was told to stop executes no more code of its own, even if the kernel is busy for it."""
    cpu_s: Callable[[int], float]
    """CPU seconds of a process so far."""
    suspend: Callable[[int], None]
    """Stop a process; returns before it has."""
    resume: Callable[[int], None]
    """Continue it."""


def descendants(root: int) -> list[int]:
    """Process ids below `root`, parents before children; without `root` itself."""
    return THIS_SYSTEM.descendants(root)


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


def _linux_descendants(root: int) -> list[int]:
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
                    return _psutil_descendants(root)
                continue
            except OSError:
                continue
            pending += [child for child in children if child not in found]
            found |= dict.fromkeys(children)
    return list(found)


def _psutil_descendants(root: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(root).children(recursive=True)]
    except psutil.Error:
        return []


def _linux_is_stopped(pid: int, states: frozenset[str] = _STOPPED) -> bool:
    try:
        threads = list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return True
    return all(not fields or fields[0] in states for fields in (_stat(thread / "stat") for thread in threads))


def _linux_cpu_s(pid: int) -> float:
    fields = _stat(_PROC / str(pid) / "stat")
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0


def _signal(pid: int, name: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.Signals[name])


def _psutil_is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return True


def _psutil_cpu_s(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _psutil_suspend(pid: int) -> None:
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).suspend()


def _psutil_resume(pid: int) -> None:
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).resume()


def _stat(path: Path) -> list[str]:
    """Fields of proc(5)'s `stat` from the third, the state, on; empty for a process that is gone."""
    with contextlib.suppress(OSError):
        # The program's name, in parentheses, may hold anything.
        return path.read_bytes().rpartition(b")")[2].decode("ascii").split()
    return []


PSUTIL = ProcessControl(
    _psutil_descendants, _psutil_is_stopped, _psutil_is_stopped, _psutil_cpu_s, _psutil_suspend, _psutil_resume
)
"""By psutil, on macOS by signals and on Windows by suspending threads."""
_PROC_AND_SIGNALS = ProcessControl(
    _linux_descendants,
    _linux_is_stopped,
    partial(_linux_is_stopped, states=_AT_REST),
    _linux_cpu_s,
    partial(_signal, name="SIGSTOP"),
    partial(_signal, name="SIGCONT"),
)
"""By `/proc` and signals on Linux, where psutil would read `/proc` for every process of the machine."""
THIS_SYSTEM = _PROC_AND_SIGNALS if sys.platform == "linux" else PSUTIL
"""What this system has."""
