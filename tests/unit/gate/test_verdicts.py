"""What the gate says about tables of runs: one behaviour a test."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from capbench.errors import ResultError
from capbench.gate import GateFile, GateRule, GateSettings, compare
from capbench.gate.compare import ComparedSubjects
from capbench.gate.verdicts.validity import texts
from capbench.results.comparison import Comparison, Verdict
from tests.gate_runs import noisy, runs_table, verdict_of


def judged(
    ratio: float = 1.0, new: dict[str, Any] | None = None, *, blocks: int = 20, gates: GateFile | None = None
) -> Comparison:
    """`cpu` against a `gpu` whose wall time is `ratio` times as long and whose columns `new` replaces."""
    return compare(
        runs_table("cpu", noisy(blocks)),
        runs_table(
            "gpu", noisy(blocks, ratio=ratio, seed=2), {"path_requested": "gpu", "path_used": "gpu", **(new or {})}
        ),
        gates,
    )


@pytest.mark.parametrize(
    ("ratio", "blocks", "expected", "exit_code"),
    [
        (1.0, 20, Verdict.SAME, 0),
        (1.05, 20, Verdict.WORSE, 1),
        (0.6, 20, Verdict.BETTER, 0),
        (1.0, 2, Verdict.UNDECIDED, 3),
        (13.0, 3, Verdict.WORSE, 1),
    ],
)
def test_wall_time_decides(ratio: float, blocks: int, expected: Verdict, exit_code: int) -> None:
    comparison = judged(ratio, blocks=blocks)

    assert verdict_of(comparison, "wall_s").verdict is expected
    assert (comparison.verdict, comparison.exit_code) == (expected, exit_code)


def test_a_drift_that_both_sides_see_is_cancelled_by_the_blocks() -> None:
    """The machine gets three times slower over the run; a rule on pooled values would drown."""
    drift = [1 + 0.1 * block for block in range(20)]
    base = runs_table("cpu", [d * w for d, w in zip(drift, noisy(20), strict=True)])
    new = runs_table("gpu", [d * w for d, w in zip(drift, noisy(20, ratio=1.05, seed=2), strict=True)])

    assert verdict_of(compare(base, new), "wall_s").verdict is Verdict.WORSE


def test_blocks_pair_by_number_not_by_row() -> None:
    """A lost run takes its partner with it: the third block's 40% drift must not meet another block."""
    base = runs_table("cpu", [1.0, 1.001, 1.4, 1.002, 1.0, 1.001, 1.002, 1.0])
    new = base.assign(subject="gpu").sample(frac=1, random_state=1)
    new = new[new["block"] != 0]

    row = verdict_of(compare(base, new), "wall_s")

    assert row.blocks == 7
    assert row.ratio == 1.0


@pytest.mark.parametrize(
    ("column", "value", "metric", "expected"),
    [
        ("frames", 299, "frames", Verdict.WORSE),
        ("frames", 301, "frames", Verdict.WORSE),
        ("readback_bytes", 8_000_001.0, "readback_bytes", Verdict.WORSE),
        ("readback_bytes", 3_000_000.0, "readback_bytes", Verdict.BETTER),
        ("output_bytes", 1_019_999.0, "output_bytes", Verdict.SAME),
        ("output_bytes", 1_020_001.0, "output_bytes", Verdict.WORSE),
        ("cpu_s", 8.5, "cpu_s", Verdict.WORSE),
        ("peak_rss_bytes", 330e6, "peak_rss_bytes", Verdict.WORSE),
        ("quality.psnr_y.mean", 39.91, "quality.psnr_y.mean", Verdict.SAME),
        ("quality.psnr_y.mean", 39.89, "quality.psnr_y.mean", Verdict.WORSE),
        ("quality.psnr_y.mean", 40.2, "quality.psnr_y.mean", Verdict.BETTER),
        ("quality.ssim_y.mean", 0.9785, "quality.ssim_y.mean", Verdict.WORSE),
        ("quality.xpsnr_y.mean", 40.5, "quality.xpsnr_y.mean", Verdict.WORSE),
    ],
)
def test_every_metric_counts(column: str, value: float, metric: str, expected: Verdict) -> None:
    """40% faster does not buy anything: what gets worse elsewhere makes the whole worse."""
    comparison = judged(0.6, {column: value})

    assert verdict_of(comparison, metric).verdict is expected
    assert comparison.verdict is (Verdict.WORSE if expected is Verdict.WORSE else Verdict.BETTER)


