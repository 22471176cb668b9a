"""Just enough of the boxes of MP4 and QuickTime (ISO/IEC 14496-12, 4.2) to find a track's colour and edits."""

from __future__ import annotations

from collections.abc import Iterator
from io import SEEK_CUR, SEEK_END
from itertools import islice
from pathlib import Path
from typing import BinaryIO

__all__ = ["find_colour_box", "find_entry_boxes", "longest_edit_list"]

_WAY_TO_ENTRIES = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
"""From inside `moov`. Boxes of other kinds are not entered, so that no file decides how deep they nest."""
_WAY_TO_EDITS = (b"trak", b"edts", b"elst")
_EDIT_BYTES = 12
"""Of an entry of an edit list of version 0 (ISO/IEC 14496-12, 8.6.6); one of version 1 has 20."""
_MOST_TOP_BOXES = 10_000
"""Boxes before `moov`; files have a handful."""
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


def longest_edit_list(path: Path) -> int:
    """Entries of the longest edit list of any track; 0 where there is none, or the structure is damaged."""
    with path.open("rb") as file:
        moov = _find_moov(file)
    return 0 if moov is None else max((_entries(edits) for edits in _all_inside(moov, _WAY_TO_EDITS)), default=0)


def _entries(edits: bytes) -> int:
    return min(int.from_bytes(edits[4:8], "big"), len(edits) // _EDIT_BYTES)


def _all_inside(data: bytes, way: tuple[bytes, ...]) -> Iterator[bytes]:
    for kind, body in _boxes(data):
        if kind == way[0]:
            yield from [body] if len(way) == 1 else _all_inside(body, way[1:])


def _find_moov(file: BinaryIO) -> bytes | None:
    end = file.seek(0, SEEK_END)
    file.seek(0)
    for _ in range(_MOST_TOP_BOXES):
        header = file.read(8)
        if len(header) < 8:
            return None
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        body = int.from_bytes(file.read(8), "big") - 16 if size == 1 else size - 8
        if not 0 <= body <= end:  # a box that lasts to the end of the file has size 0; none follows it
            return None
        if kind == b"moov":
            return file.read(min(body, _LARGEST_MOOV_BYTES))
        file.seek(body, SEEK_CUR)
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


def _search(moov: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return next(filter(None, map(_entry_boxes, _all_inside(moov, _WAY_TO_ENTRIES))), ())


def _entry_boxes(descriptions: bytes) -> tuple[tuple[bytes, bytes], ...]:
    for _, entry in _boxes(descriptions[_STSD_HEADER_BYTES:]):
        inner = islice(_boxes(entry[_VISUAL_SAMPLE_ENTRY_BYTES:]), _MOST_ENTRY_BOXES)
        found = tuple((name, content) for name, content in inner if name in _OF_COLOUR)
        if found:
            return found
    return ()
