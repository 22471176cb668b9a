"""The lock of a machine: whoever times is alone on it, whoever validates is beside others that validate.

Dask's resources are numbers that one worker counts: they exclude neither a second worker of the machine nor what a
worker's resource is not asked for. This lock is of files, which all processes of the machine share, and ends with the
process that holds it, however that ends.

A folder holds the file `gate` and files `room-00` to `room-15`. Validation passes the gate and takes one room; timing
keeps the gate and waits until every room is empty. A block that waits thus keeps new validation out, and begins when
what runs has ended: it drains validation first.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from capbench.errors import UnavailableError
from capbench.files import describe_os_error

__all__ = ["MOST_VALIDATING", "MachineBusyError", "MachineLock"]

MOST_VALIDATING = 16
"""Processes that validate side by side on one machine; each takes gigabytes at 4K, and more of them wait."""
_LOOK_EVERY_S = 0.2
"""A look takes some microseconds: nothing beside what is timed meanwhile, and nothing beside a block's length."""


class MachineBusyError(UnavailableError):
    """The machine did not become free in time."""


class MachineLock:
    """The lock that the processes of one machine share by its folder. Waiting looks again and again, so it can end."""

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

    @contextlib.contextmanager
    def timing(self, *, timeout_s: float | None = None) -> Iterator[None]:
        """Be alone on the machine. Raises `MachineBusyError` after `timeout_s` (None waits), `UnavailableError`."""
        with contextlib.ExitStack() as held:
            end_s = self._end_s(timeout_s)
            held.enter_context(self._taken(("gate",), end_s))
            for number in range(MOST_VALIDATING):
                held.enter_context(self._taken((_room(number),), end_s))
            yield

    @contextlib.contextmanager
    def validating(self, *, timeout_s: float | None = None) -> Iterator[None]:
        """Be beside others that validate, and beside no timing. Raises as `timing` does."""
        end_s = self._end_s(timeout_s)
        with contextlib.ExitStack() as held:
            with self._taken(("gate",), end_s):  # only to pass: whoever times keeps it
                held.enter_context(self._taken([_room(number) for number in range(MOST_VALIDATING)], end_s))
            yield

    def _end_s(self, timeout_s: float | None) -> float | None:
        return None if timeout_s is None else self._now_s() + timeout_s

    @contextlib.contextmanager
    def _taken(self, names: tuple[str, ...] | list[str], end_s: float | None) -> Iterator[None]:
        """The first of these files that is free, held."""
        while True:
            for name in names:
                if (lock := self._try(name)) is not None:
                    try:
                        yield
                    finally:
                        os.close(lock)
                    return
            if end_s is not None and self._now_s() >= end_s:
                raise MachineBusyError(f"something else of the fleet still runs on this machine ({self._folder})")
            self._sleep(_LOOK_EVERY_S)

    def _try(self, name: str) -> int | None:
        """Descriptor of the locked file; None where another has it. Raises `UnavailableError`."""
        path = self._folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Files of the lock are never removed: a lock on a file that has gone excludes nobody.
            lock = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            raise UnavailableError(f"cannot lock this machine by {path}: {describe_os_error(error)}") from error
        try:
            _lock_at_once(lock)
        except (BlockingIOError, PermissionError):
            os.close(lock)
            return None
        except OSError as error:
            os.close(lock)
            raise UnavailableError(f"cannot lock this machine by {path}: {describe_os_error(error)}") from error
        return lock


def _room(number: int) -> str:
    return f"room-{number:02d}"


def _lock_at_once(lock: int) -> None:
    """Lock a whole file, or raise `BlockingIOError` or, on Windows, `PermissionError` where another has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
