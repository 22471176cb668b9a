"""An exact test of paired differences that a few huge spikes can neither silence nor trigger, with its interval.

A linear signed-rank test (Hajek, Sidak and Sen, Theory of Rank Tests, 2nd ed., chapter 4) with two changes to
Wilcoxon's scores. They stop rising at `cap`, and a difference that is far larger than the others counts as little as
the smallest. Both depend on the sizes of the differences alone, so that each sign is still a fair coin and the test
stays exact: the randomisation argument holds for any scores made from sizes. Plain ranks let one spike in the wrong
direction outweigh nine blocks of ten. Cap and limits were chosen by simulation, see docs/gate.md.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from capbench.gate.statistics.robust_spread import robust_spread

__all__ = ["SignTest", "half", "scores_of", "sign_sum_tail", "sign_test"]

_FULL_WEIGHT_TO, _NO_WEIGHT_FROM = 2.5, 5.0
"""Spreads above the median size. Of normal differences 3% lie beyond the first and 0.03% beyond the second."""
_SMALLEST_SPREAD = 0.3
"""Of the median size: where all sizes are nearly alike, a deviation of some percent makes no outlier."""


def half(pairs: int) -> int:
    """The cap of the test for any change: large differences count alike, whatever made them large."""
    return max(1, (pairs + 1) // 2)


def scores_of(sizes: NDArray[np.float64], cap: int) -> NDArray[np.int_]:
    """Scores of sizes in rising order, shape (pairs,): ranks up to `cap`, down to 1 for outliers."""
    scores = np.minimum(np.arange(1, sizes.size + 1), cap)
    middle = float(np.median(sizes))
    spread = max(robust_spread(sizes - middle), _SMALLEST_SPREAD * middle)
    if spread == 0:
        return scores
    weights = (middle + _NO_WEIGHT_FROM * spread - sizes) / ((_NO_WEIGHT_FROM - _FULL_WEIGHT_TO) * spread)
    # Never 0: so few blocks as can prove something at all must not lose one.
    weighted: NDArray[np.int_] = np.maximum(np.rint(scores * np.clip(weights, 0, 1)), 1).astype(np.int_)
    return weighted


@functools.lru_cache(maxsize=512)
def sign_sum_tail(scores: tuple[int, ...]) -> NDArray[np.float64]:
    """P(sum of the scores with a positive sign >= w) where every sign is a fair coin, for w = 0 .. sum(scores)."""
    probability = np.zeros(sum(scores) + 1)
    probability[0] = 1.0
    largest = 0
    for score in scores:
        # A score is either not counted or added, each with probability one half.
        halved = probability[: largest + 1] / 2
        probability[: largest + 1] = halved
        probability[score : score + largest + 1] += halved
        largest += score
    tail: NDArray[np.float64] = np.minimum(np.cumsum(probability[::-1])[::-1], 1.0)
    tail.setflags(write=False)
    return tail


@dataclass(frozen=True, slots=True, eq=False)
class SignTest:
    """The test, the estimate and the interval of its centre."""

    differences: NDArray[np.float64]
    """Shape (pairs,), finite."""
    averages: NDArray[np.float64] = field(repr=False)
    """Walsh averages, the means of all pairs of differences, sorted: where ranks change."""
    cap: int
    """Largest score."""

    @property
    def estimate(self) -> float:
        """Hodges-Lehmann estimate: the median of the Walsh averages."""
        return float(np.median(self.averages))

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that so few pairs can give: all signs alike."""
        return 0.5**self.differences.size

    def p_above(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or less"; ties count for that, so it is never too small."""
        return self._p(self.differences - centre)

    def p_below(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or more"."""
        return self._p(centre - self.differences)

    def lower(self, error: float) -> float:
        """One-sided lower confidence bound, too high with probability `error` at most; -inf for too few pairs."""
        if self.smallest_p > error:
            return -np.inf
        below = self.averages[self.averages <= self.estimate]
        # The smallest average that the test does not reject; further down it rejects more and more.
        first, last = 0, below.size
        while first < last:
            middle = (first + last) // 2
            if self.p_above(below[middle]) > error:
                last = middle
            else:
                first = middle + 1
        return float(below[first]) if first < below.size else self.estimate

    def upper(self, error: float) -> float:
        """One-sided upper confidence bound, too low with probability `error` at most; inf for too few pairs."""
        return -self._mirrored().lower(error)

    def _mirrored(self) -> SignTest:
        return replace(self, differences=-self.differences, averages=-self.averages[::-1])

    def _p(self, values: NDArray[np.float64]) -> float:
        # Of equal sizes the positive ones get the lower ranks.
        values = values[np.lexsort((values <= 0, np.abs(values)))]
        scores = scores_of(np.abs(values), self.cap)
        return float(sign_sum_tail(tuple(scores.tolist()))[scores[values > 0].sum()])


def sign_test(differences: ArrayLike, *, cap: int | None = None) -> SignTest:
    """The test on paired differences, shape (pairs,), all finite; uncapped where no `cap` is given.

    Raises `ValueError` for none or others.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"need a row of finite differences, got {values.shape = }")
    first, second = np.triu_indices(values.size)
    return SignTest(values, np.sort((values[first] + values[second]) / 2), cap or values.size)
