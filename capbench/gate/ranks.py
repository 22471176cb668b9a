"""The signed-rank test on paired differences, exact, with the estimate and the interval that belong to it.

Wilcoxon's statistic is counted over Walsh averages, the means of all pairs of differences (Hollander, Wolfe and
Chicken, Nonparametric Statistical Methods, 3rd ed., sections 3.1 to 3.3). Test, Hodges-Lehmann estimate and interval
then come from one sorted array and cannot contradict each other.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SignedRank", "signed_rank", "signed_rank_tail"]


@functools.lru_cache(maxsize=512)
def signed_rank_tail(pairs: int) -> NDArray[np.float64]:
    """P(W >= w) where every sign is a fair coin, for each w from 0 to pairs (pairs + 1) / 2."""
    probability = np.ones(1)
    for rank in range(1, pairs + 1):
        # Rank `rank` is either not counted or adds `rank`, each with probability one half.
        probability = (np.pad(probability, (0, rank)) + np.pad(probability, (rank, 0))) / 2
    tail: NDArray[np.float64] = np.minimum(np.cumsum(probability[::-1])[::-1], 1.0)
    tail.setflags(write=False)
    return tail


@dataclass(frozen=True, slots=True, eq=False)
class SignedRank:
    """What `pairs` differences say about their centre of symmetry."""

    averages: NDArray[np.float64]
    """Walsh averages, sorted, shape (pairs (pairs + 1) / 2,)."""
    pairs: int
    """Number of differences."""

    @property
    def estimate(self) -> float:
        """Hodges-Lehmann estimate of the centre."""
        return float(np.median(self.averages))

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that so few differences can give: all signs alike."""
        return 0.5**self.pairs

    def p_above(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or less"; ties count for that, so it is never too small."""
        return float(signed_rank_tail(self.pairs)[np.count_nonzero(self.averages > centre)])

    def p_below(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or more"."""
        return float(signed_rank_tail(self.pairs)[np.count_nonzero(self.averages < centre)])

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
        rejecting = np.flatnonzero(signed_rank_tail(self.pairs) <= error)
        return int(rejecting[0]) if rejecting.size else None


def signed_rank(differences: ArrayLike) -> SignedRank:
    """Evidence from paired differences, shape (pairs,), all finite. Raises `ValueError` for none."""
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"need a row of finite differences, got {values.shape = }")
    first, second = np.triu_indices(values.size)
    return SignedRank(averages=np.sort((values[first] + values[second]) / 2), pairs=values.size)
