"""Which easing a motion from 0 to 1 follows, when it begins and how long it takes: least squares over known shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

__all__ = ["EASINGS", "EaseFit", "fit_ease"]

Field = NDArray[np.float64]

EASINGS: Final[dict[str, Callable[[Field], Field]]] = {
    "linear": lambda x: x,
    "smoothstep": lambda x: x * x * (3 - 2 * x),
    "ease-out cubic": lambda x: 1 - (1 - x) ** 3,
    "ease-in cubic": lambda x: x**3,
    "ease-in-out cubic": lambda x: np.where(x < 0.5, 4 * x**3, 1 - (2 - 2 * x) ** 3 / 2),
    "ease-in-out sine": lambda x: (1 - np.cos(np.pi * x)) / 2,
}
"""Shapes by name (Penner's easing equations; smoothstep is GLSL's): share of the way at a share of the time."""
_DURATIONS: Final = 24
"""Tried for each shape before the best is refined."""
_BETTER: Final = 0.9
"""Another shape than the first must leave less than this share of its error: sine and smoothstep differ by 1%."""


@dataclass(frozen=True, slots=True)
class EaseFit:
    """The shape that fits best."""

    shape: str
    """Its name in `EASINGS`."""
    start_s: float
    """When the motion begins."""
    middle_s: float
    """When half of the way is done."""
    duration_s: float
    """How long it takes; 0 where it is a step within one frame."""
    rms: float
    """Root mean square difference, of a way of 1."""


def fit_ease(times_s: Field, values: Field, frame_s: float) -> EaseFit | None:
    """Fit times in seconds and shares of the way, about a motion from 0 to 1; None where it never passes the middle.

    `frame_s` is the time from one frame to the next: the shortest motion that can be told from a step.
    """
    above = np.flatnonzero(values >= 0.5)
    if not above.size or above[0] == 0:
        return None
    after = int(above[0])
    low, high = values[after - 1], values[after]
    middle_s = float(times_s[after - 1] + (0.5 - low) / max(high - low, 1e-9) * (times_s[after] - times_s[after - 1]))
    between = (values > 0.02) & (values < 0.98) & (np.abs(times_s - middle_s) < 5)
    if not between.any():
        return EaseFit("linear", float(times_s[after]), middle_s, 0.0, 0.0)
    longest_s = max(2 * frame_s, 2.5 * float(np.ptp(np.append(times_s[between], [middle_s])) + 2 * frame_s))
    best: EaseFit | None = None
    for shape, curve in EASINGS.items():
        x_middle = float(np.interp(0.5, curve(_GRID), _GRID))
        tried = [
            (_rms(curve, times_s, values, middle_s - x_middle * duration_s, duration_s), duration_s)
            for duration_s in np.geomspace(frame_s, longest_s, _DURATIONS)
        ]
        duration_s = float(min(tried)[1])

        def differences(found: Field, curve: Callable[[Field], Field] = curve) -> Field:
            return _shape(curve, times_s, float(found[0]), max(float(found[1]), 1e-6)) - values

        solved = least_squares(differences, (middle_s - x_middle * duration_s, duration_s))
        rms = float(np.sqrt(np.mean(solved.fun**2)))
        if best is None or rms < best.rms * _BETTER:
            best = EaseFit(shape, float(solved.x[0]), middle_s, float(abs(solved.x[1])), rms)
    return best


_GRID: Final = np.linspace(0, 1, 1001)


def _shape(curve: Callable[[Field], Field], times_s: Field, start_s: float, duration_s: float) -> Field:
    return curve(((times_s - start_s) / duration_s).clip(0, 1))


def _rms(curve: Callable[[Field], Field], times_s: Field, values: Field, start_s: float, duration_s: float) -> float:
    return float(np.sqrt(np.mean((_shape(curve, times_s, start_s, duration_s) - values) ** 2)))
