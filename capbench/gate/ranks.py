"""Exact rank tests with the estimate and the interval that belong to them.

Wilcoxon's signed-rank statistic is counted over Walsh averages, the means of all pairs of differences, and the
Mann-Whitney statistic over the differences of all pairs of two samples (Hollander, Wolfe and Chicken, Nonparametric
Statistical Methods, 3rd ed., sections 3.1 to 3.3 and 4.1 to 4.3). Test, Hodges-Lehmann estimate and interval then come
from one sorted array and cannot contradict each other.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from capbench.gate.capped import sign_sum_tail

__all__ = ["RankCount", "rank_sum", "rank_sum_tail", "signed_rank", "signed_rank_tail"]


def signed_rank_tail(pairs: int) -> NDArray[np.float64]:
    """P(W >= w) where every sign is a fair coin, for each w from 0 to pairs (pairs + 1) / 2."""
    return sign_sum_tail(tuple(range(1, pairs + 1)))


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
    """What a rank test says about a shift, by counting the single estimates of it that lie on either side."""

    averages: NDArray[np.float64]
    """Single estimates of the shift, sorted: Walsh averages, or differences of all pairs of two samples."""
    tail: NDArray[np.float64]
    """P(count >= k) for k = 0 .. len(averages) where the shift is 0."""

    @property
    def estimate(self) -> float:
        """Hodges-Lehmann estimate of the shift."""
        return float(np.median(self.averages))

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that so few values can give: all of them on one side."""
        return float(self.tail[-1])

    def p_above(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or less"; ties count for that, so it is never too small."""
        return float(self.tail[np.count_nonzero(self.averages > centre)])

    def p_below(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or more"."""
        return float(self.tail[np.count_nonzero(self.averages < centre)])

    def lower(self, error: float) -> float:
        """One-sided lower confidence bound, too high with probability `error` at most; -inf for too few pairs."""
        needed = self._needed(error)
        return -np.inf if needed is None else float(self.averages[self.averages.size - needed])

    def upper(self, error: float) -> float:
        """One-sided upper confidence bound, too low with probability `error` at most; inf for too few pairs."""
        needed = self._needed(error)
        return np.inf if needed is None else float(self.averages[needed - 1])

    def _needed(self, error: float) -> int | None:
        """Fewest Walsh averages on one side of a centre that reject it."""
        rejecting = np.flatnonzero(self.tail <= error)
        return int(rejecting[0]) if rejecting.size else None


def signed_rank(differences: ArrayLike) -> RankCount:
    """Evidence from paired differences, shape (pairs,), all finite. Raises `ValueError` for none."""
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"need a row of finite differences, got {values.shape = }")
    first, second = np.triu_indices(values.size)
    return RankCount(np.sort((values[first] + values[second]) / 2), signed_rank_tail(values.size))


def rank_sum(before: ArrayLike, after: ArrayLike) -> RankCount:
    """Evidence on the shift between two independent samples, neither empty, all finite. Raises `ValueError`."""
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if not first.size or not second.size or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f"need two samples of finite values, got {first.shape = }, {second.shape = }")
    return RankCount(np.sort((second[:, None] - first).ravel()), rank_sum_tail(second.size, first.size))
