"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = ["partial_path", "write_atomic"]


@contextlib.contextmanager
def partial_path(target: Path) -> Iterator[Path]:
    """Path beside `target` to write to; renamed to `target` on success, removed on any failure.

    The suffix is kept, because FFmpeg picks the container by it. Raises whatever the body or the rename raises.
    """
    # 48 characters of up to 4 bytes leave room for the rest in the 255 bytes that a file system allows.
    partial = target.with_name(f".{target.stem[:48]}.{secrets.token_hex(4)}.partial{target.suffix}")
    try:
        yield partial
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomic(target: Path, content: str | bytes) -> None:
    """Write a whole file, flushed to disk before it gets its name. Raises `OSError`."""
    data = content.encode() if isinstance(content, str) else content
    with partial_path(target) as partial, partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
