"""Looking while blocks come in: the error of all looks together, and stopping on a clear effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from capbench.errors import ResultError
from capbench.gate.compare import judge_family
from capbench.gate.gate_file import GateFile
from capbench.gate.judged_metrics import describe_metric
from capbench.gate.sequential.alpha_spending import ending_look, next_look, planned_looks
from capbench.gate.sequential.interim_looks import InterimLook, read_looks
from capbench.gate.sequential.stopping import SequentialGate, SequentialTest, levels_of
from capbench.gate.statistics.inference import Levels, evidence
from capbench.gate.verdicts.noisy_figures import NoisyRow, asked_for
from capbench.results.comparison import Verdict
from capbench.results.folder import read_folder
from tests.bench.gate_noise import simulate
from tests.gate_folders import write_plan, write_runs
from tests.gate_runs import noisy, runs_table


def _looks(max_blocks: int, until: int | None = None, taken: tuple[InterimLook, ...] = ()) -> tuple[InterimLook, ...]:
    """Every look that a runner takes that asks after each block, up to `until` blocks."""
    for blocks in range(1, (until or max_blocks) + 1):
        due = next_look(taken, blocks=blocks, max_blocks=max_blocks)
        taken = taken if due is None else (*taken, due)
    return taken


@pytest.mark.parametrize(
    ("max_blocks", "looks"),
    [(3, (3,)), (5, (5,)), (7, (5, 7)), (12, (5, 12)), (20, (5, 9, 12, 20)), (60, (5, 9, 12, 16, 22, 30, 40, 60))],
)
def test_which_blocks_are_looked_at(max_blocks: int, looks: tuple[int, ...]) -> None:
    assert planned_looks(max_blocks) == looks
    assert tuple(look.blocks for look in _looks(max_blocks)) == looks


@pytest.mark.parametrize("max_blocks", [3, 5, 7, 12, 20, 60, 300])
def test_the_looks_share_the_error_and_no_more(max_blocks: int) -> None:
    taken = _looks(max_blocks)

    assert all(look.share > 0 for look in taken)
    assert [look.ends for look in taken] == [False] * (len(taken) - 1) + [True]
    assert sum(look.share for look in taken) == pytest.approx(1 - 0.1 * (taken[-1].share / 0.9))


@pytest.mark.parametrize("max_blocks", [7, 10, 20])
def test_the_last_look_can_speak(max_blocks: int) -> None:
    """All blocks of one mind must be enough at the end, or a run of so many blocks could not show anything."""
    assert 0.5**max_blocks <= levels_of(Levels(), _looks(max_blocks)[-1].share).metric


def test_however_often_a_run_is_ended_and_resumed_the_error_is_never_overspent() -> None:
    """Ended by its budget after 8 and after 25 blocks, then resumed with another horizon, then ended again."""
    taken: tuple[InterimLook, ...] = ()
    spent = []
    for until, max_blocks in ((8, 60), (25, 60), (31, 30), (90, 200)):
        taken = _looks(max_blocks, until, taken)
        if (last := ending_look(taken, blocks=until)) is not None:
            taken = (*taken, last)
        spent.append(sum(look.share for look in taken))

    assert spent == sorted(set(spent))
    assert spent[-1] < 1
    assert all(look.share > 0 for look in taken)


def test_a_look_that_a_killed_run_missed_is_taken_at_the_next_block() -> None:
    """Resumed with nine blocks on record: the plan's look at nine was never made, and the one at ten has its share."""
    taken = _looks(60, 5)

    late, planned = (next_look(taken, blocks=blocks, max_blocks=60) for blocks in (10, 9))

    assert late is not None
    assert planned is not None
    assert late.blocks == 10
    assert late.share > planned.share


def test_an_ended_run_is_not_looked_at_twice() -> None:
    ended = (InterimLook(blocks=8, share=0.5, ends=True),)

    assert ending_look(ended, blocks=8) is None
    assert ending_look((), blocks=0) is None


