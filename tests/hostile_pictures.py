"""Pictures that claim too much, end too soon or are broken inside, made byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

__all__ = ["png"]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, width: int, height: int, *, rows: int | None = None, keep_bytes: int | None = None) -> Path:
    """An RGB picture, black, that claims a size; `rows` are in it (None: all), of the file the first `keep_bytes`."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width) if rows != 0 else b""
    packed = b"".join([packer.compress(row) for _ in range(height if rows is None else rows)] + [packer.flush()])
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    whole = b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    path.write_bytes(whole[:keep_bytes])
    return path
