"""Charts of curves: quality against rate, and quality against what an export of that quality takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from capbench.gate.curves.rate_points import RateCurve, RatePoint, refuse_curve
from capbench.gate.judged_metrics import curve_sign, quality_unit
from capbench.report.charts.canvas import Canvas, Chart
from capbench.report.charts.labels import LONGEST_END, label_ends, name_margin_px, unit_above
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.wording import metric_words, number_words, seconds_words, shorten

__all__ = ["bitrate_words", "cost_chart", "rate_chart"]

_HEIGHT_PX = 264
_STEPS = (1.0, 2.0, 5.0)
"""Of each decade of a logarithmic axis, the marks that may be labelled."""
_MOST_TICKS = 6
_POINTS_BETWEEN = 24
"""Drawn between two points of a curve: as smooth as its width shows."""


def bitrate_words(rate_bits_per_s: float) -> str:
    """`850 kbit/s`, `2.4 Mbit/s`."""
    if rate_bits_per_s >= 1e6:
        return f"{rate_bits_per_s / 1e6:.3g} Mbit/s"
    return f"{rate_bits_per_s / 1e3:.3g} kbit/s"


def rate_chart(
    curves: Mapping[str, RateCurve], styles: Mapping[str, SubjectStyle], metric: str, *, prefix: str
) -> Chart | None:
    """Quality against rate, each subject with the interpolation that its BD-rate is taken from; None without points."""
    shown = {subject: curve for subject, curve in curves.items() if curve.points}
    if not shown:
        return None
    title = f"{metric_words(metric)} against rate"
    ranges = (
        f"{shorten(subject)} {bitrate_words(curve.points[0].rate_bits_per_s)} to "
        f"{bitrate_words(curve.points[-1].rate_bits_per_s)}"
        for subject, curve in shown.items()
    )
    reading = (
        f"{'; '.join(ranges)}. Marks are the points, lines the interpolation (PCHIP) that BD-rates are taken from; "
        "a curve further left needs less rate for the same quality."
    )
    return _chart(
        shown, styles, metric, lambda point: point.rate_bits_per_s, bitrate_words, title, reading, prefix=prefix
    )


def cost_chart(
    curves: Mapping[str, RateCurve], styles: Mapping[str, SubjectStyle], metric: str, *, field: str, prefix: str
) -> Chart | None:
    """Quality against `wall_s` or `cpu_s` of an export; None where neither is known."""
    shown = {
        subject: RateCurve(known)
        for subject, curve in curves.items()
        if (known := tuple(point for point in curve.points if _is_drawn(getattr(point, field))))
    }
    if not shown:
        return None
    name = {"wall_s": "export time", "cpu_s": "CPU time"}[field]
    spans = (
        f"{shorten(subject)} {seconds_words(min(values))} to {seconds_words(max(values))}"
        for subject, curve in shown.items()
        if (values := [float(getattr(point, field)) for point in curve.points])
    )
    reading = (
        f"{'; '.join(spans)}. Each line goes from the coarsest to the finest point; further left is the same quality "
        "sooner. At equal quality the rates differ: read it beside the chart of rate."
    )
    return _chart(
        shown,
        styles,
        metric,
        lambda point: float(getattr(point, field)),
        seconds_words,
        f"{metric_words(metric)} against {name}",
        reading,
        prefix=prefix,
        interpolates=False,
    )


def _chart(  # noqa: PLR0917  a chart is what it shows, how, and in which words
    curves: Mapping[str, RateCurve],
    styles: Mapping[str, SubjectStyle],
    metric: str,
    across: Callable[[RatePoint], float],
    words: Callable[[float], str],
    title: str,
    reading: str,
    *,
    prefix: str,
    interpolates: bool = True,
) -> Chart:
    canvas = Canvas(height_px=_HEIGHT_PX)
    right = name_margin_px(curves, LONGEST_END, least_px=92, bold=True)
    axes = canvas.axes(left=52, top=24, right=right, bottom=40)
    ends = {}
    for subject, curve in curves.items():
        style = styles[subject]
        colour = LIGHT[style.token]
        at = [across(point) for point in curve.points]
        quality = [point.quality for point in curve.points]
        line = _interpolated(curve, metric) if interpolates else (at, quality)
        axes.plot(*line, color=colour, linewidth=1.6)
        axes.plot(
            at,
            quality,
            linestyle="none",
            marker=style.marker,
            markersize=6,
            markerfacecolor=colour,
            markeredgecolor=LIGHT["page"],
        )
        ends[subject] = max(quality, key=lambda value: (curve_sign(metric) or 1) * value)
    _logarithmic(axes, [across(point) for curve in curves.values() for point in curve.points], words)
    axes.margins(y=0.1)
    axes.locator_params(axis="y", nbins=5)
    unit, decimals = quality_unit(metric)
    unit_above(axes, unit or metric_words(metric))
    label_ends(canvas, axes, ends, styles)
    best = max(number_words(max(point.quality for point in curve.points), decimals, unit) for curve in curves.values())
    return Chart(title, canvas.to_svg(prefix, f"{title}, up to {best}. {reading}"), reading)


def _is_drawn(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _interpolated(curve: RateCurve, metric: str) -> tuple[Sequence[float], Sequence[float]]:
    """Rate over quality as BD-rates take it; straight lines where a curve cannot be interpolated."""
    sign = curve_sign(metric) or 1
    rates = [point.rate_bits_per_s for point in curve.points]
    quality = [point.quality for point in curve.points]
    if refuse_curve(curve, sign=sign) is not None:
        return rates, quality
    from scipy.interpolate import PchipInterpolator  # 0.2 s; only curves pay for it

    rising = sign * np.array(quality)
    levels = np.concatenate([np.linspace(low, high, _POINTS_BETWEEN) for low, high in pairwise(rising)])
    return list(10 ** PchipInterpolator(rising, np.log10(rates))(levels)), list(sign * levels)


def _logarithmic(axes: Axes, values: Sequence[float], words: Callable[[float], str]) -> None:
    """A logarithmic axis with a handful of round marks: halving a rate or a time is as far wherever it happens."""
    low, high = min(values), max(values)
    room = max((high / low) ** 0.06, 1.04)
    axes.set_xscale("log")
    axes.set_xlim(low / room, high * room)
    decades = range(math.floor(math.log10(low / room)), math.ceil(math.log10(high * room)) + 1)
    for steps in (_STEPS, (1.0, 3.0), (1.0,)):
        ticks = [
            step * 10.0**decade
            for decade in decades
            for step in steps
            if low / room <= step * 10.0**decade <= high * room
        ]
        if len(ticks) <= _MOST_TICKS:
            break
    if len(ticks) < 2:
        ticks = [low, math.sqrt(low * high), high] if high > low * 1.4 else [low, high] if high > low * 1.02 else [low]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
