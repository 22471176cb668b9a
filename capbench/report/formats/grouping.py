"""Fewer rows for people: figures that share a verdict or a reason stand together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capbench.gate.judged_metrics import Kind, describe_metric
from capbench.results.comparison import MetricVerdict, Verdict
from capbench.results.metric_registry import Direction

__all__ = ["ShownRow", "condensed", "shared_reasons"]

_ALIKE = (Verdict.SAME, Verdict.BETTER, Verdict.NOT_APPLICABLE, Verdict.INVALID)
"""Verdicts that need no row of their own for each metric; what is invalid shares its reason."""
_MOST_NAMED = 5
"""Figures in one line."""


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
        key = (row.case, row.machine, row.base, row.new, row.verdict) if is_shared else (number,)
        groups.setdefault(key, []).append(row)
    return [_shown(group) for group in groups.values()]


def shared_reasons(rows: Sequence[MetricVerdict]) -> list[str]:
    """Each reason that any row gives, once for each pair of subjects, with the figures that it holds for."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for row in rows:
        for reason in row.reasons:
            case = row.case if row.machine is None else f"{row.case} on {row.machine}"
            key = (case, row.new, row.label, reason)
            groups.setdefault(key, []).append(describe_metric(row.metric).words)
    return [
        f"{case}: {_listed(words)} of {new}, {verdict}: {reason}"
        for (case, new, verdict, reason), words in groups.items()
    ]


def _listed(words: Sequence[str]) -> str:
    """All of a few, the first of many."""
    if len(words) > _MOST_NAMED:
        return f"{', '.join(words[: _MOST_NAMED - 1])} and {len(words) - _MOST_NAMED + 1} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _shown(group: list[MetricVerdict]) -> ShownRow:
    worst = min(group, key=_fared)
    words = describe_metric(worst.metric).words
    return ShownRow(worst, words if len(group) == 1 else f"quality, {len(group)} figures; lowest: {words}")


def _fared(row: MetricVerdict) -> float:
    """How much a quality figure gained, in units of its margin."""
    gain = -1 if describe_metric(row.metric).direction is Direction.LOWER else 1
    return gain * (row.difference or 0.0) / (row.margin or 1.0)
