"""How far numbers scatter, whatever a few of them do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["robust_spread"]

_MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution: 1 / Phi^-1(3/4)."""


def robust_spread(deviations: NDArray[np.float64]) -> float:
    """Standard deviation of normal `deviations` from their centre, shape (n,), by the median of their sizes."""
    return _MAD_TO_SD * float(np.median(np.abs(deviations)))
