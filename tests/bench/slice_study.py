"""Noise with a memory, sampled by whole runs and by slices: what either sees of the same machine.

    python -m tests.bench.slice_study

The machine's speed follows one of three processes with a time constant of its own: `wander`, an Ornstein-Uhlenbeck
process of the log speed; `bursts`, during which a neighbour takes 40%; `steps`, between two frequencies 25% apart. Two
programs of equal work run on it, base and new, one after the other with a pause, or in slices by the runner's own
schedule (`capbench.harness.run.slice_schedule`), and each process has a noise of its own, which no schedule can share
out. What the gate sees is counted by its own code on disjoint groups of 10 pairs. Everything follows from one seed.
"""

from __future__ import annotations

import argparse
import math
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from capbench.gate.calibration import is_called_worse
from capbench.harness.run.slice_schedule import slice_rounds

__all__ = ["MACHINES", "Machine", "log_ratios", "main", "speed_path"]

Samples = NDArray[np.float64]

STEP_S = 0.001
"""Resolution of the machine's speed."""
WORK_S = 1.5
"""Length of an export on the undisturbed machine, as in the records."""
PAUSE_S = 0.5
"""Between runs that follow each other: settling, and starting the next process."""
OWN_SD = 0.01
"""Noise of a process for its life: memory layout, placement of threads."""
MARGIN = 0.02
BLOCKS = 10
CONSTANTS_S = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""Time constants: from a third of a slice to many blocks."""


def _wander(rng: np.random.Generator, count: int, constant_s: float) -> Samples:
    """Log speed with a standard deviation of 12% at any moment; exact discretisation of the process."""
    keep = math.exp(-STEP_S / constant_s)
    kicks = rng.normal(0, 0.12 * math.sqrt(1 - keep**2), count)
    return np.asarray(np.exp(signal.lfilter([1.0], [1.0, -keep], kicks)), dtype=np.float64)


def _switching(rng: np.random.Generator, count: int, *, off_s: float, on_s: float, slow: float) -> Samples:
    """Speed 1, and `slow` during stretches of mean `on_s`; both exponential."""
    speed, place, is_on = np.ones(count), 0, False
    while place < count:
        length = max(1, round(rng.exponential(on_s if is_on else off_s) / STEP_S))
        if is_on:
            speed[place : place + length] = slow
        place, is_on = place + length, not is_on
    return speed


MACHINES: dict[str, Callable[[np.random.Generator, int, float], Samples]] = {
    "wander": _wander,
    "bursts": lambda rng, count, constant_s: _switching(rng, count, off_s=3 * constant_s, on_s=constant_s, slow=0.6),
    "steps": lambda rng, count, constant_s: _switching(rng, count, off_s=constant_s, on_s=constant_s, slow=0.8),
}
"""Name of the noise to its speed over time."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine has done up to each moment, so that the end of a piece of work can be looked up."""

    done_s: Samples
    """Work done since the start, in seconds of the undisturbed machine, one sample a `STEP_S`."""

    def finish_s(self, start_s: float, work_s: float) -> float:
        """When a piece of work that starts at `start_s` is through."""
        return float(np.interp(self.done_at(start_s) + work_s, self.done_s, self._times()))

    def done_at(self, time_s: float) -> float:
        """Work that the machine has done until `time_s`."""
        return float(np.interp(time_s, self._times(), self.done_s))

    def _times(self) -> Samples:
        return np.arange(len(self.done_s), dtype=np.float64) * STEP_S

    def part(self, start_s: float, length_s: float) -> Machine:
        """From `start_s` on, so that looking up stays cheap."""
        first = int(start_s / STEP_S)
        return Machine(self.done_s[first : first + int(length_s / STEP_S)] - self.done_s[first])


