"""A committed baseline: figures of an accepted state that any machine can be compared with, with the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import FiniteFloat, ValidationError

from capbench.errors import OutputError, ResultError
from capbench.files import read_json, write_atomic
from capbench.gate.verdicts.pairing import column, finished, measured_runs
from capbench.gate.verdicts.portable_ratios import portable_columns, with_ratios
from capbench.gate.verdicts.validity import texts
from capbench.results.record import Record, first_fault, record_json
from capbench.results.subject_name import is_export

__all__ = ["Baseline", "BaselineFigure", "read_baseline", "take_baseline", "write_baseline"]

_VERSION = 1


class BaselineFigure(Record):
    """One metric of one case by one subject."""

    case: str
    """Name of the case."""
    subject: str
    """Name of the subject."""
    metric: str
    """A field of a run, or `FIELD/REFERENCE` for its ratio to another subject of the same block."""
    values: tuple[FiniteFloat, ...]
    """One a block, in order of the blocks: the evidence, not a summary."""
    adapter_is_software: bool | None = None
    """Whether the GPU work ran on the CPU; ratios to `cpu` mean something else there."""


class Baseline(Record):
    """What `capbench baseline update` writes."""

    schema_version: int = _VERSION
    """Version of this record."""
    taken_at: str | None = None
    """ISO 8601, UTC: start of the first run."""
    revisions: tuple[str, ...] = ()
    """Git revisions that were measured."""
    machines: tuple[str, ...] = ()
    """Fingerprints, for the record: nothing absolute is kept."""
    figures: tuple[BaselineFigure, ...]
    """At least one."""


def take_baseline(runs: pd.DataFrame) -> Baseline:
    """The machine-independent figures of a table of runs.

    Raises `ResultError` where a run failed, fell back or failed validation: a broken state is nothing to hold others
    against.
    """
    measured = measured_runs(runs)
    _refuse_broken(measured)
    table = with_ratios(runs)
    figures = []
    for (case, subject), group in table.groupby(["case", "subject"], sort=False):
        if not is_export(subject):
            continue
        ordered = group.sort_values("block")
        for name in portable_columns(ordered):
            values = column(ordered, name)
            known = values[np.isfinite(values)]
            if known.size:
                figures.append(
                    BaselineFigure(
                        case=str(case),
                        subject=str(subject),
                        metric=name,
                        values=tuple(known.tolist()),
                        adapter_is_software=software_adapter(ordered),
                    )
                )
    if not figures:
        raise ResultError("nothing to take a baseline from: no finished run of a subject other than the floor")
    return Baseline(
        taken_at=min(_distinct(measured, "started_at"), default=None),
        revisions=_distinct(measured, "revision"),
        machines=_distinct(measured, "fingerprint"),
        figures=tuple(figures),
    )


def software_adapter(runs: pd.DataFrame) -> bool | None:
    """Whether these runs used a software adapter; None where none was used."""
    if "adapter_is_software" not in runs.columns:
        return None
    known = runs["adapter_is_software"].dropna()
    return bool(known.astype(bool).any()) if len(known) else None


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file. Raises `ResultError`."""
    try:
        baseline = Baseline.model_validate(read_json(path, ResultError))
    except ResultError as error:
        remedy = "is this a capbench baseline? Create one with: capbench baseline update DIR"
        raise ResultError(f"{error}; {remedy}") from error
    except ValidationError as error:
        where, message = first_fault(error)
        raise ResultError(f"{path}: {where or 'the file'}: {message}; is this a capbench baseline?") from error
    if baseline.schema_version > _VERSION:
        raise ResultError(f"{path} has schema version {baseline.schema_version}; use a newer capbench")
    return baseline


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline file. Raises `OutputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, record_json(baseline, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write the baseline {path}: {error.strerror or error}") from error


def _refuse_broken(runs: pd.DataFrame) -> None:
    failed = len(runs) - len(finished(runs))
    if failed:
        raise ResultError(f"no baseline: {failed} of {len(runs)} runs failed; fix this and run again")
    if "validation.passed" in runs.columns:
        invalid = runs[runs["validation.passed"].notna() & ~runs["validation.passed"].fillna(value=True).astype(bool)]
        if len(invalid):
            names = sorted({f"{row['case']} by {row['subject']}" for _, row in invalid.iterrows()})
            raise ResultError(f"no baseline: the output failed validation in {', '.join(names)}")
    if "fallbacks" in runs.columns:
        for subject, cell in zip(runs["subject"], runs["fallbacks"], strict=True):
            if falls := texts(cell):
                raise ResultError(f"no baseline: {subject} fell back: {falls[0]}")


def _distinct(runs: pd.DataFrame, name: str) -> Sequence[str]:
    return tuple(sorted(set(runs[name].dropna().astype(str)))) if name in runs.columns else ()
