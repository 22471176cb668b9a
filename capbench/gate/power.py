"""What a run could have seen, and how many more blocks would decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from capbench.gate.evidence import MIN_RANK_PAIRS

__all__ = ["MAX_FURTHER_BLOCKS", "POWER", "Spread", "blocks_that_decide", "visible_change"]

POWER = 0.90
"""Probability with which an effect of the reported size would have been seen."""
MAX_FURTHER_BLOCKS = 500
"""Nobody waits for more: the effect sits on the margin, and more blocks are not the answer."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Noise of the paired log ratios and the errors that a decision may have."""

    per_block: float
    """Standard deviation of one block's log ratio, robustly."""
    change_error: float
    """Level of the test for a change at all, after division by the family."""
    margin_error: float
    """Level of the test against the margin."""

    def reach(self, error: float, blocks: int) -> float:
        """Distance in log units that a one-sided test at `error` crosses with probability `POWER`."""
        freedom = max(blocks - 1, 1)
        quantiles = float(stats.t.isf(error, freedom) + stats.t.ppf(POWER, freedom))
        return quantiles * self.per_block / math.sqrt(blocks)


def visible_change(spread: Spread, *, blocks: int, margin: float) -> float:
    """Smallest change, in log units above 0, that is called larger than `margin` with probability `POWER`."""
    return max(spread.reach(spread.change_error, blocks), margin + spread.reach(spread.margin_error, blocks))


def blocks_that_decide(spread: Spread, *, blocks: int, estimate: float, margin: float) -> int | None:
    """Further blocks after which "no worse than `margin`" or "worse" is likely said, if the estimate is the truth.

    `margin` and `estimate` in log units. None where `MAX_FURTHER_BLOCKS` would not do.
    """
    distance = abs(estimate - margin)
    smallest = max(MIN_RANK_PAIRS, blocks + 1)
    if estimate > margin:  # an alarm needs the exact test to be able to speak
        smallest = max(smallest, math.ceil(-math.log2(spread.change_error)))
    for total in range(smallest, blocks + MAX_FURTHER_BLOCKS + 1):
        change_is_seen = estimate <= margin or spread.reach(spread.change_error, total) <= estimate
        if change_is_seen and spread.reach(spread.margin_error, total) <= distance:
            return total - blocks
    return None
