"""Locks of files, and one for a folder of the cache that several runs may want to build, use or remove at once."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from capbench.errors import UnavailableError
from capbench.files import describe_os_error

__all__ = ["LOCK_SUFFIX", "FolderInUseError", "lock_beside", "lock_file"]

LOCK_SUFFIX = ".lock"
"""Appended to a folder's name."""


class FolderInUseError(UnavailableError):
    """Another process has the folder."""


@contextlib.contextmanager
def lock_beside(folder: Path, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Lock a folder, which need not exist, by a file beside it; the lock ends with this process, however that ends.

    The file goes too if there is no folder at the end. Where another process has the lock, waits for it after calling
    `on_wait`, or raises `FolderInUseError` without one. Raises `UnavailableError` where there can be no such file.
    """
    path = folder.with_name(folder.name + LOCK_SUFFIX)
    try:
        lock = lock_file(path)
        if lock is None and on_wait is not None:
            on_wait()
            lock = lock_file(path, waits=True)
    except OSError as error:
        raise UnavailableError(f"cannot lock {path}: {describe_os_error(error)}") from error
    if lock is None:
        raise FolderInUseError(f"{folder} is in use by another capbench")
    try:
        yield
    finally:
        is_closed = sys.platform == "win32"
        if is_closed:  # it removes no open file, and whoever takes it in between opens it for us to fail on
            os.close(lock)
        if not folder.exists():
            with contextlib.suppress(PermissionError):
                path.unlink(missing_ok=True)
        if not is_closed:
            os.close(lock)


def lock_file(path: Path, *, waits: bool = False) -> int | None:
    """Make and lock a file; returns the descriptor that holds the lock, or None where another process has it.

    With `waits` it is waited for. Raises `OSError` where there can be no such file, or no lock on it.
    """
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            is_ours = _lock(lock, waits=waits) and _is_at(path, lock)
        except BlockingIOError:
            os.close(lock)
            return None
        except BaseException:  # an interrupt while it waits, too
            os.close(lock)
            raise
        if is_ours:
            return lock
        os.close(lock)  # whoever had it removed the file: a lock on that excludes nobody


def _lock(lock: int, *, waits: bool) -> bool:
    """False where it may be had by trying again. Raises `BlockingIOError` where another has it and nobody waits."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(lock, msvcrt.LK_LOCK if waits else msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if waits:
                return False  # it gives up after ten seconds
            if isinstance(error, PermissionError):
                raise BlockingIOError(*error.args) from error
            raise
        return True
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    return True


def _is_at(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
