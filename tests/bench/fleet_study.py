"""False alarms and detections of the gate over machines: `python -m tests.bench.fleet_study`.

Everything is simulated from one seed with the noise of gate_noise; the tables on stdout are those of docs/gate.md. The
gate's own code decides, not a copy: simulated times go into `judge_machines` as its rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capbench.gate.compare import GatheredRows, judge_family
from capbench.gate.over_machines.compare_machines import judge_machines
from capbench.gate.statistics.inference import Levels
from capbench.gate.statistics.random_effects import combine_effects
from capbench.gate.verdicts.noisy_figures import NoisyRow
from capbench.gate.verdicts.pooled_figures import judge_over_machines
from capbench.results.comparison import Verdict
from tests.bench.gate_noise import NOISE, simulate
from tests.bench.gate_study import Rate, simulated_row

__all__ = ["FleetRates", "coverage_of_pooling", "fleet_rates", "main"]

SEED = 20261126
MACHINES = 12


@dataclass(frozen=True, slots=True)
class FleetRates:
    """How often simulated fleets of one kind were called what."""

    worse: Rate
    """The figure over machines is worse: exit code 1."""
    mean_worse: Rate
    """The mean alone is worse."""
    alone: Rate
    """Any machine is worse where each is judged as if it were alone, without Holm over machines."""
    passed: Rate
    """The figure over machines is the same or better: exit code 0."""


def fleet_rates(
    model: str, *, effects: Sequence[float], blocks: int, simulations: int, between: float = 0.0, figures: int = 1
) -> FleetRates:
    """Fleets with an effect for each machine (0.05 is 5% slower), spread further by `between` log units."""
    rng = np.random.default_rng([SEED, blocks, len(effects), int(1000 * sum(effects)), list(NOISE).index(model)])
    counts = dict.fromkeys(("worse", "mean_worse", "alone", "passed"), 0)
    levels = Levels()
    for _ in range(simulations):
        rows = {
            f"machine-{number}": [
                _draw(model, rng, blocks, float(np.expm1(np.log1p(effect) + rng.normal(0, between))), f"case {figure}")
                for figure in range(figures)
            ]
            for number, effect in enumerate(effects)
        }
        for name, happened in _outcome(rows, levels).items():
            counts[name] += happened
    return FleetRates(**{name: Rate(count, simulations) for name, count in counts.items()})


def _draw(model: str, rng: np.random.Generator, blocks: int, effect: float, case: str) -> NoisyRow:
    return simulated_row(simulate(model, rng, simulations=1, blocks=blocks, effect=effect, in_blocks=True), 0, case)


def _outcome(rows: Mapping[str, Sequence[NoisyRow]], levels: Levels) -> dict[str, bool]:
    gathered = {
        name: GatheredRows(rows=own, base="base", new="new", shifts=(), warnings=(), clips={})
        for name, own in rows.items()
    }
    judged = judge_machines(gathered, levels)
    over = []
    for at in range(len(next(iter(rows.values())))):
        verdicts = [own[at].model_copy(update={"machine": name}) for name, own in judged.machines.items()]
        key = (verdicts[0].case, verdicts[0].metric, verdicts[0].base, verdicts[0].new)
        over.append(judge_over_machines(verdicts, judged.means.get(key), levels, "").verdict)
    return {
        "worse": Verdict.WORSE in over,
        "mean_worse": any(mean.verdict(levels) is Verdict.WORSE for mean in judged.means.values()),
        "alone": any(row.verdict is Verdict.WORSE for own in rows.values() for row in judge_family(own, levels)),
        "passed": all(verdict in (Verdict.SAME, Verdict.BETTER) for verdict in over),
    }


def coverage_of_pooling(
    *, machines: int, tau: float, blocks: int, simulations: int, noise: float = 0.02
) -> tuple[Rate, Rate]:
    """How often 90% intervals hold the mean, and 90% prediction intervals the effect of one more machine."""
    rng = np.random.default_rng([SEED, 5, machines, blocks, int(1000 * tau)])
    hits = further_hits = 0
    for _ in range(simulations):
        true = rng.normal(0.1, tau, machines + 1)
        ratios = true[:machines, None] + rng.normal(0, noise, (machines, blocks))
        found = combine_effects(ratios.mean(axis=1), ratios.std(axis=1, ddof=1) / blocks**0.5)
        low, high = found.interval(0.05)
        hits += low <= 0.1 <= high
        further = found.prediction(0.05)
        further_hits += further is not None and further[0] <= true[-1] <= further[1]
    return Rate(hits, simulations), Rate(further_hits, simulations)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=500, help="simulations a cell (default: %(default)s)")
    simulations = parser.parse_args(arguments).simulations
    equal, slower = [0.0] * MACHINES, [0.05] * MACHINES
    one = [0.10, *equal[1:]]
    _say(f"{MACHINES} machines, one figure, percent of {simulations} simulations\n")
    _say(
        "| noise | blocks each | equal: worse | equal: each alone | equal: mean worse | equal: passed | "
        "one +10%: worse | all +5%: worse |"
    )
    _say("|---|" + "---:|" * 7)
    for model in ("quiet", "shared", "bursty", "biased"):
        for blocks in (5, 10, 20):
            same = fleet_rates(model, effects=equal, blocks=blocks, simulations=simulations)
            apart = fleet_rates(model, effects=one, blocks=blocks, simulations=simulations // 2)
            all_worse = fleet_rates(model, effects=slower, blocks=blocks, simulations=simulations // 2)
            _say(
                f"| {model} | {blocks} | {same.worse} | {same.alone} | {same.mean_worse} | {same.passed} | "
                f"{apart.worse} | {all_worse.worse} |"
            )
    _say("\nPercent of simulations in which 90% intervals hold the truth: the mean, one more machine\n")
    _say("| machines | spread between machines | 5 blocks | 10 blocks | 20 blocks |\n|---:|---:|---:|---:|---:|")
    for machines in (3, 5, 12):
        for tau in (0.0, 0.02, 0.1):
            cells = [
                coverage_of_pooling(machines=machines, tau=tau, blocks=blocks, simulations=4 * simulations)
                for blocks in (5, 10, 20)
            ]
            _say(f"| {machines} | {tau:.0%} | " + " | ".join(f"{mean}, {further}" for mean, further in cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
