"""Runs of a ladder whose costs are known: every time is given, nothing is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tests.gate_folders import write_runs
from tests.gate_runs import runs_table

RUNGS = ("540p-1-bare", "540p-2-framed", "540p-3-zooms")
FLOOR_S = 2.0
COSTS: Mapping[str, tuple[float, ...]] = {"cpu": (1.5, 1.10, 1.02), "gpu": (1.2, 1.40, 1.0)}
"""Of each subject: times the floor on the lowest rung, then what each rung multiplies the time of the one below by."""


def _walls(blocks: int, noise: float, weather: float, seed: int) -> Iterator[tuple[str, str, list[float]]]:
    random = np.random.default_rng(seed)
    blocks_weather = np.exp(random.normal(0, weather, blocks))
    middles_s = dict.fromkeys(("floor", *COSTS), FLOOR_S)
    for place, rung in enumerate(RUNGS):
        for subject in middles_s:
            middles_s[subject] *= 1.0 if subject == "floor" else COSTS[subject][place]
            walls_s = middles_s[subject] * blocks_weather * np.exp(random.normal(0, noise, blocks))
            yield rung, subject, [float(value) for value in walls_s]


def ladder_runs(*, blocks: int = 12, noise: float = 0.01, weather: float = 0.2, seed: int = 5) -> pd.DataFrame:
    """The table of a folder. `weather` moves all runs of a block alike, `noise` each by itself."""
    tables = [
        runs_table(subject, walls_s, case=rung, path_requested=None, path_used=None)
        for rung, subject, walls_s in _walls(blocks, noise, weather, seed)
    ]
    return pd.concat(tables, ignore_index=True)


def write_ladder(folder: Path, *, blocks: int = 12, name: str = "540p", seed: int = 5) -> Path:
    """The same as a folder on disk, with its plan."""
    for rung, subject, walls_s in _walls(blocks, 0.01, 0.2, seed):
        write_runs(folder, subject, walls_s, case=rung)
    matrix = {
        "name": "ladder",
        "cases": [{"name": rung, "subjects": ["floor", *COSTS]} for rung in RUNGS],
        "subjects": [{"name": subject} for subject in ("floor", *COSTS)],
        "ladders": [{"name": name, "rungs": list(RUNGS)}],
    }
    (folder / "matrix.json").write_text(json.dumps({"matrix": matrix}), encoding="utf-8")
    return folder
