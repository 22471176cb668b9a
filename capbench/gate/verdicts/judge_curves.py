"""Verdicts on curves: rate at equal quality, and quality at equal rate, against what a rule allows or requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from capbench.gate.curves.clip_bootstrap import FEWEST_CLIPS
from capbench.gate.curves.pooled_delta import CurveFigure, PooledDelta, clips_of, compare_clips, pool_clips
from capbench.gate.gate_file import BUILT_IN_RULES, GateRule, rule_for
from capbench.gate.judged_metrics import CURVE_FIGURES, Metric, curve_sign, describe_metric, is_curve_figure
from capbench.gate.verdicts.judge_row import Context, obstacle_to, plain_verdict, side_labels
from capbench.gate.verdicts.pairing import PairedCase, finished, measured_runs
from capbench.gate.verdicts.phrases import against, bounds, change, counted, unit_difference
from capbench.gate.verdicts.validity import Validity
from capbench.results.comparison import MetricVerdict, Verdict
from capbench.results.tidy_table import POOLS

__all__ = ["curve_metrics", "curve_verdicts", "has_curve", "split_figure"]

_AKIMA_APART_PERCENT = 1.0
"""Points of a percentage by which the two interpolations may differ before it is worth a word."""
_MOST_NAMED = 3
"""Points and clips that a reason names."""


def has_curve(pair: PairedCase) -> bool:
    """Whether either side of a folded pair has points."""
    return any(
        "points" in runs.columns and bool(runs["points"].notna().any()) for runs in (pair.base_runs, pair.new_runs)
    )


def split_figure(name: str) -> tuple[CurveFigure, str, str]:
    """Figure, metric and pool: `bd_rate`, `vmaf` and `mean` of `bd_rate.vmaf`."""
    kind, _, metric = name.partition(".")
    column, _, pool = metric.rpartition(".")
    figure: CurveFigure = "bd_quality" if kind == "bd_quality" else "bd_rate"
    return (figure, column, pool) if column and pool in POOLS else (figure, metric, "mean")


def curve_metrics(*tables: pd.DataFrame) -> tuple[str, ...]:
    """Metrics of validation that any run of the tables has, in the order of their columns."""
    names: dict[str, None] = {}
    for runs in tables:
        for name in map(str, runs.columns):
            prefix, _, rest = name.partition(".")
            metric, _, pool = rest.rpartition(".")
            if prefix == "quality" and pool == "mean" and runs[name].notna().any():
                names[metric] = None
    return tuple(names)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """One figure of one pair, ready to be put into words."""

    labels: dict[str, str]
    metric: Metric
    quality_words: str
    delta: PooledDelta
    rule: GateRule


def curve_verdicts(
    pair: PairedCase, base: pd.DataFrame, new: pd.DataFrame, validity: Validity, context: Context
) -> Iterator[MetricVerdict]:
    """One verdict for each curve's figure that a rule names, of a case with a curve or of a corpus of such clips.

    `base` and `new` are the tables as they were read, with a row for each point.
    """
    sides = [
        clips_of(finished(measured_runs(table[table["subject"].astype(str) == subject])), pair.case)
        for table, subject in ((base, pair.base_subject), (new, pair.new_subject))
    ]
    measured = curve_metrics(*(runs for side in sides for runs in side.values()))
    base_label, new_label = side_labels(pair, context)
    own = context.gates.rule
    for name in _figures((*BUILT_IN_RULES, *own), measured):
        rule = rule_for(
            (*BUILT_IN_RULES, *own), metric=name, case=pair.case, base=pair.base_subject, new=pair.new_subject
        )
        if rule is None:
            continue
        metric = describe_metric(name)
        labels = {"case": pair.case, "metric": name, "base": base_label, "new": new_label}
        if obstacle := obstacle_to(pair, metric, rule, validity, labels):
            yield obstacle
            continue
        figure, column, pool = split_figure(name)
        is_named = any(_names(rule, name) and rule.judge for rule in own)
        if column not in measured:
            if is_named:
                reason = f"the gate file has a rule for {metric.words}, and no run of the curve has {column}"
                yield plain_verdict(labels, Verdict.UNDECIDED, reason)
            continue
        sign = curve_sign(column)
        if sign is None:
            reason = f"no installed package has the metric {column}, so it is not known which direction is better"
            yield plain_verdict(labels, Verdict.UNDECIDED, reason)
            continue
        quality = describe_metric(f"quality.{column}.{pool}")
        measuring = [column in curve_metrics(*side.values()) for side in sides]
        if quality.package and not is_named and not all(measuring):
            continue  # what a machine cannot compute is no fault of the output
        judged_sides = sides if is_named else _measuring(sides, f"quality.{column}.{pool}")
        clips = compare_clips(
            judged_sides[0], judged_sides[1], column, pool=pool, sign=sign, names=(pair.base_subject, pair.new_subject)
        )
        delta = pool_clips(clips, figure, sign=sign, error=context.gates.levels.margin)
        judged = _Judged(labels, metric, quality.words.removesuffix(" (mean)"), delta, rule)
        if delta.value is None:
            yield plain_verdict(labels, Verdict.UNDECIDED, *_refusals(delta), *_left_out(delta))
        elif figure == "bd_rate":
            yield _judge_rate(judged, delta.value, context.gates.levels.margin)
        else:
            yield _judge_quality(judged, delta.value, context.gates.levels.margin, sign)


def _figures(rules: Sequence[GateRule], measured: Sequence[str]) -> tuple[str, ...]:
    """The figures that rules name, and those of measured metrics that the glob of a rule matches, in order."""
    known = [f"{kind}.{metric}" for kind in CURVE_FIGURES for metric in measured]
    names: dict[str, None] = {}
    for rule in rules:
        if is_curve_figure(rule.metric):
            matched = [name for name in known if fnmatchcase(name, rule.metric)] if rule.is_glob else [rule.metric]
            names.update(dict.fromkeys(matched))
    return tuple(names)


def _measuring(sides: Sequence[dict[str, pd.DataFrame]], column: str) -> list[dict[str, pd.DataFrame]]:
    """The sides without the clips that neither measured a metric of, as of pictures that are too small for it."""
    known = {
        clip
        for side in sides
        for clip, runs in side.items()
        if column in runs.columns and bool(runs[column].notna().any())
    }
    return [{clip: runs for clip, runs in side.items() if clip in known} for side in sides]


def _names(rule: GateRule, name: str) -> bool:
    return rule.metric == name or fnmatchcase(name, rule.metric)


def _judge_rate(judged: _Judged, percent: float, error: float) -> MetricVerdict:
    """BD-rate: a ratio of rates, of which less is better."""
    rule, delta = judged.rule, judged.delta
    margin = rule.margin or 0.0
    ratio = 1 + percent / 100
    interval = None if delta.interval is None else (1 + delta.interval[0] / 100, 1 + delta.interval[1] / 100)
    low, high = interval or (ratio, ratio)
    worst, worst_percent = delta.clips[0]
    if rule.limit is not None and worst_percent > rule.limit:
        verdict, conclusion = Verdict.WORSE, f"{worst} is over the limit of {rule.limit:+g}%"
    elif rule.required_ratio is not None:
        verdict = (
            Verdict.BETTER
            if high <= rule.required_ratio
            else Verdict.WORSE
            if low > rule.required_ratio
            else Verdict.UNDECIDED
        )
        conclusion = f"{verdict.value}; the gate requires at least {change(rule.required_ratio)}"
    else:
        verdict, conclusion = _against_margin(low - 1, high - 1, margin, f"{margin * 100:.3g}%")
    return _verdict(
        judged,
        _unless_refused(verdict, delta),
        f"rate of {judged.labels['new']} at equal {judged.quality_words} {against(ratio, judged.labels['base'])} "
        f"({_evidence(judged, None if interval is None else bounds(*interval), 'quality')}): {conclusion}",
        error,
        ratio=ratio,
        interval=interval,
        required_ratio=rule.required_ratio,
    )


def _judge_quality(judged: _Judged, difference: float, error: float, sign: int) -> MetricVerdict:
    """BD-quality: a difference in the metric's unit. `sign` is -1 where less of it is better."""
    margin, delta, metric = judged.rule.margin or 0.0, judged.delta, judged.metric
    low, high = delta.interval or (difference, difference)
    costs = sorted((-sign * low, -sign * high))
    verdict, conclusion = _against_margin(costs[0], costs[1], margin, metric.format(margin))
    interval_words = None if delta.interval is None else f"{low:+.{metric.decimals}f} to {high:+.{metric.decimals}f}"
    compared = unit_difference(metric, difference)
    compared = (
        f"equals that of {judged.labels['base']}"
        if compared == "unchanged"
        else f"is {compared} than that of {judged.labels['base']}"
    )
    return _verdict(
        judged,
        _unless_refused(verdict, delta),
        f"{judged.quality_words} of {judged.labels['new']} at equal rate {compared} "
        f"({_evidence(judged, interval_words, 'rate')}): {conclusion}",
        error,
        difference=difference,
        interval=delta.interval,
    )


