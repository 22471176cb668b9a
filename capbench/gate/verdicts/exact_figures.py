"""Verdicts without statistics: counted bytes, frame counts, quality differences, checks and limits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capbench.gate.judged_metrics import Metric
from capbench.gate.statistics.inference import MIN_RANK_PAIRS, Levels, evidence
from capbench.gate.verdicts.phrases import against, change, unit_difference
from capbench.results.comparison import MetricVerdict, Verdict
from capbench.results.metric_registry import Direction

__all__ = ["judge_counted", "judge_equal", "judge_quality"]

Values = NDArray[np.float64]


def judge_counted(
    labels: dict[str, str],
    metric: Metric,
    base: Values,
    new: Values,
    *,
    margin: float,
    required_ratio: float | None,
    equals_ratio: Fraction | None,
) -> MetricVerdict:
    """Bytes: the ratio of the worst pair, exactly. `base` and `new` have shape (pairs,), finite."""
    pairs = zip(base, new, strict=True)
    # Counts are whole. A file that was edited may say less than one, of which the ratio can be beyond any number.
    ratios = [Fraction(after) / Fraction(before) if before >= 1 else None for before, after in pairs]
    if None in ratios:
        return _from_nothing(labels, metric, base, new)
    known = [ratio for ratio in ratios if ratio is not None]
    worst = max(known)
    limit = 1 + Fraction(str(margin))
    verdict, conclusion = Verdict.SAME, "the same" if worst == 1 else f"the same within {margin * 100:.3g}%"
    if equals_ratio is not None:
        held = all(ratio == equals_ratio for ratio in known)
        verdict = Verdict.WORSE if not held else Verdict.SAME if equals_ratio == 1 else Verdict.BETTER
        conclusion = f"{verdict.value}; the gate requires exactly {change(float(equals_ratio))}"
    elif required_ratio is not None:
        held = worst <= Fraction(str(required_ratio))
        verdict = Verdict.BETTER if held else Verdict.WORSE
        conclusion = f"{verdict.value}; the gate requires at least {change(required_ratio)}"
    elif worst > limit:
        verdict, conclusion = Verdict.WORSE, "worse"
    elif worst < 1 / limit:
        verdict, conclusion = Verdict.BETTER, "better"
    return MetricVerdict(
        **labels,
        verdict=verdict,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']} {against(float(worst), labels['base'])} "
        f"({_from_to(metric.format(float(np.median(base))), metric.format(float(np.median(new))))}): "
        f"{conclusion}",
        ratio=float(worst),
        interval=(float(min(known)), float(worst)),
        confidence=1.0,
        margin=margin,
        required_ratio=float(equals_ratio) if equals_ratio is not None else required_ratio,
        **_medians(base, new),
    )


def _from_to(before: str, after: str) -> str:
    return before if before == after else f"{before} to {after}"


def _from_nothing(labels: dict[str, str], metric: Metric, base: Values, new: Values) -> MetricVerdict:
    """A base of no whole byte has no ratio: anything more is worse."""
    more = bool((new > base).any())
    return MetricVerdict(
        **labels,
        verdict=Verdict.WORSE if more else Verdict.SAME,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']} went from {metric.format(float(base.min()))} "
        f"to {metric.format(float(new.max()))}: {'worse' if more else 'the same'}",
        **_medians(base, new),
    )


def judge_equal(labels: dict[str, str], metric: Metric, base: Values, new: Values) -> MetricVerdict:
    """Frames: any difference in any pair is wrong, more of them as well as fewer."""
    differing = np.flatnonzero(base != new)
    if differing.size:
        first = differing[0]
        counts = f"{metric.format(new[first])} of {metric.format(base[first])}"
        text = f"{counts} in {differing.size} of {base.size} blocks: worse"
    else:
        text = f"{metric.format(new[0])} on both sides: the same"
    return MetricVerdict(
        **labels,
        verdict=Verdict.WORSE if differing.size else Verdict.SAME,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']} is {text}",
        **_medians(base, new),
    )


def judge_quality(
    labels: dict[str, str], metric: Metric, base: Values, new: Values, *, margin: float, levels: Levels
) -> MetricVerdict:
    """Quality: non-inferior when the bound of the gain lies above -`margin`; undecided where no direction is known.

    Most encoders repeat themselves exactly; where one does not, the bound is statistical, or the worst pair while there
    are too few for an interval.
    """
    if metric.direction is None:
        return _of_unknown_direction(labels, metric, base, new)
    base, new = metric.judged_values(base), metric.judged_values(new)
    sign, worse = (-1, "higher") if metric.direction is Direction.LOWER else (1, "lower")
    with np.errstate(invalid="ignore"):
        gains = np.where(base == new, 0.0, sign * (new - base))  # infinite PSNR on both sides is no difference
    if not np.isfinite(gains).all():
        low = high = middle = float(gains[~np.isfinite(gains)][0])
    elif gains.size >= MIN_RANK_PAIRS and np.ptp(gains) > 0:
        side = evidence(gains).centre(levels.margin)
        low, high, middle = side.lower(levels.margin), side.upper(levels.margin), side.estimate
    else:
        low, high, middle = float(gains.min()), float(gains.max()), float(np.median(gains))
    if low > margin:
        verdict, conclusion = Verdict.BETTER, "better"
    elif low >= -margin:
        verdict, conclusion = Verdict.SAME, f"not {worse} by more than {metric.format(margin)}"
    elif high < -margin or middle < -margin:
        verdict, conclusion = Verdict.WORSE, f"{worse} by more than {metric.format(margin)}"
    else:
        verdict, conclusion = Verdict.UNDECIDED, f"possibly {worse} by more than {metric.format(margin)}"
    finite = all(math.isfinite(value) for value in (low, high, middle))
    middle, (low, high) = sign * middle, sorted((sign * low, sign * high))
    return MetricVerdict(
        **labels,
        verdict=verdict,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']} is {unit_difference(metric, middle)} than "
        f"{labels['base']}'s {metric.format(float(np.median(base)))}: {conclusion}".replace(
            "is unchanged than", "equals"
        ),
        difference=middle if finite else None,
        interval=(low, high) if finite else None,
        confidence=1 - 2 * levels.margin,
        margin=margin,
        **_medians(base, new),
    )


def _of_unknown_direction(labels: dict[str, str], metric: Metric, base: Values, new: Values) -> MetricVerdict:
    """A metric of a package that is not installed: it is not known whether higher is better."""
    reason = f"no installed package has the metric {metric.words}, so it is not known which direction is better"
    return MetricVerdict(
        **labels,
        verdict=Verdict.UNDECIDED,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']}: undecided, {reason}; install its package",
        reasons=(reason,),
        **_medians(base, new),
    )


def _medians(base: Values, new: Values) -> dict[str, Any]:
    return {"base_median": float(np.median(base)), "new_median": float(np.median(new)), "blocks": base.size}
