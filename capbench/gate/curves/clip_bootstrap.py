"""The mean over clips with its interval. Rate and quality repeat themselves, so that only clips differ by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

__all__ = ["FEWEST_CLIPS", "mean_interval"]

FEWEST_CLIPS = 5
"""Fewer clips have so few different means that no interval of them means anything."""
_RESAMPLES = 20_000
"""The tail of a thousandth, which five clips ask for, is then 20 of them."""
_SEED = 20010402
"""The interval of the same clips is the same each time."""


def mean_interval(values: Sequence[float], *, error: float) -> tuple[float, float] | None:
    """Bounds of the mean of all clips of the kind, each exceeded with probability `error`; None for too few clips.

    The percentile interval of bootstrap means, at levels that make up for how narrow those are with few values: the
    "expanded" one of Hesterberg (2015, The American Statistician 69, 371-386, section 4.2), whose level is
    Phi(-sqrt(n / (n - 1)) t) for the quantile t of Student's distribution with n - 1 degrees of freedom.
    """
    clips = len(values)
    if clips < FEWEST_CLIPS:
        return None
    found = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(_SEED).integers(0, clips, size=(_RESAMPLES, clips))
    means = found[drawn].mean(axis=1)
    level = float(special.ndtr(-math.sqrt(clips / (clips - 1)) * special.stdtrit(clips - 1, 1 - error)))
    low, high = np.quantile(means, (level, 1 - level))
    return float(low), float(high)
