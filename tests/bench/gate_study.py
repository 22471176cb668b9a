"""False alarms and detections of the gate and of the rules of known tools: `python -m tests.bench.gate_study`.

Everything is simulated from one seed; the tables on stdout are those of docs/gate.md. The gate's own code decides,
not a copy: simulated times go into `judge_family` as its rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from capbench.gate.compare import judge_family
from capbench.gate.judged_metrics import describe_metric
from capbench.gate.statistics.inference import Levels, evidence
from capbench.gate.verdicts.noisy_figures import NoisyRow, asked_for
from capbench.results.comparison import Verdict
from tests.bench.gate_noise import NOISE, Times, simulate
from tests.bench.gate_rivals import RIVALS

__all__ = ["Rate", "family_alarms", "gate_alarms", "main", "rival_alarms", "simulated_row"]

SEED = 20240601
MARGIN = 0.02
CASES_IN_A_GATE, METRICS_IN_A_GATE = 4, 3


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened."""

    count: int
    """Simulations in which it did."""
    of: int
    """Simulations."""

    @property
    def share(self) -> float:
        """Count over total."""
        return self.count / self.of

    @property
    def upper(self) -> float:
        """Upper end of the 95% Clopper-Pearson interval."""
        return float(stats.binomtest(self.count, self.of).proportion_ci(0.95, method="exact").high)

    def __str__(self) -> str:
        return f"{100 * self.share:.2f}" if self.share < 0.1 else f"{100 * self.share:.1f}"


def simulated_row(times: Times, simulation: int, case: str) -> NoisyRow:
    """What the gate makes of one simulated comparison: one figure a process, paired by block."""
    base, new = times.base[simulation].mean(axis=1), times.new[simulation].mean(axis=1)
    return NoisyRow(
        labels={"case": case, "metric": "wall_s", "base": "base", "new": "new"},
        metric=describe_metric("wall_s"),
        shown=evidence(np.log(new / base)),
        asked=asked_for(MARGIN, None),
        margin=MARGIN,
        base_median=float(np.median(base)),
        new_median=float(np.median(new)),
    )


def gate_alarms(model: str, *, effect: float, blocks: int, simulations: int, family: int = 1) -> Rate:
    """How often one metric is called worse, where the gate has `family` - 1 quiet ones besides."""
    rng = np.random.default_rng([SEED, blocks, int(effect * 1000), list(NOISE).index(model)])
    times = simulate(model, rng, simulations=simulations, blocks=blocks, effect=effect, in_blocks=True)
    quiet_rows = [
        simulated_row(simulate("quiet", rng, simulations=1, blocks=blocks, effect=0, in_blocks=True), 0, f"quiet {n}")
        for n in range(family - 1)
    ]
    verdicts = (judge_family([simulated_row(times, n, "case"), *quiet_rows], Levels())[0] for n in range(simulations))
    return Rate(sum(row.verdict is Verdict.WORSE for row in verdicts), simulations)


def family_alarms(model: str, *, blocks: int, simulations: int) -> Rate:
    """How often a whole gate without any change calls anything worse: cases times metrics, a case's ones correlated."""
    rng = np.random.default_rng([SEED, 7, blocks, list(NOISE).index(model)])
    alarms = 0
    for _ in range(simulations):
        rows = [row for case in range(CASES_IN_A_GATE) for row in _case_rows(model, rng, blocks, case)]
        alarms += any(row.verdict is Verdict.WORSE for row in judge_family(rows, Levels()))
    return Rate(alarms, simulations)


def _case_rows(model: str, rng: np.random.Generator, blocks: int, case: int) -> Iterator[NoisyRow]:
    """Metrics of one case share half of their noise: what slows wall time also costs CPU time."""
    common, *own = (
        simulate(model, rng, simulations=1, blocks=blocks, effect=0, in_blocks=True)
        for _ in range(METRICS_IN_A_GATE + 1)
    )
    for times in own:
        yield simulated_row(
            Times(np.sqrt(common.base * times.base), np.sqrt(common.new * times.new)), 0, f"case {case}"
        )


