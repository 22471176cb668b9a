"""Figures that mean the same on every machine: ratios to a reference of the same block, bytes, and quality."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from capbench.gate.curves.fold_blocks import fold_blocks
from capbench.gate.verdicts.pairing import column, finished, measured_runs
from capbench.results.base_subject import USUAL_BASE
from capbench.results.subject_name import FLOOR

__all__ = ["RATIO_COLUMNS", "RATIO_REFERENCES", "is_portable", "portable_columns", "ratio_names", "with_ratios"]

RATIO_REFERENCES = (FLOOR, USUAL_BASE)
"""Subjects that others are compared with: what no exporter can beat, and the exporter to beat."""
RATIO_COLUMNS = ("wall_s", "cpu_s", "peak_rss_bytes")
"""Columns that belong to one machine, and whose ratio to a reference nearly does not."""
_PORTABLE = ("frames", "readback_bytes", "upload_bytes", "output_bytes", "quality.*.mean", "quality.*.p1")


def with_ratios(runs: pd.DataFrame) -> pd.DataFrame:
    """Finished measured runs with a column `wall_s/floor`, `cpu_s/cpu` and so on for each reference of the same block.

    The runs of a curve, and those of a corpus, are one row a block. NaN where the block holds no finished
    reference, and for the reference itself.
    """
    table = finished(measured_runs(fold_blocks(runs))).reset_index(drop=True)
    keys = ["case", "block", *(name for name in ("fingerprint", "machine", "folder") if name in table.columns)]
    for reference in RATIO_REFERENCES:
        own = table[table["subject"] == reference].drop_duplicates(keys)
        for name in RATIO_COLUMNS:
            if name not in table.columns:
                continue
            beside = table[keys].merge(own[[*keys, name]], on=keys, how="left")
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = column(table, name) / column(beside, name)
            ratio[~np.isfinite(ratio) | (ratio <= 0) | (table["subject"] == reference).to_numpy()] = np.nan
            table[f"{name}/{reference}"] = ratio
    return table


def portable_columns(runs: pd.DataFrame) -> Iterator[str]:
    """Columns of a table `with_ratios` that compare across machines."""
    yield from (name for name in map(str, runs.columns) if is_portable(name))


def is_portable(name: str) -> bool:
    """Whether a figure compares across machines."""
    return name in ratio_names() or any(fnmatchcase(name, pattern) for pattern in _PORTABLE)


def ratio_names() -> tuple[str, ...]:
    """`wall_s/floor`, `cpu_s/cpu` and so on: figures that only a baseline is compared by."""
    return tuple(f"{name}/{reference}" for name in RATIO_COLUMNS for reference in RATIO_REFERENCES)
