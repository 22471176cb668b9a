"""A short run of the study behind docs/gate.md: the promises about false alarms and detection hold."""

from __future__ import annotations

import pytest
from scipy import stats

from tests.bench.gate_covariates import alarms as covariate_alarms
from tests.bench.gate_study import family_alarms, gate_alarms, rival_alarms


@pytest.mark.parametrize("model", ["quiet", "shared", "bursty", "biased", "second_slower"])
def test_false_alarms_of_one_metric_stay_below_one_percent(model: str) -> None:
    """Fails only where the count refutes 1%: its probability at exactly 1% is below 1 in 1000."""
    rate = gate_alarms(model, effect=0.0, blocks=10, simulations=500)

    assert stats.binom.sf(rate.count - 1, rate.of, 0.01) > 0.001


@pytest.mark.parametrize("model", ["shared", "biased"])
def test_false_alarms_of_a_whole_gate_stay_below_five_percent(model: str) -> None:
    rate = family_alarms(model, blocks=10, simulations=60)

    assert stats.binom.sf(rate.count - 1, rate.of, 0.05) > 0.001


@pytest.mark.parametrize(
    ("model", "blocks", "effect", "goal"),
    [
        ("shared", 20, 0.05, 0.90),
        ("shared", 20, 0.10, 0.99),
        ("shared", 10, 0.05, 0.70),
        ("bursty", 10, 0.05, 0.75),
    ],
)
def test_a_slowdown_is_seen(model: str, blocks: int, effect: float, goal: float) -> None:
    """The goals, and what 10 blocks reach since one spike does not outvote them; allows three standard errors."""
    rate = gate_alarms(model, effect=effect, blocks=blocks, simulations=400)

    assert rate.share >= goal - 3 * (goal * (1 - goal) / rate.of) ** 0.5


def test_ten_blocks_see_more_than_a_paired_t_test_does() -> None:
    """By ten points at least where there are spikes; both hold 5% at the margin."""
    t_test = rival_alarms("bursty", "paired t test, 2%", effect=0.05, blocks=10, simulations=400, in_blocks=True)

    assert gate_alarms("bursty", effect=0.05, blocks=10, simulations=400).share > t_test.share + 0.1


@pytest.mark.parametrize("name", ["floor of the block", "reading of the run"])
def test_an_adjustment_by_a_covariate_costs_power_where_there_are_spikes(name: str) -> None:
    """Why the gate makes none: its coefficient follows the spikes that the ranks have already put aside."""
    plain, adjusted_for = (
        covariate_alarms("bursty", which, effect=0.05, reliability=0.9, simulations=150) for which in ("none", name)
    )

    assert adjusted_for < plain


def test_the_noise_is_hard_enough_to_tell_rules_apart() -> None:
    """A model on which a pooled t test does well would show nothing."""
    kwargs = {"blocks": 20, "simulations": 200}

    assert rival_alarms("shared", "t test, pooled", effect=0.0, in_blocks=False, **kwargs).share > 0.2
    assert rival_alarms("shared", "ratio, 10%", effect=0.05, in_blocks=True, **kwargs).share < 0.2
