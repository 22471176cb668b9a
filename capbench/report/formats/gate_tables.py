"""What the gate found, as tables for a terminal: a comparison, a calibration, a history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from capbench.gate.calibration import Calibration, Rate
from capbench.gate.history.series import Trend
from capbench.gate.judged_metrics import describe_metric
from capbench.gate.verdicts.phrases import bounds, change, signed_difference
from capbench.report.formats.grouping import ShownRow, condensed
from capbench.report.formats.terminal_table import add_row, open_table, text_cell
from capbench.report.rung_rows import rung_row
from capbench.results import Comparison
from capbench.results.comparison import LadderCosts

__all__ = ["calibration_table", "comparison_tables", "history_table", "ladder_table"]

_FIGURE_COLUMNS = 16
"""So that `frame count` and `peak memory` do not wrap."""
_STYLES = {"better": "green", "worse": "bold red", "invalid": "bold red", "undecided": "yellow"}
_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 40


def comparison_tables(comparison: Comparison, *, is_narrow: bool) -> Iterator[Table]:
    """One table for each case and pair of subjects, titled with both: several pairs have the same figures.

    A narrow one omits the minimum detectable slowdown.
    """
    groups: dict[tuple[str, str, str], list[ShownRow]] = {}
    for shown in condensed(comparison.verdicts):
        groups.setdefault((shown.row.case, shown.row.new, shown.row.base), []).append(shown)
    for (case, new, base), rows in groups.items():
        yield _comparison_table(f"{case}: {new} against {base}", rows, is_narrow=is_narrow)


def _comparison_table(title: str, rows: Iterable[ShownRow], *, is_narrow: bool) -> Table:
    table = open_table(title=title)
    table.add_column("figure", min_width=_FIGURE_COLUMNS)
    for name in ("base", "new", "change", "interval", *(() if is_narrow else ("detectable",))):
        table.add_column(name, justify="right")
    table.add_column("verdict", no_wrap=True)
    for shown in rows:
        cells = _cells(shown)
        word = shown.row.label
        add_row(table, [*(cells[:-1] if is_narrow else cells), Text(word, _STYLES.get(word, ""))])
    return table


def _cells(shown: ShownRow) -> tuple[str, ...]:
    """All columns but the verdict."""
    row, metric = shown.row, describe_metric(shown.row.metric)
    is_interval = row.interval is not None and row.interval[0] != row.interval[1] and row.ratio is not None
    return (
        shown.words,
        "" if row.base_median is None else metric.format(row.base_median),
        "" if row.new_median is None else metric.format(row.new_median),
        change(row.ratio) if row.ratio is not None else signed_difference(metric, row.difference),
        bounds(*row.interval) if is_interval and row.interval is not None else "",
        "" if row.detectable_ratio is None else f"{(row.detectable_ratio - 1) * 100:+.1f}%",
    )


def ladder_table(ladder: LadderCosts, *, is_narrow: bool) -> Table:
    """What each rung costs over the one below, for each subject; a narrow one omits the intervals."""
    table = open_table(title=f"ladder {ladder.ladder}: each rung over the one below")
    for name in ("rung", "subject"):
        table.add_column(name)
    names = ("time", "cost", "interval", "seconds", "interval", "times the floor", "interval")
    kept = [place for place, name in enumerate(names) if name != "interval" or not is_narrow]
    for place in kept:
        table.add_column(names[place], justify="right")
    table.add_column("note")
    for cost in ladder.costs:
        row = rung_row(cost, ladder)
        figures = (
            row.time,
            row.added,
            row.interval,
            row.seconds,
            row.seconds_interval,
            row.floor,
            row.floor_interval,
        )
        add_row(table, [row.rung, row.subject, *(figures[place] for place in kept), row.note])
    return table


def calibration_table(found: Calibration) -> Table:
    """One row for each figure of each case: noise, false alarms, and how often each injected slowdown was detected."""
    effects = list(found.metrics[0].detections)
    drawn = f"{found.blocks_each} blocks per comparison, drawn from {found.blocks_recorded}"
    table = open_table(title=f"{found.subject} with itself: {drawn}")
    for column in ("case", "figure", "noise per block", "noise floor", "margin", "false alarms"):
        table.add_column(column)
    for effect in effects:
        table.add_column(f"detects +{float(effect):.0%}")
    for row in found.metrics:
        floor = text_cell(f"{row.noise_floor:.2%}", "yellow" if row.noise_floor > row.margin else "")
        seen = (_rate(row.detections[effect]) if row.metric.endswith("_s") else "" for effect in effects)
        figure = (describe_metric(row.metric).words, f"{row.noise_per_block:.2%}", floor, f"{row.margin:.0%}")
        add_row(table, [row.case, *figure, _rate(row.false_alarms), *seen])
    return table


def _rate(rate: Rate) -> str:
    return f"{rate.count} of {rate.of}\n{rate.low:.1%} to {rate.high:.1%}"


def history_table(trends: Sequence[Trend]) -> Table:
    """One row a series: its latest value, its course as bars, and its steps."""
    table = open_table()
    for name in ("case", "subject", "figure", "machine", "runs", "latest", "course", "steps"):
        table.add_column(name)
    for trend in trends:
        metric = describe_metric(trend.metric)
        steps = [
            f"{metric.format(step.before)} to {metric.format(step.after)} at {step.revision or step.taken_at}"
            for step in trend.steps
        ]
        cells = (trend.case, trend.subject, metric.words, trend.machine[:12], str(len(trend.medians)))
        add_row(table, [*cells, metric.format(trend.medians[-1]), _course(trend.medians), "; ".join(steps)])
    return table


def _course(values: Sequence[float]) -> str:
    """The latest values as a row of bars."""
    latest = values[-_MOST_BARS:]
    low, high = min(latest), max(latest)
    if not high > low:
        return _BARS[0] * len(latest)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in latest)
