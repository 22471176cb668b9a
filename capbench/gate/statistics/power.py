"""The minimum detectable slowdown of a run, and how many more blocks would decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from capbench.gate.statistics.inference import MIN_RANK_PAIRS

__all__ = ["MAX_FURTHER_BLOCKS", "POWER", "DecisionNoise", "blocks_that_decide", "visible_change"]

POWER = 0.90
"""Probability with which an effect of the reported size would have been seen."""
MAX_FURTHER_BLOCKS = 500
"""Nobody waits for more: the effect sits on the margin, and more blocks are not the answer."""


@dataclass(frozen=True, slots=True)
class DecisionNoise:
    """Noise of the paired log ratios and the errors that a decision may have."""

    per_block: float
    """Standard deviation of one block's log ratio, robustly."""
    change_error: float
    """Level of the test for a change at all, after division by the family."""
    margin_error: float
    """Level of the test against the margin."""

    def reach(self, error: float, blocks: NDArray[np.int_]) -> NDArray[np.float64]:
        """Distance in log units that a one-sided test at `error` crosses with probability `POWER`, for each count.

        The usual sample-size formula for a mean: (t[1 - error] + t[power]) sd / sqrt(n).
        """
        freedom = np.maximum(blocks - 1, 1)
        quantiles = special.stdtrit(freedom, POWER) - special.stdtrit(freedom, error)
        reached: NDArray[np.float64] = quantiles * self.per_block / np.sqrt(blocks)
        return reached


def visible_change(spread: DecisionNoise, *, blocks: int, margin: float) -> float:
    """Smallest change, in log units above 0, that is called larger than `margin` with probability `POWER`."""
    count = np.array([blocks])
    by_change, by_margin = spread.reach(spread.change_error, count), spread.reach(spread.margin_error, count)
    return float(max(by_change[0], margin + by_margin[0]))


def blocks_that_decide(spread: DecisionNoise, *, blocks: int, estimate: float, margin: float) -> int | None:
    """Further blocks after which "no worse than `margin`" or "worse" is likely said, if the estimate is the truth.

    `margin` and `estimate` in log units. None where `MAX_FURTHER_BLOCKS` would not do.
    """
    smallest = max(MIN_RANK_PAIRS, blocks + 1)
    if estimate > margin:  # an alarm needs the exact test to be able to speak
        smallest = max(smallest, math.ceil(-math.log2(spread.change_error)))
    totals = np.arange(smallest, blocks + MAX_FURTHER_BLOCKS + 1)
    decides = spread.reach(spread.margin_error, totals) <= abs(estimate - margin)
    if estimate > margin:
        decides &= spread.reach(spread.change_error, totals) <= estimate
    return int(totals[np.argmax(decides)]) - blocks if decides.any() else None
