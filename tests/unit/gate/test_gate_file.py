"""Gate files: what they may say, what each error points at, and what the project's own one claims."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capbench.errors import GateFileError
from capbench.gate import GateFile, GateRule, GateSettings, compare, load_gate_file
from capbench.gate.compare import compare_with_baseline
from capbench.gate.gate_file import BUILT_IN_RULES, judged_metrics, rule_for
from capbench.gate.history.baseline_figures import take_baseline
from capbench.gate.judged_metrics import known_figures
from capbench.quality.metrics.ffmpeg_metrics import FFMPEG_METRICS
from capbench.quality.metrics.frame_pairs import OWN_METRICS
from capbench.quality.metrics.libvmaf.libvmaf_options import LIBVMAF_METRICS
from capbench.results.comparison import Comparison, Verdict
from capbench.results.metric_registry import BUILT_IN_METRICS, columns_of
from tests.gate_runs import noisy, runs_table, verdict_of

_OWN = Path(__file__).resolve().parents[3] / "matrix" / "gates.toml"


def _written(folder: Path, text: str) -> Path:
    path = folder / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_with_every_setting_loads(tmp_path: Path) -> None:
    gates = load_gate_file(
        _written(
            tmp_path,
            """
            [gate]
            require_gpu = true
            baseline = "base.json"
            [[rule]]
            metric = "peak_rss_bytes"
            case = ["4k*", "8k*"]
            limit = "500 MB"
            [[rule]]
            metric = "readback_bytes"
            equals_ratio = 0.375
            """,
        )
    )

    assert gates.gate.require_gpu
    assert gates.gate.baseline == str(tmp_path / "base.json")
    assert gates.rule[0].limit == 500e6
    assert gates.rule[0].case == ("4k*", "8k*")
    assert gates.rule[1].equals_ratio == Fraction(3, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gate", "not TOML"),
        ("[gates]\n", "gates: unknown key; did you mean 'gate'?"),
        ("[gate]\nalpha = 1\n", "gate.alpha: unknown key"),
        ("[gate]\nmetric_error = 0.9\n", "gate.metric_error: Input should be less than 0.5, got 0.9"),
        ("[[rule]]\nmargin = 0.1\n", "rule[0].metric: Field required"),
        ("[[rule]]\nmetric = 'wall_s'\nmargin = -1\n", "rule[0].margin: Input should be greater"),
        ("[[rule]]\nmetric = 'wall_s'\nrequired_ratio = 1.2\n", "rule[0].required_ratio"),
        ("[[rule]]\nmetric = 'wall_s'\nmargin = inf\n", "rule[0].margin: Input should be a finite number"),
        ("[[rule]]\nmetric = 'fps'\n", "fps is not judged; use wall_s"),
        ("[[rule]]\nmetric = 'peak_rss_bytes'\nlimit = 'much'\n", "rule[0].limit: not a size in bytes: 'much'"),
        ("[[rule]]\nmetric = 'readback_bytes'\nequals_ratio = 'x'\n", "rule[0].equals_ratio: not a ratio: 'x'"),
        ("[[rule]]\nmetric = 'wall_s'\nrelative = false\n", "relative = false needs a limit"),
        ("[[rule]]\nmetric = 'wall_s'\nrequired_ratio = 0.5\nequals_ratio = 0.5\n", "not both"),
        ("[[rule]]\nmetric = 'wall_s'\nadapter = 'gpu'\n", "rule[0].adapter: Input should be 'any' or 'hardware'"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = _written(tmp_path, text)

    with pytest.raises(GateFileError) as caught:
        load_gate_file(path)

    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GateFileError, match=r"cannot read .*absent\.toml"):
        load_gate_file(tmp_path / "absent.toml")


def test_later_rules_win_setting_by_setting() -> None:
    rules = (
        GateRule(metric="wall_s", margin=0.02),
        GateRule(metric="wall_s", case=("4k",), required_ratio=0.65),
        GateRule(metric="wall_s", case=("4k",), margin=0.05),
    )

    at_4k = rule_for(rules, metric="wall_s", case="4k", base="cpu", new="gpu")
    elsewhere = rule_for(rules, metric="wall_s", case="1080p", base="cpu", new="gpu")

    assert at_4k is not None
    assert elsewhere is not None
    assert (at_4k.required_ratio, at_4k.margin) == (0.65, 0.05)
    assert (elsewhere.required_ratio, elsewhere.margin) == (None, 0.02)


def test_globs_pick_up_the_quality_columns_that_are_there() -> None:
    columns = ["quality.psnr_y.mean", "quality.psnr_y.worst", "quality.xpsnr_y.mean", "wall_s", "fps"]

    judged = judged_metrics((*BUILT_IN_RULES, GateRule(metric="*", margin=0.1)), columns)

    assert {"quality.psnr_y.mean", "quality.xpsnr_y.mean", "validation", "wall_s"} <= set(judged)
    assert "fps" not in judged


def own_claims(ratio: float, new: dict[str, Any] | None = None) -> Comparison:
    """The project's claims, over a simulated 4K case."""
    columns = {"path_requested": "gpu", "path_used": "gpu", "readback_bytes": 3_000_000.0, **(new or {})}
    return compare(
        runs_table("cpu", noisy(12), case="screencast-4k"),
        runs_table("gpu", noisy(12, ratio=ratio, seed=2), columns, case="screencast-4k"),
        load_gate_file(_OWN),
    )


