"""A short run of the study of docs/gate.md about machines: twelve equal ones raise no more alarms than one does."""

from __future__ import annotations

import pytest
from scipy import stats

from tests.bench.fleet_study import coverage_of_pooling, fleet_rates


@pytest.mark.parametrize("model", ["shared", "biased"])
def test_twelve_equal_machines_raise_at_most_five_percent_false_alarms(model: str) -> None:
    """Fails only where the count refutes 5%: its probability at exactly 5% is below 1 in 1000."""
    rate = fleet_rates(model, effects=[0.0] * 12, blocks=7, simulations=40).worse

    assert stats.binom.sf(rate.count - 1, rate.of, 0.05) > 0.001


@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_intervals_hold_the_mean_and_a_further_machine(tau: float) -> None:
    """90% of them, less three standard errors of 400 simulations."""
    mean, further = coverage_of_pooling(machines=5, tau=tau, blocks=20, simulations=400)

    assert min(mean.share, further.share) > 0.90 - 3 * (0.9 * 0.1 / 400) ** 0.5
