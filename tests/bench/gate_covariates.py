"""Whether something measured beside a run could explain its noise away: `python -m tests.bench.gate_covariates`.

Regression adjustment with a coefficient from the same data (control variates; Deng et al. 2013, WSDM, call it CUPED).
Three candidates: the floor's time in the block, the reading of a disturbance by the block, and by the run. Whatever is
known of a block alone cannot tell base from new: flipping who is who turns the sign of the difference and leaves the
covariate, so that without a change they are uncorrelated by construction. A reading by the run flips along, and with a
regression through the origin the residuals are exactly as symmetric as the differences were.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from capbench.gate.statistics.inference import Levels, evidence
from capbench.gate.verdicts.noisy_figures import asked_for
from tests.bench.gate_noise import NOISE

__all__ = ["ADJUSTMENTS", "adjusted", "alarms", "main"]

Array = NDArray[np.float64]
SEED = 20240601
BLOCKS, SIMULATIONS, MARGIN = 20, 1000, 0.02


def plain(differences: Array, _floor: Array, _readings: Array) -> Array:
    """No adjustment."""
    return differences


def by_floor(differences: Array, floor: Array, _readings: Array) -> Array:
    """Minus what the block's floor run explains."""
    return adjusted(differences, floor - floor.mean())


def by_block(differences: Array, _floor: Array, readings: Array) -> Array:
    """Minus what the mean reading of the block explains."""
    return by_floor(differences, readings.mean(axis=1), readings)


def by_run(differences: Array, _floor: Array, readings: Array) -> Array:
    """Minus what the readings of the two runs explain, through the origin."""
    return adjusted(differences, readings[:, 1] - readings[:, 0])


def adjusted(differences: Array, readings: Array) -> Array:
    """Residuals of a regression through the origin, shape (pairs,); exact under sign flips of both together."""
    power = float(readings @ readings)
    slope = float(differences @ readings) / power if power else 0.0
    residuals: Array = differences - slope * readings
    return residuals


ADJUSTMENTS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "none": plain,
    "floor of the block": by_floor,
    "reading of the block": by_block,
    "reading of the run": by_run,
}
"""Name in the table to a function of differences, floor (pairs,) and readings (pairs, 2)."""


def alarms(model: str, name: str, *, effect: float, reliability: float, simulations: int = SIMULATIONS) -> float:
    """Share of simulations called worse; `reliability` is the share of a reading's variance that is disturbance."""
    rng = np.random.default_rng([SEED, list(NOISE).index(model), int(effect * 1000)])
    slots = NOISE[model](rng, (simulations, 3 * BLOCKS)).mean(axis=2).reshape(simulations, BLOCKS, 3)
    shuffled = rng.permuted(slots, axis=2)
    error_sd = slots.std() * (1 / reliability - 1) ** 0.5
    readings = shuffled + rng.normal(0, error_sd, shuffled.shape)
    asked, levels = asked_for(MARGIN, None), Levels()
    found = 0
    for times, read in zip(shuffled, readings, strict=True):
        differences = times[:, 1] - times[:, 0] + np.log1p(effect)
        shown = evidence(ADJUSTMENTS[name](differences, times[:, 2], read[:, :2]))
        found += shown.change.p_above(0.0) <= levels.metric and shown.ranks.lower(levels.margin) > asked.worse_above
    return found / simulations


def main() -> int:
    """Print the table of docs/gate.md."""
    models = [name for name in NOISE if name != "second_slower"]
    lines = [f"| adjusted by | reliability | {' | '.join(models)} |", "|---|---:|" + "---:|" * len(models)]
    for name in ADJUSTMENTS:
        for reliability in (0.5, 0.9) if "reading" in name else (1.0,):
            cells = [
                " / ".join(
                    f"{100 * alarms(model, name, effect=effect, reliability=reliability):.1f}" for effect in (0.0, 0.05)
                )
                for model in models
            ]
            lines.append(f"| {name} | {f'{reliability:.0%}' if 'reading' in name else ''} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