@pytest.mark.parametrize(
    ("ratio", "new", "metric", "expected"),
    [
        (0.60, {}, "wall_s", Verdict.BETTER),
        (0.65, {}, "wall_s", Verdict.UNDECIDED),
        (0.80, {}, "wall_s", Verdict.WORSE),
        (0.60, {"peak_rss_bytes": 501e6}, "peak_rss_bytes", Verdict.WORSE),
        (0.60, {"readback_bytes": 3_000_001.0}, "readback_bytes", Verdict.WORSE),
        (0.60, {"readback_bytes": 2_999_999.0}, "readback_bytes", Verdict.WORSE),
        (0.60, {"quality.psnr_y.mean": 39.8}, "quality.psnr_y.mean", Verdict.WORSE),
    ],
)
def test_the_projects_own_claims_are_held_up_or_refuted(
    ratio: float, new: dict[str, Any], metric: str, expected: Verdict
) -> None:
    comparison = own_claims(ratio, new)

    row = next(row for row in comparison.verdicts if row.metric == metric)
    assert row.verdict is expected
    assert comparison.verdict is expected
    assert ("at least 35.0% less" in row.sentence) is (metric == "wall_s")


def test_on_a_software_adapter_claims_about_hardware_are_not_applicable_and_the_rest_counts() -> None:
    comparison = own_claims(5.0, {"adapter_is_software": True, "peak_rss_bytes": 900e6})

    verdicts = {row.metric: row.verdict for row in comparison.verdicts}
    assert verdicts["wall_s"] is verdicts["cpu_s"] is verdicts["peak_rss_bytes"] is Verdict.NOT_APPLICABLE
    assert verdicts["readback_bytes"] is Verdict.BETTER
    assert verdicts["quality.ssim_y.mean"] is Verdict.SAME
    assert comparison.exit_code == 0


@pytest.mark.parametrize("is_software", [False, True])
@pytest.mark.parametrize("case", ["4k", "1080p", "1080p-long", "hls"])
@pytest.mark.parametrize("subject", ["gpu", "gpu-fused"])
def test_every_claim_applies_on_a_real_adapter_and_has_its_reason_elsewhere(
    subject: str, case: str, *, is_software: bool
) -> None:
    """Over the cases of the standard matrix: a path that is slow in software must not fail a claim about hardware."""
    measured = {"path_requested": subject, "path_used": subject, "readback_bytes": 3_000_000.0}
    comparison = compare(
        runs_table("cpu", noisy(12), case=case),
        runs_table(subject, noisy(12, ratio=3.0 if is_software else 0.6, seed=2), measured, case=case).assign(
            adapter_is_software=is_software
        ),
        load_gate_file(_OWN),
    )

    excused = {row.metric: row.reasons for row in comparison.verdicts if row.verdict is Verdict.NOT_APPLICABLE}
    reason = f"{subject} ran on a software adapter (Test adapter), and the rule is for hardware adapters"
    assert excused == (dict.fromkeys(["wall_s", "cpu_s", "peak_rss_bytes"], (reason,)) if is_software else {})
    assert comparison.verdict is Verdict.BETTER
    untested = [warning for warning in comparison.warnings if "not tested" in warning]
    assert all("at 4K" in warning for warning in untested)
    assert bool(untested) is ("4k" not in case)


