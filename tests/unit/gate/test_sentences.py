"""What a reader is told: effect, interval, power, the stage that moved, and nothing that is not known."""

from __future__ import annotations

import pandas as pd
import pytest

from capbench.gate import compare
from capbench.results.comparison import Verdict
from tests.gate_runs import noisy, runs_table, verdict_of


def test_effect_interval_and_power_are_reported() -> None:
    """+5% with 1% noise in 20 blocks: the truth lies in the interval, and a change well below 5% was visible."""
    comparison = compare(runs_table("cpu", noisy(20)), runs_table("gpu", noisy(20, ratio=1.05, seed=2)))
    row = verdict_of(comparison, "wall_s")

    assert row.interval is not None
    assert row.interval[0] < 1.05 < row.interval[1]
    assert row.ratio == pytest.approx(1.05, abs=0.01)
    assert row.detectable_ratio is not None
    assert 1.02 < row.detectable_ratio < 1.04
    assert row.blocks == 20
    assert row.confidence == pytest.approx(0.9)


def test_a_run_without_power_is_undecided_and_says_what_would_decide() -> None:
    base, new = runs_table("cpu", noisy(6, sd=0.05)), runs_table("gpu", noisy(6, sd=0.05, seed=9))

    comparison = compare(base, new)

    row = verdict_of(comparison, "wall_s")
    assert row.verdict is Verdict.UNDECIDED
    assert comparison.exit_code == 3
    assert row.blocks_needed is not None
    assert f"{row.blocks_needed} more blocks would decide" in row.sentence


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (1, "(1 block): undecided; 1 block cannot estimate noise; run at least 2 more"),
        (2, "2 blocks): undecided; 2 blocks cannot estimate noise; run at least 1 more"),
    ],
)
def test_before_the_third_block_nothing_is_promised(blocks: int, words: str) -> None:
    comparison = compare(runs_table("cpu", noisy(blocks, sd=0.1)), runs_table("gpu", noisy(blocks, sd=0.1, seed=2)))

    row = verdict_of(comparison, "wall_s")

    assert row.sentence.endswith(words)
    assert row.blocks_needed is None


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("cpu_s", "CPU time of gpu equals that of cpu (8 blocks): the same, not worse by more than 3%"),
        ("output_bytes", "output size of gpu equals that of cpu (1.00 MB): the same"),
    ],
)
def test_what_never_varies_is_said_without_a_range(metric: str, words: str) -> None:
    comparison = compare(runs_table("cpu", noisy(8)), runs_table("gpu", noisy(8, seed=2)))

    assert verdict_of(comparison, metric).sentence == f"1080p: {words}"


def test_a_broken_and_slow_export_is_worse_and_the_stage_is_named() -> None:
    """The specimen: 13 times slower and tinted. The slowness stands, whatever the picture looks like."""
    base = runs_table("cpu", noisy(5), {"stage.readback.work_s": 0.1, "stage.encode.work_s": 0.8})
    new = runs_table(
        "gpu-late",
        noisy(5, ratio=13, seed=2),
        {"stage.readback.work_s": 11.9, "stage.encode.work_s": 0.8, "validation.passed": False},
    )

    comparison = compare(base, new)

    assert comparison.verdict is Verdict.WORSE
    assert comparison.stage_shifts[0].stage == "readback"
    assert comparison.stage_shifts[0].share_of_change == pytest.approx(11.8 / 12, abs=0.05)
    slow = verdict_of(comparison, "wall_s")
    assert slow.verdict is Verdict.WORSE
    assert "stage `readback`" in comparison.sentence
    assert comparison.sentence.endswith(" the output failed validation in 5 of 5 runs.")


@pytest.mark.parametrize(
    ("is_software", "named"), [(False, "stage `gpu` went from 0.3 s to 0.8 s"), (True, "stage `render` went from")]
)
def test_the_adapters_own_work_is_a_stage_where_it_is_not_the_cpus(named: str, *, is_software: bool) -> None:
    """On a GPU the pipeline only waits for a slow shader; a software adapter works inside the stage that submits."""
    base = {"stage.encode.work_s": 0.4, "stage.render.work_s": 0.1, "gpu_busy_s": 0.3}
    new = {"stage.encode.work_s": 0.4, "stage.render.work_s": 0.15, "gpu_busy_s": 0.8}

    comparison = compare(
        runs_table("gpu", noisy(8), base, adapter_is_software=is_software),
        runs_table("gpu@slow", noisy(8, ratio=1.5, seed=2), new, adapter_is_software=is_software),
    )

    assert named in comparison.sentence


def test_the_stage_is_that_of_the_pair_that_got_slower() -> None:
    """`cpu` and `gpu` against another revision: the stage of `cpu` that moved more did not make `gpu` slower."""
    stages = {"stage.encode.work_s": 0.4, "stage.readback.work_s": 0.1}
    before = pd.concat([runs_table(name, noisy(8), stages) for name in ("cpu", "gpu")])
    after = pd.concat(
        [
            runs_table("cpu", noisy(8, seed=2), {**stages, "stage.encode.work_s": 2.0}),
            runs_table("gpu", noisy(8, ratio=1.5, seed=3), {**stages, "stage.readback.work_s": 0.6}),
        ]
    )

    comparison = compare(before, after)

    assert "wall time of gpu is" in comparison.sentence
    assert "stage `readback` went from 0.1 s to 0.6 s" in comparison.sentence


def test_a_large_gain_that_the_test_cannot_show_yet_is_not_called_the_same() -> None:
    comparison = compare(runs_table("cpu", [1.0] * 3), runs_table("gpu", [0.5, 0.6, 0.75]))

    row = verdict_of(comparison, "wall_s")

    assert row.verdict is Verdict.SAME
    assert row.label == "not worse"
    assert row.sentence.endswith(
        "39.2% less than that of cpu (-56.8% to -14.3%, 3 blocks): not worse; too few blocks to show an improvement"
    )


def test_two_blocks_are_never_the_same_however_far_apart() -> None:
    comparison = compare(runs_table("cpu", [14.0, 12.6]), runs_table("gpu", [7.2, 6.9]))

    assert verdict_of(comparison, "wall_s").verdict is Verdict.UNDECIDED
