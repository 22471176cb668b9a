"""Looking while blocks come in: the error of all looks together, and stopping on a clear effect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from capbench.gate.compare import judge_family
from capbench.gate.evidence import Levels, evidence
from capbench.gate.gate_file import GateFile
from capbench.gate.metrics import describe_metric
from capbench.gate.noisy import NoisyRow, asked_for
from capbench.gate.sequential import Looks, SequentialGate, levels_left, levels_of_look, planned_looks, subject_pairs
from capbench.results.comparison import Verdict
from capbench.results.folder import read_folder
from tests.bench.gate_noise import simulate
from tests.gate_folders import write_runs
from tests.gate_runs import noisy, runs_table


@pytest.mark.parametrize("max_blocks", [3, 5, 20, 60])
def test_the_looks_share_the_error_and_no_more(max_blocks: int) -> None:
    looks = planned_looks(max_blocks)
    shares = [levels_of_look(Levels(), looks, index) for index in range(len(looks))]

    assert looks[-1] == max_blocks
    assert list(looks) == sorted(set(looks))
    assert sum(share.metric for share in shares) == pytest.approx(Levels().metric)
    assert sum(share.family for share in shares) == pytest.approx(Levels().family)
    assert all(share.margin > 0 for share in shares)


@pytest.mark.parametrize("model", ["shared", "second_slower"])
def test_false_alarms_of_all_looks_together_stay_below_one_percent(model: str) -> None:
    """Without a margin to hide behind, any alarm at any look counts. Looking at 1% each time gives 4 to 5%."""
    looks = planned_looks(40)
    times = simulate(model, np.random.default_rng(5), simulations=200, blocks=40, effect=0.0, in_blocks=True)
    log_ratios = np.log(times.new.mean(axis=2) / times.base.mean(axis=2))

    alarms = sum(
        any(_alarm(row[:look], levels_of_look(Levels(), looks, index)) for index, look in enumerate(looks))
        for row in log_ratios
    )

    # Fails only where the count refutes 1%.
    assert stats.binom.sf(alarms - 1, len(log_ratios), 0.01) > 0.001


def _alarm(log_ratios: np.ndarray[tuple[int, ...], np.dtype[np.float64]], levels: Levels) -> bool:
    row = NoisyRow(
        labels={"case": "c", "metric": "wall_s", "base": "a", "new": "b"},
        metric=describe_metric("wall_s"),
        shown=evidence(log_ratios),
        asked=asked_for(0.0, None),
        margin=0.0,
        base_median=1.0,
        new_median=1.0,
    )
    return judge_family([row], levels)[0].verdict is Verdict.WORSE


def _folder(blocks: int, ratio: float, sd: float) -> pd.DataFrame:
    return pd.concat(
        [runs_table("cpu", noisy(blocks, sd=sd)), runs_table("gpu", noisy(blocks, ratio=ratio, sd=sd, seed=2))]
    )


def _blocks_until_decided(gate: SequentialGate, runs: pd.DataFrame) -> int:
    for blocks in range(1, gate.max_blocks + 1):
        if gate.decided(runs[runs["block"] < blocks]):
            return blocks
    raise AssertionError("never decided")


def test_a_clear_effect_stops_at_the_first_look() -> None:
    gate = SequentialGate((("cpu", "gpu"),), max_blocks=40)
    runs = _folder(40, ratio=13, sd=0.01)

    assert _blocks_until_decided(gate, runs) == 5
    assert gate.judge(runs[runs["block"] < 5]).verdict is Verdict.WORSE


def test_noise_costs_blocks_and_the_verdict_is_still_found() -> None:
    gate = SequentialGate((("cpu", "gpu"),), max_blocks=40)
    runs = _folder(40, ratio=1.05, sd=0.02)

    stopped = _blocks_until_decided(gate, runs)

    assert 5 < stopped <= 40
    assert gate.judge(runs[runs["block"] < stopped]).verdict is Verdict.WORSE


def test_the_last_look_ends_it_undecided() -> None:
    """The effect sits on the margin: no number of blocks decides, and the run must end all the same."""
    gate = SequentialGate((("cpu", "gpu"),), max_blocks=12)
    runs = _folder(12, ratio=1.02, sd=0.03)

    assert _blocks_until_decided(gate, runs) == 12
    assert gate.judge(runs).exit_code == 3


def test_a_lost_frame_counts_whenever_it_was_lost() -> None:
    """The wall time was decided at the first look; the picture is judged on every block."""
    runs = _folder(8, ratio=1.0, sd=0.001).reset_index(drop=True)
    runs.loc[(runs["subject"] == "gpu") & (runs["block"] == 7), "frames"] = 299

    comparison = SequentialGate((("cpu", "gpu"),), max_blocks=40).judge(runs)

    assert comparison.verdict is Verdict.WORSE
    assert next(row for row in comparison.verdicts if row.metric == "wall_s").verdict is Verdict.SAME


def test_between_looks_nothing_new_is_decided() -> None:
    """Six blocks hold one look, at five; what the sixth adds must wait for the next."""
    runs = _folder(6, ratio=1.04, sd=0.02)
    gate = SequentialGate((("cpu", "gpu"),), max_blocks=40)

    at_five, at_six = gate.judge(runs[runs["block"] < 5]), gate.judge(runs)

    assert [row.verdict for row in at_five.verdicts] == [row.verdict for row in at_six.verdicts]
    assert not gate.decided(runs)


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["floor", "cpu", "gpu"], (("cpu", "gpu"),)),
        (["gpu", "gpu@main", "floor", "floor@main", "cpu", "cpu@main"], (("gpu@main", "gpu"), ("cpu@main", "cpu"))),
        (["floor", "mine", "theirs"], (("mine", "theirs"),)),
        (["floor"], ()),
    ],
)
def test_which_subjects_are_compared(subjects: list[str], expected: tuple[tuple[str, str], ...]) -> None:
    assert subject_pairs(subjects) == expected


@pytest.mark.parametrize("blocks", [7, 8])
def test_a_run_that_its_budget_ended_is_looked_at_with_the_error_that_is_left(blocks: int) -> None:
    """Of a horizon of 60, the looks at 5 and 7 blocks could spend a fifth of the error, the end has the rest."""
    runs = _folder(blocks, ratio=1.06, sd=0.01)
    over = pd.concat([runs, runs_table("floor", [1.0]).assign(block=-3, role="drift_end")])
    gate = SequentialGate((("cpu", "gpu"),))

    assert gate.judge(runs).verdict is Verdict.UNDECIDED
    assert gate.judge(over).verdict is Verdict.WORSE


@pytest.mark.parametrize("done", [0, 1, 3])
def test_the_looks_and_the_end_spend_the_error_together(done: int) -> None:
    looks = planned_looks(60)

    spent = sum(levels_of_look(Levels(), looks, index).metric for index in range(done))

    assert spent + levels_left(Levels(), looks, done).metric == pytest.approx(Levels().metric)


def test_the_runner_stops_when_the_folder_decides(tmp_path: Path) -> None:
    looks = Looks(GateFile(), 40)
    write_runs(tmp_path, "floor", noisy(4))
    write_runs(tmp_path, "cpu", noisy(4))
    write_runs(tmp_path, "gpu", noisy(4, ratio=13))

    assert not looks.is_decided(read_folder(tmp_path))
    write_runs(tmp_path, "cpu", noisy(1, seed=8), first_block=4)
    write_runs(tmp_path, "gpu", noisy(1, ratio=13, seed=9), first_block=4)
    assert looks.is_decided(read_folder(tmp_path))
    found = looks.judge(read_folder(tmp_path))
    assert found is not None
    assert found.verdict is Verdict.WORSE


def test_a_folder_with_one_subject_has_nothing_to_decide(tmp_path: Path) -> None:
    write_runs(tmp_path, "cpu", noisy(1))

    assert Looks(GateFile(), 40).is_decided(read_folder(tmp_path))
