"""How figures went over months: one line a result folder in a file, trends, and where a level changed.

Points of different machines are never in one series, so that a new machine is a new series and not a step.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import FiniteFloat, ValidationError

from capbench.errors import OutputError, ResultError
from capbench.files import JSON_LIMIT_BYTES, read_text, write_atomic
from capbench.gate.judged_metrics import Kind, describe_metric
from capbench.gate.statistics.change_points import find_steps
from capbench.gate.verdicts.pairing import column
from capbench.gate.verdicts.portable_ratios import portable_columns, with_ratios
from capbench.results.record import Record, record_json
from capbench.results.subject_name import SubjectName

__all__ = [
    "HistoryEntry",
    "HistoryFigure",
    "HistoryStep",
    "Trend",
    "TrendList",
    "entry_of",
    "read_history",
    "trends",
    "with_entries",
]

_VERSION = 1
_ABSOLUTE = ("wall_s", "cpu_s", "peak_rss_bytes")
_RESOLUTION = {
    Kind.NOISY: 0.002,  # no clock and no allocator is steadier than 0.2% over months
    Kind.COUNTED: 1e-6,
    Kind.EQUAL: 1e-6,
    Kind.QUALITY: 1e-4,  # the fourth decimal of an SSIM
}
"""Noise below which nothing is a step: relative, for quality in its own unit."""


class HistoryFigure(Record):
    """One metric of one case by one subject in one result folder."""

    case: str
    """Name of the case."""
    subject: str
    """Name of the subject."""
    metric: str
    """Field of a run, or `FIELD/REFERENCE`."""
    median: FiniteFloat
    """Over the blocks, in the metric's unit."""
    low: FiniteFloat
    """Smallest value of a block."""
    high: FiniteFloat
    """Largest value of a block."""
    blocks: int
    """Number of blocks."""


class HistoryEntry(Record):
    """One result folder: one line of the history file."""

    schema_version: int = _VERSION
    """Version of this record."""
    taken_at: str
    """ISO 8601, UTC: start of the first run."""
    folder: str
    """Name of the result folder."""
    revision: str | None
    """Git revision that was measured."""
    machine: str
    """Fingerprint; empty where it is not known."""
    figures: tuple[HistoryFigure, ...]
    """At least one."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes an entry the same folder when it is added twice."""
        return self.taken_at, self.machine, self.folder


class HistoryStep(Record):
    """A change of level in a series."""

    taken_at: str
    """First entry of the new level."""
    revision: str | None
    """Its revision."""
    previous_revision: str | None
    """Revision of the entry before: the change lies between the two."""
    before: float
    """Old level, in the metric's unit."""
    after: float
    """New level."""


class Trend(Record):
    """One metric of one case by one subject on one machine, over time."""

    case: str
    """Name of the case."""
    subject: str
    """Name of the subject."""
    metric: str
    """Field of a run."""
    machine: str
    """Fingerprint."""
    taken_at: tuple[str, ...]
    """Of each entry, in order."""
    medians: tuple[float, ...]
    """Of each entry."""
    steps: tuple[HistoryStep, ...]
    """Changes of level, in order."""


class TrendList(Record):
    """What `capbench history show --json` writes."""

    trends: tuple[Trend, ...]
    """In order of case, subject, metric and machine."""


def entry_of(runs: pd.DataFrame, folder: str) -> HistoryEntry:
    """What a result folder's table adds to the history. Raises `ResultError` where it has no finished run."""
    table = with_ratios(runs)
    if table.empty:
        raise ResultError(f"{folder} has no finished run to add to the history")
    machines = _distinct(table, "fingerprint")
    if len(machines) > 1:
        raise ResultError(f"{folder} has runs from {len(machines)} machines; add one machine's results at a time")
    taken_at = _distinct(table, "started_at")
    if not taken_at:
        raise ResultError(f"{folder} has no start time, and a history is ordered by time")
    names = [*(name for name in _ABSOLUTE if name in table.columns), *portable_columns(table)]
    figures = []
    for (case, subject), group in table.groupby(["case", "subject"], sort=False):
        for name in names:
            values = column(group, name)
            known = values[np.isfinite(values)]
            if known.size:
                figures.append(
                    HistoryFigure(
                        case=str(case),
                        subject=str(subject),
                        metric=name,
                        median=float(np.median(known)),
                        low=float(known.min()),
                        high=float(known.max()),
                        blocks=known.size,
                    )
                )
    revisions = _distinct(table[[not SubjectName.parse(str(name)).revision for name in table["subject"]]], "revision")
    return HistoryEntry(
        taken_at=taken_at[0],
        folder=folder,
        revision=revisions[0] if revisions else None,
        machine=machines[0] if machines else "",
        figures=tuple(figures),
    )


