"""What the values of matrix files may be: names, lengths, counts, with the reason of each bound."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from capbench.harness.matrix.command_line import check_begin_text
from capbench.results.metric_registry import choose_metrics
from capbench.results.path_names import path_names
from capbench.units import shown

__all__ = [
    "LONGEST_NAME",
    "LONGEST_RECORDING_S",
    "LONGEST_WAIT_S",
    "MAX_SLICE_MS",
    "MIN_SLICE_MS",
    "MOST_BLOCKS",
    "MOST_CASES",
    "MOST_INCLUDES",
    "MOST_LADDERS",
    "MOST_OVERRIDES",
    "MOST_PIXELS_A_SIDE",
    "MOST_RUNGS",
    "BeginText",
    "Even",
    "Metrics",
    "Name",
    "RecordingSeconds",
    "TimeLimit",
    "Variable",
    "WaitSeconds",
    "check_name",
    "known_paths",
]

MOST_PIXELS_A_SIDE = 16384
"""The most that H.264 has a level for; a frame of that size takes 400 MB."""
LONGEST_RECORDING_S = 24 * 3600.0
"""A day."""
LONGEST_WAIT_S = 7 * 24 * 3600.0
"""A week. System calls fail for time-outs beyond some centuries."""
MOST_BLOCKS = 100_000
"""A block a second is a day of them."""
MOST_CASES = 10_000
"""Of a matrix, products included, and subjects of a file: a case of a second takes hours by then."""
MOST_RUNGS = 64
"""Of a ladder: a scene has a dozen things to add, and each rung is a run of every subject in every block."""
MOST_LADDERS = 100
"""Of one file."""
MOST_INCLUDES = 100
"""Of one file."""
MOST_OVERRIDES = 1000
"""Each is tried on each case."""
LONGEST_NAME = 80
"""Case and subject stand in one file name with a block's number, and file systems allow 255 bytes."""


def known_paths() -> frozenset[str]:
    """Paths, built in or installed; a case may name them, and `floor`, without a `[[subject]]` table."""
    return frozenset(path_names())


def check_name(name: str) -> str:
    """The name of a case or a subject. Raises `ValueError` for one that cannot be part of a file's name."""
    # Names become file names joined by "--", so they must survive every file system and stay unambiguous.
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._+=@-]{{0,{LONGEST_NAME - 1}}}", name) or "--" in name:
        raise ValueError(f"{shown(name)} cannot be part of a file name; use letters, digits, . _ + = - (no --)")
    return name


def _check_variable(name: str) -> str:
    if not name or "=" in name:
        raise ValueError(f"{shown(name)} cannot be the name of an environment variable")
    return name


def _check_metrics(names: list[str]) -> list[str]:
    return [metric.name for metric in choose_metrics(names)]


MIN_SLICE_MS = 5.0
"""A switch takes about a millisecond: with shorter slices the machine would do little else."""
MAX_SLICE_MS = 10_000.0
"""Longer slices are whole runs."""
Name = Annotated[
    str,
    AfterValidator(check_name),
    Field(json_schema_extra={"pattern": r"^[A-Za-z0-9][A-Za-z0-9._+=@-]*$", "maxLength": LONGEST_NAME}),
]
Variable = Annotated[str, AfterValidator(_check_variable)]
BeginText = Annotated[str, AfterValidator(check_begin_text)]
Metrics = Annotated[list[str], AfterValidator(_check_metrics)]
Even = Annotated[int, Field(gt=0, le=MOST_PIXELS_A_SIDE, multiple_of=2)]
RecordingSeconds = Annotated[float, Field(gt=0, le=LONGEST_RECORDING_S)]
WaitSeconds = Annotated[float, Field(ge=0, le=LONGEST_WAIT_S)]
TimeLimit = Annotated[float, Field(gt=0, le=LONGEST_WAIT_S)]
