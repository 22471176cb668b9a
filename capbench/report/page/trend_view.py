"""Several result folders in order of time: what each subject took, on which machine, and where it stepped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capbench.gate import GateFile
from capbench.gate.statistics.change_points import find_steps
from capbench.report.aggregate import cells_of
from capbench.report.charts.canvas import Chart, chart_style
from capbench.report.charts.trend import TrendPoint, trend_chart
from capbench.report.comparisons import compare_newest
from capbench.report.palette import SubjectStyle
from capbench.report.report_folder import ReportFolder, relative_url
from capbench.report.wording import bytes_words, change_words, revision_words, seconds_words, shorten, times_words
from capbench.results import Comparison

__all__ = ["Measurement", "TrendCase", "TrendView", "arrange_trend"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One folder as a row of the trend."""

    label: str
    """Revision, or the folder's name where none was recorded."""
    when: str
    """Start of the first run, empty where unknown."""
    machine: str
    """Fingerprint of the machine."""
    adapter: str
    """GPU adapter in words."""
    link: str
    """Relative URL of the folder's own page."""
    has_page: bool
    """Whether that page exists."""
    cells: Mapping[tuple[str, str], str]
    """(case, subject) to wall time, times floor and memory in words."""


@dataclass(frozen=True, slots=True)
class TrendCase:
    """One case over all folders."""

    name: str
    """Name of the case."""
    subjects: tuple[str, ...]
    """Subjects that were measured anywhere."""
    charts: tuple[Chart, ...]
    """Wall time, which only compares on one machine, and times floor, which compares on any."""


@dataclass(frozen=True, slots=True)
class TrendView:
    """What several folders show together."""

    measurements: tuple[Measurement, ...]
    """Folders, oldest first."""
    cases: tuple[TrendCase, ...]
    """Cases."""
    notes: tuple[str, ...]
    """Step changes and changes of machine in words."""
    comparison: Comparison | None
    """The newest folder against the one before it on the same machine, None where there is none."""


_FIELDS = (
    ("wall_s", "Export time", "seconds", seconds_words),
    ("times_floor", "Times floor, comparable across machines", "times the floor", times_words),
)
_RESOLUTION = 0.002
"""No clock is steadier than 0.2% between two sessions of measuring."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A change of level of one subject."""

    place: int
    label: str
    ratio: float


def _steps(points: Sequence[TrendPoint]) -> list[_Step]:
    """Changes of level on each machine by itself: a new machine is no step."""
    found: list[_Step] = []
    for machine in dict.fromkeys(point.machine for point in points):
        own = [point for point in points if point.machine == machine and point.spread.median > 0]
        steps = find_steps([math.log(point.spread.median) for point in own], resolution=_RESOLUTION)
        found.extend(
            _Step(own[step.index].place, own[step.index].label, math.exp(step.after - step.before)) for step in steps
        )
    return found


def arrange_trend(
    folders: Sequence[ReportFolder],
    styles: Mapping[str, SubjectStyle],
    page_folder: Path | None,
    gates: GateFile | None = None,
) -> TrendView:
    """Arrange folders for a page in `page_folder`; every subject must have a style."""
    ordered = sorted(folders, key=lambda folder: (folder.started_at, folder.name))
    summaries = [cells_of(folder) for folder in ordered]
    labels = [_label(folder) for folder in ordered]
    machines = [", ".join(folder.machines) or "unknown" for folder in ordered]
    names = dict.fromkeys(case for cells in summaries for case in cells)
    cases, notes = [], list(_machine_notes(labels, machines))
    with chart_style():
        for number, case in enumerate(names, start=1):
            subjects = tuple(dict.fromkeys(subject for cells in summaries for subject in cells.get(case, {})))
            charts = []
            for field, title, unit, words in _FIELDS:
                lines = {
                    subject: [
                        TrendPoint(place, labels[place], machines[place], spread)
                        for place, cells in enumerate(summaries)
                        if subject in cells.get(case, {}) and (spread := cells[case][subject].spread(field))
                    ]
                    for subject in subjects
                }
                steps = {subject: _steps(points) for subject, points in lines.items()}
                what = title.partition(",")[0].lower()
                notes += [
                    f"{shorten(case)}: {what} of {shorten(subject)} has a step at {step.label}: "
                    f"{change_words(step.ratio)}"
                    for subject, found in steps.items()
                    for step in found
                ]
                chart = trend_chart(
                    lines,
                    styles,
                    labels,
                    title=title,
                    unit=unit,
                    words=words,
                    prefix=f"trend-{number}-{field}",
                    steps={subject: [step.place for step in found] for subject, found in steps.items()},
                )
                charts += [chart] if chart else []
            cases.append(TrendCase(case, subjects, tuple(charts)))
    comparison, problem = compare_newest(ordered, gates)
    notes += [problem] if problem else []
    return TrendView(
        measurements=tuple(
            Measurement(
                label=label,
                when=folder.started_at.replace("T", " ").split(".")[0].removesuffix("Z"),
                machine=machine,
                adapter=", ".join(dict.fromkeys(file.run.adapter for file in folder.runs if file.run.adapter)),
                link=relative_url(folder.path / "index.html", page_folder),
                has_page=page_folder is not None and (folder.path / "index.html").is_file(),
                cells={
                    (case, subject): _cell_words(
                        cell.median("wall_s"), cell.median("times_floor"), cell.median("peak_rss_bytes")
                    )
                    for case, subjects in cells.items()
                    for subject, cell in subjects.items()
                },
            )
            for folder, cells, label, machine in zip(ordered, summaries, labels, machines, strict=True)
        ),
        cases=tuple(cases),
        notes=tuple(notes),
        comparison=comparison,
    )


def _cell_words(wall_s: float | None, floor: float | None, memory_bytes: float | None) -> str:
    parts = [seconds_words(wall_s)]
    parts += [f"{times_words(floor)} floor"] if floor is not None else []
    parts += [bytes_words(memory_bytes)] if memory_bytes is not None else []
    return ", ".join(parts)


def _label(folder: ReportFolder) -> str:
    revision = next((file.run.revision for file in folder.runs if file.run.revision), None)
    return revision_words(revision) if revision else folder.name


def _machine_notes(labels: Sequence[str], machines: Sequence[str]) -> tuple[str, ...]:
    changes = zip(labels[1:], machines, machines[1:], strict=False)
    return tuple(
        f"The machine changes at {shorten(label)} ({shorten(before)} to {shorten(after)}): "
        "times before and after do not compare"
        for label, before, after in changes
        if before != after
    )