def test_equal_infinite_psnr_is_no_difference_and_a_finite_one_is_a_loss() -> None:
    base = runs_table("cpu", noisy(8), {"quality.psnr_y.mean": math.inf})
    same = compare(base, base.assign(subject="gpu"))
    lost = compare(base, base.assign(subject="gpu", **{"quality.psnr_y.mean": 60.0}))

    assert verdict_of(same, "quality.psnr_y.mean").verdict is Verdict.SAME
    assert verdict_of(lost, "quality.psnr_y.mean").verdict is Verdict.WORSE


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ({"path_used": "cpu"}, "requested path gpu but used path cpu"),
        ({"fallbacks": [("no adapter",)] * 20}, "fell back: no adapter"),
        ({"fingerprint": "machine-b"}, "the machines differ"),
        ({"error": ["killed"] * 20}, "every run of gpu failed: killed"),
        ({"interleave": "slices"}, "some runs were measured in slices and some were not"),
        ({"scheduling": "realtime"}, "run both sides with the same --scheduling"),
    ],
)
def test_what_does_not_measure_what_was_asked_is_invalid(new: dict[str, Any], reason: str) -> None:
    comparison = judged(0.6, new)

    row = verdict_of(comparison, "wall_s")
    assert row.verdict is Verdict.INVALID
    assert reason in row.sentence
    assert comparison.exit_code == 1


def test_a_block_whose_slices_overlapped_does_not_count() -> None:
    """Its partner in the same block is left without a pair, so that neither side is judged by it."""
    table = runs_table("cpu", [1.0] * 12, {"interleave": "slices", "slices.overlap_share": [0.0] * 10 + [0.011, 0.5]})

    comparison = compare(table, table.assign(subject="gpu"))

    assert verdict_of(comparison, "wall_s").blocks == 10


def test_bytes_and_quality_compare_across_machines() -> None:
    comparison = judged(0.6, {"fingerprint": "machine-b"})

    assert verdict_of(comparison, "readback_bytes").verdict is Verdict.SAME
    assert verdict_of(comparison, "quality.psnr_y.mean").verdict is Verdict.SAME


def test_a_software_adapter_is_invalid_only_where_a_gpu_is_required() -> None:
    required = GateFile(gate=GateSettings(require_gpu=True))

    assert judged(0.6, {"adapter_is_software": True}).verdict is Verdict.BETTER
    assert judged(0.6, {"adapter_is_software": True}, gates=required).verdict is Verdict.INVALID


def test_a_broken_picture_is_never_better_or_the_same() -> None:
    comparison = judged(0.6, {"validation.passed": False, "validation.failures": [("colour.bias",)] * 20})

    assert comparison.verdict is Verdict.INVALID
    assert not {row.verdict for row in comparison.verdicts} & {Verdict.BETTER, Verdict.SAME}
    assert "colour.bias" in comparison.sentence


def test_without_validation_nothing_is_called_better() -> None:
    unchecked = {"validation.passed": None}
    lenient = GateFile(gate=GateSettings(require_validation=False))

    assert judged(0.6, unchecked).verdict is Verdict.UNDECIDED
    assert judged(0.6, unchecked, gates=lenient).verdict is Verdict.BETTER


def test_a_run_that_fails_now_and_then_is_not_a_pass() -> None:
    comparison = judged(0.6, {"error": [None] * 19 + ["exit code 3"]})

    assert comparison.verdict is Verdict.INVALID
    assert "1 of 20 runs of gpu failed: exit code 3" in comparison.sentence


def test_a_subject_that_cannot_run_here_is_not_applicable() -> None:
    comparison = judged(1.0, {"error": ["no Metal"] * 20, "error_kind": ["unavailable"] * 20})

    assert comparison.verdict is Verdict.NOT_APPLICABLE
    assert "no Metal" in comparison.sentence


def test_quality_that_only_base_has_is_missing() -> None:
    comparison = judged(0.6, {"quality.psnr_y.mean": None})

    assert verdict_of(comparison, "quality.psnr_y.mean").verdict is Verdict.INVALID


def test_what_a_foreign_exporter_cannot_report_is_not_applicable() -> None:
    comparison = judged(0.6, {"readback_bytes": None})

    assert verdict_of(comparison, "readback_bytes").verdict is Verdict.NOT_APPLICABLE
    assert comparison.verdict is Verdict.BETTER


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf])
def test_a_figure_that_has_no_ratio_is_invalid(value: float) -> None:
    """A record may say that a run took `1e99999999` seconds."""
    walls = [value, *noisy(7)]

    comparison = compare(runs_table("cpu", noisy(8)), runs_table("gpu", walls))

    assert verdict_of(comparison, "wall_s").verdict is Verdict.INVALID


