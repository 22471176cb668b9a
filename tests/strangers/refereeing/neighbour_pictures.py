"""Of as many frames as there should be: which show the picture that is due before or after theirs."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.refereeing.opinions import Finding, Opinion

__all__ = ["judge_neighbours"]

_NEAR: Final = 3
"""Frames before and after, among which the picture is looked for."""
_WRONG_RATIO, _DOUBTFUL_RATIO = 3.0, 2.0
"""How many times smaller squared differences are from a neighbour than from a frame's own picture: of one that is half
way between two by a coder that copied it are equal."""
_WAY: Final = 0.75
"""How far a frame is on the straight way from its own picture, 0, to its neighbour's, 1, to show that one."""
_AS_ALIKE: Final = 1.5
"""Up to so many times the squares that frames are off from their own pictures anyway it is that picture."""
_SEEN_CODES: Final = 12.0
"""By how much the two pictures differ, as the root of the mean square in the block where they do most."""
_BLOCK: Final = 8
"""Side of such blocks, in compared pixels."""


def judge_neighbours(want: NDArray[np.uint8], got: NDArray[np.uint8]) -> list[Finding]:
    """Pictures of both, shape (frames, height, width, 3), as many of each.

    What moves may be a small part of a picture, of which means over all of it hardly tell; samples do.
    """
    owns = [_squares(shown, own) for shown, own in zip(got, want, strict=True)]
    usual = float(np.median(owns)) if owns else 0.0
    moved: list[tuple[int, int, float, float]] = []
    doubtful: list[tuple[int, int, float, float]] = []
    for index, own in enumerate(owns):
        near = {
            other: _squares(got[index], want[other])
            for other in range(max(0, index - _NEAR), min(len(want), index + _NEAR + 1))
            if other != index
        }
        best = min(near, key=lambda other: near[other], default=index)
        if best == index or own < _DOUBTFUL_RATIO * near[best] or near[best] > _AS_ALIKE * usual:
            continue
        if _way(want[index], want[best], got[index]) < _WAY or _most(want[index], want[best]) < _SEEN_CODES:
            continue
        (moved if own >= _WRONG_RATIO * near[best] else doubtful).append((index, best, own, near[best]))
    for frames, opinion in ((moved, Opinion.WRONG), (doubtful, Opinion.DOUBTFUL)):
        if frames:
            index, best, own, other = frames[0]
            message = (
                f"frame {index} shows the picture of {best}: off by {other:.1f} squared, and by {own:.1f} from its own"
            )
            return [Finding("frames", opinion, message)]
    return []


def _squares(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.square(one.astype(np.float32) - other).mean())


def _way(own: NDArray[np.uint8], other: NDArray[np.uint8], shown: NDArray[np.uint8]) -> float:
    step, gone = (each.astype(np.float32) - own for each in (other, shown))
    return float((step * gone).sum() / max(1.0, float((step * step).sum())))


def _most(own: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    squares = np.square(own.astype(np.float32) - other).mean(axis=-1)
    side = min(_BLOCK, *squares.shape)
    rows, columns = (length // side for length in squares.shape)
    blocks = squares[: rows * side, : columns * side].reshape(rows, side, -1).mean(axis=1)
    blocks = blocks.reshape(rows, columns, side).mean(axis=2)
    return float(np.sqrt(blocks.max()))
