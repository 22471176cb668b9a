"""What the gate found over several machines, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from capbench.gate.judged_metrics import describe_metric
from capbench.gate.verdicts.phrases import bounds, change, share_words
from capbench.report.formats.terminal_table import add_row, open_table
from capbench.results import Comparison, MetricVerdict, Verdict
from capbench.results.comparison import PooledVerdict

__all__ = ["machine_tables"]

_STYLES = {"better": "green", "worse": "bold red", "invalid": "bold red", "undecided": "yellow"}
_MOST_MACHINES = 40
"""Rows of the table of machines: those that are not fine come first, and the JSON has all."""


def machine_tables(comparison: Comparison, *, is_narrow: bool) -> Iterator[Table]:
    """A table of the figures over machines for each case and pair, and one of the machines.

    Figures that are the same on every machine and have no mean share one row. A narrow table omits prediction and
    heterogeneity.
    """
    groups: dict[tuple[str, str, str], list[PooledVerdict]] = {}
    for row in comparison.over_machines:
        groups.setdefault((row.case, row.new, row.base), []).append(row)
    for (case, new, base), rows in groups.items():
        yield _over_table(f"{case}: {new} against {base}, over machines", rows, is_narrow=is_narrow)
    yield _table_of_machines(comparison)


def _over_table(title: str, rows: list[PooledVerdict], *, is_narrow: bool) -> Table:
    table = open_table(title=title)
    table.add_column("figure", min_width=16)
    for name in ("mean", "interval", *(() if is_narrow else ("one more machine", "heterogeneity"))):
        table.add_column(name, justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("machines")
    for row in rows:
        if not row.is_noteworthy:
            continue
        spread = (
            "" if row.prediction is None else bounds(*row.prediction),
            "" if row.i_squared is None else share_words(row.i_squared),
        )
        cells = (
            describe_metric(row.metric).words,
            "" if row.ratio is None else change(row.ratio),
            "" if row.interval is None else bounds(*row.interval),
            *(() if is_narrow else spread),
        )
        add_row(table, [*cells, _chip(row.verdict), row.tally])
    if quiet := [row for row in rows if not row.is_noteworthy]:
        names = ", ".join(describe_metric(row.metric).words for row in quiet[:3])
        more = f" and {len(quiet) - 3} more" if len(quiet) > 3 else ""
        blank = [""] * (2 if is_narrow else 4)
        add_row(table, [f"{names}{more}", *blank, _chip(Verdict.SAME), "the same on all machines"])
    return table


def _table_of_machines(comparison: Comparison) -> Table:
    times: dict[str, list[MetricVerdict]] = {}
    for row in comparison.verdicts:
        if row.metric == "wall_s":
            times.setdefault(str(row.machine), []).append(row)
    table = open_table(title="machines")
    for name in ("machine", "adapter", "system"):
        table.add_column(name)
    table.add_column("blocks", justify="right")
    table.add_column("wall time")
    table.add_column("verdict", no_wrap=True)
    table.add_column("worst figure")
    ordered = sorted(
        comparison.by_machine,
        key=lambda one: one.verdict not in (Verdict.WORSE, Verdict.INVALID, Verdict.UNDECIDED),
    )
    several = len({(row.case, row.new) for rows in times.values() for row in rows}) > 1
    for one in ordered[:_MOST_MACHINES]:
        effects = [
            f"{f'{row.case}, {row.new}: ' if several else ''}{change(row.ratio)}"
            for row in times.get(one.machine, ())
            if row.ratio is not None
        ]
        worst = "" if one.verdict in (Verdict.BETTER, Verdict.SAME) else one.sentence
        about = one.attributes
        add_row(
            table,
            [
                one.machine,
                about.get("adapter", about.get("graphics", "")),
                about.get("system", ""),
                str(one.blocks),
                "\n".join(effects[:4]),
                _chip(one.verdict),
                worst,
            ],
        )
    if len(ordered) > _MOST_MACHINES:
        add_row(table, [f"{len(ordered) - _MOST_MACHINES} more", *[""] * 6])
    return table


def _chip(verdict: Verdict) -> Text:
    return Text(verdict.value.replace("_", " "), _STYLES.get(verdict.value, ""))
