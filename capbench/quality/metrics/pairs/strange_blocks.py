"""Blocks that show what the reference has nowhere around: neither beside them nor in the frames before and behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from capbench.quality.metrics.registration import cell_differences

__all__ = ["StrangeBlocks", "worst_strange_block"]

Thumb = NDArray[np.float32]
Cell = tuple[float, int, int]

_AROUND_PAIRS = 2
"""Before and behind: encoders predict B-frames from both sides, and leave what small things that move showed there."""
_FROM_CODES = 24.0
"""How far a block may lie beyond those around it: `limits.CELL_CODES`."""


class _Pair(NamedTuple):
    place: int | None
    got: Thumb
    want: Thumb


class StrangeBlocks:
    """Fed pairs in order; changes with each. A pair is judged when those behind it are known."""

    def __init__(self) -> None:
        self._pairs: deque[_Pair] = deque(maxlen=2 * _AROUND_PAIRS + 1)
        self._waiting: deque[_Pair] = deque()
        self.found: dict[int, Cell] = {}
        """Place of a pair to its worst strange block: difference in codes, column and row."""

    def add(self, place: int | None, got: Thumb, want: Thumb) -> None:
        """Thumbnails of the next pair; `place` is where its figures are kept, None where nobody asks for them."""
        pair = _Pair(place, got, want)
        self._pairs.append(pair)
        self._waiting.append(pair)
        if len(self._waiting) > _AROUND_PAIRS:
            self._judge()

    def finish(self) -> None:
        """Judge the last pairs, behind which there are none."""
        while self._waiting:
            self._judge()

    def _judge(self) -> None:
        pair = self._waiting.popleft()
        if pair.place is None:
            return
        # Of the first and the last pairs some that lie farther on the other side are known too: they are not asked.
        at = next(number for number, each in enumerate(self._pairs) if each is pair)
        around = [each.want for each in list(self._pairs)[max(0, at - _AROUND_PAIRS) : at + _AROUND_PAIRS + 1]]
        cell = worst_strange_block(pair.got, pair.want, around)
        if cell is not None:
            self.found[pair.place] = cell


def worst_strange_block(got: Thumb, want: Thumb, around: Sequence[Thumb]) -> Cell | None:
    """Of two thumbnails the largest difference, as `worst_cell`, of a block that is like none in `around`.

    That is where its means lie beyond those of the 3x3 blocks at its place by more than a block may be off. What coarse
    coding leaves out of a block is what distinguishes it from those around, in space and time. None without any.
    """
    difference = cell_differences(got, want)
    if float(difference.max()) <= _FROM_CODES:
        return None
    alike = [want, *(each for each in around if each.shape == want.shape)]
    size = (3, 3, 1)
    least = minimum_filter(np.minimum.reduce(alike), size, mode="nearest")
    most = maximum_filter(np.maximum.reduce(alike), size, mode="nearest")
    strange = np.where(cell_differences(got, np.clip(got, least, most)) > _FROM_CODES, difference, 0)
    row, column = np.unravel_index(int(strange.argmax()), strange.shape)
    worst = float(strange[row, column])
    return (worst, int(column), int(row)) if worst else None
