"""Curves of rate and quality: the published figure, what refuses it, and what the gate makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bjontegaard
import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import PchipInterpolator

from capbench.errors import GateFileError
from capbench.gate import GateFile, GateRule, compare
from capbench.gate.curves.bjontegaard_delta import compare_curves
from capbench.gate.curves.clip_bootstrap import mean_interval
from capbench.gate.curves.fold_blocks import fold_blocks
from capbench.gate.curves.rate_points import RateCurve, RatePoint, curve_of
from capbench.gate.history.baseline_figures import take_baseline
from capbench.gate.history.series import entry_of
from capbench.results.comparison import Comparison, MetricVerdict, Verdict
from tests.curve_runs import QUALITY, RATES, curve_runs

# The example of the package `bjontegaard`: x265 with two presets.
_ANCHOR = ([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851])
_TEST = ([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987])


def _curve(rates: Sequence[float], quality: Sequence[float]) -> RateCurve:
    points = [RatePoint(f"qp={at}", r, q, 1.0, 1.0) for at, (r, q) in enumerate(zip(rates, quality, strict=True))]
    return RateCurve(tuple(sorted(points, key=lambda point: point.rate_bits_per_s)))


def _row(comparison: Comparison, metric: str, case: str = "clip") -> MetricVerdict:
    return next(row for row in comparison.verdicts if (row.metric, row.case) == (metric, case))


def _metrics(comparison: Comparison, case: str = "clip") -> set[str]:
    return {row.metric for row in comparison.verdicts if row.case == case}


def _rules(*rules: GateRule) -> GateFile:
    return GateFile(rule=rules)


def test_the_figure_is_that_of_the_package_and_of_its_definition() -> None:
    delta = compare_curves(_curve(*_ANCHOR), _curve(*_TEST))

    sides = (*_ANCHOR, *_TEST)
    low, high = max(min(_ANCHOR[1]), min(_TEST[1])), min(max(_ANCHOR[1]), max(_TEST[1]))
    area = [
        PchipInterpolator(quality[::-1], np.log10(rates[::-1])).integrate(low, high)
        for rates, quality in (_ANCHOR, _TEST)
    ]
    assert delta.rate.value == pytest.approx(bjontegaard.bd_rate(*sides, method="pchip"), abs=1e-9)
    assert delta.rate.akima == pytest.approx(bjontegaard.bd_rate(*sides, method="akima"), abs=1e-9)
    assert delta.quality.value == pytest.approx(bjontegaard.bd_psnr(*sides, method="pchip"), abs=1e-9)
    assert delta.rate.value == pytest.approx(100 * (10 ** ((area[1] - area[0]) / (high - low)) - 1), abs=1e-9)


def test_a_tenth_less_rate_at_every_quality_is_minus_ten_percent() -> None:
    delta = compare_curves(_curve(RATES, QUALITY), _curve([0.9 * rate for rate in RATES], QUALITY))

    assert delta.rate.value == pytest.approx(-10)
    assert delta.rate.overlap == 1


def test_less_is_better_turns_the_metric_round() -> None:
    banding = [1.0, 3.0, 6.0, 10.0]

    delta = compare_curves(_curve(RATES, banding), _curve([1.2 * rate for rate in RATES], banding), sign=-1)

    assert delta.rate.value == pytest.approx(20)
    assert delta.quality.value > 0  # more banding at equal rate


@pytest.mark.parametrize(
    ("quality", "named"),
    [
        (QUALITY[:3], "3 usable points"),
        ([44.0, 40.0, 41.0, 32.0], "not monotone: qp=1"),
        ([100.0, 44.0, 40.0, 36.0], "qp=0 saturated"),
        ([math.inf, 44.0, 40.0, 36.0], "qp=0 infinite"),
        ([math.nan, 44.0, 40.0, 36.0], "qp=0 without quality"),
    ],
)
def test_what_cannot_be_interpolated_is_refused_by_name(quality: Sequence[float], named: str) -> None:
    rates = list(RATES[: len(quality)])
    runs = curve_runs("new", quality=quality, rates=rates)
    runs["point.value"] = range(len(quality))

    delta = compare_curves(_curve(RATES, QUALITY), curve_of(runs, "psnr_y"))

    assert delta.rate.refusal is not None
    assert named in delta.rate.refusal
    assert math.isnan(delta.rate.value)


def test_a_saturated_point_is_left_out_by_name_where_enough_are_left() -> None:
    quality = [100.0, 44.0, 40.0, 36.0, 32.0]
    runs = pd.concat([curve_runs("new", quality=[q], rates=[r]) for q, r in zip(quality, (2e7, *RATES), strict=True)])
    runs["point.value"] = range(5)

    curve = curve_of(runs, "psnr_y")

    assert [point.quality for point in curve.points] == [32.0, 36.0, 40.0, 44.0]
    assert len(curve.left_out) == 1
    assert curve.left_out[0].startswith("qp=0 ")


def test_a_bit_rate_that_the_encoder_cannot_spend_is_one_point() -> None:
    runs = curve_runs("new", quality=(44.0, 44.0, 40.0, 36.0), rates=(8e6, 8e6, 4e6, 2e6))

    curve = curve_of(runs, "psnr_y")

    assert len(curve.points) == 3
    assert curve.left_out == ("qp=26 repeats qp=20",)


@pytest.mark.parametrize("shift_db", [13.0, 7.0])
def test_curves_that_share_little_are_refused_with_their_share(shift_db: float) -> None:
    delta = compare_curves(_curve(RATES, QUALITY), _curve(RATES, [value + shift_db for value in QUALITY]))

    assert delta.rate.refusal is not None
    assert f"{max(0.0, 12 - shift_db) / (12 + shift_db):.0%}" in delta.rate.refusal
    assert delta.quality.refusal is None  # the rates are the same


def test_size_and_quality_of_one_point_are_not_judged_and_the_curve_is() -> None:
    comparison = compare(curve_runs("old"), curve_runs("new", rate=1.3, better_db=2.0))

    assert not {name for name in _metrics(comparison) if name.startswith("quality.") or name == "output_bytes"}
    row = _row(comparison, "bd_rate.psnr_y")
    # 2 dB are half of what halving the rate costs, so that the same quality takes 0.71 of 1.3 times the rate.
    assert row.ratio == pytest.approx(1.3 * 2**-0.5, rel=0.01)
    assert row.verdict is Verdict.BETTER
    assert row.interval is None


@pytest.mark.parametrize(
    ("rate", "verdict"), [(1.01, Verdict.SAME), (1.05, Verdict.WORSE), (0.95, Verdict.BETTER), (1.0, Verdict.SAME)]
)
def test_the_margin_decides(rate: float, verdict: Verdict) -> None:
    row = _row(compare(curve_runs("old"), curve_runs("new", rate=rate)), "bd_rate.psnr_y")

    assert row.verdict is verdict
    assert row.ratio == pytest.approx(rate)


def test_a_required_saving_is_proven_or_missed() -> None:
    gates = _rules(GateRule(metric="bd_rate.psnr_y", required_ratio=0.9))
    saved, missed = (
        _row(compare(curve_runs("old"), curve_runs("new", rate=rate), gates), "bd_rate.psnr_y") for rate in (0.85, 0.95)
    )

    assert (saved.verdict, missed.verdict) == (Verdict.BETTER, Verdict.WORSE)


def test_quality_at_equal_rate_is_judged_where_a_rule_asks() -> None:
    gates = _rules(GateRule(metric="bd_quality.psnr_y", margin=0.5))

    row = _row(compare(curve_runs("old"), curve_runs("new", better_db=-1.0), gates), "bd_quality.psnr_y")

    assert row.verdict is Verdict.WORSE
    assert row.difference == pytest.approx(-1.0)


def test_identical_pictures_at_every_point_are_undecided_and_no_error() -> None:
    lossless = curve_runs("new", quality=(100.0,) * 4)

    row = _row(compare(curve_runs("old", quality=(100.0,) * 4), lossless), "bd_rate.psnr_y")

    assert row.verdict is Verdict.UNDECIDED
    assert "saturated" in row.sentence


def _corpus(subject: str, rates: Sequence[float]) -> pd.DataFrame:
    return pd.concat(
        [
            curve_runs(subject, rate=rate, case=f"clips-{number}", corpus="clips", blocks=3, wall_s=1.0 + number)
            for number, rate in enumerate(rates)
        ],
        ignore_index=True,
    )


def test_a_corpus_is_judged_once_with_an_interval_over_its_clips_and_its_worst_clip() -> None:
    rates = [0.8, 0.85, 0.9, 0.82, 1.1, 0.88]

    comparison = compare(_corpus("old", [1.0] * 6), _corpus("new", rates))

    row = _row(comparison, "bd_rate.psnr_y", "clips")
    assert row.ratio == pytest.approx(np.mean(rates))
    assert row.interval is not None
    assert row.interval[0] < np.mean(rates) < row.interval[1]
    assert "worst clip clips-4 with +10.0%" in row.sentence
    assert _metrics(comparison, "clips-0") == {"validation", "frames"}
    assert "wall_s" in _metrics(comparison, "clips")


def test_few_clips_have_a_value_and_no_interval() -> None:
    row = _row(compare(_corpus("old", [1.0] * 4), _corpus("new", [0.8, 0.9, 0.85, 0.95])), "bd_rate.psnr_y", "clips")

    assert row.interval is None
    assert row.ratio == pytest.approx(0.875)
    assert row.verdict is Verdict.BETTER


def test_a_limit_holds_for_the_worst_clip() -> None:
    gates = _rules(GateRule(metric="bd_rate.psnr_y", limit=5))
    rates = [0.8, 0.85, 0.9, 0.82, 1.1, 0.88]

    row = _row(compare(_corpus("old", [1.0] * 6), _corpus("new", rates), gates), "bd_rate.psnr_y", "clips")

    assert row.verdict is Verdict.WORSE
    assert "clips-4" in row.sentence


def test_a_clip_that_cannot_be_compared_is_named_and_nothing_is_called_better() -> None:
    new = _corpus("new", [0.8] * 6)
    new.loc[new["case"] == "clips-2", "quality.psnr_y.mean"] += 11.0

    row = _row(compare(_corpus("old", [1.0] * 6), new), "bd_rate.psnr_y", "clips")

    assert row.verdict is Verdict.UNDECIDED
    assert "clips-2" in row.sentence


def test_times_of_a_corpus_are_judged_over_the_clips_by_block() -> None:
    old, new = _corpus("old", [1.0] * 3), _corpus("new", [1.0] * 3)
    new["wall_s"] *= np.where(new["case"] == "clips-1", 1.5, 1.0)

    row = _row(compare(old, new), "wall_s", "clips")

    assert row.blocks == 3
    assert row.ratio == pytest.approx(1.5 ** (1 / 3))
    assert "worst of 3 clips: clips-1 with +50.0%" in row.sentence


def test_a_run_that_failed_at_one_point_makes_its_block_fail() -> None:
    new = curve_runs("new", blocks=2)
    new.loc[(new["block"] == 1) & (new["point.value"] == 32), "error"] = "boom"

    folded = fold_blocks(new)

    assert folded["error"].isna().tolist() == [True, False]
    assert _row(compare(curve_runs("old", blocks=2), new), "validation").verdict is Verdict.INVALID


def test_a_block_that_lacks_a_point_is_no_block() -> None:
    runs = curve_runs("new", blocks=2)

    folded = fold_blocks(runs.drop(index=[7]))

    assert folded["block"].tolist() == [0]
    assert folded["wall_s"].item() == pytest.approx(np.exp(np.log(runs["wall_s"][:4]).mean()))


def test_folding_twice_is_folding_once() -> None:
    once = fold_blocks(_corpus("new", [1.0] * 3))

    pd.testing.assert_frame_equal(fold_blocks(once), once)


def test_a_point_by_another_path_is_no_measurement_of_the_curve() -> None:
    new = curve_runs("new")
    new.loc[2, "path_used"] = "gpu"

    assert _row(compare(curve_runs("old"), new), "wall_s").verdict is Verdict.INVALID


def test_curves_of_other_points_have_no_verdict_on_times_and_one_on_rate() -> None:
    new = curve_runs("new")
    new["point.value"] += 1

    comparison = compare(curve_runs("old"), new)

    assert _row(comparison, "wall_s").verdict is Verdict.INVALID
    assert _row(comparison, "bd_rate.psnr_y").verdict is Verdict.SAME


def test_a_metric_that_nobody_measured_is_undecided_where_a_rule_asks_for_it() -> None:
    gates = _rules(GateRule(metric="bd_rate.vmaf", margin=0.01))

    assert _row(compare(curve_runs("old"), curve_runs("new"), gates), "bd_rate.vmaf").verdict is Verdict.UNDECIDED


def test_a_rule_about_curves_where_there_is_none_is_said_to_be_untested() -> None:
    plain = curve_runs("old").drop(columns=["point.parameter", "point.value"]).head(1)
    gates = _rules(GateRule(metric="bd_rate.psnr_y", margin=0.01))

    comparison = compare(plain, plain.assign(subject="new"), gates)

    assert any("bd_rate.psnr_y" in words for words in comparison.warnings)
    assert "bd_rate.psnr_y" not in _metrics(comparison)


def test_an_unknown_metric_of_a_curve_is_an_error_with_the_nearest_name() -> None:
    gates = _rules(GateRule(metric="bd_rate.wmaf", margin=0.01))

    with pytest.raises(GateFileError, match=r"bd_rate\.vmaf"):
        compare(curve_runs("old"), curve_runs("new"), gates)


@pytest.mark.parametrize(
    "settings",
    [
        {"metric": "bd_rate.vmaf", "equals_ratio": "0.5"},
        {"metric": "bd_quality.vmaf", "required_ratio": 0.9},
        {"metric": "bd_quality.vmaf", "limit": 2},
    ],
)
def test_a_rule_that_says_nothing_about_a_curve_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bd_"):
        GateRule.model_validate(settings)


def test_the_interval_of_a_mean_holds_what_it_promises() -> None:
    rng = np.random.default_rng(4)
    missed = [
        (interval[0] > 5, interval[1] < 5)
        for _ in range(200)
        if (interval := mean_interval(list(rng.normal(5, 3, 6)), error=0.05)) is not None
    ]

    # 200 draws at 5% a side: a binomial of that has 20 or more with probability 0.003.
    assert len(missed) == 200
    assert all(sum(side) < 20 for side in zip(*missed, strict=True))


def test_equal_clips_have_an_interval_without_width_and_four_have_none() -> None:
    assert mean_interval([3.0] * 5, error=0.05) == (3.0, 3.0)
    assert mean_interval([3.0] * 4, error=0.05) is None


def test_a_clip_that_neither_side_could_measure_is_no_clip_of_that_metric() -> None:
    old, new = _corpus("old", [1.0] * 6), _corpus("new", [0.9] * 6)
    for table in (old, new):
        table.loc[table["case"] == "clips-2", "quality.psnr_y.mean"] = np.nan

    unasked = _row(compare(old, new), "bd_rate.psnr_y", "clips")
    asked = _row(compare(old, new, _rules(GateRule(metric="bd_rate.psnr_y", margin=0.02))), "bd_rate.psnr_y", "clips")

    assert unasked.verdict is Verdict.BETTER
    assert "5 clips" in unasked.sentence
    assert asked.verdict is Verdict.UNDECIDED
    assert "clips-2" in asked.sentence


def test_a_baseline_and_the_history_have_one_value_a_block_and_none_of_one_point() -> None:
    runs = pd.concat([curve_runs("cpu", blocks=2), curve_runs("gpu", blocks=2, wall_s=1.0)], ignore_index=True).assign(
        started_at="2026-01-01T00:00:00"
    )

    figures = {(figure.subject, figure.metric): figure.values for figure in take_baseline(runs).figures}
    series = {figure.metric for figure in entry_of(runs, "folder").figures}

    assert figures["gpu", "wall_s/cpu"] == pytest.approx((0.5, 0.5))
    assert not {metric for _, metric in figures if metric == "output_bytes" or metric.startswith("quality.")}
    assert "wall_s" in series
    assert "output_bytes" not in series


def test_vmaf_that_one_machine_has_is_not_judged_unless_a_rule_asks() -> None:
    new = curve_runs("new").assign(**{"quality.vmaf.mean": [95.0, 90.0, 80.0, 60.0]})

    assert "bd_rate.vmaf" not in _metrics(compare(curve_runs("old"), new))
    gates = _rules(GateRule(metric="bd_rate.vmaf", margin=0.02))
    assert _row(compare(curve_runs("old"), new, gates), "bd_rate.vmaf").verdict is Verdict.UNDECIDED


def test_the_direction_of_a_metric_is_that_of_the_registry() -> None:
    gates = _rules(GateRule(metric="bd_rate.cambi", margin=0.02), GateRule(metric="bd_quality.cambi", margin=0.5))

    old, new = (
        curve_runs(n, rate=r, metric="cambi", quality=(1.0, 3.0, 6.0, 10.0)) for n, r in (("old", 1.0), ("new", 1.3))
    )
    comparison = compare(old, new, gates)

    assert _row(comparison, "bd_rate.cambi").ratio == pytest.approx(1.3)
    assert _row(comparison, "bd_quality.cambi").verdict is Verdict.WORSE
    assert (_row(comparison, "bd_quality.cambi").difference or 0) > 0
