"""The frame number of a camera recording: a block of cells in the middle, where no crop, circle or rounding reaches it.

A cell is an upper half over its own inverse, and reads 1 where the upper one is brighter, as those of
`capbench.recordings.marks` do. The inset that shows the camera may be 60 pixels high, so the number has fewer cells:
row by row 1 fixed bit, 12 bits of the number and 10 of its CRC, most significant first, 1 fixed bit. Numbers start
again after 4096.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["CAMERA_CELLS", "CAMERA_NUMBERS", "MARK_SIDE", "PLATE_SIDE", "camera_cells", "read_camera_number"]

CAMERA_CELLS: Final = (4, 6)
"""Rows and columns of cells."""
CAMERA_NUMBERS: Final = 2**12
"""How many numbers there are: two and a quarter minutes at 30 fps. A delay is far shorter."""
PLATE_SIDE: Final = 0.62
"""Side of the grey plate that carries the cells, as a fraction of the picture's height: its corners are 0.44 from the
middle, inside a circle as high as the picture."""
MARK_SIDE: Final = 0.56
"""Side of the square of all cells, as a fraction of the picture's height."""

_CRC_BITS: Final = 10
_CRC_START: Final = 0xFFFF
# The first and last cell exchange places in a mirrored picture, and row by row the number then reads otherwise.
_FIRST: Final = 1
_LAST: Final = 0
_MIN_CONTRAST_CODES: Final = 20
"""Of 219 from black to white. Two frames that were blended have cells near 0, and so has what is no mark; the CRC
catches the rest."""
_INNER: Final = (0.3, 0.5, 0.7)
"""Where in a half cell it is read, across and down: scaling mixes its outer parts with the neighbours."""


def camera_cells(number: int) -> NDArray[np.uint8]:
    """Halves of the cells of a frame number, shape (8, 6): 1 is white, 0 is black. Raises `ValueError` below 0."""
    if number < 0:
        raise ValueError(f"frame number {number} is below 0")
    number %= CAMERA_NUMBERS
    word = number << _CRC_BITS | _checksum(number)
    bits = (_FIRST, *(word >> shift & 1 for shift in reversed(range(12 + _CRC_BITS))), _LAST)
    cells = np.array(bits, np.uint8).reshape(CAMERA_CELLS)
    return np.stack([cells, 1 - cells], axis=1).reshape(2 * CAMERA_CELLS[0], CAMERA_CELLS[1])


def read_camera_number(
    luma: NDArray[np.uint8], middle: tuple[float, float], height_px: float, *, mirrored: bool = False
) -> int | None:
    """Frame number, 0 to 4095, in a luma plane of shape (height, width); None where there is no intact one.

    `middle` is where the middle of the camera's whole picture lies, x and y in pixels, `height_px` how high the whole
    picture would be there, also where it is cropped; `mirrored` reads it from right to left.
    """
    side = MARK_SIDE * height_px
    rows, columns = 2 * CAMERA_CELLS[0], CAMERA_CELLS[1]
    inner = np.array(_INNER)
    across = (np.arange(columns)[:, None] + inner).ravel() / columns - 0.5
    down = (np.arange(rows)[:, None] + inner).ravel() / rows - 0.5
    x = middle[0] + side * (-across if mirrored else across) - 0.5
    y = middle[1] + side * down - 0.5
    if min(x.min(), y.min()) < 0 or x.max() > luma.shape[1] - 1 or y.max() > luma.shape[0] - 1:
        return None
    samples = ndimage.map_coordinates(luma, np.meshgrid(y, x, indexing="ij"), np.float64, order=1)
    levels = samples.reshape(rows, inner.size, columns, inner.size).mean(axis=(1, 3))
    contrast = levels[0::2] - levels[1::2]
    if np.abs(contrast).min() < _MIN_CONTRAST_CODES:
        return None
    bits = [int(bit) for bit in (contrast > 0).ravel()]
    word = 0
    for bit in bits[1:-1]:
        word = word << 1 | bit
    number, checksum = word >> _CRC_BITS, word & (1 << _CRC_BITS) - 1
    is_intact = bits[0] == _FIRST and bits[-1] == _LAST and checksum == _checksum(number)
    return number if is_intact else None


def _checksum(number: int) -> int:
    return crc_hqx(number.to_bytes(2, "big"), _CRC_START) & (1 << _CRC_BITS) - 1
