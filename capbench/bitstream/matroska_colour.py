"""Just enough of Matroska and WebM (EBML, RFC 8794) to find what the first video track says of its colour.

RFC 9559, 5.1.4.1.28.16: FFmpeg's Python binding gives matrix, primaries, transfer and range, but mixes them with those
of the coded video, and hides where chroma lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END
from pathlib import Path
from typing import BinaryIO

__all__ = ["MatroskaColour", "find_matroska_colour"]

_EBML, _SEGMENT, _TRACKS, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0x1F43B675
_TRACK_ENTRY, _TRACK_TYPE, _VIDEO, _COLOUR = 0xAE, 0x83, 0xE0, 0x55B0
_MATRIX, _SITING_ACROSS, _SITING_DOWN, _RANGE, _TRANSFER, _PRIMARIES = 0x55B1, 0x55B7, 0x55B8, 0x55B9, 0x55BA, 0x55BB
_VIDEO_TRACK = 1
_MOST_ELEMENTS = 1000
"""Elements of a level that are looked at: before the first cluster files have about ten, and as many tracks."""
_LARGEST_TRACKS_BYTES = 16 * 2**20
"""Tracks hold a few hundred bytes each, and some a codec's tables of kilobytes."""
_LONGEST_NUMBER_BYTES = 8
"""An unsigned integer element has as many at most (RFC 8794, 7.2)."""


@dataclass(frozen=True, slots=True)
class MatroskaColour:
    """A Colour element; None for what it leaves open."""

    primaries: int | None
    """Code point of ISO/IEC 23091-2."""
    transfer: int | None
    """Code point of ISO/IEC 23091-2."""
    matrix: int | None
    """Code point of ISO/IEC 23091-2."""
    full_range: bool | None
    """Whether codes use the full range."""
    chroma_location: int | None
    """As `chroma_sample_loc_type` of H.264: 0 left, 1 centre, 2 top left, 3 top."""


def find_matroska_colour(path: Path) -> MatroskaColour | None:
    """The Colour element of the first video track; None where there is none, in other files and damaged ones."""
    with path.open("rb") as file:
        tracks = _find_tracks(file)
    if tracks is None:
        return None
    for _, entry in _elements(tracks, _TRACK_ENTRY):
        if any(_number(kind) == _VIDEO_TRACK for _, kind in _elements(entry, _TRACK_TYPE)):
            colours = [colour for _, video in _elements(entry, _VIDEO) for _, colour in _elements(video, _COLOUR)]
            return _colour(colours[0]) if colours else None
    return None


def _find_tracks(file: BinaryIO) -> bytes | None:
    """Content of the Tracks element, which comes before the first cluster."""
    end = file.seek(0, SEEK_END)
    file.seek(0)
    name, size = _read_header(file)
    if name != _EBML or not 0 <= size <= end:
        return None
    file.seek(size, SEEK_CUR)
    if _read_header(file)[0] != _SEGMENT:  # of any size: of a live recording it is not known
        return None
    for _ in range(_MOST_ELEMENTS):
        name, size = _read_header(file)
        if name == _CLUSTER or not 0 <= size <= end:  # a cluster of unknown size seems larger, too
            return None
        if name == _TRACKS:
            return file.read(min(size, _LARGEST_TRACKS_BYTES))
        file.seek(size, SEEK_CUR)
    return None


def _read_header(file: BinaryIO) -> tuple[int, int]:
    """Name and size of an element; -1 for what is not there."""
    name, size = _read_number(file, keeps_marker=True), _read_number(file, keeps_marker=False)
    return -1 if name is None else name, -1 if size is None else size


def _read_number(file: BinaryIO, *, keeps_marker: bool) -> int | None:
    """A variable-size integer (RFC 8794, 4): its length is that of the zeros in front. None at the end of the file."""
    first = file.read(1)
    if not first or first[0] == 0:  # no number is longer than eight bytes
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    if len(rest) < more:
        return None
    head = first[0] if keeps_marker else first[0] & ((1 << (7 - more)) - 1)
    return int.from_bytes(bytes([head]) + rest, "big")


def _elements(data: bytes, wanted: int) -> Iterator[tuple[int, bytes]]:
    """Elements of one kind in the content of another, as far as it is whole."""
    at = 0
    for _ in range(_MOST_ELEMENTS):
        name, at = _number_at(data, at, keeps_marker=True)
        size, at = _number_at(data, at, keeps_marker=False)
        if name is None or size is None or at + size > len(data):
            return
        if name == wanted:
            yield name, data[at : at + size]
        at += size


def _number_at(data: bytes, at: int, *, keeps_marker: bool) -> tuple[int | None, int]:
    """The same of bytes, and where it ends."""
    if at >= len(data) or data[at] == 0:
        return None, at
    end = at + 9 - data[at].bit_length()
    if end > len(data):
        return None, at
    value = int.from_bytes(data[at:end], "big")
    return (value if keeps_marker else value & ((1 << (7 * (end - at))) - 1)), end


def _number(content: bytes) -> int:
    return int.from_bytes(content[:_LONGEST_NUMBER_BYTES], "big")


def _colour(content: bytes) -> MatroskaColour:
    def stated(wanted: int, *silent: int) -> int | None:
        values = [_number(value) for _, value in _elements(content, wanted)]
        return values[0] if values and values[0] not in silent else None

    extent = stated(_RANGE, 0, 3)  # 3: what matrix and transfer say
    return MatroskaColour(
        primaries=stated(_PRIMARIES, 0, 2),
        transfer=stated(_TRANSFER, 0, 2),
        matrix=stated(_MATRIX, 0, 2),
        full_range=None if extent is None else extent == 2,
        chroma_location=_location(stated(_SITING_ACROSS), stated(_SITING_DOWN)),
    )


def _location(across: int | None, down: int | None) -> int | None:
    """1 is on the left or upper luma sample, 2 between two; anything else is not known."""
    if across not in (1, 2):
        return None
    return (across - 1) + (2 if down == 1 else 0)
