"""New over base of each metric, on one scale for halves and doubles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from capbench.report.charts.canvas import Canvas, Chart
from capbench.report.charts.labels import label_row, name_margin_px
from capbench.report.charts.ratio_axis import VERDICT_TOKENS, lay_ratio_axis, ratio_limits
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.wording import effect_words, metric_words, shorten
from capbench.results import MetricVerdict

__all__ = ["effect_chart"]

_ROW_PX = 26
_NAME_LIMIT = 15
_LEGEND = (
    "Lines are confidence intervals; the grey band is the margin, within which changes count as the same; grey ticks "
    "mark the minimum detectable slowdown. The scale is logarithmic: half and double are equally far from 1."
)


def effect_chart(verdicts: Sequence[MetricVerdict], styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """Ratios with their intervals against the margin, a group a subject. None where no ratio was estimated."""
    groups: dict[str, list[tuple[MetricVerdict, float]]] = {}
    for verdict in verdicts:
        if verdict.ratio is not None and 0 < verdict.ratio < math.inf:
            groups.setdefault(verdict.new, []).append((verdict, verdict.ratio))
    if not groups:
        return None
    pairs = [pair for group in groups.values() for pair in group]
    low, high = ratio_limits(
        [ratio for _, ratio in pairs], [bound for verdict, _ in pairs for bound in verdict.interval or ()]
    )
    headed = len(groups) > 1
    count = sum(len(group) + headed for group in groups.values())
    canvas = Canvas(height_px=count * _ROW_PX + 52)
    left = name_margin_px((metric_words(verdict.metric) for verdict, _ in pairs), _NAME_LIMIT, least_px=100)
    axes = canvas.axes(left=left, top=6, right=92, bottom=44)
    lay_ratio_axis(axes, low, high, rows=count)
    row = 0
    for subject, group in groups.items():
        style = styles.get(subject)
        if headed:
            colour = LIGHT[style.token if style else "ink"]
            label_row(axes, row, canvas.label(subject, 40), offset_px=8 - left, colour=colour, bold=True)
            row += 1
        for verdict, ratio in group:
            colour = LIGHT[VERDICT_TOKENS.get(verdict.verdict, "quiet")]
            if verdict.margin is not None:
                axes.barh(row, 2 * verdict.margin, left=1 - verdict.margin, height=0.8, color=LIGHT["band"], zorder=0.5)
            if verdict.interval is not None:
                ends = [min(max(bound, low), high) for bound in verdict.interval]
                axes.plot(ends, [row, row], color=colour, linewidth=3, solid_capstyle="butt")
            if verdict.detectable_ratio is not None and verdict.detectable_ratio < high:
                axes.plot([verdict.detectable_ratio] * 2, [row - 0.3, row + 0.3], color=LIGHT["axis"], linewidth=1.4)
            marker = style.marker if style else "o"
            axes.plot([ratio], [row], marker=marker, markersize=7, color=colour, markeredgecolor=LIGHT["page"])
            name = canvas.label(metric_words(verdict.metric), _NAME_LIMIT)
            label_row(axes, row, name, offset_px=-8, colour=LIGHT["quiet" if headed else "ink"])
            label_row(axes, row, effect_words(verdict), offset_px=8, colour=colour)
            row += 1
    said = "; ".join(
        f"{shorten(group[0][0].new)} against {shorten(group[0][0].base)}: "
        f"{metric_words(group[0][0].metric)} {effect_words(group[0][0])}"
        for group in groups.values()
    )
    reading = f"{said}. {_LEGEND}"
    return Chart("Effect against the margin", canvas.to_svg(prefix, f"Effect against the margin. {reading}"), reading)
