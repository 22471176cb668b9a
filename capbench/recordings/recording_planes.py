"""Planar 4:2:0 pictures, and the conversion that draws them from R'G'B'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec

__all__ = ["RecordingPlanes", "planes_from_rgb"]

_BAND_ROWS: Final = 128
"""Rows converted at a time: float64 of a whole 4K text strip would be 300 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordingPlanes:
    """One 4:2:0 picture, or views of a part of one."""

    luma: NDArray[np.uint8]
    """Y plane, shape (height, width), both even."""
    cb: NDArray[np.uint8]
    """Cb plane, shape (height // 2, width // 2)."""
    cr: NDArray[np.uint8]
    """Cr plane, shape (height // 2, width // 2)."""

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.luma.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.luma.shape[0])

    def part(self, rows: slice, columns: slice) -> RecordingPlanes:
        """Views of a part; all four edges are even."""
        half_rows = slice(rows.start // 2, rows.stop // 2)
        half_columns = slice(columns.start // 2, columns.stop // 2)
        return RecordingPlanes(
            self.luma[rows, columns], self.cb[half_rows, half_columns], self.cr[half_rows, half_columns]
        )

    def paste(self, picture: RecordingPlanes, left: int = 0, top: int = 0) -> None:
        """Copy `picture` in with its top left corner at an even place."""
        place = self.part(slice(top, top + picture.height), slice(left, left + picture.width))
        place.luma[...] = picture.luma
        place.cb[...] = picture.cb
        place.cr[...] = picture.cr


def planes_from_rgb(rgb: NDArray[np.uint8]) -> RecordingPlanes:
    """BT.709 limited, left-sited 4:2:0 of an (height, width, 3) R'G'B' picture with even sides.

    Equations of ITU-R BT.709-6 items 3.2 to 3.5; chroma is [1 2 1]/4 across and the mean of two rows down, rounded
    once, to nearest. Outside the left edge the first column is repeated.
    """
    colour = ColourSpec()
    height, width = rgb.shape[:2]
    planes = RecordingPlanes(
        np.empty((height, width), np.uint8),
        np.empty((height // 2, width // 2), np.uint8),
        np.empty((height // 2, width // 2), np.uint8),
    )
    kr, kb = colour.matrix.kr_kb
    for top in range(0, height, _BAND_ROWS):
        band = rgb[top : top + _BAND_ROWS].astype(np.float64) / 255
        red, green, blue = band[..., 0], band[..., 1], band[..., 2]
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        planes.luma[top : top + _BAND_ROWS] = np.floor(colour.luma_offset_code + colour.luma_span_codes * luma + 0.5)
        half = slice(top // 2, top // 2 + len(band) // 2)
        for plane, difference in (
            (planes.cb, (blue - luma) / (2 * (1 - kb))),
            (planes.cr, (red - luma) / (2 * (1 - kr))),
        ):
            plane[half] = np.floor(128 + colour.chroma_span_codes * _left_sited(difference) + 0.5)
    return planes


def _left_sited(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = (difference[0::2] + difference[1::2]) / 2
    here, right = rows[:, 0::2], rows[:, 1::2]
    left = np.concatenate([here[:, :1], right[:, :-1]], axis=1)
    return (left + 2 * here + right) / 4
