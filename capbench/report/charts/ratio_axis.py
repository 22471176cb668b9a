"""An axis of ratios, new over base: logarithmic, 1 among its ticks, rows downwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from capbench.report.palette import LIGHT
from capbench.results import Verdict

__all__ = ["VERDICT_TOKENS", "lay_ratio_axis", "ratio_limits"]

_TICKS = (
    *(0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0),
    *(1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0),
)
VERDICT_TOKENS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.SAME: "same",
    Verdict.UNDECIDED: "undecided",
}
"""Colour token of a verdict; any other is quiet."""


def lay_ratio_axis(
    axes: Axes,
    low: float,
    high: float,
    *,
    rows: int,
    label: str = "new over base, 1 = no change",
    most_ticks: int = 6,
    words: Callable[[float], str] = "{:g}".format,
) -> None:
    """Set up axes for `rows` rows of ratios between `low` and `high`, with a line at 1; `words` writes a tick."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = _ticks(low, high, most_ticks)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticklabels([words(tick) for tick in ticks])
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    axes.axvline(1, color=LIGHT["axis"], linewidth=1)


def ratio_limits(
    ratios: Sequence[float], bounds: Sequence[float], *, least: tuple[float, float] = (0.85, 1.18)
) -> tuple[float, float]:
    """Range of the axis: all ratios, and bounds of intervals up to half as far again; what is wider is cut at the edge.

    It reaches over `least` at least.

    A run that could have seen nothing short of a slowdown by 5 times must not squeeze what it did see.
    """
    lowest, highest = min(ratios), max(ratios)
    low = max(min([lowest, *bounds]), lowest / 1.5)
    high = min(max([highest, *bounds]), highest * 1.5)
    return min(low / 1.08, least[0]), max(high * 1.08, least[1])


def _ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many round ratios inside the axis, 1 among them, as far apart as so many would be."""
    apart = math.log(high / low) / most
    kept = [1.0]
    for tick in sorted(_TICKS, key=lambda value: abs(math.log(value))):
        if low <= tick <= high and all(abs(math.log(tick / other)) >= apart for other in kept):
            kept.append(tick)
    return sorted(kept)
