"""A luma plane at the resolutions at which it is searched and registered, each made when it is first asked for."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

__all__ = ["LumaPyramid", "Smoothed"]

_CELL: Final = 4
"""Samples a side of the cells that each give at most one edge."""
_LEAST_SLOPE_CODES: Final = 3.0
"""A sample: flatter cells have no edge to register."""

Field = NDArray[np.float32]


class Smoothed:
    """One level: block means, blurred. Its edges are looked for when they are first asked for."""

    def __init__(self, values: Field, factor: int) -> None:
        """Of `factor` x `factor` pixels a sample."""
        self.values = values
        """Codes, shape (rows, columns)."""
        self.factor = factor
        """Pixels of the plane for one sample, each way."""
        self._edges: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def edges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The steepest sample of each cell that has any: places in pixels of the plane, shape (n, 2), and codes."""
        if self._edges is None:
            self._edges = self._steepest()
        return self._edges

    def _steepest(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        steep = np.zeros_like(self.values)
        steep[:, 1:-1] = (self.values[:, 2:] - self.values[:, :-2]) ** 2
        steep[1:-1] += (self.values[2:] - self.values[:-2]) ** 2
        rows, columns = (side // _CELL for side in steep.shape)
        blocks = steep[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
        cells = blocks.swapaxes(1, 2).reshape(rows, columns, _CELL * _CELL)
        best = cells.argmax(axis=2)
        slope = np.take_along_axis(cells, best[..., None], axis=2)[..., 0]
        row, column = np.nonzero(slope > (2 * _LEAST_SLOPE_CODES) ** 2)
        inner = best[row, column]
        y, x = row * _CELL + inner // _CELL, column * _CELL + inner % _CELL
        places = np.stack([(x + 0.5) * self.factor, (y + 0.5) * self.factor], axis=1)
        return places, self.values[y, x].astype(np.float64)


class LumaPyramid:
    """Reduced and blurred copies of one luma plane. It changes: it keeps what it made."""

    def __init__(self, luma: NDArray[np.uint8]) -> None:
        """Of a plane of shape (height, width), which must not change while this is used."""
        self.luma = luma
        """The plane itself."""
        self._reduced: dict[int, Field] = {}
        self._smoothed: dict[tuple[int, float], Smoothed] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.luma.shape[1], self.luma.shape[0]

    def reduced(self, factor: int) -> Field:
        """Means of blocks of that many pixels a side; what is left over at the right and the bottom is cut off."""
        if factor not in self._reduced:
            rows, columns = (side // factor for side in self.luma.shape)
            whole = self.luma[: rows * factor, : columns * factor]
            # Pillow rounds the means to whole codes, which is a tenth of coding noise, and takes a tenth of the time.
            means = np.asarray(Image.fromarray(whole).reduce(factor)) if factor > 1 else whole
            self._reduced[factor] = means.astype(np.float32)
        return self._reduced[factor]

    def smoothed(self, factor: int, sigma: float) -> Smoothed:
        """The same, blurred by a Gaussian whose standard deviation is given in samples, rounded to a tenth."""
        key = factor, round(sigma, 1)
        if key not in self._smoothed:
            values = self.reduced(factor)
            if key[1] > 0:
                values = gaussian_filter(values, key[1], mode="nearest", truncate=3.0)
            self._smoothed[key] = Smoothed(values, factor)
        return self._smoothed[key]
