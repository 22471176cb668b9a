"""Whether the machine changed while it measured: the floor is always the same work, so only the machine moves it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capbench.gate.statistics.inference import evidence
from capbench.gate.verdicts.pairing import PairedCase, column, finished, measured_runs
from capbench.results.run_record import RunRole
from capbench.results.subject_name import FLOOR, is_floor

__all__ = ["Drift", "drift_between_folders", "drift_within", "moved"]

Drift = tuple[list[str], list[str]]
"""Reasons why times are invalid, and warnings."""

_FEWEST_RUNS = 12
"""Two halves of six, whose medians a burst of three runs does not move. With the limit of 25% and the bursts of the
simulation study this calls less than 1% of runs invalid; with the controls alone it would be a fifth."""
_FOLDER_MARGIN = math.log(1.02)
"""The margin of wall time: a machine that moved by more between two folders cannot hold it."""
_FOLDER_ERROR = 0.05


def drift_within(pair: PairedCase, tables: Iterable[pd.DataFrame], limit: float) -> Drift:
    """Compare the drift control after the last block with that before the first, in each folder's table.

    One control is one run, and a burst that hits it is no change of the machine. Times are invalid only where the runs
    between moved the same way; otherwise a move is a warning, because the pairs cancel what both sides met.
    """
    reasons, warnings = [], []
    for table in tables:
        start, end = (_control(table, pair.case, role) for role in (RunRole.DRIFT_START, RunRole.DRIFT_END))
        if start is None or end is None:
            continue
        text = f"the floor took {end / start:.2f} times as long after the last block as before the first"
        if moved(math.log(end / start), _series(table, pair), limit):
            reasons.append(f"{text}, and the runs in between changed with it: the machine changed during the run")
        elif abs(math.log(end / start)) > math.log1p(limit / 2):
            warnings.append(f"{pair.case}: {text}; pairing cancels this")
    return list(dict.fromkeys(reasons)), list(dict.fromkeys(warnings))


def moved(controls: float, series: NDArray[np.float64], limit: float) -> bool:
    """Whether the controls, and the second half of the blocks against the first, moved beyond the limit the same way.

    `controls` is a log ratio, `series` has one log time a block, in order.
    """
    if abs(controls) <= math.log1p(limit) or series.size < _FEWEST_RUNS:
        return False
    half = series.size // 2
    shift = float(np.median(series[-half:]) - np.median(series[:half]))
    return shift * controls > 0 and abs(shift) > math.log1p(limit)


def drift_between_folders(pair: PairedCase, base: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """Two folders were not run side by side; the floor, if both have it, says whether the machine was the same."""
    before, after = (_floor_times(table, pair.case) for table in (base, new))
    blocks = min(before.size, after.size)
    if blocks == 0:
        return []
    side = evidence(np.log(after[:blocks] / before[:blocks])).centre(_FOLDER_ERROR)
    if max(side.lower(_FOLDER_ERROR), -side.upper(_FOLDER_ERROR)) <= _FOLDER_MARGIN:
        return []
    times = f"{math.exp(side.estimate):.3f} times"
    return [f"the floor itself took {times} as long in the second folder; run both side by side"]


def _series(table: pd.DataFrame, pair: PairedCase) -> NDArray[np.float64]:
    """Log wall times of the floor's blocks, of base's where the floor has none, in order."""
    floor = _floor_times(table, pair.case)
    times = floor if floor.size else _times(pair.base_runs)
    return np.log(times[times > 0])


def _floor_times(table: pd.DataFrame, case: str) -> NDArray[np.float64]:
    runs = measured_runs(table)
    return _times(runs[(runs["case"] == case) & (runs["subject"] == FLOOR)])


def _times(runs: pd.DataFrame) -> NDArray[np.float64]:
    times = column(finished(runs).sort_values("block"), "wall_s")
    return times[np.isfinite(times)]


def _control(table: pd.DataFrame, case: str, role: RunRole) -> float | None:
    if "role" not in table.columns:
        return None
    chosen = (table["case"] == case) & (table["role"].astype(str) == role.value) & table["subject"].map(is_floor)
    times = column(finished(table[chosen]), "wall_s")
    return float(times[0]) if times.size and times[0] > 0 else None
