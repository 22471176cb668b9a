"""Stopping a whole process tree and continuing it, and verifying that it is really stopped."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psutil

from capbench.harness.process.process_tree import THIS_SYSTEM, ProcessControl
from capbench.harness.process.scheduling import before_the_subject
from capbench.results.run_record import Scheduling

__all__ = ["STOP_TIMEOUT_S", "CgroupFreezer", "Freezer", "SignalFreezer", "make_cgroup", "open_freezer"]

STOP_TIMEOUT_S = 1.0
"""A stop takes below a millisecond, and some on a busy machine; a thread that is still on its way after this long is
recorded as overlap."""
_POLL_S = 0.0002
"""Interval between checks whether the tree is stopped: as long as a check takes, so that it adds little to a slice."""
_CGROUP_MOUNTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
"""Where version 2 of control groups is mounted, alone or beside version 1."""


class Freezer(Protocol):
    """Holds one process tree."""

    how: str
    """The means by which it stops, for the record."""

    def stop(self, on_asked: Callable[[], None]) -> bool:
        """Stop the whole tree; returns whether it was verified to be stopped within `STOP_TIMEOUT_S`.

        `on_asked` is called once the kernel has been asked. Running threads then stop at once. A thread that waits for
        a core executes no more code, but counts as stopped only once it has had one: on a crowded machine much later.
        """

    def resume(self) -> None:
        """Continue it."""

    def cpu_s(self) -> float:
        """CPU seconds that the tree has used so far; of what was there at the last stop."""

    def kill(self) -> None:
        """Kill what was there at the last stop, if nothing else is left to do it."""


class SignalFreezer:
    """By SIGSTOP and SIGCONT, on Windows by suspending threads, to each process of the tree.

    A process that is not stopped yet may fork meanwhile. The tree is therefore listed again until every process of it
    stands still and none is new: what is stopped does not fork. Processes that the subject had stopped itself stay so.
    """

    how = "suspended threads" if sys.platform == "win32" else "signals"

    def __init__(
        self,
        root: int,
        *,
        includes_root: bool,
        control: ProcessControl = THIS_SYSTEM,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root = root
        self._includes_root = includes_root
        self._control = control
        self._now_s = now_s
        self._sleep = sleep
        self._held: dict[int, bool] = {}
        """Process to whether we stopped it: False for one that was stopped before."""

    def stop(self, on_asked: Callable[[], None]) -> bool:
        """Stop the whole tree; returns whether it was seen to stand still in time."""
        deadline_s = self._now_s() + STOP_TIMEOUT_S
        self._held = {}
        asked = False
        while True:
            fresh = [pid for pid in self._tree() if pid not in self._held]
            for pid in fresh:
                self._held[pid] = not self._control.is_stopped(pid)
                if self._held[pid]:
                    self._control.suspend(pid)
            if not asked:
                on_asked()
                asked = True
            if not fresh and all(self._control.is_at_rest(pid) for pid in self._held):
                return True
            if self._now_s() >= deadline_s:
                return False
            if not fresh:
                self._sleep(_POLL_S)

    def resume(self) -> None:
        """Continue it."""
        for pid, by_us in self._held.items():
            if by_us:
                self._control.resume(pid)

    def cpu_s(self) -> float:
        """CPU seconds so far of what was there at the last stop."""
        return sum(self._control.cpu_s(pid) for pid in self._held)

    def kill(self) -> None:
        """Kill what is there."""
        started_since = [below for pid in self._held for below in self._control.descendants(pid)]
        for pid in {*self._held, *started_since}:
            with contextlib.suppress(psutil.Error):
                psutil.Process(pid).kill()

    def _tree(self) -> list[int]:
        return [*([self._root] if self._includes_root else []), *self._control.descendants(self._root)]


class CgroupFreezer:
    """By a control group of version 2: the kernel stops all members at once, and no signal is sent.

    `cgroup.freeze` asks, `cgroup.events` tells; kernel's Documentation/admin-guide/cgroup-v2.rst.
    """

    how = "cgroup.freeze"

    def __init__(
        self,
        folder: Path,
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._now_s = now_s
        self._sleep = sleep

    def stop(self, on_asked: Callable[[], None]) -> bool:
        """Stop the whole tree; returns whether it was seen to stand still in time."""
        deadline_s = self._now_s() + STOP_TIMEOUT_S
        is_there = self._write("1")
        on_asked()
        if not is_there:
            return True  # removed by the supervisor: nothing is left
        while not self._is_frozen():
            if self._now_s() >= deadline_s:
                return False
            self._sleep(_POLL_S)
        return True

    def resume(self) -> None:
        """Continue it."""
        self._write("0")

    def cpu_s(self) -> float:
        """From `cpu.stat`, which every group has, whether or not its CPU controller is on."""
        try:
            lines = (self._folder / "cpu.stat").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0.0
        return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("usage_usec ")), 0.0)

    def kill(self) -> None:
        """Kill what is there."""
        for pid in self._members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _members(self) -> list[int]:
        with contextlib.suppress(OSError):
            return [int(word) for word in (self._folder / "cgroup.procs").read_bytes().split()]
        return []

    def _is_frozen(self) -> bool:
        try:
            return "frozen 1" in (self._folder / "cgroup.events").read_text(encoding="ascii")
        except OSError:
            return True

    def _write(self, value: str) -> bool:
        try:
            (self._folder / "cgroup.freeze").write_text(value, encoding="ascii")
        except OSError:
            return False
        return True


def make_cgroup(scheduling: Scheduling = "normal") -> Path | None:
    """A new group below this process's own that can be frozen; None where there is no writable one of version 2.

    None for `realtime` where the kernel has groups of real time (CONFIG_RT_GROUP_SCHED): a new one has none of it.
    """
    if sys.platform != "linux":
        return None
    for mount in _CGROUP_MOUNTS:
        own = _own_cgroup(mount)
        if own is None:
            continue
        folder = own / f"capbench-{secrets.token_hex(4)}"
        try:
            folder.mkdir()
        except OSError:
            continue
        # Entering and leaving it again takes both.
        is_ours = os.access(folder / "cgroup.freeze", os.W_OK) and os.access(own / "cgroup.procs", os.W_OK)
        if is_ours and (scheduling == "normal" or _takes_realtime(mount, folder)):
            return folder
        folder.rmdir()
    return None


_TAKEN: dict[Path, bool] = {}
"""Mount to whether a process of real time may enter a new group there."""
_ENTER = "import sys; open(sys.argv[1], 'wb', 0).write(b'0')"
"""Unbuffered: a refusal when the file is closed at the end would be no failure of the process."""


def _takes_realtime(mount: Path, folder: Path) -> bool:
    """Ask the kernel once, by a process that enters: nothing else tells."""
    if mount not in _TAKEN:
        with before_the_subject("realtime"):
            _TAKEN[mount] = enters(folder)
    return _TAKEN[mount]


def enters(folder: Path) -> bool:
    """Whether a process that is scheduled like this thread may enter a control group."""
    command = [sys.executable, "-I", "-S", "-c", _ENTER, str(folder / "cgroup.procs")]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _own_cgroup(mount: Path) -> Path | None:
    """This process's group of version 2, if that is what is mounted there."""
    if not (mount / "cgroup.procs").exists() or not (mount / "cgroup.controllers").exists():
        return None
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((mount / line[3:].lstrip("/") for line in lines if line.startswith("0::")), None)


def open_freezer(root: int, cgroup: Path | None) -> Freezer:
    """The means to stop the tree below `root`: the supervisor, which itself continues, or the process on Windows."""
    if cgroup is not None:
        return CgroupFreezer(cgroup)
    return SignalFreezer(root, includes_root=sys.platform == "win32")
