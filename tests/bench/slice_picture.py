"""Draws docs/slices.svg: one machine, and what pairs of whole runs and pairs in slices see of it.

    python -m tests.bench.slice_picture [--out docs/slices.svg]

The machine and the pairs are those of `tests.bench.slice_study`, from its seed; nothing is measured.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from capbench.harness.run.slice_schedule import slice_rounds
from tests.bench.slice_study import PAUSE_S, STEP_S, WORK_S, Machine, log_ratios, speed_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "main"]

_SEED = 20261126
_NOISE, _CONSTANT_S = "wander", 1.0
_SHOWN_S = 9.0
_BASE, _NEW, _LINE, _QUIET = "#2a6fbb", "#d9822b", "#333333", "#777777"
_PAIRS = 60
_HEIGHT = 0.55


def draw(target: Path) -> None:
    """Write the picture as SVG; the same bytes each time."""
    speed = speed_path(_NOISE, _CONSTANT_S, _SHOWN_S, _SEED)
    machine = Machine(np.concatenate([[0.0], np.cumsum(speed) * STEP_S]))
    with mpl.rc_context(
        {"svg.hashsalt": "capbench", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
    ):
        figure = Figure(figsize=(9.0, 4.6), layout="constrained")
        grid = figure.add_gridspec(2, 2, width_ratios=[3, 1], height_ratios=[1.2, 1])
        of_speed, of_runs = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
        of_pairs = figure.add_subplot(grid[:, 1])
        of_speed.plot(np.arange(0, len(speed), 10) * STEP_S, speed[::10], color=_LINE, linewidth=0.7)
        of_speed.set(ylabel="speed of the machine", xlim=(0, _SHOWN_S), xticks=[])
        of_speed.set_title("The same machine ...", loc="left", fontsize=10)
        _draw_turns(of_runs, machine)
        _draw_pairs(of_pairs)
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})


def _draw_turns(axes: Axes, machine: Machine) -> None:
    """Who runs when: whole runs above, slices below."""
    now_s = 0.0
    for number in range(4):
        end_s = machine.finish_s(now_s, WORK_S)
        if end_s >= _SHOWN_S:
            break
        axes.broken_barh([(now_s, end_s - now_s)], (1, _HEIGHT), color=(_BASE, _NEW)[number % 2])
        now_s = end_s + PAUSE_S
    now_s, left = 0.0, [WORK_S, WORK_S]
    for pair in range(2):
        left = [WORK_S, WORK_S]
        for slices in slice_rounds(f"{_SEED}/{pair}", 2, 100.0):
            for place in (place for place in slices.order if left[place] > 0):
                end_s = min(now_s + slices.length_s, machine.finish_s(now_s, left[place]))
                left[place] = max(0.0, left[place] - (machine.done_at(end_s) - machine.done_at(now_s)))
                left[place] = left[place] if left[place] > STEP_S else 0.0
                axes.broken_barh([(now_s, end_s - now_s)], (0, _HEIGHT), color=(_BASE, _NEW)[place])
                now_s = end_s
            if max(left) <= 0 or now_s >= _SHOWN_S:
                break
        now_s += PAUSE_S
    axes.set(xlim=(0, _SHOWN_S), ylim=(-0.15, 1.75), xlabel="time in seconds")
    axes.set_yticks([_HEIGHT / 2, 1 + _HEIGHT / 2], ["slices", "runs"])
    axes.set_title("... as two equal programs meet it, one in blue and one in orange", loc="left", fontsize=10)


def _draw_pairs(axes: Axes) -> None:
    """What pairs of equals say."""
    rng = np.random.default_rng(_SEED)
    for place, slice_ms in ((1, None), (0, 100.0)):
        values = np.expm1(log_ratios(_NOISE, _CONSTANT_S, slice_ms=slice_ms, effect=0.0, pairs=_PAIRS, seed=_SEED))
        heights = place + rng.uniform(-0.18, 0.18, len(values))
        axes.plot(100 * values, heights, "o", markersize=3, color=_LINE, alpha=0.6, markeredgewidth=0)
        spread = 100 * float(np.log1p(values).std(ddof=1))
        axes.text(0, place + 0.3, f"standard deviation {spread:.1f}%", ha="center", color=_LINE)
    axes.axvline(0, color=_QUIET, linewidth=0.7)
    axes.axvline(5, color=_QUIET, linewidth=0.7, linestyle=":")
    axes.text(5.5, -0.42, "+5%", color=_QUIET)
    axes.set_yticks([0, 1], ["slices", "runs"])
    axes.set(ylim=(-0.5, 1.5), xlabel="difference of a pair of equals, %")
    axes.set_title(f"{_PAIRS} pairs", loc="left", fontsize=10)


def main(arguments: list[str] | None = None) -> int:
    """Draw it; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "docs" / "slices.svg")
    draw(parser.parse_args(arguments).out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
