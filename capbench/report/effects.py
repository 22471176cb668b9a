"""How far new is from base, worded: a ratio as percent of change, a quality metric as a difference."""

from __future__ import annotations

import math

from capbench.gate.verdicts.judged_metrics import describe_metric
from capbench.report.wording import MINUS, MISSING, change_words
from capbench.results import MetricVerdict

__all__ = ["effect_words", "interval_words", "margin_words", "value_words"]


def effect_words(verdict: MetricVerdict | None, *, digits: int = 1) -> str:
    """`42.3% less`, `13.2 times`, `+0.02 dB`, or a dash. `digits` counts the decimals of a percentage."""
    if verdict is None:
        return MISSING
    if verdict.ratio is not None:
        return change_words(verdict.ratio, digits=digits)
    if verdict.difference is not None:
        return _signed(verdict.difference, _decimals(verdict)) + _unit(verdict)
    return MISSING


def interval_words(verdict: MetricVerdict | None, *, digits: int = 1) -> str:
    """The interval in unit and direction of `effect_words`, signed where it holds both directions.

    `exact` for counted bytes; empty where there is none.
    """
    if verdict is None or verdict.interval is None:
        return ""
    low, high = verdict.interval
    if verdict.ratio is None:
        if verdict.difference is None:
            return ""
        places = _decimals(verdict)
        return f"[{_signed(low, places)}, {_signed(high, places)}]{_unit(verdict)}"
    if low == high:
        return "exact"
    if not math.isfinite(low) or not math.isfinite(high):
        return "unbounded"
    if verdict.ratio >= 2:
        return f"[{low:.1f}, {high:.1f}] times"
    changes = [(bound - 1) * 100 for bound in verdict.interval]
    if low < 1 < high:  # it may be less or more: only signs tell
        first, second = (_signed(change, digits) for change in changes)
    else:
        first, second = (f"{change:.{digits}f}" for change in sorted(abs(change) for change in changes))
    return f"[{first}, {second}]%"


def margin_words(verdict: MetricVerdict) -> str:
    """The margin in the unit of the effect, the effect that a gate file requires, or a dash."""
    if verdict.required_ratio is not None:
        return f"needs {change_words(verdict.required_ratio)}"
    if verdict.margin is None:
        return MISSING
    if verdict.difference is not None:
        return f"{verdict.margin:.{_decimals(verdict)}f}{_unit(verdict)}"
    return f"{verdict.margin:.1%}"


def value_words(value: float | None, metric: str) -> str:
    """A median of a metric with its unit, or a dash."""
    return MISSING if value is None else describe_metric(metric).format(value)


def _decimals(verdict: MetricVerdict) -> int:
    return 4 if "ssim" in verdict.metric else 2


def _unit(verdict: MetricVerdict) -> str:
    return "" if "ssim" in verdict.metric else " dB"


def _signed(value: float, places: int) -> str:
    words = f"{value:+.{places}f}".replace("-", MINUS)
    return words if float(f"{value:.{places}f}") else words[1:]  # zero has no sign
