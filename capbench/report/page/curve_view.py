"""Curves of a case or of a corpus arranged for the page: their charts, their differences, their points, their clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capbench.gate.curves.pooled_delta import PooledDelta, clips_of, compare_clips, pool_clips
from capbench.gate.curves.rate_points import RateCurve, RatePoint, curve_of, has_video_bytes
from capbench.gate.judged_metrics import curve_sign, quality_unit
from capbench.gate.verdicts.judge_curves import curve_metrics
from capbench.gate.verdicts.pairing import finished, measured_runs
from capbench.report.charts.canvas import Chart, chart_style
from capbench.report.charts.rate_quality import bitrate_words, cost_chart, rate_chart
from capbench.report.palette import SubjectStyle
from capbench.report.wording import MINUS, MISSING, metric_words, number_words, seconds_words, shorten
from capbench.results import Comparison, MetricVerdict
from capbench.results.subject_name import is_export

__all__ = ["CurveRow", "CurveView", "PointRow", "arrange_curves"]

_CHARTED = ("vmaf", "psnr_y", "xpsnr_y", "ssim_y")
"""Metrics that may have a chart, in order; the first two that were measured have one."""
_MOST_CHARTED = 2
_MARGIN_ERROR = 0.05
"""Of each bound of an interval, as in the gate."""


@dataclass(frozen=True, slots=True)
class CurveRow:
    """Two subjects by one metric."""

    new: str
    """Subject."""
    base: str
    """What it is compared with."""
    metric: str
    """The metric, in words."""
    rate: str
    """BD-rate, or why there is none."""
    interval: str
    """Interval of the BD-rate over clips; empty for fewer than five."""
    akima: str
    """BD-rate by the other interpolation."""
    quality: str
    """BD-quality, or a dash."""
    overlap: str
    """Smallest share of their quality that the curves of a clip have in common."""
    worst: str
    """The clip that fares worst; empty for one clip."""


@dataclass(frozen=True, slots=True)
class PointRow:
    """One point of one subject."""

    subject: str
    """Name of the subject."""
    label: str
    """`qp=24`."""
    rate: str
    """Rate of the pictures."""
    values: tuple[str, ...]
    """Quality by each metric, then export time and CPU time."""


@dataclass(frozen=True, slots=True)
class CurveView:
    """One section of the page."""

    name: str
    """Name of the case or the corpus."""
    anchor: str
    """Identifier of the section."""
    summary: str
    """How many points and clips it comes from."""
    charts: tuple[Chart, ...]
    """Quality against rate, then against export time and CPU time."""
    rows: tuple[CurveRow, ...]
    """BD-rate and BD-quality of each subject by each metric."""
    metrics: tuple[str, ...]
    """Metrics of `points`, in words."""
    points: tuple[PointRow, ...]
    """Every point; means over the clips of a corpus."""
    clips: tuple[tuple[str, tuple[str, ...]], ...]
    """Clip of a corpus to its BD-rate for each of `pairs`; empty for a case."""
    pairs: tuple[str, ...]
    """Columns of `clips`."""
    clip_metric: str
    """Metric of `clips`, in words."""
    notes: tuple[str, ...]
    """Points that were left out and clips that could not be compared, with the reason."""
    verdicts: tuple[MetricVerdict, ...]
    """Verdicts over the clips of a corpus; empty for a case, which shows its own."""


def arrange_curves(
    runs: pd.DataFrame, comparisons: Sequence[Comparison], styles: Mapping[str, SubjectStyle], *, charts: bool
) -> tuple[CurveView, ...]:
    """One view for each corpus and for each case with a curve, in the order of the runs, which have a row a point.

    Corpora without curves have one too, for their verdicts. `charts` draws them.
    """
    measured = finished(measured_runs(runs))
    measured = measured[measured["subject"].map(is_export).astype(bool)]
    corpora = (
        measured["corpus"] if "corpus" in measured.columns else pd.Series(None, index=measured.index, dtype=object)
    )
    names = dict.fromkeys(corpora.where(corpora.notna(), measured["case"]))
    is_corpus = set(corpora.dropna())
    views = []
    for number, name in enumerate(names, start=1):
        sides = {
            str(subject): clips_of(of_subject, name) for subject, of_subject in measured.groupby("subject", sort=False)
        }
        sides = {subject: clips for subject, clips in sides.items() if clips}
        if sides or name in is_corpus:
            verdicts = [row for comparison in comparisons for row in comparison.verdicts if row.case == name]
            views.append(
                _view(str(name), f"curve-{number}", sides, verdicts, styles, charts=charts, is_corpus=name in is_corpus)
            )
    return tuple(views)


def _view(
    name: str,
    anchor: str,
    sides: Mapping[str, Mapping[str, pd.DataFrame]],
    verdicts: Sequence[MetricVerdict],
    styles: Mapping[str, SubjectStyle],
    *,
    charts: bool,
    is_corpus: bool,
) -> CurveView:
    measured = curve_metrics(*(runs for clips in sides.values() for runs in clips.values()))
    main = [metric for metric in _CHARTED if metric in measured] or list(measured)
    curves = {metric: {subject: _pooled_curve(clips, metric) for subject, clips in sides.items()} for metric in main}
    pairs = list(dict.fromkeys((row.base, row.new) for row in verdicts if row.base in sides and row.new in sides))
    rows, notes, of_clips = [], dict[str, None](), dict[str, list[str]]()
    for base, new in pairs:
        for metric in main:
            sign = curve_sign(metric)
            if sign is None:
                continue
            found = compare_clips(sides[base], sides[new], metric, pool="mean", sign=sign, names=(base, new))
            rate = pool_clips(found, "bd_rate", sign=sign, error=_MARGIN_ERROR)
            quality = pool_clips(found, "bd_quality", sign=sign, error=_MARGIN_ERROR)
            rows.append(_row(base, new, metric, rate, quality))
            notes |= dict.fromkeys(f"{metric_words(metric)}: {words}" for words in rate.left_out)
            notes |= dict.fromkeys(f"{metric_words(metric)}: {clip}: {reason}" for clip, reason in rate.refused)
            if metric == main[0]:
                known = dict(rate.clips)
                for clip in found:
                    of_clips.setdefault(clip.clip, []).append(_percent(known.get(clip.clip)))
    count = len({clip for clips in sides.values() for clip in clips})
    return CurveView(
        name=name,
        anchor=anchor,
        summary=_summary(sides, count),
        charts=_charts(curves, styles, main, anchor) if charts and sides else (),
        rows=tuple(rows),
        metrics=tuple(metric_words(metric) for metric in main),
        points=_points(curves, main),
        clips=tuple((clip, tuple(values)) for clip, values in of_clips.items()) if is_corpus else (),
        pairs=tuple(f"{shorten(new)} against {shorten(base)}" for base, new in pairs),
        clip_metric=metric_words(main[0]) if main else "",
        notes=tuple(notes),
        verdicts=tuple(verdicts) if is_corpus else (),
    )


def _charts(
    curves: Mapping[str, Mapping[str, RateCurve]],
    styles: Mapping[str, SubjectStyle],
    main: Sequence[str],
    anchor: str,
) -> tuple[Chart, ...]:
    with chart_style():
        drawn = [rate_chart(curves[m], styles, m, prefix=f"{anchor}-{m}") for m in main[:_MOST_CHARTED]]
        drawn += [
            cost_chart(curves[main[0]], styles, main[0], field=field, prefix=f"{anchor}-{field}")
            for field in ("wall_s", "cpu_s")
            if main
        ]
    return tuple(chart for chart in drawn if chart is not None)


def _pooled_curve(clips: Mapping[str, pd.DataFrame], metric: str) -> RateCurve:
    """The curve of one subject over the clips that have one: of each point that all have, what is typical."""
    every = [curve_of(runs, metric, of_pictures=has_video_bytes(runs)) for runs in clips.values()]
    found = [curve for curve in every if curve.points] or every[:1]
    if len(found) == 1:
        return found[0]
    by_label = [{point.label: point for point in curve.points} for curve in found]
    labels = [label for label in by_label[0] if all(label in points for points in by_label)]
    points = [_mean_point(label, [points[label] for points in by_label]) for label in labels]
    return RateCurve(tuple(sorted(points, key=lambda point: point.rate_bits_per_s)))


def _mean_point(label: str, points: Sequence[RatePoint]) -> RatePoint:
    def typical(values: Sequence[float]) -> float:
        found = np.asarray(values, np.float64)
        return float(np.exp(np.log(found).mean())) if (found > 0).all() else float("nan")

    return RatePoint(
        label=label,
        rate_bits_per_s=typical([point.rate_bits_per_s for point in points]),
        quality=float(np.mean([point.quality for point in points])),
        wall_s=typical([point.wall_s for point in points]),
        cpu_s=typical([point.cpu_s for point in points]),
    )


def _row(base: str, new: str, metric: str, rate: PooledDelta, quality: PooledDelta) -> CurveRow:
    unit, decimals = quality_unit(metric)
    several = len(rate.clips) + len(rate.refused) > 1
    refusal = rate.refused[0][1] if rate.refused and rate.value is None else ""
    worst = f"{rate.clips[0][0]} {_percent(rate.clips[0][1])}" if several and rate.clips else ""
    interval = "" if rate.interval is None else f"[{_percent(rate.interval[0])}, {_percent(rate.interval[1])}]"
    return CurveRow(
        new=new,
        base=base,
        metric=metric_words(metric),
        rate=refusal or _percent(rate.value),
        interval=interval,
        akima=_percent(rate.akima),
        quality=MISSING if quality.value is None else _signed(quality.value, decimals, unit),
        overlap=MISSING if rate.overlap is None else f"{rate.overlap:.0%}",
        worst=worst,
    )


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{value:+.1f}%".replace("-", MINUS)


def _signed(value: float, decimals: int, unit: str) -> str:
    return f"{value:+.{decimals}f} {unit}".strip().replace("-", MINUS)


def _points(curves: Mapping[str, Mapping[str, RateCurve]], main: Sequence[str]) -> tuple[PointRow, ...]:
    rows = []
    for subject in curves[main[0]] if main else ():
        by_metric = {metric: {p.label: p for p in curves[metric][subject].points} for metric in main}
        labels = dict.fromkeys(label for points in by_metric.values() for label in points)
        for label in labels:
            some = next(points[label] for points in by_metric.values() if label in points)
            quality = []
            for metric in main:
                unit, decimals = quality_unit(metric)
                point = by_metric[metric].get(label)
                quality.append(number_words(None if point is None else point.quality, decimals, unit))
            times = [seconds_words(None if np.isnan(value) else value) for value in (some.wall_s, some.cpu_s)]
            rows.append(PointRow(subject, label, bitrate_words(some.rate_bits_per_s), (*quality, *times)))
    return tuple(rows)


def _summary(sides: Mapping[str, Mapping[str, pd.DataFrame]], clips: int) -> str:
    if not sides:
        return "The figures of every clip as one, beside what each clip has of its own."
    points = max((len(set(runs["point.value"])) for clips_ in sides.values() for runs in clips_.values()), default=0)
    over = f" over {clips} clips: geometric means of rate and time, means of quality" if clips > 1 else ""
    return f"{points} points of each subject{over}."
