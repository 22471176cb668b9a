"""One case arranged for the page: its charts, its verdicts, and what validation found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capbench.report.aggregate import Cell
from capbench.report.charts.canvas import Chart, chart_style
from capbench.report.charts.distribution import custom_charts, distribution_chart, latency_chart, traffic_chart
from capbench.report.charts.effect import effect_chart
from capbench.report.charts.stages import bottleneck_words, find_bottleneck, stage_chart
from capbench.report.charts.time_series import quality_charts, trace_charts
from capbench.report.page.all_metrics import FigureRow, arrange_figures
from capbench.report.page.frame_crops import PictureStore
from capbench.report.page.frame_viewer import FrameViewer, arrange_viewer
from capbench.report.palette import SubjectStyle
from capbench.report.report_folder import ReportFolder, RunFile
from capbench.report.wording import is_main_metric, seconds_words, shorten, times_words
from capbench.results import (
    CheckStatus,
    Comparison,
    MetricSummary,
    MetricVerdict,
    PatchError,
    StageShift,
    ValidationReport,
    Verdict,
)
from capbench.results.subject_name import is_floor

__all__ = ["CaseView", "CheckRow", "SubjectQuality", "arrange_case"]

_SEVERITY = (CheckStatus.FAIL, CheckStatus.UNCHECKED, CheckStatus.PASS, CheckStatus.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check over all runs of a subject; the worst outcome speaks."""

    name: str
    """Name of the check."""
    status: CheckStatus
    """Worst outcome."""
    message: str
    """Sentence of the worst outcome."""
    evidence: str
    """Value against limit."""
    runs: str
    """In how many runs it had this outcome."""
    anchor: str
    """A run with this outcome."""


@dataclass(frozen=True, slots=True)
class SubjectQuality:
    """What validation found about one subject of one case."""

    subject: str
    """Name of the subject."""
    source: RunFile
    """Run that patches, offsets and metrics are taken from: the worst one."""
    report: ValidationReport
    """Its validation."""
    main_metrics: tuple[tuple[str, MetricSummary], ...]
    """One metric of luma for each kind."""
    further_metrics: tuple[tuple[str, MetricSummary], ...]
    """Other planes and other implementations."""
    checks: tuple[CheckRow, ...]
    """Checks over all runs."""
    patches: tuple[PatchError, ...]
    """Colour patches, largest error first."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """One section of the page."""

    name: str
    """Name of the case."""
    anchor: str
    """Identifier of the section."""
    summary: str
    """What happened, in a sentence or two."""
    charts: tuple[Chart, ...]
    """Speed and cost."""
    quality_charts: tuple[Chart, ...]
    """Quality over time."""
    verdicts: tuple[MetricVerdict, ...]
    """Metrics that everybody wants to see, and every one that is not good news."""
    further_verdicts: tuple[MetricVerdict, ...]
    """The other metrics: planes, percentiles and a second implementation's figures, all fine."""
    subjects_compared: int
    """How many subjects were compared with the base."""
    shifts: tuple[StageShift, ...]
    """Which stage moved."""
    quality: tuple[SubjectQuality, ...]
    """What validation found, a subject each."""
    viewer: FrameViewer
    """Frames of the reference and of every subject, to compare by eye."""
    subjects: tuple[str, ...]
    """Subjects of the case, columns of `figures`."""
    figures: tuple[FigureRow, ...]
    """Every figure of every subject."""
    unmeasured: tuple[str, ...]
    """What could not be measured and why, once each."""


