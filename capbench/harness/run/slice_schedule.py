"""The order of slices in a sliced block; everything follows from the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["SPREAD", "SliceRound", "slice_rounds"]

SPREAD = 0.2
"""Slices are up to this share shorter or longer than the mean, so that nothing periodic keeps hitting the same one."""


@dataclass(frozen=True, slots=True)
class SliceRound:
    """One slice for each subject."""

    length_s: float
    """Length of each slice of the round, in seconds."""
    order: tuple[int, ...]
    """Places of the block's subjects, in the order in which they run."""


def slice_rounds(seed: str, count: int, slice_ms: float) -> Iterator[SliceRound]:
    """Rounds without end for `count` subjects. Lengths are uniform within `SPREAD` of `slice_ms`, orders are shuffled.

    All slices of a round are equally long: what the machine does meanwhile is then shared out as evenly as it can be.
    """
    rng = random.Random(f"{seed}/slices")
    places = list(range(count))
    while True:
        rng.shuffle(places)
        yield SliceRound(slice_ms / 1000 * rng.uniform(1 - SPREAD, 1 + SPREAD), tuple(places))
