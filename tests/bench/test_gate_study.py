"""A short run of the study behind docs/gate.md: the promises about false alarms and detection hold."""

from __future__ import annotations

import pytest
from scipy import stats

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


@pytest.mark.parametrize(("effect", "goal"), [(0.05, 0.90), (0.10, 0.99)])
def test_a_slowdown_on_a_shared_machine_is_seen(effect: float, goal: float) -> None:
    """The goals; the allowance is three standard errors of the goal itself."""
    rate = gate_alarms("shared", effect=effect, blocks=20, simulations=400)

    assert rate.share >= goal - 3 * (goal * (1 - goal) / rate.of) ** 0.5


def test_the_noise_is_hard_enough_to_tell_rules_apart() -> None:
    """A model on which a pooled t test does well would show nothing."""
    kwargs = {"blocks": 20, "simulations": 200}

    assert rival_alarms("shared", "t test, pooled", effect=0.0, in_blocks=False, **kwargs).share > 0.2
    assert rival_alarms("shared", "ratio, 10%", effect=0.05, in_blocks=True, **kwargs).share < 0.2
