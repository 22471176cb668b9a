"""Whether a machine measures better in slices: every case both ways, and what came out."""

from __future__ import annotations

from capbench.gate.calibration import Calibration, MetricCalibration
from capbench.harness.matrix.model import RunMatrix

__all__ = ["SLICES_SUFFIX", "advise", "both_ways"]

SLICES_SUFFIX = "~slices"
"""What the name of a case's copy in slices ends in."""
_WORTHWHILE = 0.8
"""Slices are recommended where they leave at most this share of the noise, and so two thirds of the blocks; closer is
chance with the few dozen blocks that are recorded."""


def both_ways(matrix: RunMatrix) -> RunMatrix:
    """Every case as whole runs, and a copy of it in slices; the rounds of blocks alternate between them."""
    cases = []
    for case in matrix.cases:
        cases.append(case.model_copy(update={"interleave": "runs"}))
        cases.append(case.model_copy(update={"name": f"{case.name}{SLICES_SUFFIX}", "interleave": "slices"}))
    return matrix.model_copy(update={"cases": tuple(cases)})


def advise(found: Calibration) -> list[str]:
    """One sentence for each case that was measured both ways, by the noise of its wall time."""
    walls = {row.case: row for row in found.metrics if row.metric == "wall_s"}
    return [
        _sentence(case, plain, walls[f"{case}{SLICES_SUFFIX}"])
        for case, plain in walls.items()
        if f"{case}{SLICES_SUFFIX}" in walls
    ]


def _sentence(case: str, plain: MetricCalibration, sliced: MetricCalibration) -> str:
    if sliced.interleave != "slices":
        return f"{case}: its subjects cannot be measured in slices here; the folder's matrix.json has the reason."
    ways = f"{plain.noise_per_block:.1%} in whole runs, {sliced.noise_per_block:.1%} in slices"
    noise = f"{case}: the noise of a block is {ways}"
    if plain.noise_per_block <= 0 or sliced.noise_per_block > _WORTHWHILE * plain.noise_per_block:
        return f"{noise}: slices are no improvement; use --interleave runs."
    share = (sliced.noise_per_block / plain.noise_per_block) ** 2
    return f"{noise}, which needs {share:.0%} of the blocks for the same answer; use --interleave slices."
