"""The exact rank-sum test with the estimate and the interval that belong to it, for samples that are no pairs.

The Mann-Whitney statistic is counted over the differences of all pairs of two samples (Hollander, Wolfe and Chicken,
Nonparametric Statistical Methods, 3rd ed., sections 4.1 to 4.3). Test, Hodges-Lehmann estimate and interval then come
from one sorted array and cannot contradict each other.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["RankCount", "rank_sum", "rank_sum_tail"]


@functools.lru_cache(maxsize=128)
def rank_sum_tail(first: int, second: int) -> NDArray[np.float64]:
    """P(U >= u) for two samples of these sizes from one distribution, for each u from 0 to first * second.

    The counts are the coefficients of the Gaussian binomial (first + second over first), in exact integers.
    """
    size = first * second
    counts = [1] + [0] * size
    for step in range(1, first + 1):
        for u in range(size, second + step - 1, -1):  # times 1 - q ** (second + step)
            counts[u] -= counts[u - second - step]
        for u in range(step, size + 1):  # over 1 - q ** step
            counts[u] += counts[u - step]
    total = sum(counts)
    tail = np.array([at_least / total for at_least in itertools.accumulate(reversed(counts))][::-1])
    tail.setflags(write=False)
    return tail


@dataclass(frozen=True, slots=True, eq=False)
class RankCount:
    """What the rank test says about a shift, by counting the single estimates of it that lie on either side."""

    shifts: NDArray[np.float64]
    """Single estimates of the shift, sorted: differences of all pairs of two samples."""
    tail: NDArray[np.float64]
    """P(count >= k) for k = 0 .. len(shifts) where the shift is 0."""

    @property
    def estimate(self) -> float:
        """Hodges-Lehmann estimate of the shift."""
        return float(np.median(self.shifts))

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that so few values can give: all of them on one side."""
        return float(self.tail[-1])

    def p_above(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or less"; ties count for that, so it is never too small."""
        return float(self.tail[np.count_nonzero(self.shifts > centre)])

    def p_below(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or more"."""
        return float(self.tail[np.count_nonzero(self.shifts < centre)])

    def lower(self, error: float) -> float:
        """One-sided lower confidence bound, too high with probability `error` at most; -inf for too few pairs."""
        needed = self._needed(error)
        return -np.inf if needed is None else float(self.shifts[self.shifts.size - needed])

    def upper(self, error: float) -> float:
        """One-sided upper confidence bound, too low with probability `error` at most; inf for too few pairs."""
        needed = self._needed(error)
        return np.inf if needed is None else float(self.shifts[needed - 1])

    def _needed(self, error: float) -> int | None:
        """Fewest shifts on one side of a centre that reject it."""
        rejecting = np.flatnonzero(self.tail <= error)
        return int(rejecting[0]) if rejecting.size else None


def rank_sum(before: ArrayLike, after: ArrayLike) -> RankCount:
    """Evidence on the shift between two independent samples, neither empty, all finite. Raises `ValueError`."""
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if not first.size or not second.size or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f"need two samples of finite values, got {first.shape = }, {second.shape = }")
    return RankCount(np.sort((second[:, None] - first).ravel()), rank_sum_tail(second.size, first.size))
