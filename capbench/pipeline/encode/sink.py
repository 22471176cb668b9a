"""Where pictures end: what every output has in common."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import av

from capbench.errors import OutputError
from capbench.units import format_bytes

__all__ = ["ContainerSink", "PictureSink", "writing_to"]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)
_NOT_WRITABLE = (*_NO_ROOM, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR)


class PictureSink(Protocol):
    """Takes pictures in order, on one thread."""

    def write(self, frame: Any, pts: int, duration: int) -> None:
        """Take an `av.VideoFrame`; PTS and duration are in units of the output's time base."""

    def flush(self) -> None:
        """Write what encoders still hold."""

    def complete(self) -> None:
        """Close the file; only now it is one."""

    def abandon(self) -> None:
        """Let go of everything after a failure. Raises nothing: the failure is what is to be told."""


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn what the file system has against the output into an `OutputError`; other errors pass."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError) or error.errno not in _NOT_WRITABLE:
            raise
        raise OutputError(f"cannot write to {path.parent}: {error.strerror}{_written(path, error)}") from error


def _written(path: Path, error: OSError) -> str:
    if error.errno not in _NO_ROOM or not path.exists():
        return ""
    return f" after {format_bytes(path.stat().st_size)}; free some space or name another folder"


class ContainerSink:
    """What sinks that write a file with FFmpeg share."""

    def __init__(self, path: Path, container_format: str, **options: str) -> None:
        self._path = path
        with writing_to(path):
            self._container = av.open(str(path), "w", format=container_format, container_options=options)

    def complete(self) -> None:
        """Close the file, which completes it. Raises `OutputError`."""
        with writing_to(self._path):
            self._container.close()

    def abandon(self) -> None:
        """Close the file as it is; what it holds is not to be used."""
        with contextlib.suppress(OSError, av.FFmpegError):  # the failure that led here is the one to tell
            self._container.close()
