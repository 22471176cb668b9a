"""The wording of the gate's sentences: figures as text. Nothing is decided here."""

from __future__ import annotations

import math

from capbench.gate.judged_metrics import Metric

__all__ = [
    "FEWEST_BLOCKS",
    "against",
    "bounds",
    "change",
    "counted",
    "more_blocks",
    "share_words",
    "signed_difference",
    "too_few_blocks",
    "unit_difference",
]

FEWEST_BLOCKS = 3
"""Two values do not estimate a spread; the test for a handful of blocks begins at three."""


def change(ratio: float, less: str = "less", more: str = "more", *, digits: int = 1) -> str:
    """New over base: `36.8% less`, `5.1% more`, `13.2 times`, `unchanged`.

    From 2 upwards a factor, because percentages above 100 mislead. `digits` counts decimals of a percentage; a change
    that rounds away gets three.
    """
    if not math.isfinite(ratio):
        return "unbounded"
    if ratio >= 2:
        return f"{ratio:.1f} times"
    percent = abs(ratio - 1) * 100
    figure = next((text for places in (digits, 3) if float(text := f"{percent:.{places}f}")), None)
    return "unchanged" if figure is None else f"{figure}% {more if ratio > 1 else less}"


def bounds(low: float, high: float) -> str:
    """An interval of ratios in short: `-38.2% to -35.1%`."""
    return f"{_signed(low)} to {_signed(high)}"


def _signed(ratio: float) -> str:
    if not math.isfinite(ratio):
        return "unbounded"
    return f"{ratio:.1f} times" if ratio >= 2 else f"{(ratio - 1) * 100:+.1f}%"


def against(ratio: float, base: str) -> str:
    """`is 36.8% less than that of cpu`, `is 13.2 times that of cpu`, `equals that of cpu`."""
    words = change(ratio)
    if words == "unchanged":
        return f"equals that of {base}"
    return f"is {words} that of {base}" if ratio >= 2 else f"is {words} than that of {base}"


def unit_difference(metric: Metric, difference: float) -> str:
    """A quality difference: `0.03 dB higher`."""
    if difference == 0:
        return "unchanged"
    return f"{metric.format(abs(difference))} {'higher' if difference > 0 else 'lower'}"


def signed_difference(metric: Metric, difference: float | None) -> str:
    """A quality difference in short: `-0.03 dB`; empty for none."""
    if not difference:
        return ""
    return f"{'+' if difference > 0 else '-'}{metric.format(abs(difference))}"


def more_blocks(further: int | None) -> str:
    """`about 20 more blocks would decide`."""
    if further is None:
        return "even hundreds of blocks would not decide: too noisy, or too close to the margin"
    return f"about {counted(further, 'more block')} would decide"


def too_few_blocks(blocks: int) -> str:
    """`1 block cannot estimate noise; run at least 2 more`."""
    return f"{counted(blocks, 'block')} cannot estimate noise; run at least {max(FEWEST_BLOCKS - blocks, 1)} more"


def counted(count: int, thing: str) -> str:
    """`1 block`, `2 blocks`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def share_words(share: float) -> str:
    """A share of 0 to 1 as a whole percentage; what is not all is not called 100%."""
    return "over 99%" if 0.99 < share < 1 else f"{share:.0%}"