def _against_margin(low: float, high: float, margin: float, words: str) -> tuple[Verdict, str]:
    """A cost between two bounds against a margin: more is worse."""
    if high < -margin:
        return Verdict.BETTER, f"better by more than {words}"
    if high <= margin:
        return Verdict.SAME, f"the same, not worse by more than {words}"
    if low > margin:
        return Verdict.WORSE, f"worse by more than {words}"
    return Verdict.UNDECIDED, f"possibly worse by more than {words}; more clips would decide"


def _unless_refused(verdict: Verdict, delta: PooledDelta) -> Verdict:
    """What holds for the clips that could be compared is not shown for all."""
    return Verdict.UNDECIDED if delta.refused and verdict in (Verdict.BETTER, Verdict.SAME) else verdict


def _evidence(judged: _Judged, interval: str | None, axis: str) -> str:
    delta = judged.delta
    parts = [] if interval is None else [interval]
    if len(delta.clips) + len(delta.refused) > 1:
        parts.append(counted(len(delta.clips), "clip") + ("" if interval else f", no interval below {FEWEST_CLIPS}"))
    parts.append(f"the curves share {delta.overlap:.0%} of their {axis}")
    if len(delta.clips) > 1:
        worst, value = delta.clips[0]
        words = (
            f"{value:+.1f}%"
            if axis == "quality"
            else f"{value:+.{judged.metric.decimals}f} {judged.metric.unit}".strip()
        )
        parts.append(f"worst clip {worst} with {words}")
    return ", ".join(parts)


