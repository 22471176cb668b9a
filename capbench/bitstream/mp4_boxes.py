"""Just enough of the boxes of MP4 and QuickTime (ISO/IEC 14496-12, clause 4.2) to find what a track says of colour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["find_colour_box", "find_entry_boxes"]

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_VISUAL_SAMPLE_ENTRY_BYTES = 78
"""Fixed fields of a VisualSampleEntry before its boxes (ISO/IEC 14496-12, 12.1.3)."""
_STSD_HEADER_BYTES = 8
_LARGEST_MOOV_BYTES = 256 * 2**20
"""A moov bigger than this is damage, not an index."""
_MOST_ENTRY_BOXES = 64
"""Boxes of a sample entry that are looked at; files have about ten."""
_OF_COLOUR = {b"colr", b"mdcv", b"clli", b"SmDm", b"CoLL", b"dvcC", b"dvvC", b"dvwC"}
"""Colour, HDR metadata of MP4 and of WebM's MP4 (VP9), Dolby Vision's configuration. No box of a sound track is called
so in what its fields, which are others, would be misread as."""
_CODED_COLOURS = (b"nclx", b"nclc")


def find_colour_box(path: Path) -> bytes | None:
    """Content of the first video track's `colr` box, from its four-letter type on; None where there is none.

    Of several the one that has code points: the other is an ICC profile.
    A fragmented file's init segment is read when `path` is one. A damaged structure gives None: the file's decoder
    reports the damage.
    """
    found = [content for kind, content in find_entry_boxes(path) if kind == b"colr"]
    return next((content for content in found if content[:4] in _CODED_COLOURS), found[0] if found else None)


def find_entry_boxes(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """Type and content of boxes about colour in the first sample entry that has any; empty for a damaged structure."""
    with path.open("rb") as file:
        moov = _find_moov(file)
    return () if moov is None else _search(moov)


def _find_moov(file: BinaryIO) -> bytes | None:
    while len(header := file.read(8)) == 8:
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        body = size - 8
        if size == 1:
            body = int.from_bytes(file.read(8), "big") - 16
        if kind == b"moov":
            return file.read(min(body, _LARGEST_MOOV_BYTES)) if body >= 0 else None
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


def _search(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    for kind, body in _boxes(data):
        if kind == b"stsd":
            for _, entry in _boxes(body[_STSD_HEADER_BYTES:]):
                inner = zip(range(_MOST_ENTRY_BOXES), _boxes(entry[_VISUAL_SAMPLE_ENTRY_BYTES:]), strict=False)
                found = tuple((name, content) for _, (name, content) in inner if name in _OF_COLOUR)
                if found:
                    return found
        elif kind in _CONTAINERS:
            found = _search(body)
            if found:
                return found
    return ()
