"""What each rung of a ladder costs: every subject beside itself on the rung below, by the gate's own statistics.

Blocks hold one run of each subject of every case, so that a rung and the one below it are paired by block: what moves
the machine between blocks meets both. Subjects are never compared across rungs: on one rung they do the same work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capbench.gate.curves.fold_blocks import fold_blocks
from capbench.gate.statistics.holm import holm
from capbench.gate.statistics.inference import Evidence, Levels, evidence, p_of_change
from capbench.gate.verdicts.pairing import column, finished, measured_runs
from capbench.results.comparison import LadderCosts, RungCost
from capbench.results.subject_name import FLOOR, is_floor

__all__ = ["ladder_costs"]

_READ = ("block", "fingerprint", "path_requested", "path_used")
_Times = dict[tuple[str, int], float]
"""`wall_s` by machine and block."""


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """One subject on one rung."""

    cost: RungCost
    """What is known without statistics."""
    ratios: Evidence | None = None
    """Log ratios to the rung below; None where there are none."""
    added_s: Evidence | None = None
    """Differences in seconds, of the same pairs."""
    to_floor: Evidence | None = None
    """Log ratios to the floor of the rung."""


def ladder_costs(
    runs: pd.DataFrame,
    ladders: Mapping[str, Sequence[str]],
    levels: Levels | None = None,
    *,
    subjects: Sequence[str] = (),
) -> tuple[LadderCosts, ...]:
    """The costs of every ladder of which a rung was measured; `runs` is a folder's whole table.

    `ladders` maps names to cases from the bottom up; `subjects` is their order on every rung, before all others. All
    costs of the folder are one family: that any is called seen where none is there is as likely as `levels.family`, in
    either direction. Raises `ResultError` for a broken table.
    """
    if not ladders:
        return ()
    asked = levels or Levels()
    measured = measured_runs(fold_blocks(runs))
    walked = {name: _walk(measured, rungs, subjects) for name, rungs in ladders.items()}
    family = [pairs for found in walked.values() for pairs in found if pairs.ratios is not None]
    upwards, downwards = (
        _p_values([pairs.ratios for pairs in family if pairs.ratios is not None], asked, upwards=way)
        for way in (True, False)
    )
    p_values = {
        id(pairs): min(up, down, key=lambda both: both[1])
        for pairs, up, down in zip(family, upwards, downwards, strict=True)
    }
    return tuple(
        LadderCosts(
            ladder=name,
            rungs=tuple(ladders[name]),
            subjects=tuple(dict.fromkeys(pairs.cost.subject for pairs in found)),
            costs=tuple(_judged(pairs, p_values.get(id(pairs)), asked) for pairs in found),
        )
        for name, found in walked.items()
        if found
    )


def _walk(measured: pd.DataFrame, rungs: Sequence[str], order: Sequence[str]) -> list[_Pairs]:
    found = []
    nothing = measured.iloc[:0]
    # Runs are stored in the drawn order of their blocks, which differs from rung to rung.
    ordered = dict.fromkeys((*order, *map(str, measured["subject"])))
    below: dict[str, pd.DataFrame] | None = None
    for place, rung in enumerate(rungs):
        of_rung = measured[measured["case"] == rung]
        met = {str(name): own for name, own in of_rung.groupby("subject", sort=False)}
        subjects = {name: met[name] for name in ordered if name in met}
        floor = _times(subjects.get(FLOOR, nothing))
        for subject, own in subjects.items():
            if not is_floor(subject):
                lower = None if below is None else below.get(subject, nothing)
                named = RungCost(rung=rung, below=rungs[place - 1] if place else None, subject=subject)
                found.append(_pairs(named, own, lower, floor))
        below = subjects
    return found


def _pairs(cost: RungCost, own: pd.DataFrame, lower: pd.DataFrame | None, floor: _Times) -> _Pairs:
    times = _times(own)
    if not times:
        return _Pairs(cost.model_copy(update={"reason": _why_none(own)}))
    cost = cost.model_copy(update={"wall_s": float(np.median(list(times.values()))), "reason": _doubt(own)})
    here, there = _shared(times, floor)
    known = _Pairs(cost, to_floor=evidence(np.log(here / there)) if here.size else None)
    if lower is None:
        return known
    here, there = _shared(times, _times(lower))
    if not here.size:
        why = "it took no part in the rung below" if lower.empty else f"nothing to pair: {_why_none(lower)}"
        return replace(known, cost=cost.model_copy(update={"reason": why}))
    return replace(known, ratios=evidence(np.log(here / there)), added_s=evidence(here - there))


def _times(runs: pd.DataFrame) -> _Times:
    """Export times of the runs that measured what they were to measure, by machine and block."""
    counted = finished(runs)
    columns = {name: list(counted[name]) for name in _READ if name in counted.columns}
    nothing = [None] * len(counted)
    found: _Times = {}
    for wall_s, block, machine, asked, used in zip(
        column(counted, "wall_s").tolist(), *(columns.get(name, nothing) for name in _READ), strict=True
    ):
        if wall_s > 0 and (_text(asked) in ("", _text(used))):
            found.setdefault((_text(machine), int(block)), wall_s)
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _shared(here: _Times, there: _Times) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    keys = [key for key in here if key in there]
    return np.array([here[key] for key in keys]), np.array([there[key] for key in keys])


def _why_none(runs: pd.DataFrame) -> str:
    errors = runs["error"].dropna().astype(str) if "error" in runs.columns else pd.Series(dtype=object)
    if len(errors):
        return f"all runs failed: {errors.iloc[0]}"
    return "no run was by the path that was asked for, or none was timed"


def _doubt(runs: pd.DataFrame) -> str | None:
    """What is wrong with runs that count: a rung whose picture is wrong may be cheap for that."""
    if "validation.passed" not in runs.columns:
        return None
    wrong = int((runs["validation.passed"] == False).sum())  # noqa: E712  of three values: not validated is None
    return f"its output is not valid in {wrong} of {len(runs)} runs" if wrong else None


def _p_values(shown: Sequence[Evidence], levels: Levels, *, upwards: bool) -> list[tuple[float, float]]:
    """P-values of a change in one direction, each by itself and in its family."""
    level = levels.strictest(len(shown))
    beyond = levels.blatant if upwards else -levels.blatant
    raw = [p_of_change(one, centre=0.0, beyond=beyond, upwards=upwards, level=level) for one in shown]
    return list(zip(raw, holm(raw), strict=True))


def _judged(pairs: _Pairs, p_values: tuple[float, float] | None, levels: Levels) -> RungCost:
    found: dict[str, object] = {"confidence": 1 - 2 * levels.margin}
    if pairs.to_floor is not None:
        found["times_floor"], found["floor_interval"] = _ratio(pairs.to_floor, levels)
    if pairs.ratios is not None and pairs.added_s is not None and p_values is not None:
        found["ratio"], found["interval"] = _ratio(pairs.ratios, levels)
        found["added_s"], found["added_interval_s"] = _centre(pairs.added_s, levels)
        found["blocks"], found["p_value"] = pairs.ratios.pairs, p_values[1]
        found["is_seen"] = p_values[0] <= levels.metric and p_values[1] <= levels.family
    return pairs.cost.model_copy(update=found)


def _centre(shown: Evidence, levels: Levels) -> tuple[float, tuple[float, float] | None]:
    side = shown.centre(levels.margin)
    bounds = side.lower(levels.margin), side.upper(levels.margin)
    return side.estimate, bounds if all(map(math.isfinite, bounds)) else None


def _ratio(shown: Evidence, levels: Levels) -> tuple[float, tuple[float, float] | None]:
    estimate, bounds = _centre(shown, levels)
    return math.exp(estimate), None if bounds is None else (math.exp(bounds[0]), math.exp(bounds[1]))
