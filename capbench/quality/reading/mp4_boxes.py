"""Just enough of the MP4 and QuickTime box structure (ISO/IEC 14496-12, clause 4.2) to find a track's colour box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["find_colour_box"]

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_VISUAL_SAMPLE_ENTRY_BYTES = 78
"""Fixed fields of a VisualSampleEntry before its boxes (ISO/IEC 14496-12, 12.1.3)."""
_STSD_HEADER_BYTES = 8
_LARGEST_MOOV_BYTES = 256 * 2**20
"""A moov bigger than this is damage, not an index."""


def find_colour_box(path: Path) -> bytes | None:
    """Content of the first video track's `colr` box, from its four-letter type on; None where there is none.

    A fragmented file's init segment is read when `path` is one. A damaged structure gives None: the file's decoder
    reports the damage.
    """
    with path.open("rb") as file:
        moov = _find_moov(file)
    return None if moov is None else _search(moov)


def _find_moov(file: BinaryIO) -> bytes | None:
    while len(header := file.read(8)) == 8:
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        body = size - 8
        if size == 1:
            body = int.from_bytes(file.read(8), "big") - 16
        if kind == b"moov":
            return file.read(min(body, _LARGEST_MOOV_BYTES))
        if size == 0 or body < 0:
            return None
        file.seek(body, 1)
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, start = int.from_bytes(data[at : at + 4], "big"), at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        if size == 0:
            size = len(data) - at
        if size < start - at:
            return
        yield data[at + 4 : at + 8], data[start : at + size]
        at += size


def _search(data: bytes) -> bytes | None:
    for kind, body in _boxes(data):
        if kind == b"stsd":
            # Entries of a sound track have other fields; no box is called colr in what they would be misread as.
            for _, entry in _boxes(body[_STSD_HEADER_BYTES:]):
                for inner, content in _boxes(entry[_VISUAL_SAMPLE_ENTRY_BYTES:]):
                    if inner == b"colr":
                        return content
        elif kind in _CONTAINERS:
            found = _search(body)
            if found is not None:
                return found
    return None
