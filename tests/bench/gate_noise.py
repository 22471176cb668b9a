"""Noise of machines that exports are timed on, as simulated wall times; every figure is relative to an export of 1 s.

`shared` is a shared runner: the neighbours' load wanders slowly, and now and then a run catches a spike. `bursty` is a
laptop or an oversubscribed host: most runs are quiet, bursts slow several runs in a row by 10 to 60%. In `biased` each
process draws a bias for its whole life, from memory layout and from which cores it lands on, so that values inside a
process look far steadier than they are. `second_slower` is no part of the goals: whoever runs second in a block is
6% slower, by heat or by a cold cache, which makes a test that trusts the shape of the noise raise false alarms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ITERATIONS", "NOISE", "Times", "simulate"]

Array = NDArray[np.float64]

ITERATIONS = 5
"""Values that one process reports; the rules that pool values take all of them, the gate one figure a process."""


@dataclass(frozen=True, eq=False)
class Times:
    """Simulated times in seconds, each of shape (simulations, runs, ITERATIONS)."""

    base: Array
    """Of base."""
    new: Array
    """Of new."""


def _jitter(rng: np.random.Generator, runs: tuple[int, int], sd: float) -> Array:
    """Noise of single values inside a process."""
    return rng.normal(0, sd, (*runs, ITERATIONS))


def quiet(rng: np.random.Generator, runs: tuple[int, int]) -> Array:
    """A machine of one's own: 0.4% from run to run."""
    return rng.normal(0, 0.004, runs)[..., None] + _jitter(rng, runs, 0.004)


def shared(rng: np.random.Generator, runs: tuple[int, int]) -> Array:
    """Wandering load (4%, correlation 0.9 from run to run), 1.5% a run, and spikes of 20% on average in 5% of runs."""
    load = np.empty(runs)
    load[:, 0] = rng.normal(0, 0.04, runs[0])
    for run in range(1, runs[1]):
        load[:, run] = 0.9 * load[:, run - 1] + rng.normal(0, 0.04 * (1 - 0.9**2) ** 0.5, runs[0])
    spikes = (rng.random(runs) < 0.05) * rng.exponential(0.2, runs)
    return (load + rng.normal(0, 0.015, runs) + spikes)[..., None] + _jitter(rng, runs, 0.01)


def bursty(rng: np.random.Generator, runs: tuple[int, int]) -> Array:
    """Bursts begin before 4% of runs, last 3.3 runs on average and cost 10 to 60%; between them 0.8%."""
    on = np.zeros(runs, dtype=bool)
    on[:, 0] = rng.random(runs[0]) < 0.12
    for run in range(1, runs[1]):
        on[:, run] = np.where(on[:, run - 1], rng.random(runs[0]) > 0.3, rng.random(runs[0]) < 0.04)
    return (rng.normal(0, 0.008, runs) + on * rng.uniform(0.1, 0.6, runs))[..., None] + _jitter(rng, runs, 0.005)


def biased(rng: np.random.Generator, runs: tuple[int, int]) -> Array:
    """A bias for the life of each process: 1.5%, and 4% more in two processes of five; inside a process 0.3%."""
    bias = rng.normal(0, 0.015, runs) + 0.04 * (rng.random(runs) < 0.4)
    return bias[..., None] + _jitter(rng, runs, 0.003)


def second_slower(rng: np.random.Generator, runs: tuple[int, int]) -> Array:
    """Every second run is 6% slower."""
    values = rng.normal(0, 0.005, runs)
    values[:, 1::2] += 0.06
    return values[..., None] + _jitter(rng, runs, 0.003)


NOISE: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "quiet": quiet,
    "shared": shared,
    "bursty": bursty,
    "biased": biased,
    "second_slower": second_slower,
}
"""Name to a function from a generator and (simulations, runs in order of time) to log times."""


def simulate(
    model: str, rng: np.random.Generator, *, simulations: int, blocks: int, effect: float, in_blocks: bool
) -> Times:
    """Times of `blocks` runs of base and new; new takes 1 + `effect` times as long.

    `in_blocks` runs both side by side in shuffled order; otherwise all of base comes first, as it does where a tool
    compares today's measurement with a stored one.
    """
    slots = np.exp(NOISE[model](rng, (simulations, 2 * blocks)))
    if not in_blocks:
        return Times(slots[:, :blocks], slots[:, blocks:] * (1 + effect))
    pairs = slots.reshape(simulations, blocks, 2, ITERATIONS)
    first = (rng.random((simulations, blocks)) < 0.5)[..., None]
    return Times(
        np.where(first, pairs[:, :, 0], pairs[:, :, 1]), np.where(first, pairs[:, :, 1], pairs[:, :, 0]) * (1 + effect)
    )
