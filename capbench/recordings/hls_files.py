"""The files of an HLS folder, written so that a full disk is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["PartFiles"]


class PartFiles:
    """Opens the files that FFmpeg's HLS muxer writes, and keeps the first error: the muxer itself ignores it.

    The muxer names segments by a pattern, and a folder named `100%d` would become part of it: it is given bare names.
    Nothing is raised into the muxer, because PyAV prints an error that reaches it while it is closing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._error: OSError | None = None

    def open(self, url: str, _flags: int, _options: dict[str, str]) -> _PartFile:
        """Open a file of the folder for writing; this is PyAV's `io_open`."""
        try:
            return _PartFile((self._folder / Path(url).name).open("wb"), self._keep)
        except OSError as error:
            self._keep(error)
            return _PartFile(None, self._keep)

    def raise_error(self) -> None:
        """Raise the first `OSError` of any file, if there was one."""
        if self._error is not None:
            raise self._error

    def _keep(self, error: OSError) -> None:
        self._error = self._error or error


class _PartFile:
    """What PyAV asks of a file that is only written; after an error the rest is thrown away."""

    def __init__(self, file: BinaryIO | None, keep_error: Callable[[OSError], None]) -> None:
        self._file = file
        self._keep_error = keep_error

    def write(self, data: bytes) -> int:
        if self._file is not None:
            try:
                self._file.write(data)
            except OSError as error:
                self._keep_error(error)
                self.close()
        return len(data)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()  # flushes, so this is where a small file notices a full disk
            except OSError as error:
                self._keep_error(error)
