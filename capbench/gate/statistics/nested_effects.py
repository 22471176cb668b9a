"""Effects on machines of several platforms: a mean for each platform, and whether one number may stand for all.

Least squares with a random effect of the machine nested in its platform: an effect is its platform's mean, plus what
the machine has of its own (variance tau squared, one for all platforms), plus the known error of its estimate.
Tau squared is Paule and Mandel's with the model's degrees of freedom, means are generalised least squares, and their
intervals Student's with as many degrees of freedom as there are machines less platforms (Knapp and Hartung 2003, Stat.
Med. 22, 2693-2710; never narrower than the usual ones, see `random_effects`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from capbench.gate.statistics.random_effects import (
    SMALLEST_ERROR,
    RandomEffects,
    between_variance,
    combine_effects,
)

__all__ = ["LARGE_HETEROGENEITY", "NEGLIGIBLE_SPREAD", "NestedEffects", "PlatformMean", "nest_effects"]

LARGE_HETEROGENEITY = 0.75
"""I squared between platforms from which no number stands for all: "considerable" heterogeneity (Cochrane Handbook for
Systematic Reviews of Interventions, version 6, section 10.10.2: 75% to 100%)."""
NEGLIGIBLE_SPREAD = np.log(1.02)
"""Log units between the lowest and the highest platform: 2%, the gate's margin for wall time. I squared alone calls any
difference large that is measured precisely enough (Borenstein et al. 2017, Res. Synth. Methods 8, 5-18)."""


@dataclass(frozen=True, slots=True)
class PlatformMean:
    """The machines of one platform."""

    platform: str
    """Its name."""
    mean: float
    """Mean of their true effects."""
    standard_error: float
    """Of the mean."""
    machines: int
    """How many there are."""
    freedom: int
    """Degrees of freedom of its interval: machines less platforms; 0 where nothing is known of the spread."""

    def interval(self, error: float) -> tuple[float, float] | None:
        """Bounds of the mean, each wrong with probability `error`; None without degrees of freedom."""
        if self.freedom < 1:
            return None
        reach = -float(special.stdtrit(self.freedom, error)) * self.standard_error
        return self.mean - reach, self.mean + reach


@dataclass(frozen=True, slots=True, eq=False)
class NestedEffects:
    """Means of platforms, what they have in common, and what is left of each machine."""

    platforms: tuple[PlatformMean, ...]
    """By name."""
    tau_squared: float
    """Variance between machines of a platform."""
    residuals: NDArray[np.float64]
    """Effect less its platform's mean, shape (machines,)."""
    standardised: NDArray[np.float64]
    """Residual over its standard deviation, tau squared and error together."""
    i_squared: float
    """Between platforms: share of the variation of their means that is more than chance; 0 for one."""
    across: RandomEffects | None
    """The mean over all machines, whatever their platform; None for a single machine."""

    @property
    def spread(self) -> float:
        """Log units between the lowest and the highest platform."""
        means = [each.mean for each in self.platforms]
        return max(means) - min(means)

    @property
    def differs_by_platform(self) -> bool:
        """Whether platforms differ so much that no number stands for all of them."""
        return self.i_squared >= LARGE_HETEROGENEITY and self.spread > NEGLIGIBLE_SPREAD


def nest_effects(effects: ArrayLike, errors: ArrayLike, platforms: Sequence[str]) -> NestedEffects:
    """Fit the model to effects with their standard errors, shape (machines,), and the platform of each machine.

    Raises `ValueError` for no machine, and for what is not finite.
    """
    values, squares = np.asarray(effects, dtype=np.float64), np.asarray(errors, dtype=np.float64) ** 2
    if values.size == 0 or values.shape != squares.shape or values.size != len(platforms):
        raise ValueError(f"need an effect, an error and a platform of each machine, got {values.size} effects")
    if not (np.isfinite(values).all() and np.isfinite(squares).all()):
        raise ValueError("effects and errors must be finite")
    squares = np.maximum(squares, SMALLEST_ERROR**2)
    names = sorted(set(platforms))
    design = np.array([[float(platform == name) for name in names] for platform in platforms])
    tau_squared = between_variance(values, squares, design)
    weights = 1 / (squares + tau_squared)
    totals = design.T @ weights
    means = design.T @ (weights * values) / totals
    residuals = values - design @ means
    freedom = values.size - len(names)
    counts = design.sum(axis=0)
    return NestedEffects(
        platforms=tuple(
            PlatformMean(name, float(mean), float(total) ** -0.5, int(count), freedom)
            for name, mean, total, count in zip(names, means, totals, counts, strict=True)
        ),
        tau_squared=tau_squared,
        residuals=residuals,
        standardised=residuals * np.sqrt(weights),
        i_squared=_between(means, totals),
        across=combine_effects(values, np.sqrt(squares)) if values.size > 1 else None,
    )


def _between(means: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """I squared of platform means, whose weights are 1 over their squared errors."""
    if means.size < 2:
        return 0.0
    centre = float((weights * means).sum() / weights.sum())
    q = float((weights * (means - centre) ** 2).sum())
    return max(0.0, (q - (means.size - 1)) / q) if q > 0 else 0.0
