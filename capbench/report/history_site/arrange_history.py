"""A history as its pages show it: cases, the course of each figure, its steps, and the entries behind them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from capbench.gate.history.series import HistoryEntry, HistoryFigure, HistoryStep, Trend, trends
from capbench.gate.judged_metrics import Kind, describe_metric
from capbench.report.aggregate import Spread
from capbench.report.charts.canvas import Chart, chart_style, is_drawable
from capbench.report.charts.trend import TrendPoint, trend_chart
from capbench.report.history_site.commit_links import CommitLinks
from capbench.report.palette import style_subjects
from capbench.report.wording import (
    change_words,
    is_main_metric,
    is_quality_metric,
    metric_words,
    revision_words,
    shorten,
    value_words,
)
from capbench.results.metric_registry import Direction

__all__ = ["CaseHistory", "EntryRow", "FigureCourse", "StepRow", "arrange_cases", "file_name", "newest_steps"]

MOST_ENTRIES = 200
"""Entries that a page shows, the newest: more points than that are no longer told apart at a chart's 440 px."""
MOST_CHARTS = 24
"""Large charts of a case, 40 kB each: a page stays near 1 MB. Every other figure has its course in the table."""
MOST_CASES = 200
"""Pages that are written: a case's name comes from a file, and each one costs a second."""
MOST_SUBJECTS = 24
"""Lines of a chart and columns of a table: more have no colours of their own, and no screen has room for them."""
MOST_FIGURES = 1000
"""Rows of a case's table, main figures first: 500 bytes each."""
_COURSE_PX = (160, 36)


@dataclass(frozen=True, slots=True)
class StepRow:
    """A change of level, ready to be shown."""

    case: str
    """Name of the case."""
    case_page: str
    """Relative URL of its page."""
    subject: str
    """Name of the subject."""
    metric: str
    """Name of the figure."""
    machine: str
    """Fingerprint."""
    verdict: str
    """`better` or `worse`; `undecided` for a figure of which neither is known."""
    change: str
    """From which level to which, in words."""
    taken_at: str
    """First entry of the new level."""
    revision: str
    """Its revision in short; empty where unknown."""
    commit_url: str
    """Where that commit is shown, may be empty."""
    range_url: str
    """Where the commits are shown between which it changed, may be empty."""


@dataclass(frozen=True, slots=True)
class FigureCourse:
    """One series as a row: its latest value and its course."""

    subject: str
    """Name of the subject."""
    metric: str
    """Name of the figure."""
    machine: str
    """Fingerprint."""
    latest: str
    """Newest value with its unit."""
    line: str
    """Points of a polyline in `course_px`."""
    step_places: tuple[float, ...]
    """Where on that line a level changed, in pixels from the left."""
    steps: tuple[StepRow, ...]
    """All its steps."""
    entries: int
    """How many entries it has."""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One result folder."""

    taken_at: str
    """Start of the first run."""
    revision: str
    """Revision in short; empty where unknown."""
    commit_url: str
    """Where it is shown, may be empty."""
    folder: str
    """Name of the result folder."""
    page_url: str
    """Relative URL of its page, may be empty."""
    machine: str
    """Fingerprint."""
    cells: Mapping[str, str]
    """Subject to wall time, or to the first figure that it has."""


@dataclass(frozen=True, slots=True)
class CaseHistory:
    """Everything about one case."""

    name: str
    """Name of the case."""
    page: str
    """Relative URL of its page."""
    subjects: tuple[str, ...]
    """Subjects in order of name, at most `MOST_SUBJECTS`."""
    subject_count: int
    """How many there are."""
    entries: tuple[EntryRow, ...]
    """Newest first, at most `MOST_ENTRIES`."""
    entry_count: int
    """How many there are."""
    figures: tuple[FigureCourse, ...]
    """Main figures first, at most `MOST_FIGURES`."""
    figure_count: int
    """How many there are."""
    steps: tuple[StepRow, ...]
    """Changes of level, newest first."""
    charts: tuple[Chart, ...]
    """Main figures and those with a step."""
    course_px: tuple[int, int] = _COURSE_PX
    """Width and height of the small charts."""


def file_name(kind: str, name: str) -> str:
    """Name of a page: the same for the same case at every writing, and plain ASCII whatever the case is called."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]
    return "-".join(part for part in (kind, slug, digest) if part) + ".html"


