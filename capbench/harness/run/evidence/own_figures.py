"""Figures that only the subject knows: the JSON file that a command may write to `{metrics}`.

`{"frames_dropped": 3, "queue_peak": {"value": 12, "unit": "frames", "better": "lower"}, "stages": {"encode": 1.2}}`.
`python -m capbench.harness.run.evidence.own_figures` prints the JSON Schema of the file.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from capbench.errors import ResultError
from capbench.files import read_json, read_text
from capbench.harness.run.evidence.ffmpeg_figures import progress_figures
from capbench.results.export_report import StageTimes
from capbench.results.run_record import CustomFigure
from capbench.units import shown
from capbench.unknown_names import did_you_mean

__all__ = ["METRICS_SCHEMA_FILE", "OwnFigures", "in_slices_only", "metrics_schema_text", "read_own_figures"]

METRICS_SCHEMA_FILE = Path(__file__).with_name("metrics-1.schema.json")
"""The published copy of the schema; a test keeps it equal to the limits here."""
FILE_LIMIT_BYTES = 2**17
"""A hundred figures and stages, written out with spaces, are 15 kB."""
MOST_FIGURES = 100
"""Each is a row of the page and a column of every table."""
MOST_STAGES = 32
"""Each is a bar of a chart for each subject."""
LONGEST_UNIT = 16
"""It stands behind every figure."""
_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
"""Of a figure or a stage: a part of a column's name, and of a gate rule's glob."""
_UNIT = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
"""A unit's character: printable, and nothing that turns the text around it."""
_UNITS_BY_ENDING = {f"_{unit}": unit for unit in ("s", "ms", "us", "ns", "bytes", "frames")} | {
    "_percent": "%",
    "fps": "fps",
}
"""Unit of a figure that does not say one, by the end of its name, as the project's own fields are named."""
_CLOCKED_UNITS = frozenset({"s", "ms", "us", "µs", "ns", "min", "h", "fps", "x"})
"""Units of time and of rates: a clock of the subject's own goes on while a run in slices stands still."""
_RATE_UNITS = frozenset({"fps", "x"})
"""More is better, where a figure does not say."""
_STAGE_KEYS = ("work_s", "wait_input_s", "wait_output_s")
_FIGURE_KEYS = ("value", "unit", "better")

AnyEntry = TypeVar("AnyEntry")


@dataclass(slots=True)
class OwnFigures:
    """What a subject reported about itself, and what of it could not be taken."""

    custom: dict[str, CustomFigure] = field(default_factory=dict)
    """Figures by name."""
    stages: dict[str, StageTimes] = field(default_factory=dict)
    """Stages by name, in the order of the file."""
    problems: dict[str, str] = field(default_factory=dict)
    """`custom`, `custom.<name>`, `stages` or `stage.<name>` to the reason why it is not there."""


def read_own_figures(path: Path) -> OwnFigures:
    """Read what a command wrote to `{metrics}`: JSON, or what ffmpeg writes with `-progress {metrics}`.

    Nothing that the file holds fails the run: what cannot be taken is left out with its reason.
    """
    if not path.is_file():
        what = "something that is no file" if path.exists() else "nothing"
        return OwnFigures(problems={"custom": f"the subject wrote {what} to {{metrics}}"})
    try:
        text = read_text(path, ResultError, limit_bytes=FILE_LIMIT_BYTES)
        if not text.lstrip().startswith("{") and (from_ffmpeg := progress_figures(text)):
            return OwnFigures(custom=from_ffmpeg)
        document = read_json(path, ResultError, limit_bytes=FILE_LIMIT_BYTES)
    except ResultError as error:
        reason = str(error).removeprefix(f"{path}: ").removeprefix(f"cannot read {path}: ")
        return OwnFigures(problems={"custom": f"cannot read what the subject wrote to {{metrics}}: {reason}"})
    if not isinstance(document, dict):
        return OwnFigures(problems={"custom": "what the subject wrote to {metrics} is no JSON object"})
    stages = document.pop("stages", {})
    custom, problems = _taken(document, "custom", MOST_FIGURES, _figure)
    if not isinstance(stages, dict):
        problems["stages"] = f"`stages` in {{metrics}} must be an object, got {shown(stages)}"
        return OwnFigures(custom, problems=problems)
    times, problems_of_stages = _taken(stages, "stage", MOST_STAGES, _stage)
    return OwnFigures(custom, times, problems | problems_of_stages)


def in_slices_only(found: OwnFigures) -> OwnFigures:
    """What may be kept of a run that stood still between slices: no times and no rates, whose clock did not."""
    reason = "measured in slices: the subject's own clock counts the time between them"
    kept = OwnFigures(problems=dict(found.problems))
    for name, figure in found.custom.items():
        if figure.unit in _CLOCKED_UNITS:
            kept.problems[f"custom.{name}"] = reason
        else:
            kept.custom[name] = figure
    if found.stages:
        kept.problems["stages"] = reason
    return kept


