"""What paired log ratios show: the rule that the gate decides by, for one metric of one case.

Two questions, two errors. *Is there a change at all?* is answered by an exact signed-rank test: the order inside a
block is shuffled, so that without a change the sign of each difference is a fair coin whatever the noise is, bursts,
drift and bimodal processes included (the randomisation argument of Fisher; Pitman 1937). *Is it larger than the
margin?* is answered by the interval of the Hodges-Lehmann estimate. An alarm needs both.

So few blocks that even a unanimous sign is no proof (fewer than 7 at 1%) fall back to Student's t on the log ratios,
and then every single block must lie beyond the margin: 13 times slower in each of 3 blocks is not a coin's doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from capbench.gate.statistics.rank_sum import rank_sum
from capbench.gate.statistics.signed_rank import half, sign_test

__all__ = [
    "MIN_RANK_PAIRS",
    "ChangeTest",
    "Evidence",
    "Levels",
    "RankSide",
    "Side",
    "StudentMean",
    "evidence",
    "p_of_change",
    "unpaired_evidence",
]

MIN_RANK_PAIRS = 5
"""From 5 differences the signed-rank interval exists at the 5% level: 2 ** -5 is 3.1%."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Probabilities of error that the gate allows itself."""

    family: float = 0.05
    """That any metric of any case of the gate is called changed when none is (Holm)."""
    metric: float = 0.01
    """That one metric of one case is called changed when it is not."""
    margin: float = 0.05
    """That a change is called larger, or smaller, than a margin when it is not."""

    blatant: float = 0.0
    """Log ratio that every block must exceed, besides the margin, where there are too few for the exact test."""

    def strictest(self, family_size: int) -> float:
        """The level that the smallest p-value of a family has to meet."""
        return min(self.metric, self.family / max(family_size, 1))


class ChangeTest(Protocol):
    """P-values of an exact test."""

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that so few values can give."""

    def p_above(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or less"."""

    def p_below(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or more"."""


class Side(Protocol):
    """One-sided statements about the centre of differences."""

    @property
    def estimate(self) -> float:
        """Estimate of the centre."""

    def lower(self, error: float) -> float:
        """One-sided lower confidence bound."""

    def upper(self, error: float) -> float:
        """One-sided upper confidence bound."""


class RankSide(Side, Protocol):
    """Statements from ranks, which so few values may not allow."""

    @property
    def smallest_p(self) -> float:
        """The smallest error at which there is a bound."""


@dataclass(frozen=True, slots=True)
class StudentMean:
    """Student's t on a handful of differences."""

    estimate: float
    """Mean."""
    standard_error: float
    """Of the mean; 0 where all differences are equal, inf for a single one."""
    pairs: int
    """Number of differences."""

    def p_above(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or less"."""
        if self.estimate == centre or not np.isfinite(self.standard_error):
            return 1.0
        if self.standard_error == 0:
            return 0.0 if self.estimate > centre else 1.0
        return float(special.stdtr(self.pairs - 1, (centre - self.estimate) / self.standard_error))

    def p_below(self, centre: float) -> float:
        """P-value against "the true centre is `centre` or more"."""
        return StudentMean(-self.estimate, self.standard_error, self.pairs).p_above(-centre)

    def lower(self, error: float) -> float:
        """One-sided lower confidence bound; -inf for a single difference."""
        if not np.isfinite(self.standard_error):
            return -np.inf
        return self.estimate + float(special.stdtrit(self.pairs - 1, error)) * self.standard_error

    def upper(self, error: float) -> float:
        """One-sided upper confidence bound; inf for a single difference."""
        return -StudentMean(-self.estimate, self.standard_error, self.pairs).lower(error)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Differences of one metric of one case with what they show."""

    differences: NDArray[np.float64]
    """Log ratios (or differences), new minus base, one a block; of all pairs where the samples are unpaired."""
    ranks: RankSide
    """Estimate and interval."""
    change: ChangeTest
    """The exact test for any change at all."""
    student: StudentMean
    """The test for a handful of blocks."""
    pairs: int
    """Number of blocks; of the smaller sample where they are unpaired."""

    def centre(self, error: float) -> Side:
        """Estimate and bounds at this error: from ranks, or from Student's t where so few ranks bound nothing."""
        return self.ranks if self.ranks.smallest_p <= error else self.student

    def standard_error(self, error: float) -> float:
        """Half the width of the interval over Student's quantile: robust, since the interval is. Inf for one pair."""
        side = self.centre(error)
        return self.standard_error_of((side.lower(error), side.upper(error)), error)

    def standard_error_of(self, interval: tuple[float, float], error: float) -> float:
        """The same from an interval of `centre(error)` that is known already; bounds are what takes time."""
        if self.pairs < 2:
            return float(np.inf)
        return (interval[1] - interval[0]) / -2 / float(special.stdtrit(self.pairs - 1, error))


def evidence(differences: ArrayLike) -> Evidence:
    """Evidence from at least one finite difference, shape (pairs,). Raises `ValueError`."""
    values = np.asarray(differences, dtype=np.float64)
    spread = float(values.std(ddof=1)) if values.size > 1 else np.inf
    student = StudentMean(float(values.mean()), spread / values.size**0.5, values.size)
    return Evidence(values, sign_test(values), sign_test(values, cap=half(values.size)), student, values.size)


def unpaired_evidence(before: ArrayLike, after: ArrayLike) -> Evidence:
    """Evidence on the shift between two independent samples. Raises `ValueError`.

    Student's part has the smaller sample's degrees of freedom less one, which is safe for unequal variances
    (Welch 1938; Hsu's bound).
    """
    ranks = rank_sum(before, after)
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    smaller = min(first.size, second.size)
    variance = sum(float(s.var(ddof=1)) / s.size for s in (first, second)) if smaller > 1 else np.inf
    student = StudentMean(float(second.mean() - first.mean()), variance**0.5, smaller)
    return Evidence(ranks.shifts, ranks, ranks, student, smaller)


def p_of_change(shown: Evidence, *, centre: float, beyond: float, upwards: bool, level: float) -> float:
    """P-value against "the change is `centre`, or lies on the other side of it".

    `level` is the smallest level that the p-value may have to meet; it depends on the size of the family, not on the
    data. Where a unanimous exact test could not meet it, Student's t speaks, and only if every block is beyond
    `beyond`, else the answer is 1.
    """
    if shown.change.smallest_p <= level:
        return shown.change.p_above(centre) if upwards else shown.change.p_below(centre)
    unanimous = (shown.differences > beyond).all() if upwards else (shown.differences < beyond).all()
    if shown.pairs < 3 or not unanimous:
        return 1.0
    return shown.student.p_above(centre) if upwards else shown.student.p_below(centre)