def arrange_cases(
    entries: Sequence[HistoryEntry], links: CommitLinks, page_url: Callable[[HistoryEntry], str]
) -> tuple[CaseHistory, ...]:
    """The first `MOST_CASES` cases in order of name; `page_url` says where an entry's own page is, if anywhere."""
    found: dict[str, list[Trend]] = {}
    for trend in trends(entries):
        found.setdefault(trend.case, []).append(trend)
    entries_of: dict[str, list[HistoryEntry]] = {}
    for entry in entries:
        for case in dict.fromkeys(figure.case for figure in entry.figures):
            entries_of.setdefault(case, []).append(entry)
    with chart_style():
        return tuple(
            _arrange_case(case, own, entries_of[case], links, page_url)
            for case, own in sorted(found.items())[:MOST_CASES]
        )


def newest_steps(cases: Iterable[CaseHistory]) -> list[StepRow]:
    """Changes of level of all cases, newest first."""
    return sorted((step for case in cases for step in case.steps), key=lambda step: step.taken_at, reverse=True)


def _arrange_case(
    case: str,
    own: Sequence[Trend],
    entries: Sequence[HistoryEntry],
    links: CommitLinks,
    page_url: Callable[[HistoryEntry], str],
) -> CaseHistory:
    page = file_name("case", case)
    names = tuple(dict.fromkeys(trend.subject for trend in own))
    subjects = names[:MOST_SUBJECTS]
    shown = list(entries[-MOST_ENTRIES:])
    values = [{(f.subject, f.metric): f for f in entry.figures if f.case == case} for entry in shown]
    in_order = sorted(own, key=_importance)
    figures = tuple(_course(trend, page, links) for trend in in_order)
    steps = [step for figure in figures for step in figure.steps]
    return CaseHistory(
        name=case,
        page=page,
        subjects=subjects,
        subject_count=len(names),
        entries=tuple(
            EntryRow(
                taken_at=_when(entry.taken_at),
                revision=revision_words(entry.revision) if entry.revision else "",
                commit_url=links.commit(entry.revision),
                folder=entry.folder,
                page_url=page_url(entry),
                machine=entry.machine,
                cells={subject: _cell(subject, known) for subject in subjects},
            )
            for entry, known in reversed(list(zip(shown, values, strict=True)))
        ),
        entry_count=len(entries),
        figures=figures[:MOST_FIGURES],
        figure_count=len(figures),
        steps=tuple(sorted(steps, key=lambda step: step.taken_at, reverse=True)),
        charts=tuple(_charts(in_order, subjects, shown, values)),
    )


def _importance(trend: Trend) -> tuple[bool, bool, bool, str, str]:
    """Wall time, then other costs, then quality; pools and planes that say less come last."""
    metric = trend.metric
    return not is_main_metric(metric), is_quality_metric(metric), metric != "wall_s", metric, trend.subject


def _cell(subject: str, known: Mapping[tuple[str, str], HistoryFigure]) -> str:
    own = {metric: figure.median for (of, metric), figure in known.items() if of == subject}
    if not own:
        return ""
    metric = "wall_s" if "wall_s" in own else min(own)
    words = value_words(own[metric], metric)
    return words if metric == "wall_s" else f"{describe_metric(metric).words}: {words}"


def _course(trend: Trend, page: str, links: CommitLinks) -> FigureCourse:
    width, height = _COURSE_PX
    values = trend.medians[-MOST_ENTRIES:]
    taken_at = trend.taken_at[-MOST_ENTRIES:]
    usable = all(map(is_drawable, values))
    low, high = (min(values), max(values)) if usable else (0.0, 0.0)
    span = high - low or 1.0
    apart = (width - 8) / max(len(values) - 1, 1)
    points = (
        f"{4 + place * apart:.1f},{height - 4 - (value - low) / span * (height - 8):.1f}"
        for place, value in enumerate(values)
    )
    return FigureCourse(
        subject=trend.subject,
        metric=trend.metric,
        machine=trend.machine,
        latest=value_words(trend.medians[-1], trend.metric),
        line=" ".join(points) if usable and len(values) > 1 else "",
        step_places=tuple(
            round(4 + (taken_at.index(step.taken_at) - 0.5) * apart, 1)
            for step in trend.steps
            if step.taken_at in taken_at
        ),
        steps=tuple(_step(trend, step, page, links) for step in trend.steps),
        entries=len(trend.medians),
    )


