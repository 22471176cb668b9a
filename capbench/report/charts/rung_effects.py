"""Charts of a ladder: how many times the floor each rung takes, and what each adds to the one below."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.ticker import FixedLocator

from capbench.report.charts.canvas import Canvas, Chart
from capbench.report.charts.labels import LONGEST_END, label_ends, label_row, name_margin_px, unit_above
from capbench.report.charts.ratio_axis import lay_ratio_axis, ratio_limits
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.rung_rows import rung_words
from capbench.report.wording import change_words, shorten, times_words
from capbench.results.comparison import LadderCosts

__all__ = ["rung_effect_chart", "rung_floor_chart"]

_ROW_PX = 24
_FLOOR_HEIGHT_PX = 280
_LONGEST_RUNG = 14
_NAME_LIMIT = 14
_OFFSET = 0.07
"""Between the markers of two subjects on one rung, in steps from rung to rung, so that no interval hides another."""


def rung_floor_chart(ladder: LadderCosts, styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """Export time over the floor's, rung by rung, a line a subject; None where no floor was measured."""
    known = {
        subject: [
            (place, cost)
            for place, rung in enumerate(ladder.rungs)
            if (cost := ladder.of(rung, subject)) is not None and cost.times_floor is not None
        ]
        for subject in ladder.subjects
    }
    shown = {subject: points for subject, points in known.items() if points and subject in styles}
    if not shown:
        return None
    canvas = Canvas(height_px=_FLOOR_HEIGHT_PX)
    right = name_margin_px(shown, LONGEST_END, least_px=92, bold=True)
    axes = canvas.axes(left=44, top=26, right=right, bottom=40)
    axes.set_xlim(-0.4, len(ladder.rungs) - 0.6)
    ends: dict[str, float] = {}
    for number, (subject, points) in enumerate(shown.items()):
        style, shift = styles[subject], (number - (len(shown) - 1) / 2) * _OFFSET
        colour = LIGHT[style.token]
        places = [place + shift for place, _ in points]
        heights = [cost.times_floor or 0.0 for _, cost in points]
        axes.plot(places, heights, color=colour, linewidth=1.2, alpha=1)
        for place, (_, cost) in zip(places, points, strict=True):
            if cost.floor_interval is not None:
                axes.plot([place, place], cost.floor_interval, color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot(
            places,
            heights,
            linestyle="none",
            marker=style.marker,
            markersize=7,
            markerfacecolor=colour,
            markeredgecolor=LIGHT["page"],
        )
        ends[subject] = heights[-1]
    axes.axhline(1, color=LIGHT["axis"], linewidth=1)
    factors = [cost.times_floor or 1.0 for points in shown.values() for _, cost in points]
    bounds = [bound for cost in ladder.costs for bound in cost.floor_interval or ()]
    # Intervals up to half as far again; what is wider is cut at the edge.
    axes.set_ylim(min(0.9, *factors), max(*factors, min(max([*bounds, 0.0]), max(factors) * 1.5)) * 1.1)
    axes.xaxis.set_major_locator(FixedLocator(list(range(len(ladder.rungs)))))
    axes.set_xticklabels([canvas.label(rung_words(rung, ladder.rungs), _LONGEST_RUNG) for rung in ladder.rungs])
    axes.grid(visible=False, axis="x")
    unit_above(axes, "times the floor of the rung")
    label_ends(canvas, axes, ends, styles)
    said = "; ".join(
        f"{shorten(subject)} {times_words(points[0][1].times_floor)} to {times_words(points[-1][1].times_floor)}"
        for subject, points in shown.items()
    )
    reading = (
        f"{said}. The floor decodes and encodes the same recording with nothing between; thick lines are confidence "
        "intervals. Subjects compare on one rung, not across rungs."
    )
    title = "Export time over the floor, rung by rung"
    return Chart(title, canvas.to_svg(prefix, f"{title}. {reading}"), reading)


def rung_effect_chart(ladder: LadderCosts, styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """What each rung adds to the export time of the one below, a group a rung; None where no rung has one below."""
    groups = {
        rung: found
        for rung in ladder.rungs
        if (
            found := [
                (cost, cost.ratio)
                for subject in ladder.subjects
                if (cost := ladder.of(rung, subject)) is not None and cost.ratio is not None
            ]
        )
    }
    if not groups:
        return None
    every = [pair for group in groups.values() for pair in group]
    low, high = ratio_limits(
        [ratio for _, ratio in every],
        [bound for cost, _ in every for bound in cost.interval or ()],
        least=(0.95, 1.1),
    )
    count = sum(len(group) + 1 for group in groups.values())
    canvas = Canvas(height_px=count * _ROW_PX + 52)
    left = name_margin_px((cost.subject for cost, _ in every), _NAME_LIMIT, least_px=100)
    axes = canvas.axes(left=left, top=6, right=92, bottom=44)
    label = "export time over that on the rung below"
    lay_ratio_axis(axes, low, high, rows=count, label=label, most_ticks=5, words=_tick_words)
    row = 0
    for rung, group in groups.items():
        label_row(axes, row, canvas.label(rung_words(rung, ladder.rungs), 30), offset_px=8 - left, bold=True)
        row += 1
        for cost, ratio in group:
            style = styles.get(cost.subject)
            colour = LIGHT[style.token if style else "ink"]
            if cost.interval is not None:
                ends = [min(max(bound, low), high) for bound in cost.interval]
                axes.plot(ends, [row, row], color=colour, linewidth=3, solid_capstyle="butt")
            axes.plot(
                [ratio],
                [row],
                marker=style.marker if style else "o",
                markersize=7,
                color=colour,
                markeredgecolor=LIGHT["page"],
            )
            label_row(axes, row, canvas.label(cost.subject, _NAME_LIMIT), offset_px=-8, colour=colour)
            words = change_words(ratio) if cost.is_seen else f"{change_words(ratio)}?"
            label_row(axes, row, words, offset_px=8, colour=LIGHT["ink" if cost.is_seen else "quiet"])
            row += 1
    said = "; ".join(
        f"{shorten(rung_words(rung, ladder.rungs))}: "
        + ", ".join(f"{shorten(cost.subject)} {change_words(ratio)}" for cost, ratio in group)
        for rung, group in groups.items()
    )
    reading = (
        f"{said}. Each subject beside itself on the rung below, paired by block; lines are confidence intervals, and a "
        "question mark says that the cost may be chance."
    )
    title = "What each rung adds"
    return Chart(title, canvas.to_svg(prefix, f"{title}. {reading}"), reading)


def _tick_words(ratio: float) -> str:
    return f"{ratio - 1:+.0%}" if ratio < 2 else f"{ratio:g} times"
