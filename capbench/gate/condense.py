"""Fewer rows for people: quality figures that share a verdict stand in one row, by the one that fared worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capbench.gate.metrics import Kind, describe_metric
from capbench.results.comparison import MetricVerdict, Verdict

__all__ = ["ShownRow", "condensed"]

_ALIKE = (Verdict.SAME, Verdict.BETTER, Verdict.NOT_APPLICABLE)
"""Verdicts that need no row of their own for each metric."""


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a table."""

    row: MetricVerdict
    """The verdict, of the worst where it stands for several."""
    words: str
    """What the row is about."""


def condensed(rows: Sequence[MetricVerdict]) -> list[ShownRow]:
    """Every row but quality figures of one case, pair and harmless verdict, which share one; order is kept."""
    groups: dict[tuple[object, ...], list[MetricVerdict]] = {}
    for number, row in enumerate(rows):
        is_shared = describe_metric(row.metric).kind is Kind.QUALITY and row.verdict in _ALIKE
        key = (row.case, row.base, row.new, row.verdict) if is_shared else (number,)
        groups.setdefault(key, []).append(row)
    return [_shown(group) for group in groups.values()]


def _shown(group: list[MetricVerdict]) -> ShownRow:
    worst = min(group, key=_fared)
    words = describe_metric(worst.metric).words
    return ShownRow(worst, words if len(group) == 1 else f"quality, {len(group)} figures; least: {words}")


def _fared(row: MetricVerdict) -> float:
    """How far a quality figure moved, in units of its margin."""
    return (row.difference or 0.0) / (row.margin or 1.0)
