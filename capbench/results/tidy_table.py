"""Runs as one tidy table: a row a run, a column a figure."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capbench.errors import ResultError
from capbench.results.folder import DamagedResultWarning, FolderContents, read_folder
from capbench.results.run_record import RunResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NUMERIC_FIELDS", "POOLS", "load", "table_of", "tidy_row"]

_NESTED = {
    "custom",
    "footage",
    "stages",
    "latency",
    "pipeline_bytes",
    "telemetry",
    "validation",
    "thresholds",
    "trace",
    "unmeasured",
    "slices",
    "point",
    "clock",
}
POOLS = ("mean", "harmonic_mean", "p5", "p1", "worst")
"""How a metric's frames become one number: columns `quality.<metric>.<pool>`."""
NUMERIC_FIELDS = frozenset(
    name for name, field in RunResult.model_fields.items() if field.annotation in (int, float, int | None, float | None)
)
"""Fields of a run that hold one number."""


def load(*folders: str | Path) -> pd.DataFrame:
    """All runs of one or more result folders, warm-ups and drift controls too (see the column `role`).

    Columns: `folder`; every field of a run by its name; `stage.<name>.work_s`, `.wait_input_s`, `.wait_output_s`;
    `slices.overlap_share` and so on of runs in slices; `clock.begin` and so on of commands that say when their exports
    begin or end; `point.parameter` and `point.value` of runs of a curve;
    `latency.p50_s` and so on; `pipeline_bytes.<owner>`; `telemetry.<name>`; `custom.<name>` with `custom.<name>.unit`
    and `custom.<name>.better`; `quality.<metric>.<pool>`;
    `validation.passed` (None where it did not run) and `validation.failures`; `thresholds.failures`. What was not
    measured is NaN or None; why stands in the run's file. `folder` and `fingerprint` tell machines apart. Warns
    `DamagedResultWarning` for a file left out; raises `ResultError` for a folder that is foreign or too new.
    """
    if not folders:
        raise ResultError("name at least one result folder")
    contents = [read_folder(Path(folder)) for folder in folders]
    for problem in (problem for content in contents for problem in content.problems):
        warnings.warn(problem, DamagedResultWarning, stacklevel=2)
    return table_of(contents)


def table_of(contents: Iterable[FolderContents]) -> pd.DataFrame:
    """The table of folders that have been read already."""
    import pandas as pd  # half a second; the runner reads folders without it

    rows = [
        {_encodable(name): _encodable(cell) for name, cell in ({"folder": str(content.path)} | tidy_row(run)).items()}
        for content in contents
        for run in content.runs
    ]
    if not rows:
        return pd.DataFrame(columns=["folder", *(name for name in RunResult.model_fields if name not in _NESTED)])
    table = pd.DataFrame(rows)
    for name in NUMERIC_FIELDS & set(table.columns):
        # A column without a single value would be of type object, and arithmetic on it would fail.
        table[name] = pd.to_numeric(table[name])
    return table


def _encodable(cell: Any) -> Any:
    """A file's name may hold bytes that are no UTF-8, and JSON halves of a character: pandas keeps neither."""
    if isinstance(cell, tuple):
        return tuple(map(_encodable, cell))
    if isinstance(cell, str) and not cell.isascii():
        return cell.encode("utf-8", "backslashreplace").decode()
    return cell


def tidy_row(run: RunResult) -> dict[str, Any]:
    """One run as column name to value."""
    row: dict[str, Any] = run.model_dump(mode="python", exclude=_NESTED)
    # A newer program's field is a column as far as a cell can hold it.
    row = {name: cell for name, cell in row.items() if not isinstance(cell, dict | list)}
    row |= {"role": run.role.value, "error_kind": None if run.error_kind is None else run.error_kind.value}
    row |= {"interleave": run.interleave, "scheduling": run.scheduling}
    if run.slices is not None:
        row |= {f"slices.{name}": value for name, value in run.slices.model_dump().items()}
    if run.clock is not None:
        row |= {f"clock.{name}": value for name, value in run.clock.model_dump().items()}
    if run.point is not None:
        row |= {"point.parameter": run.point.parameter, "point.value": run.point.value}
    for stage, times in run.stages.items():
        row |= {f"stage.{stage}.{name}": value for name, value in times.model_dump().items()}
    for name, figure in run.custom.items():
        row |= {f"custom.{name}": figure.value, f"custom.{name}.unit": figure.unit}
        row[f"custom.{name}.better"] = figure.better
    if run.latency is not None:
        row |= {f"latency.{name}": value for name, value in run.latency.model_dump().items()}
    row |= {f"pipeline_bytes.{owner}": size for owner, size in run.pipeline_bytes.items()}
    row |= {f"telemetry.{name}": value for name, value in run.telemetry.items()}
    row["validation.passed"], row["validation.failures"] = None, ()
    if run.validation is not None:
        row["validation.passed"] = run.validation.passed
        row["validation.failures"] = tuple(check.name for check in run.validation.failures)
        for metric, summary in run.validation.metrics.items():
            row |= {f"quality.{metric}.{pool}": getattr(summary, pool) for pool in POOLS}
        row["quality.av_offset_ms"], row["quality.av_drift_ms"] = (
            run.validation.av_offset_ms,
            run.validation.av_drift_ms,
        )
    row["thresholds.failures"] = tuple(check.name for check in run.thresholds if check.status.value != "pass")
    return row
