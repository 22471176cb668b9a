"""An exact test for any change at all that a few huge spikes cannot silence.

A linear signed-rank test (Hajek, Sidak and Sen, Theory of Rank Tests, 2nd ed., chapter 4) whose score is the rank, but
never more than half the number of pairs. Wilcoxon's own scores let two spikes among twenty blocks outweigh seven
ordinary blocks; the sign test ignores sizes altogether. Half was chosen by simulation, see docs/gate.md.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CappedRanks", "capped_scores", "sign_sum_tail"]


def capped_scores(pairs: int) -> tuple[int, ...]:
    """Score of each rank from 1 to `pairs`."""
    cap = max(1, (pairs + 1) // 2)
    return tuple(min(rank, cap) for rank in range(1, pairs + 1))


@functools.lru_cache(maxsize=512)
def sign_sum_tail(scores: tuple[int, ...]) -> NDArray[np.float64]:
    """P(sum of the scores with a positive sign >= w) where every sign is a fair coin, for w = 0 .. sum(scores)."""
    probability = np.ones(1)
    for score in scores:
        # A score is either not counted or added, each with probability one half.
        probability = (np.pad(probability, (0, score)) + np.pad(probability, (score, 0))) / 2
    tail: NDArray[np.float64] = np.minimum(np.cumsum(probability[::-1])[::-1], 1.0)
    tail.setflags(write=False)
    return tail


@dataclass(frozen=True, slots=True, eq=False)
class CappedRanks:
    """The test on paired differences."""

    differences: NDArray[np.float64]
    """Shape (pairs,), finite."""

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

    def _p(self, values: NDArray[np.float64]) -> float:
        scores = capped_scores(values.size)
        # Of equal sizes the positive ones get the lower ranks.
        order = np.lexsort((values <= 0, np.abs(values)))
        return float(sign_sum_tail(scores)[np.asarray(scores)[values[order] > 0].sum()])
