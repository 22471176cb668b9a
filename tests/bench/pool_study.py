"""Pools of five machines of two platforms with known truth: `python -m tests.bench.pool_study`.

Each simulated pool has a ratio to the floor for each platform, machines that differ from it by `tau`, and blocks with
noise that is not normal (spikes, as on shared machines). Ratios come from the same estimates as in `capbench pool`, and
the fit is its own code. The table on stdout is that of docs/pool.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass

import numpy as np

from capbench.gate.over_machines.subject_ratios import LEVEL
from capbench.gate.statistics.inference import evidence
from capbench.gate.statistics.nested_effects import NestedEffects, nest_effects
from tests.bench.gate_study import Rate

__all__ = ["PLATFORMS", "PoolRates", "main", "pool_rates", "simulated_pool"]

SEED = 20261127
PLATFORMS = ("Windows", "Windows", "Windows", "macOS", "macOS")
NOISE = 0.02


@dataclass(frozen=True, slots=True)
class PoolRates:
    """What became of many pools of one kind."""

    recovered: tuple[float, float]
    """Mean recovered ratio of each platform, macOS first."""
    covered: Rate
    """Intervals of platforms that hold the truth; 90% are promised."""
    across: Rate
    """Pools with a number across platforms."""
    across_covered: Rate
    """Of those, how many hold the mean over machines."""


def simulated_pool(
    rng: np.random.Generator, *, ratios: dict[str, float], tau: float, blocks: int
) -> tuple[NestedEffects, float]:
    """One pool, fitted; and the mean of the true log ratios over platforms' machines."""
    true = np.array([math.log(ratios[platform]) for platform in PLATFORMS])
    own = true + rng.normal(0, tau, true.size)
    logs = own[:, None] + rng.normal(0, NOISE, (true.size, blocks))
    logs += (rng.random(logs.shape) < 0.05) * rng.exponential(0.2, logs.shape)
    logs -= (rng.random(logs.shape) < 0.05) * rng.exponential(0.2, logs.shape)  # a spike may hit the floor, too
    shown = [evidence(row) for row in logs]
    fitted = nest_effects(
        [each.centre(LEVEL).estimate for each in shown], [each.standard_error(LEVEL) for each in shown], PLATFORMS
    )
    return fitted, float(true.mean())


def pool_rates(*, ratios: dict[str, float], tau: float, blocks: int, simulations: int) -> PoolRates:
    """Simulate pools and count."""
    rng = np.random.default_rng([SEED, blocks, int(1000 * tau), int(1000 * sum(ratios.values()))])
    means = np.zeros(2)
    covered = shown = shown_covered = 0
    for _ in range(simulations):
        fitted, centre = simulated_pool(rng, ratios=ratios, tau=tau, blocks=blocks)
        for place, each in enumerate(sorted(fitted.platforms, key=lambda one: one.platform != "macOS")):
            bounds = each.interval(LEVEL)
            means[place] += each.mean
            covered += bounds is not None and bounds[0] <= math.log(ratios[each.platform]) <= bounds[1]
        if fitted.across is not None and not fitted.differs_by_platform:
            low, high = fitted.across.interval(LEVEL)
            shown, shown_covered = shown + 1, shown_covered + (low <= centre <= high)
    first, second = np.exp(means / simulations)
    return PoolRates(
        (float(first), float(second)),
        Rate(covered, 2 * simulations),
        Rate(shown, simulations),
        Rate(shown_covered, max(shown, 1)),
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=400, help="pools a row (default: %(default)s)")
    simulations = parser.parse_args(arguments).simulations
    head = "macOS, Windows | machines differ by | blocks | recovered | platforms held | number for all | held"
    sys.stdout.write(f"| {head} |\n|---|---:|---:|---:|---:|---:|---:|\n")
    for ratios in ({"macOS": 1.2, "Windows": 1.2}, {"macOS": 1.04, "Windows": 1.195}, {"macOS": 1.5, "Windows": 8.3}):
        for tau in (0.0, 0.02, 0.1):
            for blocks in (5, 20):
                found = pool_rates(ratios=ratios, tau=tau, blocks=blocks, simulations=simulations)
                recovered = ", ".join(f"{ratio:.3f}" for ratio in found.recovered)
                held = str(found.across_covered) if found.across.count else ""
                sys.stdout.write(
                    f"| {ratios['macOS']:g}, {ratios['Windows']:g} | {tau:.0%} | {blocks} | {recovered} | "
                    f"{found.covered}% | {found.across}% | {f'{held}%' if held else ''} |\n"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