def _verdict(judged: _Judged, verdict: Verdict, words: str, error: float, **figures: object) -> MetricVerdict:
    reasons = (*_refusals(judged.delta), *_left_out(judged.delta), *_akima(judged.delta, judged.metric))
    unsaid = f"; {'; '.join(_refusals(judged.delta))}" if judged.delta.refused else ""
    return MetricVerdict.model_validate(
        judged.labels
        | {
            "verdict": verdict,
            "sentence": f"{judged.labels['case']}: {words}{unsaid}",
            "confidence": 1 - 2 * error,
            "margin": judged.rule.margin or 0.0,
            "reasons": reasons,
        }
        | figures
    )


def _refusals(delta: PooledDelta) -> tuple[str, ...]:
    if not delta.refused:
        return ()
    several = len(delta.refused) + len(delta.clips) > 1
    words = [f"{clip}: {reason}" if several else reason for clip, reason in delta.refused[:_MOST_NAMED]]
    more = len(delta.refused) - _MOST_NAMED
    return (*words, *([f"and {more} more clips that could not be compared"] if more > 0 else []))


def _left_out(delta: PooledDelta) -> tuple[str, ...]:
    if not delta.left_out:
        return ()
    more = len(delta.left_out) - _MOST_NAMED
    others = f" and {more} more" if more > 0 else ""
    return (f"points left out: {'; '.join(delta.left_out[:_MOST_NAMED])}{others}",)


def _akima(delta: PooledDelta, metric: Metric) -> tuple[str, ...]:
    """The other interpolation, where it says something else: the points are then too few."""
    if delta.value is None or delta.akima is None or metric.unit != "%":
        return ()
    if abs(delta.akima - delta.value) <= _AKIMA_APART_PERCENT:
        return ()
    return (f"by Akima's interpolation {metric.format(delta.akima)}: more points would tell",)