def _step(trend: Trend, step: HistoryStep, page: str, links: CommitLinks) -> StepRow:
    metric = describe_metric(trend.metric)
    relative = ""
    if metric.kind is not Kind.QUALITY and step.before > 0 and step.after > 0:
        relative = f" ({change_words(step.after / step.before)})"
    verdict = "undecided"
    if metric.direction is not None and metric.kind is not Kind.EQUAL:
        before, after = metric.judged_values(np.array([step.before, step.after]))
        verdict = "better" if (after < before) is (metric.direction is Direction.LOWER) else "worse"
    return StepRow(
        case=trend.case,
        case_page=page,
        subject=trend.subject,
        metric=trend.metric,
        machine=trend.machine,
        verdict=verdict,
        change=f"{metric.format(step.before)} to {metric.format(step.after)}{relative}",
        taken_at=_when(step.taken_at),
        revision=revision_words(step.revision) if step.revision else "",
        commit_url=links.commit(step.revision),
        range_url=links.between(step.previous_revision, step.revision),
    )


def _charts(
    in_order: Sequence[Trend],
    subjects: Sequence[str],
    shown: Sequence[HistoryEntry],
    values: Sequence[Mapping[tuple[str, str], HistoryFigure]],
) -> Iterable[Chart]:
    """One chart a figure, with a line for each subject; each machine's points are joined among themselves."""
    stepped = {trend.metric for trend in in_order if trend.steps}
    metrics = dict.fromkeys(
        trend.metric for trend in in_order if is_main_metric(trend.metric) or trend.metric in stepped
    )
    styles = style_subjects(subjects)
    # Seven characters, as Git abbreviates: more do not fit below a chart.
    labels = [entry.revision[:7] if entry.revision else entry.taken_at.partition("T")[0] for entry in shown]
    for number, metric in enumerate(list(metrics)[:MOST_CHARTS], 1):
        unit, scale = _unit(metric)
        lines = {
            subject: [
                TrendPoint(place, labels[place], shown[place].machine, spread)
                for place, known in enumerate(values)
                if (spread := _spread(known.get((subject, metric)), scale)) is not None
            ]
            for subject in subjects
        }
        steps = {
            trend.subject: [
                place
                for step in trend.steps
                for place, entry in enumerate(shown)
                if (entry.taken_at, entry.machine) == (step.taken_at, trend.machine)
            ]
            for trend in in_order
            if trend.metric == metric and trend.steps
        }
        chart = trend_chart(
            lines,
            styles,
            labels,
            title=metric_words(metric),
            unit=unit,
            words=partial(_words_of, metric, scale),
            prefix=f"history-{number}",
            steps=steps,
            # A step of 2% is what one looks for, and cannot be seen on an axis that begins at 0.
            from_zero=False,
        )
        if chart is not None:
            yield chart


def _unit(metric: str) -> tuple[str, float]:
    """What an axis is labelled with, and what of the figure's own unit that is."""
    if "/" in metric:
        return f"times that of {shorten(metric.rpartition('/')[2], 24)}", 1
    if metric.endswith("_s"):
        return "seconds", 1
    return ("MB", 1e6) if metric.endswith("_bytes") else (describe_metric(metric).unit, 1)


def _words_of(metric: str, scale: float, value: float | None) -> str:
    return value_words(None if value is None else value * scale, metric)


def _spread(figure: HistoryFigure | None, scale: float) -> Spread | None:
    if figure is None or not all(map(is_drawable, (figure.median, figure.low, figure.high))):
        return None
    return Spread(figure.median / scale, figure.low / scale, figure.high / scale, figure.blocks)


def _when(taken_at: str) -> str:
    """`2026-01-02 03:00:00` of an ISO 8601 time in UTC."""
    return taken_at.replace("T", " ").partition(".")[0].removesuffix("Z")
