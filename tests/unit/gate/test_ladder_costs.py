"""What each rung of a ladder costs, against folders whose costs are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from capbench.cli import app as command_line
from capbench.gate.compare_targets import compare_folder
from capbench.gate.ladder_costs import ladder_costs
from capbench.results.comparison import LadderCosts, RungCost
from capbench.results.folder_plan import plan_of
from tests.gate_runs import runs_table
from tests.ladder_folders import COSTS, FLOOR_S, RUNGS, ladder_runs, write_ladder


def _costs(*runs: pd.DataFrame) -> LadderCosts:
    (found,) = ladder_costs(pd.concat(runs, ignore_index=True), {"540p": RUNGS})
    return found


def _cost(found: LadderCosts, rung: str, subject: str) -> RungCost:
    cost = found.of(rung, subject)
    assert cost is not None
    return cost


def test_costs_are_those_that_were_put_in() -> None:
    """Although blocks differ by a fifth: a rung and the one below it meet the same weather."""
    found = _costs(ladder_runs())

    assert found.subjects == ("cpu", "gpu")
    for subject, factors in COSTS.items():
        times_floor = np.cumprod(factors)
        for place, rung in enumerate(RUNGS):
            cost = _cost(found, rung, subject)
            assert cost.times_floor == pytest.approx(times_floor[place], rel=0.02)
            assert cost.floor_interval is not None
            assert cost.floor_interval[0] < times_floor[place] * 1.01
            assert cost.floor_interval[1] > times_floor[place] * 0.99
            if place:
                assert cost.ratio == pytest.approx(factors[place], rel=0.015)
                assert cost.interval is not None
                assert cost.interval[1] - cost.interval[0] < 0.05
                added_s = FLOOR_S * (times_floor[place] - times_floor[place - 1])
                assert cost.added_s == pytest.approx(added_s, abs=0.05)
                assert cost.blocks == 12
                assert cost.below == RUNGS[place - 1]
            else:
                assert cost.ratio is None
                assert cost.below is None
    assert _cost(found, RUNGS[1], "gpu").is_seen
    assert _cost(found, RUNGS[1], "cpu").is_seen
    assert not _cost(found, RUNGS[2], "gpu").is_seen


def test_subjects_have_one_order_on_every_rung() -> None:
    runs = ladder_runs(blocks=3).sample(frac=1.0, random_state=3)

    (found,) = ladder_costs(runs, {"540p": RUNGS}, subjects=("floor", "gpu", "cpu"))

    assert [cost.subject for cost in found.costs] == ["gpu", "cpu"] * len(RUNGS)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 30 folders with 3 figures 90%, less three standard errors of 90."""
    held = []
    for seed in range(30):
        found = _costs(ladder_runs(blocks=7, seed=seed))
        for subject, rung, truth in (("cpu", 1, 1.10), ("gpu", 1, 1.40), ("gpu", 2, 1.0)):
            interval = _cost(found, RUNGS[rung], subject).interval
            assert interval is not None
            held.append(interval[0] <= truth <= interval[1])

    assert np.mean(held) > 0.90 - 3 * (0.9 * 0.1 / 90) ** 0.5


def test_a_free_rung_is_seldom_called_a_cost() -> None:
    seen = [_cost(_costs(ladder_runs(blocks=8, seed=seed)), RUNGS[2], "gpu").is_seen for seed in range(20)]

    assert sum(seen) <= 1


def test_what_is_missing_is_said() -> None:
    foreign: dict[str, Any] = {"path_requested": None, "path_used": None}
    low, middle = RUNGS[:2]
    others = [
        runs_table("ffmpeg", [3.0] * 4, foreign, case=low),
        runs_table("late", [3.0] * 4, foreign, case=middle),
        runs_table("fallen", [3.0] * 4, case=low, path_requested="gpu", path_used="cpu"),
        runs_table("broken", [3.0] * 4, foreign, case=low, error="exit code 1"),
        runs_table("green", [3.0] * 4, foreign | {"validation.passed": False}, case=low),
    ]
    found = _costs(ladder_runs(blocks=4), *others)

    assert found.of(middle, "ffmpeg") is None
    assert _cost(found, low, "ffmpeg").times_floor is not None
    assert "no part" in (_cost(found, middle, "late").reason or "")
    assert "path" in (_cost(found, low, "fallen").reason or "")
    assert _cost(found, low, "fallen").wall_s is None
    assert "exit code 1" in (_cost(found, low, "broken").reason or "")
    assert "not valid in 4 of 4" in (_cost(found, low, "green").reason or "")


def test_one_block_has_a_cost_and_no_interval() -> None:
    cost = _cost(_costs(ladder_runs(blocks=1)), RUNGS[1], "gpu")

    assert cost.ratio == pytest.approx(1.4, rel=0.05)
    assert cost.interval is None
    assert not cost.is_seen


def test_rungs_pair_by_machine_too() -> None:
    """A rung on another machine has nothing to pair with."""
    moved = [
        runs_table("moved", [3.0] * 4, case=rung, path_requested=None, path_used=None, fingerprint=machine)
        for rung, machine in zip(RUNGS[:2], ("machine-a", "machine-b"), strict=True)
    ]

    assert _cost(_costs(ladder_runs(blocks=4), *moved), RUNGS[1], "moved").ratio is None


def test_compare_shows_the_ladder_and_writes_it_as_json(tmp_path: Path) -> None:
    folder = write_ladder(tmp_path / "run")
    comparison = compare_folder(folder)
    shown = CliRunner().invoke(command_line.app, ["compare", str(folder)]).output
    written = CliRunner().invoke(command_line.app, ["compare", str(folder), "--json", "-"]).output

    assert [ladder.ladder for ladder in comparison.ladders] == ["540p"]
    assert "2-framed" in shown
    assert "40" in next(line for line in shown.splitlines() if "2-framed" in line and "gpu" in line)
    found = json.loads(written)["ladders"][0]["costs"]
    assert len(found) == len(RUNGS) * len(COSTS)


@pytest.mark.parametrize(
    "ladders", [None, 5, [5], [{"name": "a"}], [{"rungs": ["x"]}], [{"name": "a", "rungs": 3}], {"a": ["x"]}]
)
def test_a_plan_that_says_nothing_of_ladders_has_none(ladders: object) -> None:
    assert not plan_of({"matrix": {"ladders": ladders}}).ladders
