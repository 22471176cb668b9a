"""Per-frame metrics as CSV, for a spreadsheet or another program."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from capbench.errors import OutputError
from capbench.files import write_atomic
from capbench.results import ValidationReport

__all__ = ["write_frame_csv"]


def write_frame_csv(report: ValidationReport, target: Path) -> None:
    """One row an output frame, one column a metric; empty where a frame was not measured. Raises `OutputError`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(report.series)
    writer.writerow(["frame", *names])
    for frame, values in enumerate(zip(*report.series.values(), strict=True)):
        writer.writerow([frame, *("" if value is None else f"{value:.6g}" for value in values)])
    try:
        write_atomic(target, text.getvalue())
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
