"""A short run of the study of docs/pool.md: five machines of two platforms, and what was put in comes out."""

from __future__ import annotations

import pytest

from tests.bench.pool_study import pool_rates


def test_known_ratios_are_recovered_and_held_by_their_intervals() -> None:
    """90% are promised for normal noise and known errors; with spikes and 20 blocks at least 80%, by three errors."""
    found = pool_rates(ratios={"macOS": 1.04, "Windows": 1.195}, tau=0.02, blocks=20, simulations=60)

    assert found.recovered == pytest.approx((1.04, 1.195), rel=0.01)
    assert found.covered.share > 0.80 - 3 * (0.8 * 0.2 / 120) ** 0.5


def test_platforms_far_apart_have_no_common_number() -> None:
    assert pool_rates(ratios={"macOS": 1.5, "Windows": 8.3}, tau=0.02, blocks=5, simulations=20).across.count == 0
