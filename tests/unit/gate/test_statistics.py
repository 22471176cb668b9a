"""The statistics of the gate against scipy and published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from capbench.gate.statistics.holm import holm
from capbench.gate.statistics.inference import Evidence, Levels, evidence, p_of_change
from capbench.gate.statistics.power import DecisionNoise, blocks_that_decide, visible_change
from capbench.gate.statistics.rank_sum import rank_sum
from capbench.gate.statistics.signed_rank import half, scores_of, sign_test


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [1, 2, 3, 4, 5, 6]),
        ([1.0, 1.1, 1.2, 1.3, 1.4, 9.0], [1, 2, 3, 4, 5, 1]),
        ([0.0, 0.0, 0.0, 0.0, 0.1, 0.1], [1, 2, 3, 4, 5, 6]),
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.3], [1, 2, 3, 4, 5, 6]),
    ],
    ids=["alike", "one far off", "nearly all zero", "no spread"],
)
def test_an_outlier_counts_as_little_as_the_smallest(sizes: list[float], expected: list[int]) -> None:
    assert scores_of(np.array(sizes), cap=6).tolist() == expected


def test_scores_stop_rising_at_the_cap() -> None:
    assert scores_of(np.linspace(1, 2, 9), half(9)).tolist() == [1, 2, 3, 4, 5, 5, 5, 5, 5]


def test_spikes_do_not_silence_the_test_for_a_change() -> None:
    """Nine of ten blocks show +5%, one the opposite by a half: plain ranks cannot tell that from no change at 1%."""
    differences = np.concatenate([np.linspace(0.04, 0.06, 9), [-0.5]])

    assert sign_test(differences).p_above(0.0) < 0.01 < stats.wilcoxon(differences, alternative="greater").pvalue
    assert sign_test(differences).lower(0.05) > math.log(1.02)


def test_spikes_alone_are_no_change() -> None:
    """Three of twenty runs of new caught a spike; the other blocks disagree about the sign."""
    ordinary = np.tile([0.01, -0.01], 9)[:17] * np.linspace(0.5, 1.5, 17)

    assert sign_test(np.concatenate([ordinary, [0.3, 0.4, 0.5]]), cap=half(20)).p_above(0.0) > 0.05


def test_both_directions_mirror_each_other() -> None:
    differences = np.random.default_rng(3).normal(0.3, 1, 12)

    assert sign_test(differences).p_above(0.1) == sign_test(-differences).p_below(-0.1)
    assert sign_test(differences).lower(0.05) == -sign_test(-differences).upper(0.05)


def test_ties_count_for_no_change() -> None:
    assert sign_test(np.zeros(9)).p_above(0.0) == 1.0
    assert sign_test(np.array([0.5, -0.5] * 5)).p_above(0.0) > 0.5


@pytest.mark.parametrize("pairs", [5, 8, 20])
@pytest.mark.parametrize("centre", [0.0, 0.1, 0.2])
def test_p_values_are_those_of_scipy(pairs: int, centre: float) -> None:
    """Without an outlier the scores are Wilcoxon's ranks."""
    rng = np.random.default_rng(pairs)
    differences = centre + rng.uniform(0.2, 0.6, pairs) * rng.choice([-1, 1], pairs)

    above = sign_test(differences).p_above(centre)
    below = sign_test(differences).p_below(centre)

    assert above == pytest.approx(stats.wilcoxon(differences - centre, alternative="greater", method="exact").pvalue)
    assert below == pytest.approx(stats.wilcoxon(differences - centre, alternative="less", method="exact").pvalue)


@pytest.mark.parametrize(("before", "after"), [(3, 3), (5, 8), (20, 12)])
def test_unpaired_p_values_are_those_of_scipy(before: int, after: int) -> None:
    rng = np.random.default_rng(before)
    first, second = rng.normal(0, 1, before), rng.normal(0.5, 1, after)

    expected = stats.mannwhitneyu(second, first, alternative="greater", method="exact").pvalue

    assert rank_sum(first, second).p_above(0.0) == pytest.approx(expected)
    assert rank_sum(second, first).p_below(0.0) == pytest.approx(expected)