def _taken(
    entries: Mapping[str, object], family: str, most: int, read: Callable[[str, object], AnyEntry]
) -> tuple[dict[str, AnyEntry], dict[str, str]]:
    """What can be taken of an object's entries, and why the others cannot."""
    found: dict[str, AnyEntry] = {}
    problems: dict[str, str] = {}
    for name, written in entries.items():
        if len(found) >= most:
            problems[family] = f"more than {most} entries; the first {most} were taken"
            break
        if not re.fullmatch(_NAME, name):
            problems[family] = f"{shown(name)} is no name; use letters, digits, _ and -, 64 at most, no digit first"
            continue
        try:
            found[name] = read(name, written)
        except ValueError as error:
            if len(problems) < most:
                problems[f"{family}.{name}"] = str(error)
    return found, problems


def _figure(name: str, written: object) -> CustomFigure:
    if not isinstance(written, dict):
        return CustomFigure(value=_number(written), unit=_unit_of(name), better=_better_of(_unit_of(name)))
    _refuse_unknown(written, _FIGURE_KEYS)
    unit = written.get("unit", _unit_of(name))
    if not isinstance(unit, str) or not re.fullmatch(f"{_UNIT}{{0,{LONGEST_UNIT}}}", unit):
        raise ValueError(f"unit must be text of at most {LONGEST_UNIT} characters, got {shown(unit)}")
    better = written.get("better", _better_of(unit))
    if better not in ("lower", "higher"):
        raise ValueError(f"better must be 'lower' or 'higher', got {shown(better)}")
    return CustomFigure(value=_number(written.get("value")), unit=unit, better=better)


def _stage(_name: str, written: object) -> StageTimes:
    if not isinstance(written, dict):
        return StageTimes(work_s=_seconds(written), wait_input_s=None, wait_output_s=None)
    _refuse_unknown(written, _STAGE_KEYS)
    waits = [None if written.get(key) is None else _seconds(written[key]) for key in _STAGE_KEYS[1:]]
    return StageTimes(work_s=_seconds(written.get("work_s")), wait_input_s=waits[0], wait_output_s=waits[1])


def _refuse_unknown(written: Mapping[str, object], known: tuple[str, ...]) -> None:
    if unknown := [key for key in written if key not in known]:
        meant = did_you_mean(unknown[0], known)
        raise ValueError(f"unknown key {shown(unknown[0])}; available: {', '.join(known)}{meant}")


def _number(written: object) -> float:
    if isinstance(written, bool) or not isinstance(written, int | float) or not math.isfinite(written):
        raise ValueError(f"not a finite number: {shown(written)}")
    return float(written)


def _seconds(written: object) -> float:
    if (time_s := _number(written)) < 0:
        raise ValueError(f"not a time in seconds: {shown(written)}")
    return time_s


def _unit_of(name: str) -> str:
    return next((unit for ending, unit in _UNITS_BY_ENDING.items() if name.endswith(ending)), "")


def _better_of(unit: str) -> Literal["lower", "higher"]:
    return "higher" if unit in _RATE_UNITS else "lower"


def metrics_schema_text() -> str:
    """The JSON Schema of the file, draft 2020-12, as it is committed."""
    number = {"type": "number"}
    seconds = {"type": "number", "minimum": 0}
    figure: dict[str, Any] = {
        "type": "object",
        "properties": {
            "value": {**number, "description": "The figure, finite."},
            "unit": {
                "type": "string",
                "pattern": f"^{_UNIT}*$",
                "maxLength": LONGEST_UNIT,
                "description": "Its unit, such as `s` or `frames`.",
            },
            "better": {"enum": ["lower", "higher"], "description": "Which way is better; `lower` but for rates."},
        },
        "required": ["value"],
        "additionalProperties": False,
    }
    stage: dict[str, Any] = {
        "type": "object",
        "properties": dict.fromkeys(_STAGE_KEYS, seconds),
        "required": ["work_s"],
        "additionalProperties": False,
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Figures that a subject of capbench writes to {metrics}",
        "type": "object",
        "properties": {
            "stages": {
                "type": "object",
                "description": "Seconds that each stage worked, and waited where that is known, in order of flow.",
                "maxProperties": MOST_STAGES,
                "propertyNames": {"pattern": f"^{_NAME}$"},
                "additionalProperties": {"anyOf": [seconds, stage]},
            }
        },
        "propertyNames": {"pattern": f"^{_NAME}$"},
        "maxProperties": MOST_FIGURES + 1,
        "additionalProperties": {"anyOf": [number, figure]},
    }
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(metrics_schema_text())
