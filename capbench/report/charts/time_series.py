"""Charts over time: CPU and memory while a run lasts, quality from the first frame to the last."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from capbench.report.charts.canvas import Canvas, Chart, is_drawable
from capbench.report.charts.labels import LONGEST_END, label_ends, name_margin_px, unit_above
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.report_folder import RunFile
from capbench.report.wording import bytes_words, number_words, shorten
from capbench.results import ValidationReport
from capbench.results.metric_registry import QualityMetric, known_metrics

__all__ = ["quality_charts", "thin_by_extreme", "trace_charts"]

_POINTS = 240
"""Points a line: two a pixel is more than a screen shows; the rest would only make the file larger."""
_SPARSE = 0.5
"""Share of the frames that were measured, below which no line joins them: it would show what nobody measured."""
_FEW_SAMPLES = 40
"""Samples of a run up to which each has its dot: a line through a handful of them looks like a measured ramp."""
_FEWEST_SAMPLES = 3
"""A run of a fraction of a second is over after one or two samples, which are no course of time."""


def thin_by_extreme(
    values: NDArray[np.float64], points: int, *, keep_low: bool
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Positions and values of the lowest (or highest) value of each of `points` equal bins.

    A peak of memory or a bad frame is what the chart is for: it must survive thinning, an average would hide it.
    Values that are not a number are skipped.
    """
    known = np.flatnonzero(np.isfinite(values))
    if len(known) <= points:
        return known, values[known]
    pick = np.argmin if keep_low else np.argmax
    kept = np.array([bin_[pick(values[bin_])] for bin_ in np.array_split(known, points)])
    return kept, values[kept]


def trace_charts(
    typical: Mapping[str, RunFile], styles: Mapping[str, SubjectStyle], *, prefix: str
) -> tuple[Chart, ...]:
    """CPU and memory over time of one typical run of each subject; empty where none was sampled often enough."""
    shown = {subject: file for subject, file in typical.items() if len(file.run.trace or ()) >= _FEWEST_SAMPLES}
    if not shown:
        return ()
    cpu = {
        subject: ([sample.time_s for sample in file.run.trace], [sample.cpu_percent for sample in file.run.trace])
        for subject, file in shown.items()
    }
    memory = {
        subject: ([sample.time_s for sample in file.run.trace], [sample.rss_bytes / 1e6 for sample in file.run.trace])
        for subject, file in shown.items()
    }
    peaks = {subject: max(sample.rss_bytes for sample in file.run.trace) for subject, file in shown.items()}
    busy = {subject: float(np.mean(percent)) for subject, (_, percent) in cpu.items()}
    blocks = ", ".join(f"{shorten(subject)} block {file.run.block}" for subject, file in shown.items())
    which = f"The run of each subject that is nearest its median ({blocks})"
    means = ", ".join(f"{shorten(subject)} {percent:.0f}%" for subject, percent in busy.items())
    largest = ", ".join(f"{shorten(subject)} {bytes_words(peak)}" for subject, peak in peaks.items())
    cpu_reading = f"{which}; mean {means} (100% is one core busy)."
    memory_reading = f"{which}; largest sample {largest}."
    return (
        # A sample of CPU time is the mean since the sample before it.
        _over_time(
            "CPU over time", "% of one core", cpu, styles, reading=cpu_reading, prefix=f"{prefix}-cpu", is_mean=True
        ),
        _over_time(
            "Memory over time", "MB resident", memory, styles, reading=memory_reading, prefix=f"{prefix}-memory"
        ),
    )


