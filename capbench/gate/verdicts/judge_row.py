"""One metric of one paired case: which test decides it, or why none can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capbench.gate.gate_file import GateFile, GateRule
from capbench.gate.judged_metrics import CHECKS, Kind, Metric, describe_metric
from capbench.gate.statistics.inference import evidence
from capbench.gate.verdicts.custom_figures import as_reported, judge_custom
from capbench.gate.verdicts.exact_figures import judge_counted, judge_equal, judge_quality
from capbench.gate.verdicts.noisy_figures import NoisyRow, asked_for
from capbench.gate.verdicts.pairing import PairedCase, column, finished
from capbench.gate.verdicts.validity import Validity, texts
from capbench.results.comparison import MetricVerdict, Verdict

__all__ = ["Context", "limit_verdict", "obstacle_to", "plain_verdict", "row_for", "side_labels"]


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What every row of a gate needs to know."""

    gates: GateFile
    """Settings."""
    noise_floor: Mapping[str, float]
    """Metric to the relative change that this machine shows without any cause."""
    base_label: str
    """Folder of base, to tell two folders with the same subjects apart; empty within one folder."""
    new_label: str
    """Likewise for new."""


def row_for(
    pair: PairedCase, name: str, rule: GateRule, validity: Validity, context: Context, *, is_named: bool = False
) -> MetricVerdict | NoisyRow | None:
    """A verdict, or a row that the family decides; None where neither side was measured and nobody asked for it.

    `is_named` says that a rule of the gate file matches the figure: not measured, it is undecided and never left out.
    """
    metric = describe_metric(name)
    if metric.kind is Kind.CUSTOM:
        metric = as_reported(metric, pair)
    base_label, new_label = side_labels(pair, context)
    labels = {"case": pair.case, "metric": name, "base": base_label, "new": new_label}
    if obstacle := obstacle_to(pair, metric, rule, validity, labels):
        return obstacle
    if metric.kind is Kind.CHECKS:
        return _checks(pair, labels, validity, context)
    if not rule.relative:
        return limit_verdict(pair, metric, rule, labels)
    base, new = pair.values(name)
    if base.size == 0:
        over = limit_verdict(pair, metric, rule, labels)
        is_over = over is not None and over.verdict is Verdict.WORSE
        return over if is_over else _unmeasured(pair, metric, labels, is_named=is_named)
    judged = _by_kind(metric, rule, labels, (base, new), context)
    over = limit_verdict(pair, metric, rule, labels)
    return over if over is not None and over.verdict is Verdict.WORSE else judged


def side_labels(pair: PairedCase, context: Context) -> tuple[str, str]:
    """What verdicts call base and new."""
    return _label(context.base_label, pair.base_subject), _label(context.new_label, pair.new_subject)


def _label(folder: str, subject: str) -> str:
    return f"{folder}:{subject}" if folder else subject


def _by_kind(
    metric: Metric,
    rule: GateRule,
    labels: dict[str, str],
    values: tuple[NDArray[np.float64], NDArray[np.float64]],
    context: Context,
) -> MetricVerdict | NoisyRow:
    base, new = values
    margin = 0.0 if rule.margin is None else rule.margin
    if metric.kind is Kind.EQUAL:
        return judge_equal(labels, metric, base, new)
    if metric.kind is Kind.QUALITY:
        return judge_quality(labels, metric, base, new, margin=margin, levels=context.gates.levels)
    if metric.kind is Kind.CUSTOM:
        return judge_custom(labels, metric, values, rule, context.gates.levels)
    steady = np.ptp(base) == 0 and np.ptp(new) == 0
    if metric.kind is Kind.COUNTED and (steady or margin == 0):
        return judge_counted(
            labels, metric, base, new, margin=margin, required_ratio=rule.required_ratio, equals_ratio=rule.equals_ratio
        )
    if (base <= 0).any() or (new <= 0).any():
        return plain_verdict(labels, Verdict.INVALID, f"{metric.words} of 0 or less has no ratio")
    if not (np.isfinite(base).all() and np.isfinite(new).all()):
        return plain_verdict(labels, Verdict.INVALID, f"{metric.words} that is infinite has no ratio")
    notes: tuple[str, ...] = ()
    floor = context.noise_floor.get(metric.name, 0.0)
    if floor > margin:
        notes = (f"margin widened from {margin:.1%} to {floor:.1%}: the noise floor of this machine's calibration",)
        margin = floor
    required = rule.required_ratio if rule.equals_ratio is None else float(rule.equals_ratio)
    return NoisyRow(
        labels=labels,
        metric=metric,
        shown=evidence(np.log(new / base)),
        asked=asked_for(margin, required),
        margin=margin,
        base_median=float(np.median(base)),
        new_median=float(np.median(new)),
        notes=notes,
    )


def limit_verdict(pair: PairedCase, metric: Metric, rule: GateRule, labels: dict[str, str]) -> MetricVerdict | None:
    """The largest value of any run of new against the rule's limit; None where the rule has none."""
    if rule.limit is None:
        return None
    values = column(finished(pair.new_runs), metric.name)
    values = values[~np.isnan(values)]
    if values.size == 0:
        return plain_verdict(
            labels, Verdict.UNDECIDED, f"{metric.words} has a limit and was not measured for {pair.new_subject}"
        )
    largest = float(values.max())
    held = largest <= rule.limit
    return MetricVerdict(
        **labels,
        verdict=Verdict.SAME if held else Verdict.WORSE,
        sentence=f"{labels['case']}: {metric.words} of {labels['new']} is {metric.format(largest)} at most, "
        f"{'within' if held else 'over'} the limit of {metric.format(rule.limit)}",
        new_median=float(np.median(values)),
        blocks=values.size,
    )


