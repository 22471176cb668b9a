"""What was found in drawn looks, as it is kept: beside each file, or a line of one file for each of thousands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from capbench.results.appearance.effect_finding import EffectFinding

__all__ = ["OURS", "MeasuredLook", "finding_line", "kept_names", "read_folder", "read_lines"]

OURS: Final = "capbench"
_DIGITS: Final = 4
"""Of a number that is kept in a line."""
_NUMBERS: Final = ("asked", "measured", "uncertainty", "tolerance")


@dataclass(frozen=True, slots=True)
class MeasuredLook:
    """A drawn look and what was found in it."""

    name: str
    """Of its file."""
    fault: str
    """What was planted; empty in a right one."""
    drawn_by: str
    """Who drew it."""
    crf: int
    """Quality of its encoding."""
    findings: tuple[EffectFinding, ...]
    """One for each effect; none where it could not be drawn."""


def read_folder(folder: Path) -> Iterator[MeasuredLook]:
    """All that was measured of the files of a folder."""
    for kept in sorted(folder.glob("*/*.found")):
        facts: dict[str, Any] = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
        findings = tuple(EffectFinding.model_validate(each) for each in json.loads(kept.read_text(encoding="utf-8")))
        drawn = facts["drawn"]
        yield MeasuredLook(kept.stem, facts["fault"], drawn.get("drawn_by", OURS), drawn["crf"], findings)


def finding_line(finding: EffectFinding) -> list[Any]:  # a part of a line of JSON
    """A finding without what can be said again: sentences are kept of what did not pass alone."""
    parameters = [[each.name, *(_short(getattr(each, name)) for name in _NUMBERS)] for each in finding.parameters]
    message = "" if finding.outcome == "pass" else finding.message
    return [finding.effect, finding.outcome, finding.asked, finding.found, message, parameters]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def kept_names(path: Path) -> set[str]:
    """Names of the looks of a file of lines. A last line that was cut off is deleted: that look is measured again."""
    if not path.is_file():
        return set()
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return {json.loads(line)["look"] for line in whole.splitlines()}


def read_lines(path: Path) -> Iterator[MeasuredLook]:
    """The looks of a file of lines."""
    for line in path.read_text(encoding="utf-8").splitlines():
        kept = json.loads(line)
        findings = tuple(
            EffectFinding.model_validate(
                {
                    "effect": effect,
                    "outcome": outcome,
                    "asked": asked,
                    "found": found,
                    "message": message,
                    "parameters": [dict(zip(("name", *_NUMBERS), each, strict=True)) for each in parameters],
                }
            )
            for effect, outcome, asked, found, message, parameters in kept["findings"]
        )
        yield MeasuredLook(kept["look"], kept["fault"], OURS, kept["crf"], findings)
