"""One ratio on every machine and over all of them: a forest plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from capbench.report.charts.canvas import Canvas, Chart
from capbench.report.charts.labels import label_row, name_margin_px
from capbench.report.charts.ratio_axis import VERDICT_TOKENS, lay_ratio_axis, ratio_limits
from capbench.report.palette import LIGHT
from capbench.report.wording import change_words, shorten
from capbench.results.comparison import Verdict
from capbench.results.visible_text import plain_line

__all__ = ["ForestLine", "ForestMean", "forest_chart"]

_ROW_PX = 22
_NAME_LIMIT = 16
_MOST_LINES = 60
"""More would be a chart of several screens: the lowest and the highest are drawn, and all stand in the table."""
_LARGEST_MARK_PX, _SMALLEST_MARK_PX = 8.0, 3.5


@dataclass(frozen=True, slots=True)
class ForestLine:
    """One machine, or whatever else a line is about."""

    name: str
    """Its name."""
    ratio: float
    """New over base, above 0."""
    interval: tuple[float, float] | None
    """Bounds of the ratio."""
    weight: float | None
    """Share in the mean, 0 to 1; decides the size of the mark."""
    verdict: Verdict
    """Decides the colour."""


@dataclass(frozen=True, slots=True)
class ForestMean:
    """What stands below the lines."""

    name: str
    """Such as `mean of 12`."""
    ratio: float
    """Pooled ratio."""
    interval: tuple[float, float]
    """Bounds of the mean: the width of the diamond."""
    prediction: tuple[float, float] | None
    """Bounds of one more machine: the line through the diamond."""


def forest_chart(
    lines: Sequence[ForestLine],
    mean: ForestMean | None,
    *,
    title: str,
    words: str,
    prefix: str,
    margin: float | None = None,
    axis: str = "new over base, 1 = no change",
    figure: Callable[[float], str] = change_words,
) -> Chart | None:
    """Lines by rising ratio with their intervals, and the mean below. None where no line has a ratio.

    `words` is the sentence that the chart shows, `margin` the relative change that counts as the same, `axis` says what
    the ratios are of, and `figure` writes one beside its line.
    """
    ordered = sorted((line for line in lines if 0 < line.ratio < math.inf), key=lambda line: line.ratio)
    if not ordered:
        return None
    left_out = max(len(ordered) - _MOST_LINES, 0)
    shown = [*ordered[: _MOST_LINES // 2], *ordered[-(_MOST_LINES // 2) :]] if left_out else ordered
    means = [] if mean is None else [mean]
    low, high = ratio_limits(
        [*(line.ratio for line in shown), *(each.ratio for each in means)],
        [
            *(bound for line in shown for bound in line.interval or ()),
            *(bound for each in means for bound in (*each.interval, *(each.prediction or ()))),
        ],
    )
    rows = len(shown) + 1.4 * len(means)
    canvas = Canvas(height_px=rows * _ROW_PX + 56)
    names = [*(line.name for line in shown), *(each.name for each in means)]
    left = name_margin_px(names, _NAME_LIMIT, least_px=112, bold=mean is not None)
    axes = canvas.axes(left=left, top=6, right=92, bottom=44)
    lay_ratio_axis(axes, low, high, rows=1, label=axis)
    axes.set_ylim(rows - 0.5, -0.5)
    if margin:
        axes.axvspan(1 - margin, 1 + margin, color=LIGHT["band"], zorder=0.4, linewidth=0)
    heaviest = max((line.weight or 0.0 for line in shown), default=0.0)
    for row, line in enumerate(shown):
        _draw_line(canvas, axes, row, line, heaviest)
        label_row(axes, row, figure(line.ratio), offset_px=8, colour=_colour(line))
    if mean is not None:
        _draw_mean(canvas, axes, len(shown) + 0.4, mean)
        label_row(axes, len(shown) + 0.4, figure(mean.ratio), offset_px=8, bold=True)
    # The alternative text is an attribute of the SVG, which no template escapes: tags and platforms are others' words.
    title, words = plain_line(title), plain_line(words)
    reading = f"{words}. {_legend(mean, has_weights=heaviest > 0)}"
    if left_out:
        reading += f" {left_out} machines between the lowest and the highest are in the table only."
    return Chart(title, canvas.to_svg(prefix, f"{title}. {reading}"), reading)


def _draw_line(canvas: Canvas, axes: Axes, row: float, line: ForestLine, heaviest: float) -> None:
    colour = _colour(line)
    if line.interval is not None:
        axes.plot(_within(line.interval, axes), [row, row], color=colour, linewidth=2, solid_capstyle="butt")
    # The area of the mark is the weight, as in every forest plot.
    share = 1.0 if line.weight is None or heaviest == 0 else line.weight / heaviest
    size_px = max(_LARGEST_MARK_PX * share**0.5, _SMALLEST_MARK_PX)
    axes.plot([line.ratio], [row], marker="s", markersize=size_px, color=colour, markeredgecolor=LIGHT["page"])
    label_row(axes, row, canvas.label(line.name, _NAME_LIMIT), offset_px=-8)


def _colour(line: ForestLine) -> str:
    return LIGHT[VERDICT_TOKENS.get(line.verdict, "quiet")]


def _draw_mean(canvas: Canvas, axes: Axes, row: float, mean: ForestMean) -> None:
    ink = LIGHT["ink"]
    axes.axvline(mean.ratio, color=LIGHT["axis"], linewidth=1, linestyle=(0, (3, 3)), zorder=0.6)
    if mean.prediction is not None:
        ends = _within(mean.prediction, axes)
        axes.plot(ends, [row, row], color=LIGHT["quiet"], linewidth=1.5)
        for end, true in zip(ends, mean.prediction, strict=True):
            if end == true:
                axes.plot([end, end], [row - 0.22, row + 0.22], color=LIGHT["quiet"], linewidth=1.5)
    left, right = _within(mean.interval, axes)
    corners = [(left, row), (mean.ratio, row - 0.34), (right, row), (mean.ratio, row + 0.34)]
    axes.add_patch(Polygon(corners, closed=True, facecolor=ink, edgecolor=ink, linewidth=0.8))
    label_row(axes, row, canvas.label(mean.name, _NAME_LIMIT), offset_px=-8, bold=True)


def _within(bounds: tuple[float, float], axes: Axes) -> tuple[float, float]:
    left, right = axes.get_xlim()
    return max(bounds[0], left), min(bounds[1], right)


def _legend(mean: ForestMean | None, *, has_weights: bool) -> str:
    weights = ", and the area of a square is its weight" if has_weights else ""
    lines = f"Lines are intervals of each machine{weights}"
    if mean is None:
        return f"{lines}."
    further = "" if mean.prediction is None else "; the line through it is where one more such machine would be"
    return f"{lines}; the diamond is {shorten(mean.name)} with its interval{further}."
