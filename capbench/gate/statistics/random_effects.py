"""One effect from the effects on several machines, each with its own error: random-effects meta-analysis.

Between machines there is a variance of true effects, tau squared, besides the error of each estimate. It is estimated
by Paule and Mandel (1982, J. Res. NBS 87, 377-385): the value at which the weighted squares add up to their
expectation, recommended by Veroniki et al. (2016, Res. Synth. Methods 7, 55-79). The interval is that of Hartung and
Knapp (2001, Stat. Med. 20, 3875-3889), Student's with one degree of freedom less than there are machines, never
narrower than the usual one (Roever, Knapp and Friede 2015, BMC Med. Res. Methodol. 15, 99). With Paule and Mandel's
estimate Hartung and Knapp's factor is 1 wherever tau squared is above 0, and at most 1 elsewhere, where the
modification makes it 1: no line of code is left of it. The interval of a further machine's effect is that of Higgins,
Thompson and Spiegelhalter (2009, J. R. Stat. Soc. A 172, 137-159), and I squared that of Higgins and Thompson (2002,
Stat. Med. 21, 1539-1558).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = ["FEWEST_MACHINES", "SMALLEST_ERROR", "RandomEffects", "between_variance", "combine_effects"]

FEWEST_MACHINES = 3
"""Two do not say how a third would differ: a prediction has two degrees of freedom less than there are machines."""
SMALLEST_ERROR = 1e-6
"""Log units, a millionth: equal figures leave no error, and an infinite weight would silence every other machine."""
_MOST_DOUBLINGS = 200
"""Of the upper end of the search for tau squared; the sum of weighted squares falls to 0 long before."""


@dataclass(frozen=True, slots=True, eq=False)
class RandomEffects:
    """The mean effect, and how far effects differ between machines. All in the unit of the effects."""

    mean: float
    """Mean of the machines' true effects."""
    standard_error: float
    """Of the mean."""
    tau_squared: float
    """Variance of true effects between machines."""
    q: float
    """Cochran's Q: squares about the mean without tau squared, each over the estimate's variance."""
    weights: NDArray[np.float64]
    """Share of each machine in the mean, shape (machines,); they sum to 1."""

    @property
    def machines(self) -> int:
        """How many there are."""
        return int(self.weights.size)

    @property
    def i_squared(self) -> float:
        """Share of the variation that is more than chance, 0 to 1."""
        return max(0.0, (self.q - (self.machines - 1)) / self.q) if self.q > 0 else 0.0

    @property
    def heterogeneity_p(self) -> float:
        """P-value against "all machines have one effect", of Q's chi-squared distribution."""
        return float(special.chdtrc(self.machines - 1, self.q))

    def p_above(self, centre: float) -> float:
        """P-value against "the mean is `centre` or less"."""
        return float(special.stdtr(self.machines - 1, (centre - self.mean) / self.standard_error))

    def p_below(self, centre: float) -> float:
        """P-value against "the mean is `centre` or more"."""
        return float(special.stdtr(self.machines - 1, (self.mean - centre) / self.standard_error))

    def interval(self, error: float) -> tuple[float, float]:
        """Bounds of the mean, each of them wrong with probability `error`."""
        reach = -float(special.stdtrit(self.machines - 1, error)) * self.standard_error
        return self.mean - reach, self.mean + reach

    def prediction(self, error: float) -> tuple[float, float] | None:
        """Bounds of the true effect on one more machine of the kind, each exceeded with probability `error`.

        None for fewer than `FEWEST_MACHINES`.
        """
        if self.machines < FEWEST_MACHINES:
            return None
        spread = (self.tau_squared + self.standard_error**2) ** 0.5
        reach = -float(special.stdtrit(self.machines - 2, error)) * spread
        return self.mean - reach, self.mean + reach


def combine_effects(effects: ArrayLike, errors: ArrayLike) -> RandomEffects:
    """Combine effects with their standard errors, each of shape (machines,), at least two of them.

    Raises `ValueError` for fewer, and for what is not finite or has an error below 0.
    """
    values, squares = np.asarray(effects, dtype=np.float64), np.asarray(errors, dtype=np.float64) ** 2
    if values.ndim != 1 or values.shape != squares.shape or values.size < 2:
        raise ValueError(f"need effects and errors of two machines or more, got {values.shape = }, {squares.shape = }")
    if not (np.isfinite(values).all() and np.isfinite(squares).all() and (np.asarray(errors) >= 0).all()):
        raise ValueError("effects must be finite, and errors finite and not negative")
    squares = np.maximum(squares, SMALLEST_ERROR**2)
    design = np.ones((values.size, 1))
    tau_squared = between_variance(values, squares, design)
    weights = 1 / (squares + tau_squared)
    total = float(weights.sum())
    return RandomEffects(
        mean=float((weights * values).sum() / total),
        standard_error=total**-0.5,
        tau_squared=tau_squared,
        q=_weighted_squares(values, 1 / squares, design),
        weights=weights / total,
    )


def between_variance(values: NDArray[np.float64], squares: NDArray[np.float64], design: NDArray[np.float64]) -> float:
    """Paule and Mandel's tau squared of effects about a linear model.

    `values` and their variances `squares` have shape (machines,), `design` (machines, coefficients): a column of ones
    for one mean, a column of zeros and ones for each group. 0 where there are no more machines than coefficients.
    """
    freedom: int = values.size - design.shape[1]

    def excess(tau_squared: float) -> float:
        return _weighted_squares(values, 1 / (squares + tau_squared), design) - freedom

    if freedom <= 0 or excess(0.0) <= 0:
        return 0.0
    from scipy import optimize  # 0.15 s; only what several machines measured pays for it

    upper = max(float(values.var()), float(squares.max()))
    for _ in range(_MOST_DOUBLINGS):
        if excess(upper) < 0:
            break
        upper *= 2
    return float(optimize.brentq(excess, 0.0, upper, xtol=1e-16, rtol=1e-12))


def _weighted_squares(values: NDArray[np.float64], weights: NDArray[np.float64], design: NDArray[np.float64]) -> float:
    """Weighted squares of what weighted least squares leaves."""
    root: NDArray[np.float64] = np.sqrt(weights)
    fitted, *_ = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)
    left: NDArray[np.float64] = (values - design @ fitted) * root
    return float((left**2).sum())