def test_a_claim_that_nothing_tested_is_said() -> None:
    comparison = compare(
        runs_table("cpu", noisy(8), case="720p"),
        runs_table("gpu", noisy(8, seed=2), case="720p"),
        load_gate_file(_OWN),
    )

    assert any("35% off the export time at 4K" in warning for warning in comparison.warnings)


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        (GateRule(metric="readback_bytes", equals_ratio=Fraction(3, 8)), "readback_bytes"),
        (GateRule(metric="readback_bytes", margin=0.1), "readback_bytes"),
        (GateRule(metric="peak_rss_bytes", limit=1e9), "peak_rss_bytes"),
        (GateRule(metric="peak_rss_bytes", limit=1e9, relative=False), "peak_rss_bytes"),
        (GateRule(metric="gpu_busy_s"), "gpu_busy_s"),
        (GateRule(metric="quality.vmaf.mean", margin=1.0), "quality.vmaf.mean"),
        (GateRule(metric="quality.vmaf*"), "quality.vmaf*"),
        (GateRule(metric="stage.encode.work_s"), "stage.encode.work_s"),
        (GateRule(metric="telemetry.nvml.0.energy_j"), "telemetry.nvml.0.energy_j"),
    ],
)
def test_what_a_rule_asks_about_and_nobody_measured_is_undecided(rule: GateRule, column: str) -> None:
    """Once these passed without a word, or were printed as held."""
    base = runs_table("cpu", noisy(8)).drop(columns=[column], errors="ignore")

    comparison = compare(base, base.assign(subject="gpu"), GateFile(rule=(rule,)))

    found = verdict_of(comparison, column)
    assert found.verdict is Verdict.UNDECIDED
    assert "not measured for" in found.reasons[0]
    assert comparison.exit_code == 3


def test_without_a_rule_of_ones_own_what_was_not_measured_is_left_out() -> None:
    """VMAF is absent on most machines: built-in rules must not make everything undecided."""
    base = runs_table("cpu", noisy(8), {"quality.vmaf.mean": None, "readback_bytes": None})

    comparison = compare(base, base.assign(subject="gpu"))

    assert comparison.exit_code == 0
    assert not any(row.metric in ("quality.vmaf.mean", "readback_bytes") for row in comparison.verdicts)


def test_a_rule_about_hardware_stays_not_applicable_even_where_nothing_was_measured() -> None:
    base = runs_table("cpu", noisy(8), adapter_is_software=True)
    rule = GateRule(metric="gpu_busy_s", adapter="hardware", required_ratio=0.5)

    comparison = compare(base, base.assign(subject="gpu"), GateFile(rule=(rule,)))

    assert verdict_of(comparison, "gpu_busy_s").verdict is Verdict.NOT_APPLICABLE
    assert comparison.exit_code == 0


def test_a_limit_alone_needs_nothing_of_base() -> None:
    base = runs_table("cpu", noisy(8), gpu_busy_s=None)
    rule = GateRule(metric="gpu_busy_s", limit=1.0, relative=False)

    within, over = (
        compare(base, runs_table("gpu", noisy(8, seed=2), gpu_busy_s=busy), GateFile(rule=(rule,)))
        for busy in (0.5, 1.5)
    )

    assert verdict_of(within, "gpu_busy_s").verdict is Verdict.SAME
    assert verdict_of(over, "gpu_busy_s").verdict is Verdict.WORSE


