"""The table of the first screen: one row a case and subject, ready to print in any form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capbench.report.aggregate import Cell
from capbench.report.cell_words import Tone, quality_words, wall_words_of
from capbench.report.palette import SubjectStyle
from capbench.report.wording import MISSING, bytes_words, effect_words, interval_words, seconds_words, times_words
from capbench.results import Comparison, MetricVerdict, Verdict

__all__ = ["Quantity", "Row", "arrange_rows"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure as people read it and as a machine sorts it."""

    words: str
    """For people."""
    value: float | None
    """For sorting and for machines; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Row:
    """One subject of one case."""

    case: str
    """Name of the case."""
    subject: str
    """Name of the subject."""
    style: SubjectStyle
    """Colour and marker."""
    starts_case: bool
    """Whether this is the first row of its case."""
    verdict: MetricVerdict | None
    """Verdict on wall time; None for the baseline and what was not compared."""
    effect: Quantity
    """Wall time against the baseline."""
    interval: str
    """Interval of `effect` in percent, or why there is none."""
    wall: Quantity
    """Median wall time with its range, and the launch before it where the export does not begin with its process."""
    dots: tuple[float, ...]
    """Wall time of every run over the largest of the case, 0 to 1."""
    median_dot: float
    """Median on the same scale."""
    floor: Quantity
    """Times floor."""
    realtime: Quantity
    """Times realtime."""
    cpu: Quantity
    """CPU time."""
    memory: Quantity
    """Peak resident memory."""
    readback: Quantity
    """Bytes read back."""
    output: Quantity
    """Size of the output."""
    quality: str
    """What validation said."""
    quality_change: str
    """How the figure of quality differs from the base's where it is better or worse: `+0.62 dB, better`."""
    quality_is_bad: bool
    """Whether a check failed or every run did."""


def arrange_rows(
    cells: Mapping[str, Mapping[str, Cell]], comparisons: Sequence[Comparison], styles: Mapping[str, SubjectStyle]
) -> tuple[Row, ...]:
    """Rows in the order of the plan."""
    rows = []
    for case, subjects in cells.items():
        longest = max((spread.high for cell in subjects.values() if (spread := cell.spread("wall_s"))), default=0.0)
        for position, (subject, cell) in enumerate(subjects.items()):
            verdict = _wall_verdict(comparisons, case, subject)
            rows.append(_row(cell, styles[subject], verdict, comparisons, longest, starts_case=position == 0))
    return tuple(rows)


def _wall_verdict(comparisons: Sequence[Comparison], case: str, subject: str) -> MetricVerdict | None:
    return next(
        (
            verdict
            for comparison in comparisons
            for verdict in comparison.verdicts
            if verdict.new == subject and verdict.case == case and verdict.metric == "wall_s"
        ),
        None,
    )


def _row(
    cell: Cell,
    style: SubjectStyle,
    verdict: MetricVerdict | None,
    comparisons: Sequence[Comparison],
    longest: float,
    *,
    starts_case: bool,
) -> Row:
    spread, quality = cell.spread("wall_s"), quality_words(cell)
    scale = 1 / longest if longest else 0.0

    def quantity(field: str, words: object) -> Quantity:
        value = cell.median(field)
        return Quantity(words(value) if callable(words) else str(value), value)

    bases = {item.base for comparison in comparisons for item in comparison.verdicts}
    return Row(
        case=cell.case,
        subject=cell.subject,
        style=style,
        starts_case=starts_case,
        verdict=verdict,
        effect=Quantity(
            "baseline" if cell.subject in bases else effect_words(verdict),
            verdict.ratio if verdict else None,
        ),
        interval=_interval(verdict),
        wall=Quantity(wall_words_of(cell), spread.median if spread else None),
        dots=tuple(file.run.wall_s * scale for file in cell.measured if file.run.wall_s is not None),
        median_dot=spread.median * scale if spread else 0.0,
        floor=quantity("times_floor", times_words),
        realtime=quantity("times_realtime", times_words),
        cpu=quantity("cpu_s", seconds_words),
        memory=quantity("peak_rss_bytes", bytes_words),
        readback=quantity("readback_bytes", bytes_words),
        output=Quantity(MISSING, None) if cell.points else quantity("output_bytes", bytes_words),
        quality=quality.text or MISSING,
        quality_change=_quality_change(cell, comparisons),
        quality_is_bad=quality.tone is Tone.BAD,
    )


def _quality_change(cell: Cell, comparisons: Sequence[Comparison]) -> str:
    shown = cell.quality()
    if shown is None or cell.invalid:
        return ""
    for comparison in comparisons:
        for verdict in comparison.verdicts:
            named = (verdict.case, verdict.new, verdict.metric) == (cell.case, cell.subject, f"quality.{shown[0]}.mean")
            if named and verdict.verdict in (Verdict.BETTER, Verdict.WORSE):
                return f"{effect_words(verdict)}, {verdict.verdict}"
    return ""


def _interval(verdict: MetricVerdict | None) -> str:
    if verdict is None:
        return ""
    if verdict.interval is None and verdict.verdict in (Verdict.INVALID, Verdict.UNDECIDED):
        return verdict.reasons[0] if verdict.reasons else ""
    return interval_words(verdict)