def obstacle_to(
    pair: PairedCase, metric: Metric, rule: GateRule, validity: Validity, labels: dict[str, str]
) -> MetricVerdict | None:
    """Why the figures must not be looked at."""
    if validity.not_applicable:
        return plain_verdict(labels, Verdict.NOT_APPLICABLE, *validity.not_applicable)
    if rule.adapter == "hardware" and (reason := _no_hardware(pair)):
        return plain_verdict(labels, Verdict.NOT_APPLICABLE, reason)
    if validity.void:
        return plain_verdict(labels, Verdict.INVALID, *validity.void)
    if validity.machine and metric.machine_bound and rule.relative:
        return plain_verdict(labels, Verdict.INVALID, *validity.machine)
    return None


def _no_hardware(pair: PairedCase) -> str | None:
    runs = finished(pair.new_runs)
    software = _known(runs, "adapter_is_software")
    if not software:
        return f"{pair.new_subject} reported no GPU adapter, and the rule is for hardware adapters"
    if any(software):
        name = next(iter(_known(runs, "adapter")), "unnamed")
        return f"{pair.new_subject} ran on a software adapter ({name}), and the rule is for hardware adapters"
    return None


def _known(runs: pd.DataFrame, name: str) -> list[object]:
    return list(runs[name].dropna()) if name in runs.columns else []


def _unmeasured(pair: PairedCase, metric: Metric, labels: dict[str, str], *, is_named: bool) -> MetricVerdict | None:
    """No block has the figure on both sides."""
    sides = [
        subject
        for subject, runs in ((pair.base_subject, pair.base), (pair.new_subject, pair.new))
        if np.isnan(column(runs, metric.name)).all()
    ]
    # What a machine may be unable to compute is no fault of the output.
    if sides == [pair.new_subject] and metric.kind in (Kind.QUALITY, Kind.EQUAL) and not metric.package:
        return plain_verdict(labels, Verdict.INVALID, f"{metric.words} is missing: it was not measured for {sides[0]}")
    if is_named:
        where = f"for {' and '.join(sides)}" if sides else "for both in the same block"
        remedy = f"; the package {metric.package} brings what measures it" if metric.package else ""
        return plain_verdict(
            labels,
            Verdict.UNDECIDED,
            f"the gate file has a rule for {metric.words}, which was not measured {where}{remedy}",
        )
    if len(sides) != 1 or metric.package:
        return None
    if metric.kind is Kind.QUALITY:
        return plain_verdict(labels, Verdict.UNDECIDED, f"{metric.words} of {sides[0]} was not measured")
    if metric.kind is Kind.EQUAL:
        return plain_verdict(labels, Verdict.INVALID, f"{metric.words} is missing: it was not measured for {sides[0]}")
    return plain_verdict(labels, Verdict.NOT_APPLICABLE, f"{sides[0]} does not report {metric.words}")


def _checks(pair: PairedCase, labels: dict[str, str], validity: Validity, context: Context) -> MetricVerdict:
    runs = finished(pair.new_runs)
    failed_runs = len(pair.new_runs) - len(runs)
    if failed_runs:
        message = pair.new_runs["error"].dropna().iloc[0]
        return plain_verdict(
            labels,
            Verdict.INVALID,
            f"{failed_runs} of {len(pair.new_runs)} runs of {pair.new_subject} failed: {message}",
        )
    if validity.flawed:
        return plain_verdict(labels, Verdict.INVALID, *validity.flawed)
    done = runs["validation.passed"].notna() if "validation.passed" in runs.columns else None
    if done is None or not done.any():
        if not context.gates.gate.require_validation:
            return plain_verdict(
                labels, Verdict.NOT_APPLICABLE, "validation did not run and the gate does not require it"
            )
        return plain_verdict(labels, Verdict.UNDECIDED, f"no output of {pair.new_subject} was validated")
    return MetricVerdict(
        **labels,
        verdict=Verdict.SAME,
        sentence=f"{pair.case}: all checks of {pair.new_subject} passed in {int(done.sum())} validated runs",
        blocks=int(done.sum()),
        reasons=_base_flaws(pair),
    )


def _base_flaws(pair: PairedCase) -> tuple[str, ...]:
    """A broken base is no reason to stop new, and worth a word."""
    runs = finished(pair.base_runs)
    if "validation.passed" not in runs.columns or not (runs["validation.passed"] == False).any():  # noqa: E712  None
        return ()
    cells = runs["validation.failures"] if "validation.failures" in runs.columns else ()
    names = dict.fromkeys(name for cell in cells for name in texts(cell))
    return (f"the base {pair.base_subject} itself fails validation: {', '.join(names) or 'unnamed checks'}",)


def plain_verdict(labels: dict[str, str], verdict: Verdict, *reasons: str) -> MetricVerdict:
    """A verdict without figures, for its reasons."""
    words = {Verdict.NOT_APPLICABLE: "not applicable", Verdict.INVALID: "invalid", Verdict.UNDECIDED: "undecided"}
    metric = CHECKS if labels["metric"] == CHECKS else describe_metric(labels["metric"]).words
    return MetricVerdict(
        **labels,
        verdict=verdict,
        sentence=f"{labels['case']}: {metric} of {labels['new']}: {words[verdict]}, {'; '.join(reasons)}",
        reasons=reasons,
    )
