"""A clock that stands still while the process is stopped, and a start of the worker with it.

Run as a file, by the interpreter of whatever revision is measured: it uses the standard library alone. A process that
is stopped between its slices finds that monotonic clocks have run on. Whoever stops it therefore keeps, in a file that
both map into memory, for how many nanoseconds it has been stopped in all, and brings that up to date before the process
goes on. `time.monotonic` and `time.perf_counter` less this are running time.

    python -P running_clock.py MODULE ARGUMENT...

runs `MODULE` with these clocks in place of Python's own, so that its stages, its latencies and its own time limits
leave out the time between slices. A wait inside a system call still ends early by the time stopped: who waits looks at
the clock again.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["VARIABLE", "StoppedTime", "main", "running_now_ns"]

VARIABLE = "CAPBENCH_STOPPED_TIME"
"""Environment variable: the file that tells for how long this process has been stopped."""
_COUNT = struct.Struct("<q")


class StoppedTime:
    """The writing end: how long one process tree has been stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(_COUNT.pack(0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _COUNT.size)

    def set_ns(self, stopped_ns: int) -> None:
        """Tell the sum so far; only while the process is stopped, so that it never sees half a number."""
        _COUNT.pack_into(self._map, 0, stopped_ns)

    def close(self) -> None:
        """Remove the file."""
        self._map.close()
        self.path.unlink(missing_ok=True)


def running_now_ns(path: Path, now_ns: Callable[[], int] = time.monotonic_ns) -> Callable[[], int]:
    """A clock in nanoseconds that leaves out what `path` says was time stopped. Raises `OSError`."""
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), _COUNT.size, access=mmap.ACCESS_READ)

    def running_ns() -> int:
        while True:
            (stopped_ns,) = _COUNT.unpack_from(shared)
            reading_ns = now_ns()
            # A stop between the two readings would give a time before the last one.
            if _COUNT.unpack_from(shared)[0] == stopped_ns:
                return int(reading_ns - stopped_ns)

    return running_ns


def _replace_clocks(path: Path) -> None:
    monotonic_ns = running_now_ns(path, time.monotonic_ns)
    counter_ns = running_now_ns(path, time.perf_counter_ns)
    time.monotonic_ns, time.perf_counter_ns = monotonic_ns, counter_ns
    time.monotonic = lambda: monotonic_ns() / 1e9
    time.perf_counter = lambda: counter_ns() / 1e9


def main(arguments: list[str]) -> None:
    """Run a module as `python -m` does, with clocks that leave out the time stopped."""
    _replace_clocks(Path(os.environ[VARIABLE]))
    import runpy  # after the clocks: whatever is imported from here on takes these

    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
