"""Result folders in the formats of other tools."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from capbench.errors import UnavailableError
from capbench.installation import install_command
from capbench.report.formats.csv_text import csv_text
from capbench.report.formats.json_text import json_text
from capbench.report.formats.markdown_text import markdown_table
from capbench.results.environment import Environment
from capbench.results.folder import FolderContents
from capbench.results.run_record import RunResult, RunRole
from capbench.results.tidy_table import table_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXPORTERS", "measured_groups"]


def measured_groups(contents: Sequence[FolderContents]) -> dict[tuple[str, str, str], list[RunResult]]:
    """(folder, case, subject) to its measured runs that succeeded by the path that was asked for, in block order.

    Each point of a curve is a group of its own, named behind the case: `clip qp=24`.
    """
    groups: dict[tuple[str, str, str], list[RunResult]] = {}
    for content in contents:
        for run in content.runs:
            if run.role is RunRole.MEASURE and run.succeeded and run.ran_as_requested and run.wall_s:
                case = run.case if run.point is None else f"{run.case} {run.point.label}"
                groups.setdefault((str(content.path), case, run.subject), []).append(run)
    return groups


def _csv(contents: Sequence[FolderContents]) -> bytes:
    """One line a run; lists are joined by `; `."""
    table = _flat(contents)
    # A column without a value is empty, not "nan".
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    return csv_text(
        [str(name) for name in table.columns], ({str(k): v for k, v in row.items()} for row in records)
    ).encode()


def _parquet(contents: Sequence[FolderContents]) -> bytes:
    """One row a run."""
    try:
        import pyarrow as _  # noqa: F401, ICN001  an optional extra
    except ImportError as error:
        raise UnavailableError(f"parquet needs pyarrow; install it with: {install_command('parquet')}") from error
    buffer = io.BytesIO()
    _flat(contents).to_parquet(buffer, index=False)
    return buffer.getvalue()


def _flat(contents: Sequence[FolderContents]) -> pd.DataFrame:
    table = table_of(contents)
    for name in table.columns:
        if table[name].map(lambda cell: isinstance(cell, tuple)).any():
            table[name] = table[name].map(lambda cell: "; ".join(map(str, cell)) if isinstance(cell, tuple) else cell)
        elif table[name].dtype == object and name.startswith("telemetry."):
            table[name] = table[name].map(lambda cell: None if cell is None else str(cell))
    return table


def _markdown(contents: Sequence[FolderContents]) -> bytes:
    """Medians as a table, one row for each subject of each case."""
    several = len(contents) > 1
    groups = measured_groups(contents)
    has_launch = any(run.launch_s is not None for runs in groups.values() for run in runs)
    header = [
        "case",
        "subject",
        "blocks",
        *(["launch s"] if has_launch else []),
        "wall s",
        "x floor",
        "x realtime",
        "CPU s",
        "peak RSS MB",
        "readback MB",
        "PSNR Y dB",
    ]
    rows: list[list[str]] = []
    for (folder, case, subject), runs in groups.items():
        quality = [
            summary.mean
            for run in runs
            if run.validation is not None and (summary := run.validation.metrics.get("psnr_y")) is not None
        ]
        cells = [
            case,
            subject,
            str(len(runs)),
            *([_median([run.launch_s for run in runs], 3)] if has_launch else []),
            _median([run.wall_s for run in runs], 3),
            _median([run.times_floor for run in runs], 2),
            _median([run.times_realtime for run in runs], 2),
            _median([run.cpu_s for run in runs], 2),
            _median([run.peak_rss_bytes for run in runs], 0, 1e-6),
            _median([run.readback_bytes for run in runs], 1, 1e-6),
            _median(quality, 2),
        ]
        rows.append([*([folder] if several else []), *cells])
    head = [*(["folder"] if several else []), *header]
    return (markdown_table(head, rows, to_the_right=header[2:]) + "\n").encode()


def _median(values: Sequence[float | None], digits: int, factor: float = 1.0) -> str:
    known = [value * factor for value in values if value is not None]
    return f"{statistics.median(known):.{digits}f}" if known else "-"


def _pytest_benchmark(contents: Sequence[FolderContents]) -> bytes:
    """The file that `pytest-benchmark compare` reads: a benchmark for each subject of each case, a round a block."""
    environment = next((content.environment for content in contents if content.environment), None) or Environment()
    now = datetime.now(UTC)
    document = {
        "machine_info": {
            "node": environment.fingerprint or "unknown",
            "processor": environment.cpu_model or "",
            "machine": environment.architecture or "",
            "python_version": (environment.python or "").rpartition(" ")[2],
            "system": environment.os or "",
            "release": environment.kernel or "",
            "cpu": {"brand_raw": environment.cpu_model or "", "count": environment.cores_logical},
        },
        "commit_info": {
            "id": environment.git_revision or "unversioned",
            "time": now.isoformat(),
            "author_time": now.isoformat(),
            "dirty": bool(environment.git_dirty),
            "project": "capbench",
            "branch": "(unknown)",
        },
        "benchmarks": [
            _benchmark(folder, case, subject, runs)
            for (folder, case, subject), runs in measured_groups(contents).items()
        ],
        "datetime": now.isoformat(),
        "version": "5.1.0",
    }
    return _json(document)


def _benchmark(folder: str, case: str, subject: str, runs: Sequence[RunResult]) -> dict[str, Any]:
    walls = [run.wall_s for run in runs if run.wall_s is not None]
    quartiles = statistics.quantiles(walls, n=4, method="inclusive") if len(walls) > 1 else [walls[0]] * 3
    spread = statistics.stdev(walls) if len(walls) > 1 else 0.0
    mean = statistics.mean(walls)
    near = 1.5 * (quartiles[2] - quartiles[0])
    far = sum(not quartiles[0] - near <= wall <= quartiles[2] + near for wall in walls)
    deviating = sum(abs(wall - mean) > spread for wall in walls)
    inside = [wall for wall in walls if quartiles[0] - near <= wall <= quartiles[2] + near]
    return {
        "group": case,
        "name": f"{case}[{subject}]",
        "fullname": f"{folder}::{case}[{subject}]",
        "params": None,
        "param": None,
        "extra_info": {
            "times_floor": _known_median([run.times_floor for run in runs]),
            "peak_rss_bytes": _known_median([run.peak_rss_bytes for run in runs]),
        },
        "options": {
            "disable_gc": False,
            "timer": "monotonic",
            "min_rounds": 1,
            "max_time": 0,
            "min_time": 0,
            "warmup": True,
        },
        "stats": {
            "min": min(walls),
            "max": max(walls),
            "mean": mean,
            "stddev": spread,
            "rounds": len(walls),
            "median": statistics.median(walls),
            "iqr": quartiles[2] - quartiles[0],
            "q1": quartiles[0],
            "q3": quartiles[2],
            "iqr_outliers": far,
            "stddev_outliers": deviating,
            "outliers": f"{deviating};{far}",
            "ld15iqr": min(inside),
            "hd15iqr": max(inside),
            "ops": 1 / mean,
            "total": sum(walls),
            "data": walls,
            "iterations": 1,
        },
    }


def _known_median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _github_action_benchmark(contents: Sequence[FolderContents]) -> bytes:
    """The list of github-action-benchmark's tool `customSmallerIsBetter`: name, unit, value, range."""
    entries: list[dict[str, Any]] = []
    for (folder, case, subject), runs in measured_groups(contents).items():
        name = f"{case}/{subject}" if len(contents) == 1 else f"{folder}: {case}/{subject}"
        walls = [run.wall_s for run in runs if run.wall_s is not None]
        entries.append(
            {
                "name": name,
                "unit": "s",
                "value": statistics.median(walls),
                "range": f"{min(walls):.4g} to {max(walls):.4g}",
                "extra": f"{len(walls)} blocks",
            }
        )
        if (factor := _known_median([run.times_floor for run in runs])) is not None:
            entries.append({"name": f"{name} times floor", "unit": "x", "value": factor})
    return _json(entries)