@pytest.mark.parametrize("model", ["shared", "second_slower"])
def test_false_alarms_of_all_looks_together_stay_below_one_percent(model: str) -> None:
    """Without a margin to hide behind, any alarm at any look counts. Looking at 1% each time gives 4 to 5%.

    The run is ended by its budget after 17 blocks, resumed, and ended again after 40.
    """
    taken = _looks(60, 17)
    taken = (*taken, *filter(None, [ending_look(taken, blocks=17)]))
    taken = _looks(40, 40, taken)
    times = simulate(model, np.random.default_rng(5), simulations=200, blocks=40, effect=0.0, in_blocks=True)
    log_ratios = np.log(times.new.mean(axis=2) / times.base.mean(axis=2))

    alarms = sum(
        any(_alarm(row[: look.blocks], levels_of(Levels(), look.share)) for look in taken) for row in log_ratios
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


_GATE = SequentialGate((("cpu", "gpu"),))


def _until_decided(runs: pd.DataFrame, max_blocks: int) -> tuple[int, tuple[InterimLook, ...]]:
    """Blocks after which a runner stops, and the looks that it took."""
    taken: tuple[InterimLook, ...] = ()
    for blocks in range(1, max_blocks + 1):
        due = next_look(taken, blocks=blocks, max_blocks=max_blocks)
        if due is None:
            continue
        taken = (*taken, due)
        so_far = runs[runs["block"] < blocks]
        if due.ends or all(row.verdict is not Verdict.UNDECIDED for row in _GATE.judge(so_far, taken).verdicts):
            return blocks, taken
    raise AssertionError("never decided")


def test_a_clear_effect_stops_at_the_first_look() -> None:
    runs = _folder(40, ratio=13, sd=0.01)

    stopped, taken = _until_decided(runs, 40)

    assert stopped == 5
    assert _GATE.judge(runs[runs["block"] < 5], taken).verdict is Verdict.WORSE


def test_noise_costs_blocks_and_the_verdict_is_still_found() -> None:
    runs = _folder(40, ratio=1.05, sd=0.02)

    stopped, taken = _until_decided(runs, 40)

    assert 5 < stopped <= 40
    assert _GATE.judge(runs[runs["block"] < stopped], taken).verdict is Verdict.WORSE


def test_the_last_look_ends_it_undecided() -> None:
    """The effect sits on the margin: no number of blocks decides, and the run must end all the same."""
    runs = _folder(12, ratio=1.02, sd=0.03)

    stopped, taken = _until_decided(runs, 12)

    assert stopped == 12
    assert _GATE.judge(runs, taken).exit_code == 3


def test_a_lost_frame_counts_whenever_it_was_lost() -> None:
    """The wall time was decided at the first look; the picture is judged on every block."""
    runs = _folder(8, ratio=1.0, sd=0.001).reset_index(drop=True)
    runs.loc[(runs["subject"] == "gpu") & (runs["block"] == 7), "frames"] = 299

    comparison = _GATE.judge(runs, _looks(40, 8))

    assert comparison.verdict is Verdict.WORSE
    assert next(row for row in comparison.verdicts if row.metric == "wall_s").verdict is Verdict.SAME


def test_between_looks_nothing_new_is_decided() -> None:
    """Eight blocks hold one look, at five; what the others add must wait for the next."""
    runs = _folder(8, ratio=1.08, sd=0.01)

    at_five, at_eight = (_GATE.judge(runs[runs["block"] < blocks], _looks(40, 5)) for blocks in (5, 8))

    assert [row.verdict for row in at_five.verdicts] == [row.verdict for row in at_eight.verdicts]


def test_a_run_that_was_killed_before_its_first_look_says_how_to_go_on() -> None:
    wall = next(row for row in _GATE.judge(_folder(4, ratio=13, sd=0.01), ()).verdicts if row.metric == "wall_s")

    assert wall.verdict is Verdict.UNDECIDED
    assert wall.sentence.endswith("undecided until the next interim look; resume with --until-decided")


@pytest.mark.parametrize("order", [("main", "branch"), ("branch", "main")])
@pytest.mark.parametrize("named", [{"reference": "main"}, {"base": "main"}])
def test_a_slower_branch_is_worse_however_the_names_sort(
    tmp_path: Path, order: tuple[str, str], named: dict[str, Any]
) -> None:
    """Three times slower: with the alphabetically first subject for base, this was once "the same"."""
    write_plan(tmp_path, ("capbench", "run"), blocks=10, subjects=order, **named)
    write_runs(tmp_path, "branch", noisy(10, ratio=3, sd=0.01))
    write_runs(tmp_path, "main", noisy(10, sd=0.01, seed=2))

    found = SequentialTest(GateFile(), 10).judge(read_folder(tmp_path))

    assert found is not None
    assert (found.base, found.new, found.verdict) == ("main", "branch", Verdict.WORSE)
    assert found.base_note.startswith("The base is main:")


def test_the_first_subject_of_the_file_is_base_where_nothing_names_one(tmp_path: Path) -> None:
    write_plan(tmp_path, ("capbench", "run"), blocks=10, subjects=("zebra", "ant"))
    write_runs(tmp_path, "ant", noisy(10, ratio=3, sd=0.01))
    write_runs(tmp_path, "zebra", noisy(10, sd=0.01, seed=2))

    found = SequentialTest(GateFile(), 10).judge(read_folder(tmp_path))

    assert found is not None
    assert (found.base, found.verdict) == ("zebra", Verdict.WORSE)


@pytest.fixture
def eight_blocks(tmp_path: Path) -> Path:
    """6% more in eight blocks, which the look at five could not decide."""
    write_runs(tmp_path, "cpu", noisy(8, sd=0.01))
    write_runs(tmp_path, "gpu", noisy(8, ratio=1.06, sd=0.01, seed=2))
    return tmp_path


def test_a_run_that_its_budget_ended_is_looked_at_with_the_error_that_is_left(eight_blocks: Path) -> None:
    looks = SequentialTest(GateFile(), 60)

    assert not looks.is_decided(read_folder(eight_blocks))
    found = looks.judge(read_folder(eight_blocks))

    assert found is not None
    assert found.verdict is Verdict.WORSE
    taken = read_looks(eight_blocks)
    assert taken is not None
    assert [(look.blocks, look.ends) for look in taken] == [(8, False), (8, True)]


def test_what_was_decided_stands_and_is_not_looked_at_again(eight_blocks: Path) -> None:
    looks = SequentialTest(GateFile(), 60)
    looks.judge(read_folder(eight_blocks))
    before = read_looks(eight_blocks)
    write_runs(eight_blocks, "cpu", noisy(1, ratio=9), first_block=8)
    write_runs(eight_blocks, "gpu", noisy(1, ratio=1), first_block=8)

    found = looks.judge(read_folder(eight_blocks))

    assert found is not None
    assert found.verdict is Verdict.WORSE
    assert read_looks(eight_blocks) == before


def test_a_resumed_run_knows_what_was_spent(tmp_path: Path) -> None:
    """Undecided when its budget ended; after the resume more blocks, a tenth of the error, and still a verdict."""
    write_runs(tmp_path, "cpu", noisy(8, sd=0.05))
    write_runs(tmp_path, "gpu", noisy(8, ratio=1.05, sd=0.05, seed=2))
    first = SequentialTest(GateFile(), 60).judge(read_folder(tmp_path))
    write_runs(tmp_path, "cpu", noisy(32, sd=0.01, seed=3), first_block=8)
    write_runs(tmp_path, "gpu", noisy(32, ratio=1.06, sd=0.01, seed=4), first_block=8)
    resumed = SequentialTest(GateFile(), 40)

    assert resumed.is_decided(read_folder(tmp_path))
    second = resumed.judge(read_folder(tmp_path))

    assert first is not None
    assert first.verdict is Verdict.UNDECIDED
    assert second is not None
    assert second.verdict is Verdict.WORSE
    taken = read_looks(tmp_path)
    assert taken is not None
    assert [look.blocks for look in taken] == [8, 40]
    assert sum(look.share for look in taken) == pytest.approx(0.9 + 0.9 * 0.1)


def test_a_damaged_record_of_the_looks_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "looks.json").write_text("{", encoding="utf-8")

    with pytest.raises(ResultError, match=r"looks\.json, the record of interim looks"):
        read_looks(tmp_path)


def test_the_runner_stops_when_the_folder_decides(tmp_path: Path) -> None:
    looks = SequentialTest(GateFile(), 40)
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

    assert SequentialTest(GateFile(), 40).is_decided(read_folder(tmp_path))
