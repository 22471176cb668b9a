"""Figures of the exporter's own under the gate's rules: direction, zeros, noise, and what nobody asked for."""

from __future__ import annotations

from typing import Any

import pytest

from capbench.errors import GateFileError
from capbench.gate.compare import compare
from capbench.gate.gate_file import GateFile, GateRule
from capbench.results.comparison import MetricVerdict, Verdict
from tests.gate_runs import noisy, runs_table, verdict_of

_BLOCKS = 8


def _judged(base: Any, new: Any, *, better: str = "lower", unit: str = "", **rule: Any) -> MetricVerdict:
    walls = noisy(_BLOCKS, seed=3)
    names = {"custom.own.unit": unit, "custom.own.better": better}
    before = runs_table("a", walls, {"custom.own": base, **names})
    after = runs_table("b", walls, {"custom.own": new, **names})
    gates = GateFile(rule=(GateRule(metric="custom.own", **rule),))
    return verdict_of(compare(before, after, gates), "custom.own")


@pytest.mark.parametrize(
    ("base", "new", "better", "margin", "verdict"),
    [
        (0.0, 2.0, "lower", 0.0, Verdict.WORSE),
        (2.0, 0.0, "lower", 0.0, Verdict.BETTER),
        (0.0, 0.0, "lower", 0.0, Verdict.SAME),
        (0.0, 2.0, "higher", 0.0, Verdict.BETTER),
        (100.0, 90.0, "higher", 0.0, Verdict.WORSE),
        (100.0, 104.0, "lower", 0.05, Verdict.SAME),
        (100.0, 106.0, "lower", 0.05, Verdict.WORSE),
        (-5.0, -6.0, "lower", 0.0, Verdict.BETTER),
    ],
)
def test_a_figure_that_repeats_itself_is_judged_exactly(
    base: float, new: float, better: str, margin: float, verdict: Verdict
) -> None:
    assert _judged(base, new, better=better, margin=margin).verdict is verdict


@pytest.mark.parametrize(
    ("ratio", "better", "verdict"),
    [
        (1.3, "lower", Verdict.WORSE),
        (1.3, "higher", Verdict.BETTER),
        (0.7, "lower", Verdict.BETTER),
        (0.7, "higher", Verdict.WORSE),
        (1.0, "lower", Verdict.SAME),
        (1.0, "higher", Verdict.SAME),
    ],
)
def test_a_figure_that_varies_is_judged_by_its_ratio_in_its_direction(
    ratio: float, better: str, verdict: Verdict
) -> None:
    row = _judged(noisy(_BLOCKS, seed=5), noisy(_BLOCKS, ratio=ratio, seed=6), better=better, margin=0.1)

    assert row.verdict is verdict
    assert row.ratio == pytest.approx(ratio, rel=0.03)
    assert row.interval is not None
    assert row.ratio is not None
    assert row.interval[0] < row.ratio < row.interval[1]


def test_counts_that_vary_around_zero_need_to_show_a_change() -> None:
    still = [0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0, 1.0]
    moved = [value + 5 + number % 3 for number, value in enumerate(still)]
    shuffled = [1.0, 0.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0]

    assert _judged(still, moved).verdict is Verdict.WORSE
    assert _judged(still, moved, better="higher").verdict is Verdict.BETTER
    assert _judged(still, shuffled).verdict is not Verdict.WORSE


def test_the_sentence_has_the_unit() -> None:
    assert "0 frames to 3 frames" in _judged(0.0, 3.0, unit="frames").sentence
    assert "2.00 s to 3.00 s" in _judged(2.0, 3.0, unit="s").sentence


def test_a_limit_holds_for_it() -> None:
    row = _judged(3.0, 4.0, limit=3.5, relative=False)

    assert row.verdict is Verdict.WORSE
    assert "limit" in row.sentence


def test_no_rule_no_row_and_a_glob_takes_the_numbers_only() -> None:
    names = {"custom.own": 1.0, "custom.own.unit": "s", "custom.own.better": "lower"}
    before, after = (runs_table(name, noisy(_BLOCKS), names) for name in "ab")

    assert not [row for row in compare(before, after).verdicts if row.metric.startswith("custom.")]
    rows = compare(before, after, GateFile(rule=(GateRule(metric="custom.*"),))).verdicts
    assert [row.metric for row in rows if row.metric.startswith("custom.")] == ["custom.own"]


def test_a_misspelt_figure_is_said_where_the_runs_have_others() -> None:
    names = {"custom.frames_dropped": 1.0}
    before, after = (runs_table(name, noisy(_BLOCKS), names) for name in "ab")

    with pytest.raises(GateFileError, match=r"nearest: custom\.frames_dropped"):
        compare(before, after, GateFile(rule=(GateRule(metric="custom.frames_droped"),)))


def test_a_figure_of_one_side_only_is_undecided() -> None:
    before = runs_table("a", noisy(_BLOCKS))
    after = runs_table("b", noisy(_BLOCKS), {"custom.own": 1.0, "custom.own.better": "lower"})

    row = verdict_of(compare(before, after, GateFile(rule=(GateRule(metric="custom.own"),))), "custom.own")

    assert row.verdict is Verdict.UNDECIDED
