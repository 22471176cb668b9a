"""Flat colours of picture pairs: the codes that the reference has, and those that the output has there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.quality.reading.planes import Planes
from capbench.recordings.layout import PATCHES, LayoutRectangle

__all__ = ["ColourLook", "ColourSamples", "look_at_colours", "measure_patches"]

_FLAT_CODES = 4.0
"""Largest difference to the eight neighbours of a block in a flat area; edges show filters, not colours."""
_STILL_CODES = 0.5
"""Change of a flat colour's blocks, on average and in any plane, up to which it stands still. In a fade an encoder
keeps what it predicted: each colour is what it was some pictures before, however it was rounded. Grain and what moves
change blocks both ways."""
_MOST_CHANGE_CODES = 4.0
"""Change of a block that counts at most: what moved shows another thing there."""
_BIN_CODES = 12
_BIN_PLACES = np.array([1 << 16, 1 << 8, 1], np.int32)
"""Bins of Y, Cb and Cr as one number, in that order."""
_COLUMNS = 7
"""Number of blocks and their six sums."""
_FEWEST_BLOCKS = 3
_MOST_BLOCKS = 1500
"""Blocks of one pair that are kept: 72 kB, and a mean of 15 codes' noise is known to half a code."""


_MOST_PAIRS = 256
"""Pairs whose blocks are kept, 18 MB: a file's length must not decide how much memory it takes."""


@dataclass(frozen=True, slots=True, eq=False)
class ColourLook:
    """Colours of one pair of pictures."""

    blocks: NDArray[np.float64]
    """Blocks of any content: reference Y, Cb, Cr and the output's in codes, one row a block."""
    sums: dict[int, NDArray[np.float64]]
    """Colour, as the number of its bin, to how many flat blocks have it and the sum of their six columns; then the same
    where that colour stands still, zeros elsewhere."""


def look_at_colours(
    got: NDArray[np.float32], want: NDArray[np.float32], before: NDArray[np.float32] | None = None
) -> ColourLook:
    """Colours of one pair, from thumbnails of shape (rows, columns, 3), in codes.

    `before` is the reference's picture some pairs before, by which colours that stand still are known; without one, or
    with one of another size, all do.
    """
    if before is None or before.shape != want.shape:
        before = want
    both = np.concatenate([want, got], axis=2).reshape(-1, 6)
    blocks = both[:: -(-len(both) // _MOST_BLOCKS)].astype(np.float64)
    if min(want.shape[:2]) < 3:
        return ColourLook(blocks, {})
    neighbours = np.stack([want[r : r - 2 or None, c : c - 2 or None] for r in range(3) for c in range(3)])
    flat = (neighbours.max(axis=0) - neighbours.min(axis=0)).max(axis=-1) <= _FLAT_CODES
    wanted, found = want[1:-1, 1:-1][flat], got[1:-1, 1:-1][flat]
    changes = (wanted - before[1:-1, 1:-1][flat]).clip(-_MOST_CHANGE_CODES, _MOST_CHANGE_CODES)
    bins = (wanted // _BIN_CODES).astype(np.int32) @ _BIN_PLACES
    order = np.argsort(bins, kind="stable")
    colours, starts = np.unique(bins[order], return_index=True)
    sums = {}
    for colour, chosen in zip(colours.tolist(), np.split(order, starts[1:]), strict=False):
        row = np.concatenate([[chosen.size], wanted[chosen].sum(axis=0), found[chosen].sum(axis=0)]).astype(np.float64)
        is_still = float(np.abs(changes[chosen].mean(axis=0)).max()) <= _STILL_CODES
        sums[colour] = np.concatenate([row, row if is_still else np.zeros_like(row)])
    return ColourLook(blocks, sums)


class ColourSamples:
    """Gathers flat blocks by colour, so that one colour counts once however large its area is. Changes with `add`."""

    def __init__(self) -> None:
        self._sums: dict[int, NDArray[np.float64]] = {}
        self._blocks: list[NDArray[np.float64]] = []
        self._seen, self._every = 0, 1

    def add(self, look: ColourLook) -> None:
        """Colours of the next pair."""
        if self._seen % self._every == 0:
            self._blocks.append(look.blocks)
            if len(self._blocks) > _MOST_PAIRS:  # half of them, still spread evenly, and half as many from now on
                self._blocks, self._every = self._blocks[::2], self._every * 2
        self._seen += 1
        for colour, row in look.sums.items():
            self._sums[colour] = self._sums.get(colour, 0.0) + row

    def rows(self) -> NDArray[np.float64]:
        """Mean codes of each colour: reference Y, Cb, Cr, output Y, Cb, Cr."""
        kept = [row[1:_COLUMNS] / row[0] for row in self._kept()]
        return np.stack(kept) if kept else np.empty((0, 6))

    def still_rows(self) -> NDArray[np.float64]:
        """The same of pictures in which they stand still, a row for each of `rows`: NaN for too few."""
        missing = np.full(6, np.nan)
        kept = [
            row[_COLUMNS + 1 :] / row[_COLUMNS] if row[_COLUMNS] >= _FEWEST_BLOCKS else missing for row in self._kept()
        ]
        return np.stack(kept) if kept else np.empty((0, 6))

    def _kept(self) -> list[NDArray[np.float64]]:
        return [row for row in self._sums.values() if row[0] >= _FEWEST_BLOCKS]

    def blocks(self) -> NDArray[np.float64]:
        """Mean codes of blocks, flat or not, in the same six columns, spread evenly over the pictures."""
        return np.concatenate(self._blocks) if self._blocks else np.empty((0, 6))


def measure_patches(got: Planes, want: Planes, recording: LayoutRectangle) -> NDArray[np.float64]:
    """Mean codes of the middle of each colour patch, as `ColourSamples.rows` has them, in the order of `PATCHES`."""
    rows = []
    for patch in PATCHES:
        area = patch.sample.within(recording)
        left, top = round(area.left / 2), round(area.top / 2)
        right, bottom = (
            max(left + 1, round((area.left + area.width) / 2)),
            max(top + 1, round((area.top + area.height) / 2)),
        )
        chroma = np.s_[top:bottom, left:right]
        luma = np.s_[2 * top : 2 * bottom, 2 * left : 2 * right]
        rows.append(
            [
                float(plane[part].mean())
                for planes in (want, got)
                for plane, part in zip(planes.all, (luma, chroma, chroma), strict=True)
            ]
        )
    return np.array(rows)
