"""A committed baseline: what goes in, what any machine may be held against, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from capbench.errors import OutputError, ResultError
from capbench.gate import GateFile, GateRule
from capbench.gate.compare import compare, compare_with_baseline
from capbench.gate.history.baseline_figures import Baseline, read_baseline, take_baseline, write_baseline
from capbench.results.comparison import Comparison, MetricVerdict, Verdict
from tests.gate_runs import noisy, runs_table


def folder(machine: str, speed: float, *, gpu: float = 0.6, seed: int = 1, **columns: Any) -> pd.DataFrame:
    """Floor, cpu and gpu on a machine whose every run takes `speed` seconds times what it takes elsewhere."""
    gpu_columns = {"readback_bytes": 3_000_000.0, "path_requested": "gpu", "path_used": "gpu", **columns}
    return pd.concat(
        [
            runs_table("floor", noisy(10, ratio=0.5 * speed, seed=seed), fingerprint=machine, cpu_s=5.0 * speed),
            runs_table("cpu", noisy(10, ratio=speed, seed=seed + 1), fingerprint=machine, cpu_s=8.0 * speed),
            runs_table(
                "gpu", noisy(10, ratio=gpu * speed, seed=seed + 2), gpu_columns, fingerprint=machine, cpu_s=3.0 * speed
            ),
        ],
        ignore_index=True,
    )


def row_of(comparison: Comparison, metric: str, subject: str = "gpu") -> MetricVerdict:
    return next(row for row in comparison.verdicts if (row.metric, row.new) == (metric, subject))


def test_a_baseline_holds_evidence_and_nothing_absolute() -> None:
    baseline = take_baseline(folder("a", 1.0))

    metrics = {figure.metric for figure in baseline.figures}
    assert {"wall_s/floor", "wall_s/cpu", "cpu_s/cpu", "peak_rss_bytes/cpu", "readback_bytes", "frames"} <= metrics
    assert not {"wall_s", "cpu_s", "peak_rss_bytes"} & metrics
    ratio = next(f for f in baseline.figures if (f.subject, f.metric) == ("gpu", "wall_s/cpu"))
    assert len(ratio.values) == 10
    assert ratio.values[0] == pytest.approx(0.6, abs=0.03)
    assert "floor" not in {figure.subject for figure in baseline.figures}


def test_a_machine_three_times_as_slow_is_the_same() -> None:
    comparison = compare_with_baseline(folder("b", 3.0, seed=20), take_baseline(folder("a", 1.0)))

    assert comparison.verdict is Verdict.SAME
    assert row_of(comparison, "wall_s/cpu").verdict is Verdict.SAME
    assert comparison.machines == ("b",)


def test_a_lost_advantage_shows_on_any_machine() -> None:
    """Gpu takes 0.8 of cpu where the baseline has 0.6: a third more."""
    comparison = compare_with_baseline(folder("b", 3.0, gpu=0.8, seed=20), take_baseline(folder("a", 1.0)))

    assert row_of(comparison, "wall_s/cpu").verdict is Verdict.WORSE
    assert row_of(comparison, "wall_s/cpu").ratio == pytest.approx(0.8 / 0.6, abs=0.03)
    assert comparison.exit_code == 1


@pytest.mark.parametrize(
    ("columns", "metric", "expected"),
    [
        ({"readback_bytes": 3_000_001.0}, "readback_bytes", Verdict.WORSE),
        ({"frames": 299}, "frames", Verdict.WORSE),
        ({"quality.psnr_y.mean": 39.0}, "quality.psnr_y.mean", Verdict.WORSE),
        ({"adapter_is_software": True}, "wall_s/cpu", Verdict.NOT_APPLICABLE),
        ({"adapter_is_software": True}, "readback_bytes", Verdict.SAME),
        ({"validation.passed": False}, "validation", Verdict.INVALID),
        ({"output_bytes": 1_010_000.0}, "output_bytes", Verdict.SAME),
        ({"output_bytes": [0.0] + 9 * [1_000_000.0]}, "output_bytes", Verdict.INVALID),
    ],
)
def test_figures_that_need_no_machine(columns: dict[str, Any], metric: str, expected: Verdict) -> None:
    comparison = compare_with_baseline(folder("b", 3.0, seed=20, **columns), take_baseline(folder("a", 1.0)))

    assert row_of(comparison, metric).verdict is expected


@pytest.mark.parametrize("counted", [0.0, 5e-324, 1e-300, 0.999])
def test_a_baseline_of_less_than_a_byte_has_no_ratio_and_anything_more_is_worse(counted: float) -> None:
    """Counts are whole, but for those of a file that somebody edited."""
    baseline = take_baseline(folder("a", 1.0, readback_bytes=counted))

    row = row_of(compare_with_baseline(folder("b", 3.0, seed=20), baseline), "readback_bytes")

    assert (row.verdict, row.ratio) == (Verdict.WORSE, None)


def test_a_gate_file_sets_the_margin_of_a_ratio() -> None:
    strict = GateFile(rule=(GateRule(metric="wall_s/cpu", margin=0.01),))
    drifted, baseline = folder("b", 3.0, gpu=0.63, seed=20), take_baseline(folder("a", 1.0))

    assert row_of(compare_with_baseline(drifted, baseline), "wall_s/cpu").verdict is Verdict.SAME
    assert row_of(compare_with_baseline(drifted, baseline, strict), "wall_s/cpu").verdict is Verdict.WORSE


def test_a_baseline_joins_the_family_of_a_comparison() -> None:
    runs = folder("b", 3.0, gpu=0.8, seed=20)

    comparison = compare(
        runs[runs["subject"] == "cpu"],
        runs[runs["subject"] == "gpu"],
        baseline=take_baseline(folder("a", 1.0)),
        runs=runs,
    )

    assert {row.base for row in comparison.verdicts} == {"cpu", "baseline"}
    assert comparison.verdict is Verdict.WORSE


def test_a_baseline_survives_the_disk(tmp_path: Path) -> None:
    baseline = take_baseline(folder("a", 1.0))

    write_baseline(baseline, tmp_path / "deep" / "baseline.json")

    assert read_baseline(tmp_path / "deep" / "baseline.json") == baseline


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"error": ["killed"] + [None] * 9}, "1 of 30 runs failed"),
        ({"validation.passed": False}, "failed validation in 1080p by gpu"),
        ({"fallbacks": [("no adapter",)] * 10}, "gpu fell back: no adapter"),
    ],
)
def test_a_broken_state_is_no_baseline(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ResultError, match=message):
        take_baseline(folder("a", 1.0, **columns))


def test_the_floor_alone_is_no_baseline() -> None:
    with pytest.raises(ResultError, match="nothing to take a baseline from"):
        take_baseline(runs_table("floor", [1.0, 1.0]))


_FIGURE = '{{"figures": [{{"case": "a", "subject": "gpu", "metric": "output_bytes", "values": [1.0, {}]}}]}}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "capbench baseline"),
        ("[]", "capbench baseline"),
        ('{"figures": [], "schema_version": 99}', "newer capbench"),
        (_FIGURE.format("1e999"), "finite"),
        (_FIGURE.format("NaN"), "finite"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ResultError, match=message):
        read_baseline(path)


def test_missing_and_unwritable_files_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="capbench baseline update"):
        read_baseline(tmp_path / "absent.json")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot write the baseline"):
        write_baseline(Baseline(figures=()), tmp_path / "file" / "baseline.json")


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(ResultError, match="no case and subject in common"):
        compare_with_baseline(runs_table("other", [1.0]), take_baseline(folder("a", 1.0)))
