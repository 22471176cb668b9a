"""`capbench.compare`: the verb as a function, over tables or over what the command line names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from capbench.gate.compare import compare as compare_tables
from capbench.gate.compare_targets import compare_sides, parse_side
from capbench.gate.gate_file import GateFile, load_gate_file
from capbench.results.comparison import Comparison

__all__ = ["compare"]


def compare(
    base: pd.DataFrame | str | Path, new: pd.DataFrame | str | Path, gates: GateFile | str | Path | None = None
) -> Comparison:
    """Say whether `new` is better, the same or worse than `base`.

    Either two tables of `capbench.load`, each filtered to what it is to be judged by: one subject each, or the same
    subjects. Or two names as on the command line: a result folder, `DIR:SUBJECT`, `DIR:@REV`, or a baseline's JSON file
    first. Raises `ResultError`, `GateFileError`, and `TypeError` for a table beside a name.
    """
    loaded = gates if isinstance(gates, GateFile) or gates is None else load_gate_file(Path(gates))
    if isinstance(base, pd.DataFrame) and isinstance(new, pd.DataFrame):
        return compare_tables(base, new, loaded)
    if isinstance(base, pd.DataFrame) or isinstance(new, pd.DataFrame):
        raise TypeError("give two tables or two names, not one of each")
    return compare_sides(parse_side(str(base)), parse_side(str(new)), loaded)