def _bencher(contents: Sequence[FolderContents]) -> bytes:
    """Bencher Metric Format: benchmark to measure to value and bounds; times in nanoseconds as its `latency` wants."""
    measures: dict[str, tuple[str, float]] = {
        "latency": ("wall_s", 1e9),
        "peak-rss": ("peak_rss_bytes", 1.0),
        "times-floor": ("times_floor", 1.0),
        "readback": ("readback_bytes", 1.0),
    }
    document: dict[str, dict[str, dict[str, float]]] = {}
    for (folder, case, subject), runs in measured_groups(contents).items():
        name = f"{case}/{subject}" if len(contents) == 1 else f"{folder}: {case}/{subject}"
        document[name] = {
            measure: {"value": statistics.median(known), "lower_value": min(known), "upper_value": max(known)}
            for measure, (field, factor) in measures.items()
            if (known := [value * factor for run in runs if (value := getattr(run, field)) is not None])
        }
    return _json(document)


def _json(document: object) -> bytes:
    return json_text(document).encode()


EXPORTERS: dict[str, Callable[[Sequence[FolderContents]], bytes]] = {
    "csv": _csv,
    "parquet": _parquet,
    "markdown": _markdown,
    "pytest-benchmark": _pytest_benchmark,
    "github-action-benchmark": _github_action_benchmark,
    "bencher": _bencher,
}
"""Format name to what writes it."""
