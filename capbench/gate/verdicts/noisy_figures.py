"""The verdict on a metric that differs from run to run: what is asked, what is shown, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from capbench.gate.judged_metrics import Metric
from capbench.gate.statistics.inference import Evidence, Levels, p_of_change
from capbench.gate.statistics.power import DecisionNoise, blocks_that_decide, visible_change
from capbench.gate.verdicts.phrases import FEWEST_BLOCKS, against, bounds, change, counted, more_blocks, too_few_blocks
from capbench.results.comparison import MetricVerdict, Verdict

__all__ = ["Asked", "NoisyRow", "asked_for", "judge_noisy", "p_better", "p_worse"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule asks of a log ratio. With a required effect, both thresholds sit on it."""

    change_from: float
    """Log ratio that counts as no change: 0, or the required effect."""
    worse_above: float
    """Log ratio from which new is worse."""
    better_below: float
    """Log ratio up to which new is better."""
    required_ratio: float | None
    """The required effect."""


def asked_for(margin: float, required_ratio: float | None) -> Asked:
    """From a relative margin (0.02 is 2%) and the largest accepted ratio, None where no effect is required."""
    if required_ratio is not None:
        threshold = math.log(required_ratio)
        return Asked(threshold, threshold, threshold, required_ratio)
    return Asked(0.0, math.log1p(margin), -math.log1p(margin), None)


@dataclass(frozen=True, slots=True, eq=False)
class NoisyRow:
    """One metric of one case, ready to be judged together with the rest of its family."""

    labels: dict[str, str]
    """`case`, `metric`, `base` and `new` of the verdict."""
    metric: Metric
    """What it is."""
    shown: Evidence
    """Log ratios, new over base; base over new where `sign` is -1."""
    asked: Asked
    """What the gate asks."""
    margin: float
    """Relative margin, widened where this machine cannot hold it."""
    base_median: float
    """Median of base."""
    new_median: float
    """Median of new."""
    sign: int = 1
    """-1 for a figure of which more is better: what grows in `shown` is always a loss."""
    notes: tuple[str, ...] = ()
    """For example why the margin was widened."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of the verdict."""


def p_worse(row: NoisyRow, levels: Levels, family_size: int) -> float:
    """P-value against "not worse", before the family is looked at."""
    asked = row.asked
    beyond = max(asked.worse_above, asked.change_from + levels.blatant)
    return p_of_change(
        row.shown, centre=asked.change_from, beyond=beyond, upwards=True, level=levels.strictest(family_size)
    )


def p_better(row: NoisyRow, levels: Levels, family_size: int) -> float:
    """P-value against "not better", before the family is looked at."""
    asked = row.asked
    beyond = min(asked.better_below, asked.change_from - levels.blatant)
    return p_of_change(
        row.shown, centre=asked.change_from, beyond=beyond, upwards=False, level=levels.strictest(family_size)
    )


def judge_noisy(
    row: NoisyRow,
    *,
    worse: tuple[float, float],
    better: tuple[float, float],
    levels: Levels,
    family_size: int,
) -> MetricVerdict:
    """The verdict from p-values (raw, adjusted by the family) of both directions."""
    side, asked = row.shown.centre(levels.margin), row.asked
    lower, upper = side.lower(levels.margin), side.upper(levels.margin)
    is_worse = _is_shown(worse, levels) and lower > asked.worse_above
    is_better = _is_shown(better, levels) and upper < asked.better_below
    if is_worse:
        verdict = Verdict.WORSE
    elif is_better:
        verdict = Verdict.BETTER
    elif asked.required_ratio is None and upper <= asked.worse_above and row.shown.pairs >= FEWEST_BLOCKS:
        verdict = Verdict.SAME
    else:
        verdict = Verdict.UNDECIDED
    spread = DecisionNoise(
        row.shown.standard_error_of((lower, upper), levels.margin) * row.shown.pairs**0.5,
        levels.strictest(family_size),
        levels.margin,
    )
    further, seen = None, None
    if math.isfinite(spread.per_block):
        seen = math.exp(min(visible_change(spread, blocks=row.shown.pairs, margin=math.log1p(row.margin)), 50.0))
        if verdict is Verdict.UNDECIDED and row.shown.pairs >= FEWEST_BLOCKS:
            further = blocks_that_decide(
                spread,
                blocks=row.shown.pairs,
                estimate=side.estimate - asked.change_from,
                margin=asked.worse_above - asked.change_from,
            )
    low, high = (lower, upper) if row.sign > 0 else (-upper, -lower)
    conclusion = _conclusion(row, verdict, upper, further)
    return MetricVerdict(
        **row.labels,
        verdict=verdict,
        sentence=f"{_finding(row, row.sign * side.estimate, (low, high))}: {conclusion}",
        ratio=math.exp(row.sign * side.estimate),
        interval=(_exp(low), _exp(high)) if math.isfinite(low) and math.isfinite(high) else None,
        confidence=1 - 2 * levels.margin,
        margin=row.margin,
        required_ratio=asked.required_ratio,
        base_median=row.base_median,
        new_median=row.new_median,
        blocks=row.shown.pairs,
        detectable_ratio=seen,
        blocks_needed=further,
        p_value=min(worse[1], better[1]),
        reasons=row.notes,
        **row.extra,
    )


def _is_shown(p_values: tuple[float, float], levels: Levels) -> bool:
    raw, adjusted = p_values
    return raw <= levels.metric and adjusted <= levels.family


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))


def _finding(row: NoisyRow, estimate: float, interval: tuple[float, float]) -> str:
    lower, upper = interval
    blocks = counted(row.shown.pairs, "block")
    if math.isfinite(lower) and math.isfinite(upper) and lower < upper:
        blocks = f"{bounds(_exp(lower), _exp(upper))}, {blocks}"
    compared = against(math.exp(estimate), row.labels["base"])
    return f"{row.labels['case']}: {row.metric.words} of {row.labels['new']} {compared} ({blocks})"


def _conclusion(row: NoisyRow, verdict: Verdict, upper: float, further: int | None) -> str:
    required = row.asked.required_ratio
    if verdict is Verdict.UNDECIDED:
        if row.shown.pairs < FEWEST_BLOCKS:
            return f"undecided; {too_few_blocks(row.shown.pairs)}"
        required_words = "" if required is None else f"the gate requires at least {change(required)}; "
        return f"undecided; {required_words}{more_blocks(further)}"
    if required is not None:
        return f"{verdict.value}; the gate requires at least {change(required)}"
    if verdict is Verdict.SAME and upper < row.asked.better_below:
        return "not worse; too few blocks to show an improvement"
    within = f"{row.margin * 100:.3g}%"
    return {
        Verdict.SAME: f"the same, not worse by more than {within}",
        Verdict.BETTER: f"better by more than {within}",
        Verdict.WORSE: f"worse by more than {within}",
    }[verdict]