def _over_time(
    title: str,
    unit: str,
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    styles: Mapping[str, SubjectStyle],
    *,
    reading: str,
    prefix: str,
    is_mean: bool = False,
) -> Chart:
    """Lines over the time of a run; `is_mean` where a value holds for the time since the one before."""
    canvas = Canvas(height_px=224)
    right = name_margin_px(lines, LONGEST_END, least_px=92, bold=True)
    axes = canvas.axes(left=46, top=22, right=right, bottom=40)
    ends = {}
    for subject, (times, values) in lines.items():
        kept, thinned = thin_by_extreme(np.asarray(values, np.float64), _POINTS, keep_low=False)
        at = np.asarray(times, np.float64)[kept]
        axes.plot(
            at,
            thinned,
            color=LIGHT[styles[subject].token],
            linewidth=1.5,
            drawstyle="steps-pre" if is_mean else "default",
            marker="." if len(at) <= _FEW_SAMPLES else "",
            markersize=5,
        )
        if len(thinned):
            ends[subject] = float(np.median(thinned[-max(len(thinned) // 20, 1) :]))
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds since the start")
    unit_above(axes, unit)
    label_ends(canvas, axes, ends, styles)
    return Chart(title, canvas.to_svg(prefix, f"{title}. {reading}"), reading)


def quality_charts(
    worst_runs: Mapping[str, RunFile], styles: Mapping[str, SubjectStyle], *, prefix: str
) -> tuple[Chart, ...]:
    """The main metrics, of luma where planes have their own, over frames; empty where no series was kept."""
    metrics = (metric for metric in known_metrics() if metric.is_main)
    charts = (_quality_chart(metric, worst_runs, styles, prefix=f"{prefix}-{metric.main_column}") for metric in metrics)
    return tuple(chart for chart in charts if chart is not None)


def _quality_chart(
    metric: QualityMetric, worst_runs: Mapping[str, RunFile], styles: Mapping[str, SubjectStyle], *, prefix: str
) -> Chart | None:
    column = metric.main_column
    reports = {subject: file.run.validation for subject, file in worst_runs.items()}
    shown = {
        subject: report for subject, report in reports.items() if report and np.isfinite(_drawn(report, column)).any()
    }
    if not shown:
        return None
    canvas = Canvas(height_px=192)
    right = name_margin_px(shown, LONGEST_END, least_px=92, bold=True)
    axes = canvas.axes(left=52, top=24, right=right, bottom=40)
    ends, sentences, are_few = {}, [], False
    unit, decimals = metric.unit, metric.decimals
    for subject, report in shown.items():
        values = _drawn(report, column)
        kept, thinned = thin_by_extreme(values, _POINTS, keep_low=metric.higher_is_better)
        style = styles[subject]
        if np.isfinite(values).mean() >= _SPARSE:
            axes.plot(kept, thinned, color=LIGHT[style.token], linewidth=1.2)
        else:
            are_few = True
            axes.plot(kept, thinned, color=LIGHT[style.token], linestyle="none", marker=style.marker, markersize=4.5)
        worst_at = int(kept[thinned.argmin() if metric.higher_is_better else thinned.argmax()])
        saved = {worst.frame for worst in report.worst_frames if worst.frame < len(values)}
        marked = sorted(frame for frame in saved | {worst_at} if np.isfinite(values[frame]))
        axes.plot(
            marked,
            values[marked],
            linestyle="none",
            marker=style.marker,
            markersize=7,
            markerfacecolor=LIGHT["page"],
            markeredgecolor=LIGHT[style.token],
            markeredgewidth=1.6,
            zorder=4,
        )
        ends[subject] = float(np.median(thinned[-max(len(thinned) // 10, 1) :]))
        sentences.append(f"{shorten(subject)} {number_words(values[worst_at], decimals, unit)} at frame {worst_at}")
    axes.margins(y=0.14)
    axes.locator_params(axis="y", nbins=4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlabel("frame")
    unit_above(axes, unit or _scale_words(metric))
    label_ends(canvas, axes, ends, styles)
    title = f"{metric.column_label(column)} over time"
    end = "Lowest" if metric.higher_is_better else "Highest"
    reading = f"{end}: {', '.join(sentences)}. Hollow marks are the worst frames of the run with the lowest quality."
    reading += " Only frames with a mark were measured." if are_few else ""
    return Chart(title, canvas.to_svg(prefix, f"{title}. {reading}"), reading)


def _scale_words(metric: QualityMetric) -> str:
    """What a number without a unit is read by."""
    if math.isfinite(metric.best):
        return f"{metric.best:g} is best"
    return f"{metric.direction} is better"


def _drawn(report: ValidationReport, metric: str) -> NDArray[np.float64]:
    """Values of a metric, no number where none was measured or no axis can hold it."""
    values = report.series.get(metric, ())
    return np.array([value if value is not None and is_drawable(value) else np.nan for value in values], np.float64)
