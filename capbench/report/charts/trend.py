"""One quantity of each subject over several result folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from capbench.report.aggregate import Spread
from capbench.report.charts.canvas import Canvas, Chart
from capbench.report.charts.labels import LONGEST_END, label_ends, name_margin_px, unit_above
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.wording import shorten

__all__ = ["TrendPoint", "trend_chart"]

_LABELS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One subject in one folder."""

    place: int
    """Position of the folder, oldest first."""
    label: str
    """Name of the folder or its revision."""
    machine: str
    """Fingerprint; lines join points of one machine only."""
    spread: Spread
    """Median and range over runs."""


def trend_chart(
    lines: Mapping[str, Sequence[TrendPoint]],
    styles: Mapping[str, SubjectStyle],
    labels: Sequence[str],
    *,
    title: str,
    unit: str,
    words: Callable[[float | None], str],
    prefix: str,
    steps: Mapping[str, Sequence[int]] | None = None,
    from_zero: bool = True,
) -> Chart | None:
    """Medians with their range over the folders; `steps` marks places of a subject's step changes.

    The axis begins at 0, or where the figures do without `from_zero`. None where nothing was measured.
    """
    shown = {subject: points for subject, points in lines.items() if points}
    if not shown:
        return None
    canvas = Canvas(height_px=246)
    right = name_margin_px(shown, LONGEST_END, least_px=92, bold=True)
    axes = canvas.axes(left=46, top=24, right=right, bottom=62)
    ends, sentences = {}, []
    for subject, points in shown.items():
        style = styles[subject]
        colour = LIGHT[style.token]
        for _, group in groupby(points, key=lambda point: point.machine):
            members = list(group)
            axes.plot([p.place for p in members], [p.spread.median for p in members], color=colour, linewidth=1.6)
        for point in points:
            axes.plot([point.place] * 2, [point.spread.low, point.spread.high], color=colour, linewidth=1, alpha=0.6)
        axes.plot(
            [point.place for point in points],
            [point.spread.median for point in points],
            linestyle="none",
            marker=style.marker,
            markersize=6,
            markerfacecolor=colour,
            markeredgecolor=LIGHT["page"],
        )
        for place in (steps or {}).get(subject, ()):
            axes.axvline(place - 0.5, color=colour, linewidth=1.4, linestyle=(0, (4, 3)))
        ends[subject] = points[-1].spread.median
        first, last = points[0].spread.median, points[-1].spread.median
        sentences.append(f"{shorten(subject)} {words(first)} to {words(last)}")
    machines = {point.place: point.machine for points in shown.values() for point in points}
    for place in sorted(machines)[1:]:
        if place - 1 in machines and machines[place] != machines[place - 1]:
            axes.axvline(place - 0.5, color=LIGHT["axis"], linewidth=1)
    axes.set_xlim(-0.4, len(labels) - 0.6)
    if from_zero:
        axes.set_ylim(bottom=0)
    every = max(-(-len(labels) // _LABELS_SHOWN), 1)
    places = list(range(0, len(labels), every))
    axes.set_xticks(
        places, [canvas.label(labels[place], 11) for place in places], rotation=28, ha="right", rotation_mode="anchor"
    )
    unit_above(axes, unit)
    label_ends(canvas, axes, ends, styles)
    legend = "Marks are medians and bars their range; a grey line marks a change of machine, a dashed line a step."
    reading = f"{'; '.join(sentences)}. {legend}"
    return Chart(title, canvas.to_svg(prefix, f"{title}. {reading}"), reading)
