"""Texts in what lies over the cells of a canvas: wide groups of cells that come and go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, find_objects, label

__all__ = ["GAP_CELLS", "SeenCells", "unasked_text", "widest_text"]

Field = NDArray[np.float64]

_FEWEST_CELLS: Final = 5
_SHORTEST_S: Final = 0.25
"""Of an unasked caption: nobody could read it."""
_WIDE: Final = 3.0
"""Width over height of a caption that was not asked for: cameras are at most 16:9."""
_LEGIBLE: Final = 2.0
"""Typical strength of the cells of such a caption: the detail of a magnified recording that a coarse encoding loses is
just seen, and letters that can be read have three times as much."""
_HIGHEST: Final = 0.25
"""Of the canvas, of such a caption."""
_KNOWN: Final = 0.25
"""Share of the times at which it must be known whether a cell is on: with fewer, chance decides."""
GAP_CELLS: Final = 2
"""On each side of a gap between words, which a plate without opacity shows."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenCells:
    """What lies over each cell at each kept time."""

    times_s: Field
    strength: Field
    """1 where something is just seen, shape (times, rows, columns)."""
    inside: NDArray[np.bool_]
    """Which cells lie on the recording, same shape."""
    outside: NDArray[np.bool_]
    """Which lie beside it; those that are neither are not known."""
    covered: NDArray[np.bool_]
    """Which other layers cover, same shape."""
    standing: NDArray[np.bool_]
    """Which something stands over all the time, shape (rows, columns)."""
    frame_s: float
    every: int
    """Frames from one kept to the next."""

    def on_share(self, times: NDArray[np.bool_]) -> Field:
        """Share of some times at which each cell is on, of those at which that is known; 0 where it seldom is."""
        known = (self.inside | self.outside)[times].sum(axis=0)
        on = (self.strength[times] > 1).sum(axis=0)
        share: Field = np.where(known >= _KNOWN * times.sum(), on / np.maximum(known, 1), 0)
        return share

    def shares(self, region: NDArray[np.bool_], during: NDArray[np.bool_]) -> Field:
        """How much of what lies over the cells of a region during a time is there at each time, 0 to 1."""
        strength = self.strength[:, region]
        total, known = np.zeros(len(strength)), np.zeros(len(strength))
        for kind in (self.inside[:, region], self.outside[:, region]):
            # A cell's strength is another one when a zoom brings the recording under it.
            cells = zip(strength[during].T, kind[during].T, strict=True)
            full = np.array([float(np.median(values[of_kind])) if of_kind.any() else 0.0 for values, of_kind in cells])
            counts = kind & (full > 1)
            total += np.where(counts, (strength / np.maximum(full, 1)).clip(0, 1), 0).sum(axis=1)
            known += counts.sum(axis=1)
        return total / np.maximum(known, 1)


def _over_gaps(on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells of a text, shape (rows, columns), and those of the gaps between its words."""
    joined: NDArray[np.bool_] = binary_closing(np.pad(on, GAP_CELLS), np.ones((1, 2 * GAP_CELLS + 1), bool))
    return joined[GAP_CELLS:-GAP_CELLS, GAP_CELLS:-GAP_CELLS]


def widest_text(on: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The largest group of cells, over the gaps between words. None where it is no text."""
    groups, count = label(_over_gaps(on), structure=np.ones((3, 3)))
    if not count:
        return None
    sizes = np.bincount(groups[on], minlength=count + 1)[1:]
    best = int(sizes.argmax())
    rows = find_objects(groups)[best][0]
    region = on & (groups == best + 1)
    columns = np.flatnonzero(region.any(axis=0))
    is_text = region.sum() >= _FEWEST_CELLS and len(columns) >= 1.5 * (rows.stop - rows.start)
    return region if is_text else None


def unasked_text(seen: SeenCells, regions: Sequence[NDArray[np.bool_]]) -> tuple[int, int] | None:
    """First and last kept time of a text that was not asked for; None where there is none."""
    on = seen.strength > 1
    for region in regions:
        rows = np.flatnonzero(region.any(axis=1))
        on[:, max(0, rows[0] - 2) : rows[-1] + 3] = False  # its rim and its shadow come and go with it
    shortest = max(3, round(_SHORTEST_S / seen.frame_s))
    on &= ~seen.standing
    first = on.argmax(axis=0)
    last = len(on) - 1 - on[::-1].argmax(axis=0)
    # What passes over a text makes no gap.
    at = np.arange(len(on))[:, None, None]
    count = (on | (seen.covered & (first < at) & (at < last) & on.any(axis=0))).sum(axis=0)
    # On once, without a gap: what moves comes and goes at other times in each cell.
    # What is always there is no text for a time, and may be the edge of what was cropped.
    once = (count >= shortest) & (count >= 0.9 * (last - first + 1)) & (count < len(on) - shortest)
    times = {(int(a), int(b)) for a, b in zip(first[once], last[once], strict=True)}
    for a, b in sorted(times):
        together = once & (np.abs(first - a) <= 1) & (np.abs(last - b) <= 1)
        joined = _over_gaps(together)
        groups, _ = label(joined, structure=np.ones((3, 3)))
        for part in find_objects(groups):
            height, width = (side.stop - side.start for side in part)
            filled = joined[part].mean()
            is_text = width >= max(8, _WIDE * height) and height <= _HIGHEST * on.shape[1]
            typical = float(np.median(seen.strength[a : b + 1][:, part[0], part[1]][:, together[part]]))
            if is_text and filled >= 0.6 and height >= 2 and typical >= _LEGIBLE:
                return a, b
    return None
