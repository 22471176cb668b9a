"""What a container states of its video's colours, read byte by byte: FFmpeg mixes it with what the pictures state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ContainerColours", "container_colours", "matrix_number"]

_MATRIX_OF_CODE: Final = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc"}
"""Code points of ITU-T H.273 to FFmpeg's names."""
_PRIMARIES_OF_CODE: Final = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 12: "smpte432"}
_TRANSFER_OF_CODE: Final = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
_CLUSTER, _COLOUR = b"\x1f\x43\xb6\x75", b"\x55\xb0"
_MATRIX, _RANGE, _TRANSFER, _PRIMARIES = 0x55B1, 0x55B9, 0x55BA, 0x55BB
_UNSPECIFIED: Final = 2


@dataclass(frozen=True, slots=True)
class ContainerColours:
    """None for what is not stated, or has another code point than those that are met."""

    matrix: str | None = None
    """FFmpeg's name."""
    full_range: bool | None = None
    """Whether codes span 0..255."""
    primaries: str | None = None
    """FFmpeg's name."""
    transfer: str | None = None
    """FFmpeg's name."""


def matrix_number(name: str | None) -> int | None:
    """601, 709 or 2020; None for any other."""
    numbers = {"bt709": 709, "smpte170m": 601, "bt470bg": 601, "bt2020nc": 2020, "bt2020c": 2020}
    return numbers.get(name or "")


def container_colours(path: Path) -> ContainerColours:
    """What a container states for its video."""
    if path.suffix in {".mp4", ".mov"}:
        return _colr_colours(path.read_bytes())
    if path.suffix in {".mkv", ".webm"}:
        return _element_colours(path.read_bytes())
    return ContainerColours()


def _colr_colours(data: bytes) -> ContainerColours:
    """ISO/IEC 14496-12 12.1.5: colr, nclx or nclc, then primaries, transfer and matrix of two bytes each, and a bit."""
    at = max(data.find(b"colrnclx"), data.find(b"colrnclc"))
    if at < 0:
        return ContainerColours()
    primaries, transfer, matrix = (int.from_bytes(data[at + more : at + more + 2], "big") for more in (8, 10, 12))
    full = bool(data[at + 14] & 0x80) if data[at + 4 : at + 8] == b"nclx" else None
    return _named(primaries, transfer, matrix, full)


def _element_colours(data: bytes) -> ContainerColours:
    """RFC 9559, 5.1.4.1.28.16: Colour holds elements of two bytes' name, a length (RFC 8794, 4) and a number each."""
    header = data[: max(0, data.find(_CLUSTER))]
    at = -1
    while (at := header.find(_COLOUR, at + 1)) >= 0:
        size, begin = _length(header, at + len(_COLOUR))
        if size is None or begin + size > len(header):
            continue  # two bytes of something else
        stated = dict(_elements(header[begin : begin + size]))
        if stated:
            full = {1: False, 2: True}.get(stated.get(_RANGE, 0))
            primaries, transfer, matrix = (stated.get(name, _UNSPECIFIED) for name in (_PRIMARIES, _TRANSFER, _MATRIX))
            return _named(primaries, transfer, matrix, full)
    return ContainerColours()


def _elements(data: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at + 2 < len(data):
        name = int.from_bytes(data[at : at + 2], "big")
        size, begin = _length(data, at + 2)
        if size is None or begin + size > len(data) or name >> 8 != 0x55:
            return
        yield name, int.from_bytes(data[begin : begin + size], "big")
        at = begin + size


def _length(data: bytes, at: int) -> tuple[int | None, int]:
    """Length of an element and where its content begins: as many zeros lead as bytes follow the first."""
    first = data[at] if at < len(data) else 0
    if not first:
        return None, at
    count = 9 - first.bit_length()
    return int.from_bytes(data[at : at + count], "big") & ((1 << 7 * count) - 1), at + count


def _named(primaries: int, transfer: int, matrix: int, full: bool | None) -> ContainerColours:
    return ContainerColours(
        _MATRIX_OF_CODE.get(matrix), full, _PRIMARIES_OF_CODE.get(primaries), _TRANSFER_OF_CODE.get(transfer)
    )
