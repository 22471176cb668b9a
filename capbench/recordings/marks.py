"""The marks that a machine reads back from a recording: the frame number and the flash.

The frame number is a row of cells over the same row inverted. A cell reads 1 where its upper half is the brighter one,
so neither the range nor a dimmed or tinted picture moves a threshold, and a picture without the mark, or a blend of
two frames, has cells without contrast. From the left: 4 fixed bits, 20 bits of the number and 16 of its CRC, most
significant first, 4 fixed bits.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.recordings.layout import FLASH, FRAME_NUMBER, Area, LayoutRectangle

__all__ = [
    "FLASH_LENGTH_S",
    "MAX_FRAME_NUMBER",
    "cell_size_px",
    "flash_level",
    "frame_number_cells",
    "read_frame_number",
]

FLASH_LENGTH_S: Final = 0.1
"""How long a flash and its beep last, in seconds; three frames at 30 fps, so that a lower output rate keeps one."""
MAX_FRAME_NUMBER: Final = 2**20 - 1
"""Largest number that the cells hold."""

# Neither reads the same mirrored or inverted, so a flipped picture is no frame number.
_HEAD: Final = (1, 0, 1, 1)
_TAIL: Final = (0, 0, 1, 0)
_CRC_START: Final = 0xFFFF
_CELLS: Final = len(_HEAD) + 20 + 16 + len(_TAIL)
_MIN_CONTRAST_CODES: Final = 24
"""Of 219 from black to white. Measured: at least 86 are left in 320x180 at CRF 51, also when that is scaled to 60%; a
frame in which compression has turned a cell over has some cell below 10, and so has a blend of two frames."""


def frame_number_cells(number: int) -> NDArray[np.uint8]:
    """Cells of the frame number, shape (2, 44): 1 is white, 0 is black. Raises `ValueError` outside 0..2**20 - 1."""
    if not 0 <= number <= MAX_FRAME_NUMBER:
        raise ValueError(f"frame number {number} is not in 0..{MAX_FRAME_NUMBER}")
    word = number << 16 | _checksum(number)
    upper = (*_HEAD, *(word >> shift & 1 for shift in reversed(range(36))), *_TAIL)
    return np.array([upper, [1 - bit for bit in upper]], dtype=np.uint8)


def read_frame_number(luma: NDArray[np.uint8], recording: LayoutRectangle | None = None) -> int | None:
    """Frame number in a luma plane of shape (height, width), or None where there is no intact one.

    `recording` is where the recording lies in the picture, in pixels; the whole picture when None.
    """
    upper, lower = _cell_levels(luma, recording)
    contrast = upper - lower
    if np.abs(contrast).min() < _MIN_CONTRAST_CODES:
        return None
    bits = [int(bit) for bit in contrast > 0]
    if tuple(bits[: len(_HEAD)]) != _HEAD or tuple(bits[-len(_TAIL) :]) != _TAIL:
        return None
    word = 0
    for bit in bits[len(_HEAD) : -len(_TAIL)]:
        word = word << 1 | bit
    number, checksum = word >> 16, word & 0xFFFF
    return number if _checksum(number) == checksum else None


def cell_size_px(recording: LayoutRectangle) -> tuple[float, float]:
    """Width and height of a cell of the frame number, in pixels, of a recording that fills `recording`."""
    place = FRAME_NUMBER.within(recording)
    return place.width / _CELLS, place.height / 2


def flash_level(luma: NDArray[np.uint8], recording: LayoutRectangle | None = None) -> float | None:
    """Brightness of the flash area between the black (0) and the white (1) of the frame number's cells.

    About 0.05 without and 1 with a flash: 0.5 divides them. None where the cells have no contrast. `recording` as in
    `read_frame_number`.
    """
    levels = _cell_levels(luma, recording)
    black, white = levels.min(axis=0).mean(), levels.max(axis=0).mean()
    if white - black < _MIN_CONTRAST_CODES:
        return None
    return float((_area_levels(luma, recording, FLASH, columns=1, rows=1).mean() - black) / (white - black))


def _checksum(number: int) -> int:
    return crc_hqx(number.to_bytes(3, "big"), _CRC_START)


def _cell_levels(luma: NDArray[np.uint8], recording: LayoutRectangle | None) -> NDArray[np.float64]:
    return _area_levels(luma, recording, FRAME_NUMBER, columns=_CELLS, rows=2)


def _area_levels(
    luma: NDArray[np.uint8], recording: LayoutRectangle | None, area: Area, *, columns: int, rows: int
) -> NDArray[np.float64]:
    """Mean luma codes of the middle of each cell of an area, shape (rows, columns), from bilinear samples."""
    height, width = luma.shape
    place = area.within(recording or LayoutRectangle(0, 0, width, height))
    inner = np.array([0.35, 0.5, 0.65])  # the outer third of a cell is where scaling and compression mix neighbours
    x = place.left + place.width / columns * (np.arange(columns)[:, None] + inner).ravel() - 0.5
    y = place.top + place.height / rows * (np.arange(rows)[:, None] + inner).ravel() - 0.5
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    x0, y0 = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    fx, fy = x - x0, (y - y0)[:, None]
    first, second = luma[y0].astype(np.float64), luma[y0 + 1].astype(np.float64)
    across = [line[:, x0] * (1 - fx) + line[:, x0 + 1] * fx for line in (first, second)]
    samples = across[0] * (1 - fy) + across[1] * fy
    means: NDArray[np.float64] = samples.reshape(rows, inner.size, columns, inner.size).mean(axis=(1, 3))
    return means