def arrange_case(
    folder: ReportFolder,
    case: str,
    cells: Mapping[str, Cell],
    comparisons: Sequence[Comparison],
    styles: Mapping[str, SubjectStyle],
    *,
    anchor: str,
    page_folder: Path | None,
    store: PictureStore,
) -> CaseView:
    """Draw the charts of a case and put the pictures of its frames into the store."""
    verdicts = tuple(verdict for comparison in comparisons for verdict in comparison.verdicts if verdict.case == case)
    typical = {subject: run for subject, cell in cells.items() if (run := cell.typical())}
    critical = {subject: run for subject, cell in cells.items() if (run := cell.worst_validated())}
    with chart_style():
        charts = (
            distribution_chart(
                cells,
                styles,
                "wall_s",
                title="Export time, every run",
                unit="seconds",
                words=seconds_words,
                prefix=f"{anchor}-wall",
            ),
            effect_chart(verdicts, styles, prefix=f"{anchor}-effect"),
            stage_chart(cells, styles, prefix=f"{anchor}-stages"),
            distribution_chart(
                cells,
                styles,
                "times_floor",
                title="Times floor: 1 is decode and encode alone",
                unit="times the floor",
                words=times_words,
                prefix=f"{anchor}-floor",
                reference=1.0,
            ),
            *custom_charts(cells, styles, prefix=f"{anchor}-own"),
            *trace_charts(typical, styles, prefix=anchor),
            traffic_chart(cells, styles, prefix=f"{anchor}-traffic"),
            latency_chart(cells, styles, prefix=f"{anchor}-latency"),
        )
        over_time = quality_charts(critical, styles, prefix=f"{anchor}-quality")
    return CaseView(
        name=case,
        anchor=anchor,
        summary=_summary(cells),
        charts=tuple(chart for chart in charts if chart is not None),
        quality_charts=over_time,
        verdicts=tuple(verdict for verdict in verdicts if _is_prominent(verdict)),
        further_verdicts=tuple(verdict for verdict in verdicts if not _is_prominent(verdict)),
        subjects_compared=len({verdict.new for verdict in verdicts}),
        shifts=_shifts(comparisons, verdicts, case),
        quality=tuple(_subject_quality(cells[subject], source) for subject, source in critical.items()),
        viewer=arrange_viewer(folder, cells, page_folder, store, name=anchor),
        subjects=tuple(cells),
        figures=arrange_figures(cells),
        unmeasured=_unmeasured(cells),
    )


def _is_prominent(verdict: MetricVerdict) -> bool:
    return is_main_metric(verdict.metric) or verdict.verdict not in (Verdict.BETTER, Verdict.SAME)


def _shifts(comparisons: Sequence[Comparison], verdicts: Sequence[MetricVerdict], case: str) -> tuple[StageShift, ...]:
    """Stages that moved, where wall time did: shares of a change that is not there say nothing."""
    moved = {
        verdict.new
        for verdict in verdicts
        if verdict.metric == "wall_s" and verdict.verdict in (Verdict.BETTER, Verdict.WORSE)
    }
    return tuple(
        shift
        for comparison in comparisons
        if comparison.new in moved
        for shift in comparison.stage_shifts
        if shift.case == case
    )


def _summary(cells: Mapping[str, Cell]) -> str:
    sentences = []
    for subject, cell in cells.items():
        worst = find_bottleneck(cell.stages())
        if worst is not None and not is_floor(subject):
            sentences.append(bottleneck_words(subject, worst))
        if cell.failed and not cell.measured:
            sentences.append(f"{shorten(subject)} never finished: {shorten(cell.failed[0].run.error or '', 160)}")
        elif cell.failed:
            total = len(cell.failed) + len(cell.measured)
            sentences.append(f"{shorten(subject)} failed in {len(cell.failed)} of {total} runs")
        if cell.diverted:
            sentences.append(
                f"{shorten(subject)} used another path or decoder in {len(cell.diverted)} runs, which do not count"
            )
    return ". ".join(sentences) + "." if sentences else ""


def _unmeasured(cells: Mapping[str, Cell]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for subject, cell in cells.items():
        for file in cell.measured:
            for field, reason in file.run.unmeasured.items():
                found[f"{shorten(subject)}: {field}: {reason}"] = None
    return tuple(found)


def _subject_quality(cell: Cell, source: RunFile) -> SubjectQuality:
    report = source.run.validation
    assert report is not None, "only validated runs are picked"
    return SubjectQuality(
        subject=cell.subject,
        source=source,
        report=report,
        main_metrics=tuple(item for item in report.metrics.items() if is_main_metric(item[0])),
        further_metrics=tuple(item for item in report.metrics.items() if not is_main_metric(item[0])),
        checks=_check_rows(cell),
        patches=tuple(sorted(report.patches, key=lambda patch: -patch.error_codes)),
    )


def _check_rows(cell: Cell) -> tuple[CheckRow, ...]:
    outcomes: dict[str, list[tuple[RunFile, int]]] = {}
    for file in cell.validated:
        for position, check in enumerate(file.run.validation.checks if file.run.validation else ()):
            outcomes.setdefault(check.name, []).append((file, position))
    rows = []
    for name, places in outcomes.items():
        found = [(file, file.run.validation.checks[at]) for file, at in places if file.run.validation]
        file, worst = min(found, key=lambda pair: _SEVERITY.index(pair[1].status))
        same = sum(check.status is worst.status for _, check in found)
        value = "" if worst.value is None else f"{worst.value:g}"
        limit = "" if worst.limit is None else f" (limit {worst.limit:g})"
        rows.append(
            CheckRow(
                name=name,
                status=worst.status,
                message=worst.message,
                evidence=f"{value}{limit} {worst.unit}".strip(),
                runs=f"{same} of {len(found)}",
                anchor=file.anchor,
            )
        )
    return tuple(sorted(rows, key=lambda row: _SEVERITY.index(row.status)))
