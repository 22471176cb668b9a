"""When a file got its final name or its last byte: what tells the end of an export by a program that goes on.

File-system events only say that it is time to look; when the file changed is what the file system recorded, because
events come late and in bundles. Without the package `watchfiles` the same look is taken at a fixed pace.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from capbench.harness.process.process_tree import holds_for_writing

__all__ = ["FileChanges", "OutputWatch", "WatchedBy", "last_change_ns"]

WatchedBy = Literal["events", "polling"]

_POLL_S = 0.02
"""Pace of looks without events: a twentieth of the shortest export that is worth timing, and no load to speak of."""
_EVENT_STEP_MS = 20
"""How often `watchfiles` empties its queue: events are handed on so late, which does not move the recorded time."""
_EVENT_BUNDLE_MS = 100
"""How long events of a file that is being written are collected before a look."""
_EVENT_TIMEOUT_MS = 1000
"""A look in so much time even where no event comes: network file systems have none for what others write."""
QUIET_S = 1.0
"""So long a file stays unchanged, and nobody holds it open for writing, before it counts as final. Muxers that move
the index to the front, and tools that tag a file, open it again within milliseconds."""
QUIET_UNKNOWN_S = 10.0
"""The same where the system does not say who holds a file open: an encoder may write nothing for seconds."""
_JOIN_TIMEOUT_S = 5.0
"""A look takes microseconds, on a network file system that is stuck longer."""


@dataclass(frozen=True, slots=True)
class FileChanges:
    """What happened to a watched file."""

    last_at: int | None
    """When it last changed, by the clock that the watch was given, in nanoseconds; None where it never did."""
    count: int
    """How often it was made anew: got another file's name, or was cut and written again."""
    watched_by: WatchedBy
    """What told that it was time to look."""


@dataclass(frozen=True, slots=True)
class _State:
    """A file as far as a change of it shows."""

    identity: tuple[int, int]
    size: int
    mtime_ns: int
    ctime_ns: int


class OutputWatch:
    """Follows one path from before its writer starts until after it has ended.

    `now_ns` is the clock of the marks; `is_real_time` says that it runs on as the file system's does, so that recorded
    times can be converted. It is False in slices, where the time of the look counts.
    """

    def __init__(self, path: Path, now_ns: Callable[[], int], *, is_real_time: bool = True) -> None:
        self._path = path
        self._now_ns = now_ns
        self._is_real_time = is_real_time
        self._lock = threading.Lock()
        self._state = _state_of(path)  # what a command before the run left there is no change
        self._looked_at = now_ns()
        self._last_at: int | None = None
        self._count = 0
        self._changed_s = time.monotonic()
        self._stop = threading.Event()
        self._watched_by: WatchedBy = "polling"
        self._thread = threading.Thread(target=self._follow, daemon=True, name="output")
        self._thread.start()

    def look(self) -> None:
        """Compare the file with what it was at the last look."""
        with self._lock:
            before_at, self._looked_at = self._looked_at, self._now_ns()
            now = _state_of(self._path)
            if now == self._state:
                return
            self._changed_s = time.monotonic()
            was, self._state = self._state, now
            if now is None or now.size == 0:
                return  # taken away or just begun: neither is an export's end
            if was is None or was.size == 0 or was.identity != now.identity or now.size < was.size:
                self._count += 1
            self._last_at = self._time_of(now, before_at)

    def is_final(self, root: int) -> bool:
        """Whether the file is there and will stay as it is, as far as anybody can tell.

        `root` is the process whose tree may still be writing it.
        """
        self.look()  # an event comes late, and what it tells is no quiet time
        with self._lock:
            is_there = self._last_at is not None and self._state is not None and self._state.size > 0
            quiet_s = time.monotonic() - self._changed_s
        if not is_there or quiet_s < QUIET_S:
            return False
        held = holds_for_writing(root, self._path)
        return quiet_s >= QUIET_UNKNOWN_S if held is None else not held

    def close(self) -> FileChanges:
        """Take the last look and stop watching."""
        self._stop.set()
        self._thread.join(_JOIN_TIMEOUT_S)
        self.look()
        return FileChanges(self._last_at, self._count, self._watched_by)

    def _time_of(self, state: _State, before_at: int) -> int:
        """When the file changed: the recorded time where it lies between two looks, otherwise that of the look.

        It does not where the clock of the file server differs, where times are kept in whole seconds, or where the
        system records no renames.
        """
        if self._is_real_time:
            changed_ns = max(state.mtime_ns, state.ctime_ns) - time.time_ns() + self._now_ns()
            if before_at <= changed_ns <= self._looked_at:
                return changed_ns
        return self._looked_at

    def _follow(self) -> None:
        if not self._follow_events():
            while not self._stop.wait(_POLL_S):
                self.look()

    def _follow_events(self) -> bool:
        """Look at every event until stopped; False where there are none to be had."""
        try:
            from watchfiles import watch  # an optional extra
        except ImportError:
            return False
        try:
            events = watch(
                self._path.parent,
                watch_filter=None,
                debounce=_EVENT_BUNDLE_MS,
                step=_EVENT_STEP_MS,
                stop_event=self._stop,
                rust_timeout=_EVENT_TIMEOUT_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
            )
            self._watched_by = "events"
            for _ in events:
                self.look()
        # No more watches are allowed, or the folder went away. Where the system refuses the first watch, `watchfiles`
        # raises an error of its own, which is no `OSError`.
        except (OSError, RuntimeError):
            self._watched_by = "polling"
            return False
        return True


def last_change_ns(path: Path) -> int | None:
    """When a file was last written or renamed, by the file system's clock since 1970; None for no file."""
    state = _state_of(path)
    # Windows has the time of creation in the place of the other one.
    return None if state is None else max(state.mtime_ns, 0 if sys.platform == "win32" else state.ctime_ns)


def _state_of(path: Path) -> _State | None:
    try:
        found = os.stat(path)  # noqa: PTH116  a subject may leave a link
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    ctime_ns = 0 if sys.platform == "win32" else found.st_ctime_ns
    return _State((found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns, ctime_ns)
