"""A ladder arranged for the page: its charts and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capbench.report.charts.canvas import Chart, chart_style
from capbench.report.charts.rung_effects import rung_effect_chart, rung_floor_chart
from capbench.report.palette import SubjectStyle
from capbench.report.rung_rows import RungRow, rung_row
from capbench.results.comparison import LadderCosts

__all__ = ["LadderView", "arrange_ladders"]


@dataclass(frozen=True, slots=True)
class LadderView:
    """One ladder's section."""

    anchor: str
    """Identifier of the section."""
    name: str
    """Name of the ladder."""
    summary: str
    """What is compared with what."""
    charts: tuple[Chart, ...]
    """Times over the floor, and what each rung adds."""
    rows: tuple[RungRow, ...]
    """For each rung each subject."""


def arrange_ladders(
    ladders: Sequence[LadderCosts], styles: Mapping[str, SubjectStyle], *, charts: bool
) -> tuple[LadderView, ...]:
    """One section a ladder; without `charts` the tables alone."""
    views = []
    for number, ladder in enumerate(ladders, start=1):
        anchor = f"ladder-{number}"
        drawn: tuple[Chart | None, ...] = ()
        if charts:
            with chart_style():
                drawn = (
                    rung_floor_chart(ladder, styles, prefix=f"{anchor}-floor"),
                    rung_effect_chart(ladder, styles, prefix=f"{anchor}-effect"),
                )
        views.append(
            LadderView(
                anchor,
                ladder.ladder,
                _summary(ladder),
                tuple(chart for chart in drawn if chart is not None),
                tuple(rung_row(cost, ladder) for cost in ladder.costs),
            )
        )
    return tuple(views)


def _summary(ladder: LadderCosts) -> str:
    blocks = max((cost.blocks for cost in ladder.costs), default=0)
    levels = {cost.confidence for cost in ladder.costs if cost.interval is not None}
    intervals = f"; intervals are at {max(levels):.0%}" if levels else ""
    return (
        f"{len(ladder.rungs)} rungs, each with one more stage than the one below. A cost is each subject beside itself "
        f"on the rung below, from {blocks} pair{'' if blocks == 1 else 's'} by block at most{intervals}. Subjects "
        "compare on one rung, never across rungs. Times the floor are by pairs, too, and may differ from those of the "
        "overview, which are of medians."
    )
