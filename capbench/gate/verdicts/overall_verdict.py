"""One verdict from many: nothing is better that is worse, incomplete or unproven somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capbench.gate.judged_metrics import CHECKS, Kind, describe_metric
from capbench.gate.verdicts.phrases import change, counted
from capbench.results.comparison import MetricVerdict, StageShift, Verdict

__all__ = ["first_verdict", "joint_sentence", "joint_verdict"]

_BEFORE_ALL_ELSE = (Verdict.WORSE, Verdict.INVALID, Verdict.UNDECIDED, Verdict.BETTER, Verdict.SAME)
"""The first of these that any row has is the verdict of all."""


def joint_verdict(verdicts: Sequence[MetricVerdict]) -> Verdict:
    """Worse before invalid before undecided before better before same; not applicable where nothing applies.

    That all rows must be non-inferior needs no correction for their number: it is an intersection-union test
    (Berger 1982, Technometrics 24, 295-300).
    """
    return first_verdict(row.verdict for row in verdicts)


def first_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that comes before all others that are there; not applicable where none of them is."""
    present = set(verdicts)
    return next((verdict for verdict in _BEFORE_ALL_ELSE if verdict in present), Verdict.NOT_APPLICABLE)


def joint_sentence(verdict: Verdict, verdicts: Sequence[MetricVerdict], shifts: Sequence[StageShift]) -> str:
    """The verdict in one sentence, with the row that weighs most and, where slower, the stage that moved."""
    rows = [row for row in verdicts if row.verdict is verdict]
    others = f" (and {counted(len(rows) - 1, 'other figure')})" if len(rows) > 1 else ""
    if verdict is Verdict.NOT_APPLICABLE:
        return f"Not applicable: {rows[0].sentence}." if rows else "Not applicable: nothing to compare."
    if verdict is Verdict.SAME:
        judged = [row for row in verdicts if row.verdict is not Verdict.NOT_APPLICABLE]
        return f"Same: none of {len(judged)} figures is worse, and {_quality_words(verdicts)}."
    if verdict is Verdict.BETTER:
        return f"Better: {_improvements(rows)}; {_quality_words(verdicts)} and no figure is missing."
    heaviest = _heaviest(rows)
    causes = f"{_blame(heaviest, shifts)}{_broken(verdict, verdicts)}"
    return f"{verdict.value.capitalize()}: {heaviest.sentence}{others}{causes}."


def _quality_words(verdicts: Sequence[MetricVerdict]) -> str:
    """That quality holds, only where somebody looked."""
    shown = (Verdict.SAME, Verdict.BETTER)
    looked = (
        row.verdict in shown and describe_metric(row.metric).kind in (Kind.QUALITY, Kind.CURVE, Kind.CHECKS)
        for row in verdicts
    )
    return "quality is maintained" if any(looked) else "quality was not judged"


def _improvements(rows: Sequence[MetricVerdict]) -> str:
    """The best case of each metric that got better, wall time first."""
    names = list(dict.fromkeys(row.metric for row in rows))
    names.sort(key=lambda name: name != "wall_s")
    parts = []
    for name in names[:3]:
        of_metric = [row for row in rows if row.metric == name]
        words = describe_metric(name).words
        ratios = [row.ratio for row in of_metric if row.ratio is not None]
        where = of_metric[0].case if len(of_metric) == 1 else f"{len(of_metric)} cases"
        amount = change(max(ratios)) if ratios else "higher"
        parts.append(f"{words} {amount}{' or better' if len(of_metric) > 1 else ''} in {where}")
    return ", ".join(parts)


def _heaviest(rows: Sequence[MetricVerdict]) -> MetricVerdict:
    """A failed check first, then wall time by its size, then the rest."""

    def weight(row: MetricVerdict) -> tuple[int, float]:
        rank = {CHECKS: 0, "frames": 1, "wall_s": 2}.get(row.metric, 3)
        return rank, -(row.ratio or 0.0)

    return min(rows, key=weight)


def _broken(verdict: Verdict, verdicts: Sequence[MetricVerdict]) -> str:
    """What is worse may be so because the output is broken, and that is what to fix first."""
    if verdict is not Verdict.WORSE:
        return ""
    reasons = [
        reason for row in verdicts if row.metric == CHECKS and row.verdict is Verdict.INVALID for reason in row.reasons
    ]
    return f"; in addition, {'; '.join(dict.fromkeys(reasons))}" if reasons else ""


def _blame(row: MetricVerdict, shifts: Sequence[StageShift]) -> str:
    if row.metric != "wall_s" or row.verdict is not Verdict.WORSE:
        return ""
    pair = (row.case, row.base, row.new)
    slower = [shift for shift in shifts if (shift.case, shift.base, shift.new) == pair and shift.new_s > shift.base_s]
    if not slower:
        return ""
    largest = max(slower, key=lambda shift: shift.new_s - shift.base_s)
    return (
        f"; stage `{largest.stage}` went from {largest.base_s:.3g} s to {largest.new_s:.3g} s, "
        f"{largest.share_of_change:.0%} of the change"
    )
