"""A comparison as workflow commands, which GitHub shows as annotations, and as the JSON of a badge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from capbench.gate.verdicts.phrases import change
from capbench.report.formats.json_text import json_text
from capbench.results.comparison import Comparison, MetricVerdict, Verdict
from capbench.results.visible_text import plain_line

__all__ = ["annotation_lines", "badge_json"]

_LEVELS = {Verdict.WORSE: "error", Verdict.INVALID: "error", Verdict.UNDECIDED: "warning", Verdict.BETTER: "notice"}
_MOST_OF_A_LEVEL = 10
"""GitHub shows ten annotations of each level a step, and drops the rest without a word."""
_COLOURS = {
    Verdict.BETTER: "brightgreen",
    Verdict.SAME: "green",
    Verdict.WORSE: "red",
    Verdict.UNDECIDED: "yellow",
    Verdict.INVALID: "red",
    Verdict.NOT_APPLICABLE: "lightgrey",
}


def annotation_lines(comparison: Comparison) -> list[str]:
    """Workflow commands, one a line, for figures that are not the same; the worst first, ten of a level at most.

    Of figures that are invalid for one reason only the first is told.
    """
    lines: list[str] = []
    told = list(_once_a_reason(comparison.verdicts))
    for level in ("error", "warning", "notice"):
        rows = [row for row in told if _LEVELS.get(row.verdict) == level]
        room = _MOST_OF_A_LEVEL if len(rows) <= _MOST_OF_A_LEVEL else _MOST_OF_A_LEVEL - 1
        lines += [_command(level, f"capbench: {row.case}, {row.metric}{_on(row)}", row.sentence) for row in rows[:room]]
        if rows[room:]:
            lines.append(_command(level, "capbench", f"{len(rows) - room} more figures; see the step summary"))
    return lines


def _on(row: MetricVerdict) -> str:
    return "" if row.machine is None else f" on {row.machine}"


def _once_a_reason(rows: Iterable[MetricVerdict]) -> Iterator[MetricVerdict]:
    """Without figures that are invalid for a reason that an earlier one of their case has said."""
    said: set[tuple[str, str, tuple[str, ...]]] = set()
    for row in rows:
        key = (row.case, row.new, row.reasons)
        if row.verdict is not Verdict.INVALID or key not in said:
            yield row
        if row.verdict is Verdict.INVALID:
            said.add(key)


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """Escaped as actions/toolkit does for the message of a workflow command; a plain line has no CR and no LF."""
    return plain_line(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def badge_json(comparison: Comparison) -> str:
    """One line of JSON by the endpoint schema of shields.io."""
    badge = {
        "schemaVersion": 1,
        "label": "capbench",
        "message": _message(comparison),
        "color": _COLOURS[comparison.verdict],
    }
    return json_text(badge, indent=None)


def _message(comparison: Comparison) -> str:
    """The verdict, with the most cautious change of wall time where that is what it is about."""
    words = comparison.verdict.value.replace("_", " ")

    def speed(row: MetricVerdict) -> bool:
        return row.metric == "wall_s" and row.verdict is comparison.verdict and row.ratio is not None

    ratios = [row.ratio or 1.0 for row in comparison.verdicts if speed(row)]
    if comparison.verdict not in (Verdict.BETTER, Verdict.WORSE) or not ratios:
        return words
    return f"{words}, {change(max(ratios))} time"
