"""Which way up an output is, found before its frames are matched: a page upside down resembles a later page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SAME_PICTURE_CORRELATION",
    "TURNED_REST",
    "UPRIGHT",
    "UPRIGHT_REST",
    "OrientationVote",
    "turn_back",
    "turn_correlations",
]

UPRIGHT: Final = "as it is"
TURNED_REST: Final = 0.3
"""Largest share of the uncorrelated part that a rotation or flip may leave. Coding noise is the same in any
orientation, so the uncorrelated part of an upright picture is the smallest."""
UPRIGHT_REST: Final = 0.002
"""Uncorrelated part that an upright picture may have in any case: block means at CRF 40 correlate to 0.999."""
_FLAT_SPREAD_CODES: Final = 3.0
SAME_PICTURE_CORRELATION: Final = 0.6
"""Block means of two equal pictures correlate above 0.98, even with a wrong range or matrix."""
_VOTES: Final = 24
"""Frames that decide: the others are as they are."""
_MOST_LOOKS: Final = 600
"""Frames that are asked at most, in a clip that looks the same in every orientation: 5 ms each at 1080p."""

Thumb = NDArray[np.float32]

_UNDONE: Final[dict[str, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    UPRIGHT: lambda picture: picture,
    "rotated by 180°": lambda picture: np.rot90(picture, 2),
    "rotated by 90°": lambda picture: np.rot90(picture, 1),
    "rotated by 270°": lambda picture: np.rot90(picture, 3),
    "flipped horizontally": lambda picture: picture[:, ::-1],
    "flipped vertically": lambda picture: picture[::-1],
    "flipped and rotated by 90°": lambda picture: np.rot90(picture, 1)[:, ::-1],
    "flipped and rotated by 270°": lambda picture: np.rot90(picture, 3)[:, ::-1],
}


def turn_back(picture: NDArray[np.float32], turn: str) -> NDArray[np.float32]:
    """A view of a picture (rows, columns, ...) undone from a turn or flip, by its name in `turn_correlations`."""
    return _UNDONE[turn](picture)


def turn_correlations(got: Thumb, want: Thumb) -> dict[str, float]:
    """Correlation of `want` with `got` as it is and undone from each turn or flip; empty for flat pictures.

    Both are luma thumbnails (rows, columns). Quarter turns are tried where the sides are swapped or equal.
    """
    known = _standardised(want)
    return {} if known is None else _best_correlations(got, [known])


def _best_correlations(got: Thumb, known: list[NDArray[np.float64]]) -> dict[str, float]:
    """For each turn the correlation with the standardised picture that fits best; empty where there is none."""
    shown = _standardised(got) if known else None
    if shown is None:
        return {}
    turned = {name: undo(shown) for name, undo in _UNDONE.items()}
    # Not by BLAS, as `@` and vdot are: on busy cores its threads wait for each other far longer than they multiply.
    return {
        name: max(float(np.einsum("ij,ij", each, picture)) for picture in known)
        for name, each in turned.items()
        if each.shape == known[0].shape
    }


def _standardised(thumb: Thumb) -> NDArray[np.float64] | None:
    """Of mean 0 and length 1; None of a flat picture."""
    if thumb.std() < _FLAT_SPREAD_CODES:
        return None
    centred = thumb - thumb.mean(dtype=np.float64)
    standardised: NDArray[np.float64] = centred / np.sqrt(np.square(centred).sum())
    return standardised


class OrientationVote:
    """Asks the first frames which way up they are; changes with each.

    A frame that looks the same in every orientation, or is like none of the reference's, has no vote.
    """

    def __init__(self) -> None:
        self._votes: Counter[str] = Counter()
        self._looks_left = _MOST_LOOKS
        self._known: dict[int, NDArray[np.float64] | None] = {}

    def turn_of(self, got: Thumb, wanted: Mapping[int, Thumb]) -> str:
        """How `got` is turned: by its own vote while votes are taken, by that of most frames afterwards.

        Luma thumbnails; `wanted` are the reference's around the place where it is expected, by number of the frame, all
        of one shape.
        """
        if self._looks_left and self._votes.total() < _VOTES:
            self._looks_left -= 1
            # Most of them were there for the frame before, too.
            self._known = {
                index: self._known[index] if index in self._known else _standardised(thumb)
                for index, thumb in wanted.items()
            }
            vote = _vote(_best_correlations(got, [each for each in self._known.values() if each is not None]))
            if vote is not None:
                self._votes[vote] += 1
                return vote
        return self.decided

    @property
    def decided(self) -> str:
        """How most frames are turned."""
        return max(self._votes, key=lambda turn: self._votes[turn], default=UPRIGHT)


def _vote(likeness: dict[str, float]) -> str | None:
    if not likeness:
        return None
    best = max(likeness, key=lambda turn: likeness[turn])
    if likeness[best] < SAME_PICTURE_CORRELATION:
        return None
    if best == UPRIGHT:
        others = [1 - value for turn, value in likeness.items() if turn != UPRIGHT]
        return UPRIGHT if 1 - likeness[UPRIGHT] < TURNED_REST * min(others) else None
    rest = 1 - likeness.get(UPRIGHT, -1.0)  # with its sides swapped it cannot be upright
    return best if 1 - likeness[best] < TURNED_REST * rest and rest > UPRIGHT_REST else None
