"""Frames a second that the stages of an export could deliver alone, beside those that they deliver together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capbench.report.aggregate import Cell, median_of
from capbench.results.subject_name import CAPACITY_PREFIX, DECODE_ONLY, SubjectKind, SubjectName, is_export

__all__ = ["CapacityRow", "capacity_rows", "rate_words"]

_SAME_PACE = 0.95
"""From this share of it on, an export runs at a stage's own pace: medians of runs differ by some percent."""


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """One way of exporting in one case. Frames a second, set-up left out; None where nothing was measured."""

    case: str
    """Name of the case."""
    subject: str
    """Name of the subject that exports."""
    decoding_fps: float | None
    """By the decoder alone."""
    drawing_fps: float | None
    """By the decoder and everything up to the picture that an encoder would get."""
    export_fps: float | None
    """By the whole export."""
    sentence: str
    """Where the ceiling is."""


def capacity_rows(cells: Mapping[str, Mapping[str, Cell]]) -> tuple[CapacityRow, ...]:
    """A row for each subject of a case whose stages were measured alone; `cells` are of all subjects of a folder."""
    return tuple(
        _row(case, subject, subjects) for case, subjects in cells.items() for subject in _subjects_of(list(subjects))
    )


def _subjects_of(names: list[str]) -> list[str]:
    """Subjects that something is known about: those with a capacity; all exports where only decoding was measured."""
    drawn = [
        name.removeprefix(CAPACITY_PREFIX) for name in names if SubjectName.parse(name).kind is SubjectKind.CAPACITY
    ]
    if drawn or DECODE_ONLY not in names:
        return drawn
    return [name for name in names if is_export(name)] or [DECODE_ONLY]


def _row(case: str, subject: str, cells: Mapping[str, Cell]) -> CapacityRow:
    decoding = _rate(cells.get(DECODE_ONLY))
    drawing = _rate(cells.get(f"{CAPACITY_PREFIX}{subject}"))
    export = None if subject == DECODE_ONLY else _rate(cells.get(subject))
    return CapacityRow(case, subject, decoding, drawing, export, _sentence(decoding, drawing, export))


def _rate(cell: Cell | None) -> float | None:
    """Frames over the time after set-up, the median of the runs; `fps` counts set-up, which a short clip is full of."""
    if cell is None:
        return None
    return median_of(
        run.frames / (run.wall_s - (run.setup_s or 0.0))
        for run in (file.run for file in cell.measured)
        if run.frames and run.wall_s and run.wall_s > (run.setup_s or 0.0)
    )


def _sentence(decoding: float | None, drawing: float | None, export: float | None) -> str:
    alone = [
        f"{stage} alone {rate_words(rate)}"
        for stage, rate in (("drawing", drawing), ("decoding", decoding))
        if rate is not None
    ]
    if not alone:
        return "nothing was measured alone"
    if export is None:
        return ", ".join(alone)
    return f"{_pace_maker(decoding, drawing, export)} the pace: {rate_words(export)}; {', '.join(alone)}"


def _pace_maker(decoding: float | None, drawing: float | None, export: float) -> str:
    """What the export waits for, with its verb. What draws has decoded, so its rate is never above the decoder's."""
    if drawing is None:
        assert decoding is not None, "something was measured alone"
        return "decoding sets" if export >= _SAME_PACE * decoding else "drawing or the encoder sets"
    if export < _SAME_PACE * drawing:
        return "the encoder sets"
    if decoding is None:
        return "decoding or drawing sets"
    return "decoding sets" if drawing >= _SAME_PACE * decoding else "drawing sets"


def rate_words(rate: float | None) -> str:
    """`254 frames/s`; with a decimal below 10."""
    if rate is None:
        return "not measured"
    return f"{rate:.0f} frames/s" if rate >= 10 else f"{rate:.1f} frames/s"
