"""The record of interim looks at a run: `looks.json` of a result folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from capbench.errors import ResultError
from capbench.files import read_json
from capbench.results.folder import write_record
from capbench.results.record import Record

__all__ = ["InterimLook", "InterimLooks", "read_looks", "write_looks"]

_VERSION = 1


class InterimLook(Record):
    """One interim look."""

    blocks: int
    """Blocks that every case had: later ones were not looked at."""
    share: float
    """Part of each of the gate's errors that it may spend."""
    ends: bool = False
    """Whether it was the last one: no further look was planned, or the time budget was used up."""


class InterimLooks(Record):
    """`looks.json` of a result folder."""

    schema_version: int = _VERSION
    """Version of this record."""
    looks: tuple[InterimLook, ...] = ()
    """In order. Written before each look, so that a killed run cannot forget one."""


def read_looks(folder: Path) -> tuple[InterimLook, ...] | None:
    """The looks at a result folder; None where nobody ever looked. Raises `ResultError` for a damaged record."""
    found = _read(folder)
    return None if found is None else found.looks


def write_looks(folder: Path, looks: Sequence[InterimLook]) -> None:
    """Record the looks, the new one included. Raises `OutputError`, and `ResultError` for a damaged record."""
    record = _read(folder) or InterimLooks()
    write_record(folder / "looks.json", record.model_copy(update={"looks": tuple(looks)}))


def _read(folder: Path) -> InterimLooks | None:
    file = folder / "looks.json"
    if not os.path.lexists(file):
        return None
    try:
        found = InterimLooks.model_validate(read_json(file, ResultError))
    except (ResultError, ValidationError) as error:
        raise ResultError(f"cannot read {file}, the record of interim looks; measure these runs again") from error
    if found.schema_version > _VERSION:
        raise ResultError(
            f"{file} has schema version {found.schema_version}, this program reads up to {_VERSION}; "
            "use a newer capbench"
        )
    return found