def rival_alarms(model: str, rule: str, *, effect: float, blocks: int, simulations: int, in_blocks: bool) -> Rate:
    """How often a known rule calls new slower."""
    rng = np.random.default_rng([SEED, 3, int(effect * 1000), list(NOISE).index(model)])
    times = simulate(model, rng, simulations=simulations, blocks=blocks, effect=effect, in_blocks=in_blocks)
    return Rate(int(RIVALS[rule](times, rng).sum()), simulations)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _table(head: str, rows: Iterator[str]) -> None:
    columns = head.count("|") - 2
    _say("\n".join([head, "|---|" + "---:|" * columns, *rows]) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Print the tables; exits 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000, help="simulations a cell (default: %(default)s)")
    simulations = parser.parse_args(arguments).simulations
    models = [name for name in NOISE if name != "second_slower"]
    missed: list[str] = []

    def checked(rate: Rate, goal: str, *, at_most: float = 1.0, at_least: float = 0.0) -> Rate:
        if not at_least <= rate.share <= at_most:
            missed.append(f"{goal}: {rate.count} of {rate.of}")
        return rate

    _say("This gate, percent of simulations called worse, one metric\n")
    _table(
        "| noise | blocks | no change | +2%, the margin | +5% | +10% |",
        (
            f"| {model} | {blocks} | "
            f"{checked(gate_alarms(model, effect=0, blocks=blocks, simulations=4 * simulations), f'{model} {blocks}: false alarms at most 1%', at_most=0.01 if model in models else 1.0)} | "  # noqa: E501  a row of the table
            + " | ".join(
                str(
                    checked(
                        gate_alarms(model, effect=effect, blocks=blocks, simulations=simulations),
                        f"{model} {blocks}: detection of +{effect:.0%}",
                        at_least=goal if (model, blocks) == ("shared", 20) else 0.0,
                    )
                )
                for effect, goal in ((0.02, 0.0), (0.05, 0.90), (0.10, 0.99))
            )
            + " |"
            for model in NOISE
            for blocks in (5, 10, 20)
        ),
    )
    count = CASES_IN_A_GATE * METRICS_IN_A_GATE
    _say(f"This gate over {count} figures: percent of gates with any false alarm, and of changes of one figure seen\n")
    _table(
        "| noise | no change, 10 blocks | no change, 20 blocks | one +5%, 20 blocks | one +10%, 20 blocks |",
        (
            f"| {model} | "
            + " | ".join(
                [
                    str(
                        checked(
                            family_alarms(model, blocks=blocks, simulations=simulations // 2),
                            f"{model} {blocks}: false alarms of a gate at most 5%",
                            at_most=0.05,
                        )
                    )
                    for blocks in (10, 20)
                ]
                + [
                    str(
                        checked(
                            gate_alarms(model, effect=effect, blocks=20, simulations=simulations // 2, family=count),
                            f"{model} in a gate: detection of +{effect:.0%}",
                            at_least=goal if model == "shared" else 0.0,
                        )
                    )
                    for effect, goal in ((0.05, 0.90), (0.10, 0.99))
                ]
            )
            + " |"
            for model in models
        ),
    )
    for in_blocks in (False, True):
        order = "side by side in shuffled blocks" if in_blocks else "all of base first, then all of new"
        _say(f"Known rules, 20 runs a side, {order}: percent called slower with no change / +5% / +10%\n")
        _table(
            "| rule | " + " | ".join(models) + " |",
            (
                f"| {rule} | "
                + " | ".join(
                    " / ".join(
                        str(
                            rival_alarms(
                                model, rule, effect=effect, blocks=20, simulations=simulations, in_blocks=in_blocks
                            )
                        )
                        for effect in (0.0, 0.05, 0.10)
                    )
                    for model in models
                )
                + " |"
                for rule in RIVALS
            ),
        )
    _say("Beside the paired t test of log ratios against the margin, side by side: no change / +2% / +5% / +10%\n")
    _table(
        "| blocks | rule | " + " | ".join(models) + " |",
        (
            f"| {blocks} | {rule} | "
            + " | ".join(
                " / ".join(
                    str(
                        gate_alarms(model, effect=effect, blocks=blocks, simulations=simulations)
                        if rule == "this gate"
                        else rival_alarms(
                            model, rule, effect=effect, blocks=blocks, simulations=simulations, in_blocks=True
                        )
                    )
                    for effect in (0.0, 0.02, 0.05, 0.10)
                )
                for model in models
            )
            + " |"
            for blocks in (10, 20)
            for rule in ("paired t test, 2%", "this gate")
        ),
    )
    for goal in missed:
        sys.stderr.write(f"missed: {goal}\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
