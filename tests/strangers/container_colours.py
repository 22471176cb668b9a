"""What a container states of its video's colours, read byte by byte: FFmpeg mixes it with what the pictures state."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["container_colours", "matrix_number"]

_MATRIX_OF_CODE: Final = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc"}
"""Code points of ITU-T H.273 to FFmpeg's names."""


def matrix_number(name: str | None) -> int | None:
    """601, 709 or 2020; None for any other."""
    numbers = {"bt709": 709, "smpte170m": 601, "bt470bg": 601, "bt2020nc": 2020, "bt2020c": 2020}
    return numbers.get(name or "")


def container_colours(path: Path) -> tuple[str | None, bool | None]:
    """Matrix and range that a container states for its video; None for what it does not."""
    if path.suffix in {".mp4", ".mov"}:
        return _colr_colours(path.read_bytes())
    if path.suffix in {".mkv", ".webm"}:
        return _element_colours(path.read_bytes())
    return None, None


def _colr_colours(data: bytes) -> tuple[str | None, bool | None]:
    """ISO/IEC 14496-12 12.1.5: colr, nclx or nclc, then primaries, transfer and matrix of two bytes each, and a bit."""
    at = max(data.find(b"colrnclx"), data.find(b"colrnclc"))
    if at < 0:
        return None, None
    code = int.from_bytes(data[at + 12 : at + 14], "big")
    full = bool(data[at + 14] & 0x80) if data[at + 4 : at + 8] == b"nclx" else None
    return _MATRIX_OF_CODE.get(code), full


def _element_colours(data: bytes) -> tuple[str | None, bool | None]:
    """RFC 9559, 5.1.4.1.28.16: Colour holds elements of two bytes' name, a byte's length and a number each."""
    header = data[: max(0, data.find(b"\x1f\x43\xb6\x75"))]  # up to the first cluster
    at = header.find(b"\x55\xb0")
    if at < 0 or not header[at + 2] & 0x80:
        return None, None
    colour = header[at + 3 : at + 3 + (header[at + 2] & 0x7F)]
    stated: dict[int, int] = {}
    while len(colour) > 3:
        size = colour[2] & 0x7F
        stated[int.from_bytes(colour[:2], "big")] = int.from_bytes(colour[3 : 3 + size], "big")
        colour = colour[3 + size :]
    return _MATRIX_OF_CODE.get(stated.get(0x55B1, 2)), {1: False, 2: True}.get(stated.get(0x55B9, 0))
