"""Pictures in CPU memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.errors import PictureError

__all__ = ["Nv12Picture"]


@dataclass(frozen=True, slots=True, eq=False)
class Nv12Picture:
    """One NV12 picture in CPU memory. Raises `PictureError` if the planes disagree."""

    luma: NDArray[np.uint8]
    """Y plane, shape (height, width), both even."""
    chroma: NDArray[np.uint8]
    """Interleaved Cb, Cr, shape (height // 2, width // 2, 2)."""
    pts_ns: int = 0
    """Presentation time in nanoseconds since the first picture."""

    def __post_init__(self) -> None:
        if self.luma.ndim != 2 or self.luma.dtype != np.uint8 or self.chroma.dtype != np.uint8:
            raise PictureError(f"expected uint8 planes, got {self.luma.dtype = } {self.luma.ndim = }")
        height, width = self.luma.shape
        if height % 2 or width % 2 or self.chroma.shape != (height // 2, width // 2, 2):
            raise PictureError(f"planes disagree: {self.luma.shape = } {self.chroma.shape = }")

    @property
    def width(self) -> int:
        """Luma samples across."""
        return int(self.luma.shape[1])

    @property
    def height(self) -> int:
        """Luma rows."""
        return int(self.luma.shape[0])
