"""One figure over several machines: the mean of their log ratios, and what follows for all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capbench.gate.judged_metrics import describe_metric
from capbench.gate.statistics.inference import Levels
from capbench.gate.statistics.random_effects import FEWEST_MACHINES, RandomEffects, combine_effects
from capbench.gate.verdicts.noisy_figures import NoisyRow
from capbench.gate.verdicts.overall_verdict import joint_verdict
from capbench.gate.verdicts.phrases import against, bounds, counted, share_words
from capbench.results.comparison import MetricVerdict, PooledVerdict, Verdict

__all__ = ["FigureKey", "JudgedMean", "PooledRow", "figure_key", "judge_over_machines", "pool_rows"]

FigureKey = tuple[str, str, str, str]
"""(case, metric, base, new) of a figure, whichever machine it is of."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledRow:
    """One figure of several machines, ready to be judged together with the rest of its family."""

    key: FigureKey
    """Which figure."""
    effects: RandomEffects
    """Mean and spread of the machines' log ratios; what grows in them is always a loss."""
    machines: tuple[str, ...]
    """The machines that have an estimate and its error, in the order of `effects.weights`."""
    of_one: NoisyRow
    """The row of one machine: what is asked is the same for all."""

    def p_values(self) -> tuple[float, float]:
        """Against "not worse on average" and against "not better on average", before the family is looked at."""
        return self.effects.p_above(self.of_one.asked.change_from), self.effects.p_below(self.of_one.asked.change_from)


@dataclass(frozen=True, slots=True, eq=False)
class JudgedMean:
    """A pooled row, after the family was looked at."""

    row: PooledRow
    """What was pooled."""
    worse: float
    """Adjusted p-value against "not worse on average"."""
    better: float
    """Adjusted p-value against "not better on average"."""

    def verdict(self, levels: Levels) -> Verdict:
        """What the mean shows, by the same two conditions as on one machine."""
        raw, asked = self.row.p_values(), self.row.of_one.asked
        lower, upper = self.row.effects.interval(levels.margin)
        if raw[0] <= levels.metric and self.worse <= levels.family and lower > asked.worse_above:
            return Verdict.WORSE
        if raw[1] <= levels.metric and self.better <= levels.family and upper < asked.better_below:
            return Verdict.BETTER
        return Verdict.SAME if asked.required_ratio is None and upper <= asked.worse_above else Verdict.UNDECIDED

    def holds_elsewhere(self, levels: Levels) -> bool:
        """Whether a further machine of the kind would be no worse, too."""
        further = self.row.effects.prediction(levels.margin)
        return further is not None and further[1] <= self.row.of_one.asked.worse_above


def figure_key(labels: Mapping[str, str]) -> FigureKey:
    """The key of a row by its labels."""
    return labels["case"], labels["metric"], labels["base"], labels["new"]


def pool_rows(key: FigureKey, rows: Mapping[str, NoisyRow], levels: Levels) -> PooledRow | None:
    """Combine a figure of several machines, by machine; None where fewer than `FEWEST_MACHINES` have an error.

    A machine's estimate is that of its own verdict, and its error half the width of its interval over Student's
    quantile. A margin that one machine's calibration widens is the margin of all.
    """
    known = {
        machine: (row.shown.centre(levels.margin).estimate, error, row)
        for machine, row in rows.items()
        if math.isfinite(error := row.shown.standard_error(levels.margin))
    }
    if len(known) < FEWEST_MACHINES:
        return None
    estimates, errors, of_one = zip(*known.values(), strict=True)
    widest = max(of_one, key=lambda row: row.margin)
    return PooledRow(key, combine_effects(estimates, errors), tuple(known), widest)


def judge_over_machines(
    verdicts: Sequence[MetricVerdict], mean: JudgedMean | None, levels: Levels, disagreement: str
) -> PooledVerdict:
    """The verdict of one figure over machines, from the machines' own and from their mean.

    Worse on any machine is worse, and so is what is worse on average; what is invalid somewhere is invalid. Where
    machines are undecided the mean speaks for them if a further machine of the kind would be no worse either.
    `verdicts` has one of each machine; `disagreement` says in words which of them differ.
    """
    by_verdict: dict[str, list[str]] = {}
    for row in verdicts:
        by_verdict.setdefault(row.verdict.value, []).append(str(row.machine))
    verdict = _verdict_over(joint_verdict(verdicts), mean, levels)
    one = verdicts[0]
    return PooledVerdict(
        case=one.case,
        metric=one.metric,
        base=one.base,
        new=one.new,
        verdict=verdict,
        sentence=_sentence(verdict, verdicts, mean, levels, disagreement),
        tally=disagreement,
        by_verdict={name: tuple(machines) for name, machines in by_verdict.items()},
        confidence=1 - 2 * levels.margin,
        **({} if mean is None else _shown(mean, levels)),
    )


def _verdict_over(own: Verdict, mean: JudgedMean | None, levels: Levels) -> Verdict:
    """`own` is the joint verdict of the machines."""
    if mean is None or own in (Verdict.WORSE, Verdict.INVALID):
        return own
    on_average = mean.verdict(levels)
    if on_average is Verdict.WORSE:
        return on_average
    if own in (Verdict.SAME, Verdict.BETTER):  # each machine says so, whatever can be said of their mean
        return own if on_average is Verdict.UNDECIDED else on_average
    return on_average if mean.holds_elsewhere(levels) else own


def _shown(mean: JudgedMean, levels: Levels) -> dict[str, Any]:
    """The fields of the record that only a mean has."""
    effects, sign = mean.row.effects, mean.row.of_one.sign
    further = effects.prediction(levels.margin)
    return {
        "ratio": _exp(sign * effects.mean),
        "interval": _ratios(effects.interval(levels.margin), sign),
        "prediction": None if further is None else _ratios(further, sign),
        "i_squared": effects.i_squared,
        "tau": effects.tau_squared**0.5,
        "p_value": min(mean.worse, mean.better),
        "margin": mean.row.of_one.margin,
        "weights": dict(zip(mean.row.machines, effects.weights.tolist(), strict=True)),
    }


def _ratios(bounds_of: tuple[float, float], sign: int) -> tuple[float, float]:
    low, high = bounds_of if sign > 0 else (-bounds_of[1], -bounds_of[0])
    return _exp(low), _exp(high)


def _exp(value: float) -> float:
    return math.exp(max(min(value, 700.0), -700.0))


def _sentence(
    verdict: Verdict, verdicts: Sequence[MetricVerdict], mean: JudgedMean | None, levels: Levels, disagreement: str
) -> str:
    one = verdicts[0]
    said = f"{one.case}: {describe_metric(one.metric).words} of {one.new}"
    if mean is not None:
        effects, sign = mean.row.effects, mean.row.of_one.sign
        interval = bounds(*_ratios(effects.interval(levels.margin), sign))
        count, spread = counted(effects.machines, "machine"), f"heterogeneity {share_words(effects.i_squared)}"
        said += f" {against(_exp(sign * effects.mean), one.base)} on average ({interval}, {count}, {spread})"
    reasons = [reason for row in verdicts if row.verdict is verdict for reason in row.reasons]
    because = f"; {reasons[0]}" if verdict is Verdict.INVALID and reasons else ""
    return f"{said}: {disagreement}{because}"
