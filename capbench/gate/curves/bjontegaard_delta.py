"""Two curves of rate and quality as one number: the rate at equal quality, and the quality at equal rate.

Bjøntegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33 (2001), with the interpolation
of the common test conditions since (PCHIP, JVET-T2010), and with Akima's, which Herglotz et al. found to be closer to
the points between (arXiv 2202.12565). The arithmetic is that of the package `bjontegaard` by the same authors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from capbench.gate.curves.rate_points import RateCurve, refuse_curve

__all__ = ["MIN_OVERLAP", "CurveDelta", "Difference", "compare_curves"]

MIN_OVERLAP = 0.5
"""Share of the range of both curves that they must have in common: below that most of what was measured says nothing
about the other curve. The share is stated in any case; the package warns below 0.75."""
_UNCHECKED: dict[str, Any] = {"require_matching_points": False, "min_overlap": 0}
"""The curves may have different numbers of points; whether they overlap is decided here, not warned about there."""
_Axis = Literal["rate", "quality"]


@dataclass(frozen=True, slots=True)
class Difference:
    """New against base along one axis, or why there is none."""

    value: float = math.nan
    """By PCHIP: percent of rate, or quality in the metric's unit; not a number where it is refused."""
    akima: float = math.nan
    """The same by Akima's interpolation."""
    overlap: float = 0.0
    """Share of the range of both curves that they have in common, 0 to 1; of quality for a rate and the reverse."""
    refusal: str | None = None
    """Why there is no value."""


@dataclass(frozen=True, slots=True)
class CurveDelta:
    """Two curves of one clip by one metric."""

    rate: Difference
    """BD-rate: new's rate over base's at equal quality, in percent; less is better."""
    quality: Difference
    """BD-quality: new's metric minus base's at equal rate, in the metric's unit."""
    left_out: tuple[str, ...] = ()
    """Points of either curve that could not be used, with the reason."""


def compare_curves(
    base: RateCurve, new: RateCurve, *, sign: int = 1, names: tuple[str, str] = ("base", "new")
) -> CurveDelta:
    """Compare two curves. `sign` is -1 for a metric of which less is better; `names` are those of the subjects."""
    left_out = tuple(
        f"{name}: {words}" for name, curve in zip(names, (base, new), strict=True) for words in curve.left_out
    )
    for name, curve in zip(names, (base, new), strict=True):
        if reason := refuse_curve(curve, sign=sign):
            refused = Difference(refusal=f"the curve of {name} cannot be used: {reason}")
            return CurveDelta(refused, refused, left_out)
    rates = tuple([math.log10(point.rate_bits_per_s) for point in curve.points] for curve in (base, new))
    qualities = tuple([sign * point.quality for point in curve.points] for curve in (base, new))
    import bjontegaard  # it imports pyplot, which takes a third of a second; only curves pay for it

    def rate(method: str) -> float:
        return float(bjontegaard.bd_rate(*_interleaved(base, new, sign), method, **_UNCHECKED))

    def quality(method: str) -> float:
        return sign * float(bjontegaard.bd_psnr(*_interleaved(base, new, sign), method, **_UNCHECKED))

    return CurveDelta(
        rate=_difference(_overlap(*qualities), "quality", rate),
        quality=_difference(_overlap(*rates), "rate", quality),
        left_out=left_out,
    )


def _interleaved(base: RateCurve, new: RateCurve, sign: int) -> tuple[list[float], ...]:
    """Rates and qualities of base, then of new, as the package takes them."""
    return tuple(
        values
        for curve in (base, new)
        for values in ([p.rate_bits_per_s for p in curve.points], [sign * p.quality for p in curve.points])
    )


def _difference(overlap: float, axis: _Axis, compute: Callable[[str], float]) -> Difference:
    if overlap < MIN_OVERLAP:
        reason = f"the curves share {overlap:.0%} of their range of {axis}, less than {MIN_OVERLAP:.0%}"
        return Difference(overlap=overlap, refusal=f"{reason}; choose points that reach the same {axis}")
    return Difference(value=compute("pchip"), akima=compute("akima"), overlap=overlap)


def _overlap(base: list[float], new: list[float]) -> float:
    """Share of the joint range that both cover, 0 to 1."""
    shared = min(max(base), max(new)) - max(min(base), min(new))
    return max(0.0, shared) / (max(*base, *new) - min(*base, *new))