def test_a_case_that_new_lacks_is_invalid() -> None:
    both = pd.concat([runs_table("gpu", noisy(8)), runs_table("gpu", noisy(8), case="4k")])

    comparison = compare(both, runs_table("gpu", noisy(8, seed=2)))

    assert {row.verdict for row in comparison.verdicts if row.case == "4k"} == {Verdict.INVALID}


def test_a_case_that_only_new_has_is_not_applicable() -> None:
    both = pd.concat([runs_table("gpu", noisy(8, seed=2)), runs_table("gpu", noisy(8), case="4k")])

    comparison = compare(runs_table("gpu", noisy(8)), both)

    assert {row.verdict for row in comparison.verdicts if row.case == "4k"} == {Verdict.NOT_APPLICABLE}
    assert comparison.exit_code == 0


def test_quality_that_only_new_has_cannot_be_shown_to_hold() -> None:
    base = runs_table("cpu", noisy(8), {"quality.psnr_y.mean": None})

    comparison = compare(base, runs_table("gpu", noisy(8, seed=2)))

    assert verdict_of(comparison, "quality.psnr_y.mean").verdict is Verdict.UNDECIDED


def test_two_folders_compare_each_subject_with_itself_and_never_the_floor() -> None:
    base = pd.concat([runs_table(name, noisy(8, seed=n)) for n, name in enumerate(("cpu", "gpu", "floor"))])
    new = pd.concat([runs_table(name, noisy(8, seed=n)) for n, name in enumerate(("cpu", "gpu", "floor"))])

    comparison = compare(
        base.assign(folder="a"), new.assign(folder="b"), subjects=ComparedSubjects(base_label="a", new_label="b")
    )

    assert {(row.base, row.new) for row in comparison.verdicts} == {("a:cpu", "b:cpu"), ("a:gpu", "b:gpu")}


def test_a_floor_that_moved_between_folders_makes_times_invalid() -> None:
    base = pd.concat([runs_table("cpu", noisy(8)), runs_table("floor", noisy(8, seed=3))]).assign(folder="a")
    new = pd.concat([runs_table("cpu", noisy(8)), runs_table("floor", noisy(8, ratio=1.1, seed=4))]).assign(folder="b")

    row = verdict_of(compare(base, new), "wall_s")

    assert row.verdict is Verdict.INVALID
    assert "the floor itself took" in row.sentence


@pytest.mark.parametrize(
    ("end_s", "drift", "expected"),
    [
        (1.05, 1.0, Verdict.SAME),
        (1.6, 1.0, Verdict.SAME),  # a burst that hit the one control run
        (1.6, 1.8, Verdict.INVALID),
        (0.6, 0.5, Verdict.INVALID),
        (1.6, 0.5, Verdict.SAME),  # the blocks moved the other way: whatever the control caught, it was not this
    ],
)
def test_a_machine_that_changed_makes_times_invalid(end_s: float, drift: float, expected: Verdict) -> None:
    """Both sides drift alike, by the factor `drift` from the first to the last of 20 blocks."""
    control = runs_table("floor", [1.0, end_s]).assign(block=[-2, -3], role=["drift_start", "drift_end"])
    course = [drift ** (block / 19) for block in range(20)]
    base = [wall * factor for wall, factor in zip(noisy(20), course, strict=True)]
    new = [wall * factor for wall, factor in zip(noisy(20, seed=2), course, strict=True)]

    comparison = compare(pd.concat([runs_table("cpu", base), control]), pd.concat([runs_table("gpu", new), control]))

    assert verdict_of(comparison, "wall_s").verdict is expected
    assert bool(comparison.warnings) is (expected is Verdict.SAME and end_s > 1.5)


def test_warm_ups_do_not_count() -> None:
    warm_up = runs_table("gpu", [50.0]).assign(block=-1, role="warmup")

    comparison = compare(
        runs_table("cpu", noisy(20)), pd.concat([warm_up, runs_table("gpu", noisy(20, seed=2))], ignore_index=True)
    )

    assert verdict_of(comparison, "wall_s").verdict is Verdict.SAME


