"""A run against a committed baseline: two samples that were never side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from capbench.gate.gate_file import BUILT_IN_RULES, GateFile, GateRule, matches_pair, rule_for
from capbench.gate.history.baseline_figures import Baseline, BaselineFigure, software_adapter
from capbench.gate.judged_metrics import Kind, Metric, describe_metric, known_figures
from capbench.gate.rule_coverage import names_figure
from capbench.gate.statistics.inference import unpaired_evidence
from capbench.gate.verdicts.exact_figures import judge_counted, judge_equal, judge_quality
from capbench.gate.verdicts.noisy_figures import NoisyRow, asked_for
from capbench.gate.verdicts.pairing import column
from capbench.gate.verdicts.portable_ratios import is_portable, ratio_names, with_ratios
from capbench.results.comparison import MetricVerdict, Verdict
from capbench.results.metric_registry import Direction

__all__ = ["BASELINE", "baseline_rows"]

BASELINE = "baseline"
"""What a verdict calls the side that comes from a baseline file."""


def baseline_rows(runs: pd.DataFrame, baseline: Baseline, gates: GateFile) -> Iterator[MetricVerdict | NoisyRow]:
    """One row for each figure of the baseline whose case and subject are in `runs`, judged by the rules.

    A portable figure that a rule of the gate file asks about and that the baseline does not hold has a row too.
    """
    rules = (*BUILT_IN_RULES, *gates.rule)
    table = with_ratios(runs)
    groups = {(str(case), str(subject)): group for (case, subject), group in table.groupby(["case", "subject"])}
    for figure in baseline.figures:
        group = groups.get((figure.case, figure.subject))
        rule = rule_for(rules, metric=figure.metric, case=figure.case, base=BASELINE, new=figure.subject)
        if group is not None and rule is not None:
            is_named = names_figure(gates.rule, figure.metric, (figure.case, BASELINE, figure.subject))
            yield _row(figure, group, rule, gates, is_named=is_named)
    yield from _absent_figures(baseline, groups.keys(), gates)


def _absent_figures(
    baseline: Baseline, measured: Collection[tuple[str, str]], gates: GateFile
) -> Iterator[MetricVerdict]:
    portable = (*ratio_names(), *filter(is_portable, known_figures()))
    held: dict[tuple[str, str], set[str]] = {}
    for figure in baseline.figures:
        held.setdefault((figure.case, figure.subject), set()).add(figure.metric)
    for (case, subject), names in held.items():
        for rule in gates.rule:
            asks = rule.judge and (case, subject) in measured and matches_pair(rule, case, BASELINE, subject)
            about = [name for name in portable if fnmatchcase(name, rule.metric)]
            if asks and about and not any(fnmatchcase(name, rule.metric) for name in names):
                labels = {"case": case, "metric": rule.metric, "base": BASELINE, "new": subject}
                reason = "has a rule in the gate file but is not in the baseline"
                yield _without_figures(labels, describe_metric(rule.metric), reason, Verdict.UNDECIDED)


def _row(
    figure: BaselineFigure, runs: pd.DataFrame, rule: GateRule, gates: GateFile, *, is_named: bool
) -> MetricVerdict | NoisyRow:
    metric = describe_metric(figure.metric)
    labels = {"case": figure.case, "metric": figure.metric, "base": BASELINE, "new": figure.subject}
    new = column(runs, figure.metric)
    new = new[np.isfinite(new)]
    if new.size == 0:
        verdict = Verdict.UNDECIDED if is_named else Verdict.NOT_APPLICABLE
        return _without_figures(labels, metric, "was not measured", verdict)
    if metric.kind is Kind.NOISY and (reason := _other_adapter(figure, runs)):
        return _without_figures(labels, metric, reason, Verdict.NOT_APPLICABLE)
    base = np.asarray(figure.values)
    margin = 0.0 if rule.margin is None else rule.margin
    steady = np.ptp(base) == 0 and np.ptp(new) == 0
    if metric.kind in (Kind.EQUAL, Kind.COUNTED) and (steady or metric.kind is Kind.EQUAL or margin == 0):
        # Counted alike in every block, so that any block stands for all; where they vary, the worst of each side.
        base, new = np.array([base.max()]), np.array([new.max()])
        if metric.kind is Kind.EQUAL:
            return judge_equal(labels, metric, base, new)
        return judge_counted(labels, metric, base, new, margin=margin, required_ratio=None, equals_ratio=None)
    if metric.kind is Kind.QUALITY:
        base, new = metric.judged_values(base), metric.judged_values(new)
        middle = np.array([np.median(base)])
        worst = np.array([new.max() if metric.direction is Direction.LOWER else new.min()])
        return judge_quality(labels, metric, middle, worst, margin=margin, levels=gates.levels)
    if (base <= 0).any() or (new <= 0).any():
        return _without_figures(labels, metric, "of 0 or less has no ratio", Verdict.INVALID)
    return NoisyRow(
        labels=labels,
        metric=metric,
        shown=unpaired_evidence(np.log(base), np.log(new)),
        asked=asked_for(margin, None),
        margin=margin,
        base_median=float(np.median(base)),
        new_median=float(np.median(new)),
    )


def _other_adapter(figure: BaselineFigure, runs: pd.DataFrame) -> str | None:
    now = software_adapter(runs)
    if now == figure.adapter_is_software:
        return None
    kinds = {True: "a software adapter", False: "a GPU", None: "no adapter"}
    return (
        f"does not compare: the baseline was taken with {kinds[figure.adapter_is_software]}, this run with {kinds[now]}"
    )


def _without_figures(labels: dict[str, str], metric: Metric, reason: str, verdict: Verdict) -> MetricVerdict:
    return MetricVerdict(
        **labels,
        verdict=verdict,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']} {reason}: {verdict.value.replace('_', ' ')}",
        reasons=(f"{metric.words} {reason}",),
    )
