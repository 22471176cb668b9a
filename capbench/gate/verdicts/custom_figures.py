"""Figures that only the subject knows, judged by what it says of them: their unit, and which way is better.

A figure that is always above 0 and varies from run to run is judged by its ratio, as times are. One that repeats itself
in all runs, or that may be 0 (dropped frames), has no ratio worth testing: its differences count, and the margin is the
same share, of the base's median.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capbench.gate.gate_file import GateRule
from capbench.gate.judged_metrics import Metric, format_in
from capbench.gate.statistics.inference import Levels, evidence, p_of_change
from capbench.gate.verdicts.noisy_figures import NoisyRow, asked_for
from capbench.gate.verdicts.pairing import PairedCase
from capbench.gate.verdicts.phrases import FEWEST_BLOCKS, counted, too_few_blocks
from capbench.results.comparison import MetricVerdict, Verdict
from capbench.results.metric_registry import Direction

__all__ = ["as_reported", "judge_custom"]

Values = NDArray[np.float64]


class _Medians(NamedTuple):
    """_Medians of one figure, in its unit."""

    base: float
    new: float


def as_reported(metric: Metric, pair: PairedCase) -> Metric:
    """The metric with the unit and the direction that the runs give it; new's where they disagree."""
    unit = _said(pair, f"{metric.name}.unit")
    return replace(
        metric,
        format=metric.format if unit is None else format_in(unit),
        unit=unit or "",
        direction=Direction.HIGHER if _said(pair, f"{metric.name}.better") == "higher" else Direction.LOWER,
    )


def _said(pair: PairedCase, column: str) -> str | None:
    for runs in (pair.new_runs, pair.base_runs):
        if column in runs.columns and len(known := runs[column].dropna()):
            return str(known.iloc[-1])
    return None


def judge_custom(
    labels: dict[str, str], metric: Metric, values: tuple[Values, Values], rule: GateRule, levels: Levels
) -> MetricVerdict | NoisyRow:
    """A verdict, or a row that the family decides. `values` are base and new, each of shape (pairs,)."""
    base, new = values
    margin = rule.margin or 0.0
    sign = -1 if metric.direction is Direction.HIGHER else 1
    repeats = np.ptp(base) == 0 and np.ptp(new) == 0
    medians = _Medians(float(np.median(base)), float(np.median(new)))
    if not repeats and (base > 0).all() and (new > 0).all():
        required = rule.required_ratio if rule.equals_ratio is None else float(rule.equals_ratio)
        return NoisyRow(
            labels=labels,
            metric=metric,
            shown=evidence(sign * np.log(new / base)),
            asked=asked_for(margin, required),
            margin=margin,
            sign=sign,
            base_median=medians.base,
            new_median=medians.new,
        )
    allowed = margin * abs(medians.base)
    losses = sign * (new - base)
    if repeats:
        verdict, p_value = _of_difference(float(losses[0]), float(losses[0]), allowed), None
    else:
        verdict, p_value = _of_varying(losses, allowed, levels)
    middle = float(np.median(new - base))
    return MetricVerdict(
        **labels,
        verdict=verdict,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']} is {_change(metric, medians, middle)} "
        f"({counted(base.size, 'block')}): {_conclusion(verdict, base.size)}",
        difference=middle,
        interval=(float((new - base).min()), float((new - base).max())),
        confidence=1.0,
        margin=margin,
        blocks=base.size,
        p_value=p_value,
        base_median=medians.base,
        new_median=medians.new,
    )


def _of_difference(low: float, high: float, allowed: float) -> Verdict:
    """From the bounds of a loss, in the figure's unit."""
    if low > allowed:
        return Verdict.WORSE
    if high < -allowed:
        return Verdict.BETTER
    return Verdict.SAME if high <= allowed else Verdict.UNDECIDED


def _of_varying(losses: Values, allowed: float, levels: Levels) -> tuple[Verdict, float]:
    """A change must be shown by the test and lie beyond the margin by the interval, as for times."""
    shown = evidence(losses)
    side = shown.centre(levels.margin)
    lower, upper = side.lower(levels.margin), side.upper(levels.margin)
    up, down = (
        p_of_change(shown, centre=0.0, beyond=beyond, upwards=upwards, level=levels.metric)
        for beyond, upwards in ((allowed, True), (-allowed, False))
    )
    verdict = _of_difference(lower, upper, allowed)
    is_shown = {Verdict.WORSE: up <= levels.metric, Verdict.BETTER: down <= levels.metric}
    if not is_shown.get(verdict, shown.pairs >= FEWEST_BLOCKS):
        verdict = Verdict.UNDECIDED
    return verdict, min(up, down)


def _change(metric: Metric, medians: _Medians, middle: float) -> str:
    before, after = (metric.format(value) for value in medians)
    return f"{before} on both sides" if middle == 0 and before == after else f"{before} to {after}"


def _conclusion(verdict: Verdict, blocks: int) -> str:
    is_short = verdict is Verdict.UNDECIDED and blocks < FEWEST_BLOCKS
    return f"undecided; {too_few_blocks(blocks)}" if is_short else verdict.value