def test_family_wise_control_tightens_with_the_number_of_cases() -> None:
    """One +4.5% among 60 cases: the same data as alone, and a larger adjusted p-value."""
    slow = runs_table("gpu", noisy(12, ratio=1.045, seed=2), case="slow")
    alone = compare(runs_table("cpu", noisy(12), case="slow"), slow)
    base, new = [runs_table("cpu", noisy(12), case="slow")], [slow]
    for n in range(60):
        base.append(runs_table("cpu", noisy(12, seed=100 + n), case=f"c{n}"))
        new.append(runs_table("gpu", noisy(12, seed=300 + n), case=f"c{n}"))

    crowd = compare(pd.concat(base), pd.concat(new))

    def p_of_slow(comparison: Comparison) -> float:
        return next(r.p_value or 0 for r in comparison.verdicts if (r.case, r.metric) == ("slow", "wall_s"))

    assert p_of_slow(crowd) >= 20 * p_of_slow(alone) > 0


def test_calibrated_noise_widens_a_margin_that_the_machine_cannot_hold() -> None:
    base, new = runs_table("cpu", noisy(20)), runs_table("cpu2", noisy(20, ratio=1.04, seed=2))

    strict = verdict_of(compare(base, new), "wall_s")
    widened = verdict_of(compare(base, new, noise_floor={"wall_s": 0.08}), "wall_s")

    assert (strict.verdict, widened.verdict) == (Verdict.WORSE, Verdict.SAME)
    assert widened.margin == 0.08
    assert "margin widened from 2.0% to 8.0%" in widened.reasons[0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"subject": "gpu"}, "missing: block, case"), ({"case": "a", "subject": "b"}, "missing: block")],
)
def test_a_table_without_the_needed_columns_is_refused(columns: dict[str, str], message: str) -> None:
    table = pd.DataFrame([columns])

    with pytest.raises(ResultError) as caught:
        compare(table, table)
    assert set(message.removeprefix("missing: ").split(", ")) <= set(str(caught.value).replace(",", "").split())


def test_two_runs_of_one_block_are_refused() -> None:
    table = runs_table("cpu", [1.0, 1.0]).assign(block=0)

    with pytest.raises(ResultError, match="two runs of block 0"):
        compare(table, table.assign(subject="gpu"))


def test_text_in_a_numeric_column_is_refused() -> None:
    with pytest.raises(ResultError, match="'cpu_s' is not numeric"):
        judged(1.0, {"cpu_s": ["fast"] * 20})


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(ResultError, match="no case and subject in common"):
        compare(runs_table("floor", [1.0]).iloc[:0], runs_table("floor", [1.0]).iloc[:0])


def test_rules_for_a_case_narrow_what_holds_for_all() -> None:
    gates = GateFile(rule=(GateRule(metric="wall_s", margin=0.1), GateRule(metric="cpu_s", judge=False)))

    comparison = judged(1.05, {"cpu_s": 99.0}, gates=gates)

    assert comparison.verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("cell", "expected"), [(None, ()), (math.nan, ()), ("", ()), ("a", ("a",)), (["a", "b"], ("a", "b")), ((), ())]
)
def test_cells_with_lists_read_alike_whatever_holds_them(cell: object, expected: tuple[str, ...]) -> None:
    assert texts(cell) == expected


_COMMAND: dict[str, Any] = {"path_requested": None, "path_used": None}
_DRIVER = _COMMAND | {"clock.begin": "text", "clock.end": "output"}


@pytest.mark.parametrize(
    ("base", "new", "warns"),
    [
        (_COMMAND, _DRIVER, True),
        (_DRIVER, _DRIVER | {"clock.begin": "line", "clock.end": "line"}, False),
        (_COMMAND, _COMMAND, False),
        ({}, _DRIVER, False),
    ],
    ids=["process-export", "text-line", "process-process", "pipeline-export"],
)
def test_a_launch_that_one_program_leaves_out_is_named(base: dict[str, Any], new: dict[str, Any], warns: bool) -> None:
    comparison = compare(runs_table("main", noisy(20), base), runs_table("branch", noisy(20, seed=2), new))

    assert any("wall times are not of the same thing" in words for words in comparison.warnings) == warns
    assert verdict_of(comparison, "wall_s").verdict is Verdict.SAME


def test_a_program_that_says_when_it_begins_in_some_runs_only_gets_no_verdict_on_times() -> None:
    sometimes = _COMMAND | {"clock.begin": ["text"] * 10 + [None] * 10, "clock.end": "process"}

    comparison = compare(runs_table("main", noisy(20), sometimes), runs_table("branch", noisy(20, ratio=0.5), _COMMAND))

    row = verdict_of(comparison, "wall_s")
    assert row.verdict is Verdict.INVALID or row.verdict is Verdict.UNDECIDED
    assert any("main was timed from the start of its export" in reason for reason in row.reasons)
