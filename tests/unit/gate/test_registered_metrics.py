"""Quality metrics by the registry: which way is better, built-in margins, and what a machine cannot compute."""

from __future__ import annotations

import math

import pytest

from capbench.gate import GateFile, GateRule, compare
from capbench.gate.compare import compare_with_baseline
from capbench.gate.history.baseline_figures import take_baseline
from capbench.gate.judged_metrics import describe_metric
from capbench.report.formats.grouping import condensed
from capbench.results.comparison import Comparison, Verdict
from capbench.results.metric_registry import BUILT_IN_METRICS, Direction, columns_of
from tests.gate_runs import noisy, runs_table, verdict_of


def _compare(metric: str, before: float | None, after: float | None, *rules: GateRule) -> Comparison:
    base = runs_table("cpu", noisy(8), {metric: before})
    new = runs_table("gpu", noisy(8, seed=2), {metric: after})
    return compare(base, new, GateFile(rule=rules))


@pytest.mark.parametrize(
    ("metric", "before", "after", "verdict"),
    [
        ("quality.vmaf.mean", 95.0, 94.6, Verdict.SAME),
        ("quality.vmaf.mean", 95.0, 94.4, Verdict.WORSE),
        ("quality.vmaf.mean", 95.0, 95.6, Verdict.BETTER),
        ("quality.vmaf_neg.mean", 95.0, 94.4, Verdict.WORSE),
        ("quality.cambi.mean", 1.0, 1.6, Verdict.WORSE),
        ("quality.cambi.mean", 1.0, 1.4, Verdict.SAME),
        ("quality.cambi.mean", 1.0, 0.4, Verdict.BETTER),
        ("quality.psnr_hvs.mean", 40.0, 39.8, Verdict.WORSE),
        ("quality.xpsnr_y.p1", 40.0, 39.4, Verdict.WORSE),
    ],
)
def test_a_built_in_margin_follows_the_direction_of_its_metric(
    metric: str, before: float, after: float, verdict: Verdict
) -> None:
    row = verdict_of(_compare(metric, before, after), metric)

    assert row.verdict is verdict
    assert row.difference == pytest.approx(after - before)
    assert row.interval is not None
    assert row.interval[0] <= row.interval[1]
    if verdict is not Verdict.BETTER:
        assert ("higher" if metric.startswith("quality.cambi") else "lower") in row.sentence


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.0, 40.0, Verdict.WORSE),
        (0.0, -40.0, Verdict.WORSE),
        (-40.0, 3.0, Verdict.BETTER),
        (20.0, -20.0, Verdict.SAME),
    ],
)
@pytest.mark.parametrize("metric", ["quality.av_offset_ms", "quality.av_drift_ms"])
def test_sound_is_best_where_its_offset_is_zero(metric: str, before: float, after: float, verdict: Verdict) -> None:
    row = verdict_of(_compare(metric, before, after, GateRule(metric=metric, margin=5.0)), metric)

    assert row.verdict is verdict
    assert (row.base_median, row.new_median) == (abs(before), abs(after))


def test_the_worst_of_several_quality_figures_is_the_one_that_lost_most() -> None:
    base = runs_table("cpu", noisy(8), {"quality.cambi.mean": 1.0, "quality.vmaf.mean": 95.0})
    new = runs_table("gpu", noisy(8, seed=2), {"quality.cambi.mean": 1.4, "quality.vmaf.mean": 95.2})

    rows = condensed(compare(base, new).verdicts)

    (shared,) = [row for row in rows if "figures" in row.words]
    assert shared.row.metric == "quality.cambi.mean"


def test_a_baseline_compares_with_the_worst_run_of_a_metric_that_improves_downwards() -> None:
    metric = "quality.cambi.mean"
    baseline = take_baseline(runs_table("gpu", noisy(8), {metric: 1.0}))
    runs = runs_table("gpu", noisy(8), {metric: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0]})

    assert verdict_of(compare_with_baseline(runs, baseline, GateFile()), metric).verdict is Verdict.WORSE


@pytest.mark.parametrize(("before", "after"), [(95.0, None), (None, 95.0), (None, None)])
def test_without_a_rule_a_machine_without_vmaf_leaves_nothing_undecided(
    before: float | None, after: float | None
) -> None:
    comparison = _compare("quality.vmaf.mean", before, after)

    assert comparison.exit_code == 0
    assert not [row for row in comparison.verdicts if row.metric == "quality.vmaf.mean"]


@pytest.mark.parametrize(("before", "after"), [(95.0, None), (None, 95.0), (None, None)])
@pytest.mark.parametrize("asked", ["quality.vmaf.mean", "quality.vmaf*"])
def test_a_rule_about_what_a_machine_could_not_compute_is_undecided_and_names_the_package(
    before: float | None, after: float | None, asked: str
) -> None:
    comparison = _compare("quality.vmaf.mean", before, after, GateRule(metric=asked, margin=1.0))

    (row,) = [row for row in comparison.verdicts if row.metric.startswith("quality.vmaf")]
    assert row.verdict is Verdict.UNDECIDED
    assert comparison.exit_code == 3
    assert row.metric != "quality.vmaf.mean" or "imageio-ffmpeg" in row.sentence


def test_what_every_machine_computes_and_new_does_not_have_is_invalid() -> None:
    comparison = _compare("quality.psnr_y.mean", 40.0, None)

    assert verdict_of(comparison, "quality.psnr_y.mean").verdict is Verdict.INVALID


@pytest.mark.parametrize(("before", "after"), [(40.0, 41.0), (41.0, 40.0), (40.0, 40.0)])
def test_a_metric_that_no_package_here_offers_is_undecided(before: float, after: float) -> None:
    """Its file came from a machine that has it: whether more of it is better nobody here knows."""
    comparison = _compare("quality.foreign.mean", before, after, GateRule(metric="quality.foreign.mean", margin=0.1))

    assert verdict_of(comparison, "quality.foreign.mean").verdict is Verdict.UNDECIDED
    assert comparison.exit_code == 3


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (math.inf, math.inf, Verdict.SAME),
        (math.inf, 60.0, Verdict.WORSE),
        (60.0, math.inf, Verdict.BETTER),
        (math.nan, 60.0, None),
    ],
)
def test_infinite_and_missing_means_of_older_files_are_judged(
    before: float, after: float, verdict: Verdict | None
) -> None:
    comparison = _compare("quality.psnr_hvs.mean", before, after)

    rows = [row for row in comparison.verdicts if row.metric == "quality.psnr_hvs.mean"]
    assert [row.verdict for row in rows] == ([] if verdict is None else [verdict])


@pytest.mark.parametrize("column", columns_of(BUILT_IN_METRICS))
def test_the_gate_knows_what_the_registry_says(column: str) -> None:
    metric = next(metric for metric in BUILT_IN_METRICS if column in metric.columns)
    known = describe_metric(f"quality.{column}.mean")

    assert (known.unit, known.decimals, known.direction) == (metric.unit, metric.decimals, metric.direction)
    assert known.words == f"{metric.column_label(column)} (mean)"


def test_of_all_but_quality_less_is_better() -> None:
    assert describe_metric("wall_s").direction is Direction.LOWER
