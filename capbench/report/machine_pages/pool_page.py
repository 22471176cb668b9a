"""The page of a pool: subjects over the machines of many bundles, as times the floor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from capbench.gate.statistics.nested_effects import LARGE_HETEROGENEITY, NEGLIGIBLE_SPREAD
from capbench.gate.verdicts.phrases import share_words
from capbench.report.charts.canvas import Chart, chart_style
from capbench.report.charts.forest import ForestLine, ForestMean, forest_chart
from capbench.report.page.render_page import render_page
from capbench.report.page.write_page import write_page
from capbench.report.wording import MISSING, shorten, times_words
from capbench.results.bundle.machine_pool import STANDS_OUT, MachinePool, PooledSubject
from capbench.results.comparison import Verdict

__all__ = ["PoolRow", "arrange_pool", "range_words", "write_pool_page"]

_MOST_CHARTS = 60
"""Rows with a chart of their own; further ones are read in the tables."""


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One subject of one case."""

    row: PooledSubject
    """Its figures."""
    across: tuple[str, float | None]
    """The number for all platforms, in words and for sorting."""
    interval: str
    """Of that number, or why there is none."""
    heterogeneity: str
    """Between platforms."""
    spread: str
    """Between machines of a platform."""
    chart: Chart | None
    """Its machines."""


def range_words(interval: tuple[float, float] | None) -> str:
    """`1.18 to 1.21`, or a dash."""
    return MISSING if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"


def write_pool_page(pool: MachinePool, output: Path) -> Path:
    """Write the page, which needs nothing beside it; returns `output`. Raises `OutputError`."""
    values = {
        "pool": pool,
        "rows": arrange_pool(pool),
        "range": range_words,
        "sentence": _sentence(pool),
        "limits": {
            "stands_out": STANDS_OUT,
            "heterogeneity": LARGE_HETEROGENEITY,
            "spread": math.expm1(NEGLIGIBLE_SPREAD),
        },
    }
    return write_page(render_page("pool.html.j2", values), output)


def arrange_pool(pool: MachinePool) -> tuple[PoolRow, ...]:
    """Rows in the order of the pool."""
    return tuple(_rows(pool))


def _sentence(pool: MachinePool) -> str:
    platforms = {machine.platform for machine in pool.machines}
    counts = ((len({row.subject for row in pool.subjects}), "subject"), (len(pool.machines), "machine"))
    said = " on ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)
    return f"{said} of {len(platforms)} platform{'' if len(platforms) == 1 else 's'}, as times the floor"


def _rows(pool: MachinePool) -> Iterator[PoolRow]:
    for number, row in enumerate(pool.subjects, start=1):
        yield PoolRow(
            row=row,
            across=(MISSING, None) if row.ratio is None else (f"{row.ratio:.3g}", row.ratio),
            interval=row.why_no_ratio or range_words(row.interval),
            heterogeneity=share_words(row.i_squared) if len(row.platforms) > 1 else MISSING,
            spread=f"{row.tau:.1%}",
            chart=_chart(row, f"p{number}") if number <= _MOST_CHARTS else None,
        )


def _chart(row: PooledSubject, prefix: str) -> Chart | None:
    lines = [ForestLine(each.machine, each.ratio, each.interval, None, Verdict.SAME) for each in row.residuals]
    mean = None
    if row.ratio is not None and row.interval is not None:
        mean = ForestMean(f"all {len(lines)}", row.ratio, row.interval, None)
    words = "; ".join(
        f"{each.platform}: {each.ratio:.3g} times the floor ({range_words(each.interval)})" for each in row.platforms
    )
    with chart_style():
        return forest_chart(
            lines,
            mean,
            title=f"{shorten(row.subject, 30)} at {shorten(row.case, 30)}",
            words=words,
            axis="times the floor",
            figure=times_words,
            prefix=prefix,
        )
