"""Figures as the report words them: a missing value is a dash with its reason, never 0."""

from __future__ import annotations

import math
import unicodedata

from capbench.gate.judged_metrics import CHECKS, Kind, describe_metric
from capbench.gate.verdicts.phrases import change
from capbench.results import MetricVerdict
from capbench.results.metric_registry import metric_of
from capbench.results.visible_text import plain_line
from capbench.units import format_bytes, format_seconds

__all__ = [
    "MINUS",
    "MISSING",
    "TIMES",
    "bytes_words",
    "change_words",
    "effect_words",
    "interval_words",
    "is_main_metric",
    "is_quality_metric",
    "margin_words",
    "metric_words",
    "number_words",
    "revision_words",
    "seconds_words",
    "shorten",
    "times_words",
    "value_words",
]

MISSING = "\N{EN DASH}"
"""What stands where nothing could be measured."""

MINUS = "\N{MINUS SIGN}"
"""As wide as a plus, so that columns line up."""

TIMES = "\N{MULTIPLICATION SIGN}"
"""After a factor."""


def seconds_words(time_s: float | None) -> str:
    """`4.21 s`, or a dash."""
    return MISSING if time_s is None else format_seconds(time_s)


def bytes_words(size_bytes: float | None) -> str:
    """`1.24 MB`, or a dash."""
    return MISSING if size_bytes is None else format_bytes(size_bytes)


def times_words(factor: float | None) -> str:
    """A factor with a times sign, or a dash."""
    return MISSING if factor is None else f"{factor:.2f}{TIMES}"


def number_words(value: float | None, digits: int = 2, unit: str = "") -> str:
    """A number with fixed decimals and its unit, or a dash."""
    return MISSING if value is None else f"{value:.{digits}f}{' ' if unit else ''}{unit}"


def change_words(ratio: float | None, less: str = "less", more: str = "more", *, digits: int = 1) -> str:
    """A change as the gate words it, or a dash."""
    return MISSING if ratio is None else change(ratio, less, more, digits=digits)


def revision_words(revision: str) -> str:
    """A commit by its first 10 characters, `+dirty` kept."""
    commit, _, dirty = revision.partition("+")
    return f"{commit[:10]}+{dirty}" if dirty else commit[:10]


def shorten(name: str, limit: int = 48) -> str:
    """A name cut in its middle, because its ends tell two names apart, and kept from changing the words around it.

    Right-to-left letters come isolated (Unicode Standard Annex 9, FSI and PDI), so that they do not turn the sentence.
    """
    name = plain_line(name)
    if len(name) > limit:
        tail = limit // 3
        name = f"{name[: limit - tail - 1]}…{name[-tail:]}"
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in name):
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"
    return name


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
        return f"requires {change_words(verdict.required_ratio)}"
    if verdict.margin is None:
        return MISSING
    if verdict.difference is not None:
        return f"{verdict.margin:.{_decimals(verdict)}f}{_unit(verdict)}"
    return f"{verdict.margin:.1%}"


def value_words(value: float | None, metric: str) -> str:
    """A median of a metric with its unit, or a dash."""
    return MISSING if value is None else describe_metric(metric).format(value)


def _decimals(verdict: MetricVerdict) -> int:
    return describe_metric(verdict.metric).decimals


def _unit(verdict: MetricVerdict) -> str:
    unit = describe_metric(verdict.metric).unit
    return f" {unit}" if unit else ""


def _signed(value: float, places: int) -> str:
    words = f"{value:+.{places}f}".replace("-", MINUS)
    return words if float(f"{value:.{places}f}") else words[1:]  # zero has no sign


def metric_words(metric: str) -> str:
    """`peak memory` for `peak_rss_bytes`, `PSNR Y` for `psnr_y` or `quality.psnr_y.mean`; unknown names as they are."""
    if metric_of(metric) is None:
        return describe_metric(metric).words
    return describe_metric(f"quality.{metric.removeprefix('quality.')}").words.removesuffix(" (mean)")


def is_quality_metric(metric: str) -> bool:
    """Whether a metric speaks about what is in the output rather than about its cost."""
    return metric.startswith(CHECKS) or describe_metric(metric).kind in (Kind.QUALITY, Kind.CURVE, Kind.EQUAL)


def is_main_metric(metric: str) -> bool:
    """Whether a metric stands in the first row: costs, checks, and one figure of luma for each kind of quality."""
    known = metric_of(metric)
    column, _, pool = metric.removeprefix("quality.").partition(".")
    return known is None or (known.is_main and column == known.main_column and pool in ("", "mean"))
