"""Which stage moved, and how much of the change of wall time it makes up."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capbench.gate.verdicts.pairing import PairedCase, column
from capbench.results.comparison import StageShift

__all__ = ["GPU_STAGE", "stage_shifts"]

GPU_STAGE = "gpu"
"""What the work of the adapter is called beside the stages of the pipeline, which only wait for it."""
_STAGE = re.compile(r"stage\.(.+)\.work_s")


def stage_shifts(pair: PairedCase, base_label: str, new_label: str) -> tuple[StageShift, ...]:
    """Every stage that either side has, the largest change first.

    Stages work at the same time, so that shares need not add up to 1; a stage that only one side has counts as 0 s on
    the other. The time of the passes on a real adapter is a stage of its own; a software adapter's is already in the
    stage that submits. Empty where wall time or stages were not measured.
    """
    base_wall, new_wall = pair.values("wall_s")
    names = [match[1] for name in pair.new.columns if (match := _STAGE.fullmatch(str(name)))]
    names += [
        match[1] for name in pair.base.columns if (match := _STAGE.fullmatch(str(name))) and match[1] not in names
    ]
    if base_wall.size == 0:
        return ()
    wall_change_s = float(np.median(new_wall) - np.median(base_wall))
    columns = [(name, f"stage.{name}.work_s") for name in names]
    if _is_real_adapter(pair.new):
        columns.append((GPU_STAGE, "gpu_busy_s"))
    shifts = []
    for name, field in columns:
        base_s, new_s = (_median(column(runs, field)) for runs in (pair.base, pair.new))
        if base_s is None and new_s is None:
            continue
        before, after = base_s or 0.0, new_s or 0.0
        share = (after - before) / wall_change_s if wall_change_s else 0.0
        shifts.append(
            StageShift(
                case=pair.case,
                stage=name,
                base_s=before,
                new_s=after,
                share_of_change=share,
                base=base_label,
                new=new_label,
            )
        )
    return tuple(sorted(shifts, key=lambda shift: -abs(shift.new_s - shift.base_s)))


def _is_real_adapter(runs: pd.DataFrame) -> bool:
    return "adapter_is_software" in runs.columns and bool((runs["adapter_is_software"] == False).any())  # noqa: E712  a column with None


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None