def test_estimate_and_interval_agree_with_the_test() -> None:
    """A centre is inside the one-sided bounds exactly when the test does not reject it."""
    shown = sign_test(np.random.default_rng(4).normal(0.05, 0.1, 15))

    lower, upper = shown.lower(0.05), shown.upper(0.05)

    assert shown.p_above(lower - 1e-9) <= 0.05 < shown.p_above(lower + 1e-9)
    assert shown.p_below(upper + 1e-9) <= 0.05 < shown.p_below(upper - 1e-9)
    assert lower < shown.estimate < upper


def test_a_spike_hardly_moves_the_estimate() -> None:
    """One run in ten caught a tenfold disturbance; the mean would say 26%."""
    quiet = np.full(10, 0.01) + np.linspace(-0.001, 0.001, 10)
    spiked = quiet.copy()
    spiked[3] = math.log(10)

    assert sign_test(spiked).estimate == pytest.approx(sign_test(quiet).estimate, abs=0.0005)


def test_ties_and_zeros_never_make_the_p_value_too_small() -> None:
    """Equal readings are no evidence: a memory figure that never moves must not be called changed."""
    assert sign_test(np.zeros(20)).p_above(0.0) == 1.0
    assert sign_test([0.0] * 15 + [0.1] * 5).p_above(0.0) >= 0.5**5


@pytest.mark.parametrize("bad", [[], [0.1, math.nan], [math.inf]])
def test_differences_must_be_finite_numbers(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="finite differences"):
        sign_test(bad)


def test_too_few_pairs_have_no_bound() -> None:
    assert sign_test([0.1, 0.2, 0.3]).lower(0.05) == -math.inf
    assert evidence([0.1]).centre(0.05).upper(0.05) == math.inf


def test_holm_reproduces_a_worked_example() -> None:
    """Holm's step-down on 0.01, 0.04, 0.03, 0.005, by hand: 0.005*4, 0.01*3, 0.03*2, then the 0.06 carries over."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def _p_up(shown: Evidence, level: float) -> float:
    return p_of_change(shown, centre=0.0, beyond=math.log(1.02), upwards=True, level=level)


def test_three_blocks_convince_only_when_every_one_does() -> None:
    """Below 7 blocks unanimity is no proof at 1%, so the size of the change must speak in each block."""
    assert _p_up(evidence([2.5, 2.6, 2.55]), 0.01) < 0.001
    assert _p_up(evidence([2.5, 2.6, 0.01]), 0.01) == 1.0
    assert _p_up(evidence([2.5, 2.6]), 0.01) == 1.0


def test_with_enough_blocks_the_exact_test_speaks() -> None:
    assert _p_up(evidence(np.linspace(0.01, 0.02, 7)), 0.01) == 0.5**7


def test_the_strictest_level_follows_the_family() -> None:
    assert Levels().strictest(1) == 0.01
    assert Levels().strictest(50) == pytest.approx(0.001)
    assert Levels().strictest(0) == 0.01


@pytest.mark.parametrize(("blocks", "per_block"), [(10, 0.01), (20, 0.03), (40, 0.03)])
def test_an_effect_of_the_visible_size_is_seen_nine_times_in_ten(blocks: int, per_block: float) -> None:
    """Simulated: the promise of `detectable_ratio`. 2% for the simulation, 5% since ranks are a bit weaker than t."""
    levels, margin = Levels(), math.log(1.02)
    effect = visible_change(DecisionNoise(per_block, levels.metric, levels.margin), blocks=blocks, margin=margin)
    draws = np.random.default_rng(blocks).normal(effect, per_block, (1500, blocks))

    seen = 0
    for row in draws:
        shown = evidence(row)
        seen += (
            _p_up(shown, levels.metric) <= levels.metric and shown.centre(levels.margin).lower(levels.margin) > margin
        )

    assert seen / len(draws) == pytest.approx(0.90, abs=0.07)


def test_blocks_that_decide_are_about_enough() -> None:
    """A quiet +5% needs few more, a noisy one many, and an effect on the margin no number."""
    margin = math.log(1.02)
    quiet, loud = DecisionNoise(0.01, 0.01, 0.05), DecisionNoise(0.06, 0.01, 0.05)

    few = blocks_that_decide(quiet, blocks=4, estimate=math.log(1.05), margin=margin)
    many = blocks_that_decide(loud, blocks=4, estimate=math.log(1.05), margin=margin)

    assert few is not None
    assert many is not None
    assert 1 <= few <= 4
    assert many > 25
    assert blocks_that_decide(loud, blocks=4, estimate=margin, margin=margin) is None