@pytest.mark.parametrize(
    ("metric", "nearest"),
    [
        ("wal_s", "wall_s"),
        ("quality.pnsr_y.mean", "quality.psnr_y.mean"),
        ("quality.wmaf*", "quality.vmaf.mean"),
        ("peak_rss", "peak_rss_bytes"),
        ("stage.encod.work_s", "stage.encode.work_s"),
        ("wall_s/flor", "wall_s/floor"),
        ("adapter", "docs/gate.md|nearest"),
    ],
)
@pytest.mark.parametrize("judge", [True, False])
def test_a_metric_that_no_figure_has_is_an_error_that_names_the_nearest(metric: str, nearest: str, judge: bool) -> None:
    base = runs_table("cpu", noisy(8), {"stage.encode.work_s": 0.5, "stage.decode.work_s": 0.1})

    with pytest.raises(GateFileError, match=nearest) as caught:
        compare(base, base.assign(subject="gpu"), GateFile(rule=(GateRule(metric=metric, judge=judge),)))

    assert f"rule[0].metric: '{metric}' matches no figure" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_column_of_ones_own_is_a_figure() -> None:
    base = runs_table("cpu", noisy(8), joules=3.0)

    comparison = compare(base, base.assign(subject="gpu"), GateFile(rule=(GateRule(metric="joules"),)))

    assert verdict_of(comparison, "joules").verdict is Verdict.SAME


def test_a_glob_of_everything_judges_figures_and_leaves_out_the_rest() -> None:
    base = runs_table("cpu", noisy(8), {"encoder": "libx264", "telemetry.nvml.unavailable": "no driver"})

    comparison = compare(base, base.assign(subject="gpu"), GateFile(rule=(GateRule(metric="*"),)))

    assert not {row.metric for row in comparison.verdicts} & {"block", "encoder", "command", "adapter", "error", "role"}
    assert not any(row.metric.startswith("telemetry") for row in comparison.verdicts)


def test_nothing_is_said_to_hold_that_nobody_looked_at() -> None:
    base = runs_table("cpu", noisy(8)).drop(columns=["validation.passed"])
    base = base[[name for name in base.columns if not str(name).startswith("quality.")]]
    gates = GateFile(gate=GateSettings(require_validation=False))

    comparison = compare(base, base.assign(subject="gpu"), gates)

    assert comparison.verdict is Verdict.SAME
    assert "quality is maintained" not in comparison.sentence


def test_the_registry_names_every_metric_that_validation_measures() -> None:
    by_others = [metric for metric in BUILT_IN_METRICS if metric.name in {*FFMPEG_METRICS, *LIBVMAF_METRICS}]

    assert set(columns_of(BUILT_IN_METRICS)) == {*OWN_METRICS, *columns_of(by_others)}
    assert len(by_others) == len(FFMPEG_METRICS) + len(LIBVMAF_METRICS)
    assert {f"quality.{column}.mean" for column in columns_of(BUILT_IN_METRICS)} <= set(known_figures())


@pytest.mark.parametrize("metric", ["wall_s/floor", "quality.vmaf.mean"])
def test_what_a_rule_asks_of_a_baseline_that_does_not_hold_it_is_undecided(metric: str) -> None:
    runs = runs_table("gpu", noisy(8))
    baseline = take_baseline(runs)

    comparison = compare_with_baseline(runs, baseline, GateFile(rule=(GateRule(metric=metric),)))

    assert verdict_of(comparison, metric).verdict is Verdict.UNDECIDED
    assert comparison.exit_code == 3


def test_a_rule_about_a_baseline_is_not_tested_where_none_is_compared_with() -> None:
    base = runs_table("cpu", noisy(8))

    comparison = compare(base, base.assign(subject="gpu"), GateFile(rule=(GateRule(metric="wall_s/floor"),)))

    assert comparison.exit_code == 0
    assert any("not tested" in warning and "wall_s/floor" in warning for warning in comparison.warnings)


def test_a_limit_alone_ignores_how_base_fares() -> None:
    gates = GateFile(rule=(GateRule(metric="peak_rss_bytes", limit=500e6, relative=False),))

    comparison = compare(runs_table("cpu", noisy(8)), runs_table("gpu", noisy(8, seed=2), peak_rss_bytes=450e6), gates)

    row = next(row for row in comparison.verdicts if row.metric == "peak_rss_bytes")
    assert row.verdict is Verdict.SAME
    assert "450 MB at most, within the limit of 500 MB" in row.sentence
