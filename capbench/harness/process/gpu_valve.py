"""Keeps a hardware GPU idle while its process is stopped: no work is submitted that would run in another's slice.

A GPU continues with submitted work while its process is stopped. Of two exports that wait for the GPU, each would then
lose the time that the other's leftovers take and get its own for nothing, which hides a difference between them. So
before a process is stopped its valve is shut: its pipeline finishes what it has submitted, says so, and submits nothing
until the valve opens. The process runs meanwhile, and its slice goes on.

Both ends share a file, because the process may be anywhere when it is stopped; each flag is one byte, which cannot be
seen half written.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["POLL_S", "VARIABLE", "GpuValve", "WorkerValve", "valve_of_environment"]

VARIABLE = "CAPBENCH_GPU_VALVE"
"""Environment variable: the file that a process shares with whoever stops it."""
POLL_S = 0.0005
"""Interval at which each end checks what the other has said: a process that is idle is stopped within about as long."""
_SHUT, _IDLE, _DRAWING, _SIZE = 0, 1, 2, 3
"""Offsets: 0 while open or the number of this closing; the number of the last closing for which the process was idle;
whether it submits to a hardware GPU (`_NEVER`, `_NOW`, `_NO_MORE`)."""
_NEVER, _NOW, _NO_MORE = 0, 1, 2
_NUMBERS = 255
"""Closings are numbered from 1 to this and over again: an answer that comes late is not taken for one to the next."""


class GpuValve:
    """The end of whoever stops the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._number = 0

    def shut(self) -> None:
        """Ask for a GPU without work."""
        self._number = self._number % _NUMBERS + 1
        self._map[_SHUT] = self._number

    def open(self) -> None:
        """Let work be submitted again."""
        self._map[_SHUT] = 0

    @property
    def is_idle(self) -> bool:
        """Whether the process has answered the last closing, or draws no more."""
        return self._map[_IDLE] == self._number or not self.is_drawing

    @property
    def is_drawing(self) -> bool:
        """Whether the process may have work on a hardware GPU now."""
        return self._map[_DRAWING] == _NOW

    @property
    def was_used(self) -> bool:
        """Whether the process has drawn on a hardware GPU behind this valve."""
        return self._map[_DRAWING] != _NEVER

    def close(self) -> None:
        """Remove the file."""
        self._map.close()
        self.path.unlink(missing_ok=True)


class WorkerValve:
    """The end of the process that draws; `capbench.pipeline.render.renderer.SubmissionValve` says when what is called.

    A software adapter needs no valve: it draws on threads of the process, which are stopped with it.
    """

    def __init__(self, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises `OSError` where the file is not there."""
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._sleep = sleep

    def begin(self, *, is_software: bool) -> None:
        """Note that frames will be submitted to this kind of adapter."""
        if not is_software:
            self._map[_DRAWING] = _NOW

    def is_shut(self) -> bool:
        """Whether what was submitted should be finished, and nothing else submitted."""
        return self._map[_DRAWING] == _NOW and self._map[_SHUT] != 0

    def wait_idle(self) -> None:
        """Say that nothing is submitted; return once the valve is open."""
        while number := self._map[_SHUT]:
            self._map[_IDLE] = number
            while self._map[_SHUT] == number:
                self._sleep(POLL_S)

    def end(self) -> None:
        """Note that everything submitted is finished."""
        if self._map[_DRAWING] == _NOW:
            self._map[_DRAWING] = _NO_MORE


def valve_of_environment() -> WorkerValve | None:
    """The valve of this process; None where nobody stops it. Raises `OSError`."""
    path = os.environ.get(VARIABLE)
    return None if path is None else WorkerValve(Path(path))