def read_history(path: Path) -> tuple[HistoryEntry, ...]:
    """Entries of a history file, oldest first; none where there is no file yet. Raises `ResultError` with the line."""
    if not os.path.lexists(path):
        return ()
    lines = read_text(path, ResultError, limit_bytes=JSON_LIMIT_BYTES).splitlines()
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entry = HistoryEntry.model_validate_json(line)
        except ValidationError as error:
            raise ResultError(f"{path}:{number}: not an entry of a history: {error.errors()[0]['msg']}") from error
        if entry.schema_version > _VERSION:
            raise ResultError(
                f"{path}:{number} has schema version {entry.schema_version}, this program reads up to {_VERSION}; "
                "use a newer capbench"
            )
        entries.append(entry)
    return tuple(sorted(entries, key=lambda entry: entry.key))


def with_entries(path: Path, added: Iterable[HistoryEntry]) -> int:
    """Add entries to a history file, in place of those of the same folders. Returns how many there are now.

    Raises `ResultError`, `OutputError`.
    """
    entries = {entry.key: entry for entry in (*read_history(path), *added)}
    ordered = [entries[key] for key in sorted(entries)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, "".join(record_json(entry) + "\n" for entry in ordered))
    except OSError as error:
        raise OutputError(f"cannot write the history {path}: {error.strerror or error}") from error
    return len(ordered)


def trends(
    entries: Sequence[HistoryEntry], *, case: str = "*", subject: str = "*", metric: str = "*"
) -> tuple[Trend, ...]:
    """One series for each case, subject, metric and machine that the globs match, with its steps."""
    series: dict[tuple[str, str, str, str], list[tuple[HistoryEntry, float]]] = {}
    for entry in sorted(entries, key=lambda entry: entry.key):
        for figure in entry.figures:
            if (
                fnmatchcase(figure.case, case)
                and fnmatchcase(figure.subject, subject)
                and fnmatchcase(figure.metric, metric)
            ):
                key = (figure.case, figure.subject, figure.metric, entry.machine)
                series.setdefault(key, []).append((entry, figure.median))
    return tuple(_trend(key, points) for key, points in sorted(series.items()))


def _trend(key: tuple[str, str, str, str], points: Sequence[tuple[HistoryEntry, float]]) -> Trend:
    case, subject, metric, machine = key
    values = [value for _, value in points]
    kind = describe_metric(metric).kind
    # Relative changes count for all but quality, where a difference in the metric's own unit does.
    by_ratio = kind is not Kind.QUALITY
    usable = all(math.isfinite(value) and (value > 0 or not by_ratio) for value in values)
    series = [math.log(value) for value in values] if by_ratio and usable else values
    steps = find_steps(series, resolution=_RESOLUTION[kind]) if usable else ()
    return Trend(
        case=case,
        subject=subject,
        metric=metric,
        machine=machine,
        taken_at=tuple(entry.taken_at for entry, _ in points),
        medians=tuple(values),
        steps=tuple(
            HistoryStep(
                taken_at=points[step.index][0].taken_at,
                revision=points[step.index][0].revision,
                previous_revision=points[step.index - 1][0].revision,
                before=math.exp(step.before) if by_ratio else step.before,
                after=math.exp(step.after) if by_ratio else step.after,
            )
            for step in steps
        ),
    )


def _distinct(runs: pd.DataFrame, name: str) -> list[str]:
    return sorted(set(runs[name].dropna().astype(str))) if name in runs.columns else []