def speed_path(noise: str, constant_s: float, length_s: float, seed: int) -> Samples:
    """Speed of the machine, one sample a `STEP_S`; 1 is undisturbed."""
    rng = np.random.default_rng(zlib.crc32(f"{seed}/{noise}/{constant_s:g}".encode()))
    return MACHINES[noise](rng, int(length_s / STEP_S), constant_s)


def log_ratios(
    noise: str, constant_s: float, *, slice_ms: float | None, effect: float, pairs: int, seed: int
) -> Samples:
    """Log ratio new to base of each pair; `slice_ms` None for whole runs. The machine is the same for both ways."""
    room_s = 5 * WORK_S + 2 * PAUSE_S
    machine = Machine(np.concatenate([[0.0], np.cumsum(speed_path(noise, constant_s, pairs * room_s, seed)) * STEP_S]))
    rng = np.random.default_rng(zlib.crc32(f"{seed}/own/{noise}/{constant_s:g}".encode()))
    found = []
    for pair in range(pairs):
        works = [WORK_S * math.exp(rng.normal(0, OWN_SD)), WORK_S * (1 + effect) * math.exp(rng.normal(0, OWN_SD))]
        part = machine.part(pair * room_s, room_s)
        base_first = rng.random() < 0.5
        if slice_ms is None:
            base_s, new_s = _in_runs(part, works, base_first=base_first)
        else:
            base_s, new_s = _in_slices(part, works, slice_ms, f"{seed}/{pair}")
        found.append(math.log(new_s / base_s))
    return np.array(found)


def _in_runs(machine: Machine, works: list[float], *, base_first: bool) -> tuple[float, float]:
    order = (0, 1) if base_first else (1, 0)
    times, now_s = [0.0, 0.0], 0.0
    for place in order:
        times[place] = machine.finish_s(now_s, works[place]) - now_s
        now_s += times[place] + PAUSE_S
    return times[0], times[1]


def _in_slices(machine: Machine, works: list[float], slice_ms: float, seed: str) -> tuple[float, float]:
    """As the runner shares out: rounds of one slice for each that is left."""
    left, times, now_s = list(works), [0.0, 0.0], 0.0
    for slices in slice_rounds(seed, 2, slice_ms):
        running = [place for place in slices.order if left[place] > 0]
        if not running:
            break
        for place in running:
            end_s = min(now_s + slices.length_s, machine.finish_s(now_s, left[place]))
            left[place] -= machine.done_at(end_s) - machine.done_at(now_s)
            left[place] = left[place] if left[place] > 1e-9 else 0.0
            times[place] += end_s - now_s
            now_s = end_s
    return times[0], times[1]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=400, help="pairs a cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20261126, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    ways: tuple[float | None, ...] = (None, 100.0, 30.0)
    names = {None: "runs", 100.0: "slices, 100 ms", 30.0: "slices, 30 ms"}
    head = " | ".join(f"{names[way]}: sd, worse at 0 / +5%" for way in ways)
    sys.stdout.write(f"| noise | time constant | {head} |\n|---|---:|{'---:|' * len(ways)}\n")
    for noise, constant_s in ((noise, constant_s) for noise in MACHINES for constant_s in CONSTANTS_S):
        cells = []
        for way in ways:
            equal, slower = (
                log_ratios(noise, constant_s, slice_ms=way, effect=effect, pairs=options.pairs, seed=options.seed)
                for effect in (0.0, 0.05)
            )
            cells.append(f"{100 * equal.std(ddof=1):.1f}%, {_called_worse(equal)} / {_called_worse(slower)}")
        sys.stdout.write(f"| {noise} | {constant_s:g} s | {' | '.join(cells)} |\n")
        sys.stdout.flush()
    return 0


def _called_worse(values: Samples) -> str:
    groups = [values[start : start + BLOCKS] for start in range(0, len(values) - BLOCKS + 1, BLOCKS)]
    return f"{100 * sum(is_called_worse(group, margin=MARGIN) for group in groups) / len(groups):.0f}%"


if __name__ == "__main__":
    sys.exit(main())
