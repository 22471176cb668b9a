"""Charts with one row a subject: distributions, effects, traffic and latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from capbench.report.direct_labels import label_row
from capbench.report.effects import effect_words
from capbench.report.metrics import metric_words
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.read import RunFile
from capbench.report.summary import Cell, spread_of
from capbench.report.svg import Canvas, Chart
from capbench.report.words import bytes_words, seconds_words, shorten
from capbench.results import MetricVerdict, Verdict

__all__ = ["distribution_chart", "effect_chart", "latency_chart", "traffic_chart"]

_ROW_PX = 38
_LEFT_PX = 100
_RIGHT_PX = 72
_NAME_LIMIT = 15
_VERDICT_TOKENS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.SAME: "same",
    Verdict.UNDECIDED: "undecided",
}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Axes with named rows, the first on top."""

    canvas: Canvas
    axes: Axes

    def name(self, row: float, words: str, colour: str, *, bold: bool = False) -> None:
        """Direct label at the left of a row."""
        label_row(self.axes, row, words, offset_px=-8, colour=colour, bold=bold)

    def value(self, row: float, words: str, colour: str = LIGHT["ink"]) -> None:
        """Direct label at the right of a row."""
        label_row(self.axes, row, words, offset_px=8, colour=colour)


def _rows(count: int, unit: str, *, row_px: float = _ROW_PX, right: float = _RIGHT_PX) -> _Rows:
    canvas = Canvas(height_px=count * row_px + 52)
    axes = canvas.axes(left=_LEFT_PX, top=6, right=right, bottom=44)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(unit)
    axes.locator_params(axis="x", nbins=5)
    return _Rows(canvas, axes)


def distribution_chart(
    cells: Mapping[str, Cell],
    styles: Mapping[str, SubjectStyle],
    field: str,
    *,
    title: str,
    unit: str,
    words: Callable[[float | None], str],
    prefix: str,
    reference: float | None = None,
) -> Chart | None:
    """Every run a dot, the median a bar; from 0, so that lengths compare. None where nothing was measured.

    `reference` is a value that gets a vertical line, such as 1 for the floor.
    """
    shown = {name: cell for name, cell in cells.items() if cell.spread(field)}
    if not shown:
        return None
    rows = _rows(len(shown), unit)
    if reference is not None:
        rows.axes.axvline(reference, color=LIGHT["axis"], linewidth=1, linestyle=(0, (3, 3)))
    sentences = []
    for row, (subject, cell) in enumerate(shown.items()):
        style = styles[subject]
        runs = [run for run in cell.measured if getattr(run.run, field) is not None]
        values = [float(getattr(run.run, field)) for run in runs]
        rows.axes.scatter(
            values,
            [row + offset for offset in _spread_out(len(values))],
            s=26,
            marker=style.marker,
            facecolor=LIGHT[style.token],
            edgecolor=LIGHT["page"],
            linewidth=0.6,
            alpha=0.85,
            urls=[
                rows.canvas.tip(run.anchor, _run_words(run, words(value)))
                for run, value in zip(runs, values, strict=True)
            ],
            zorder=3,
        )
        spread = spread_of(values)
        median = spread.median if spread else 0.0
        rows.axes.plot([median, median], [row - 0.38, row + 0.38], color=LIGHT["ink"], linewidth=1.6, zorder=4)
        rows.name(row, rows.canvas.label(subject, _NAME_LIMIT), LIGHT[style.token], bold=True)
        rows.value(row, words(median))
        sentences.append(f"{shorten(subject)} {words(median)} ({len(values)} {'run' if len(values) == 1 else 'runs'})")
    rows.axes.set_xlim(left=0, right=rows.axes.get_xlim()[1])
    reading = f"Median: {', '.join(sentences)}."
    return Chart(title, rows.canvas.to_svg(prefix, f"{title}. {reading}"), reading)


def _spread_out(count: int) -> list[float]:
    """Vertical offsets that keep dots apart, the same for the same count: no randomness in a report."""
    lanes = (0.0, -0.18, 0.18, -0.09, 0.09, -0.27, 0.27)
    return [0.0] if count == 1 else [lanes[index % len(lanes)] for index in range(count)]


def _run_words(file: RunFile, value: str) -> str:
    return f"{shorten(file.run.subject)}, block {file.run.block}: {value}"


def effect_chart(verdicts: Sequence[MetricVerdict], styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """New over base of each metric with its interval against the margin. None where no ratio was estimated."""
    shown = [(verdict, verdict.ratio) for verdict in verdicts if verdict.ratio is not None]
    if not shown:
        return None
    rows = _rows(len(shown), "new over base, 1 = no change", row_px=28, right=92)
    # A run that could have seen nothing short of a slowdown by 5 times must not squeeze what it did see.
    limit = max(1.5, *(1.15 * ratio for _, ratio in shown))
    several = len({verdict.new for verdict, _ in shown}) > 1
    for row, (verdict, ratio) in enumerate(shown):
        if verdict.margin is not None:
            rows.axes.barh(row, 2 * verdict.margin, left=1 - verdict.margin, height=0.8, color=LIGHT["band"])
        colour = LIGHT[_VERDICT_TOKENS.get(verdict.verdict, "quiet")]
        if verdict.interval is not None:
            rows.axes.plot(verdict.interval, [row, row], color=colour, linewidth=3, solid_capstyle="butt")
        if verdict.detectable_ratio is not None and verdict.detectable_ratio <= limit:
            rows.axes.plot([verdict.detectable_ratio] * 2, [row - 0.3, row + 0.3], color=LIGHT["axis"], linewidth=1.4)
        style = styles.get(verdict.new)
        rows.axes.plot(
            [ratio],
            [row],
            marker=style.marker if style else "o",
            markersize=7,
            color=colour,
            markeredgecolor=LIGHT["page"],
        )
        name = metric_words(verdict.metric)
        rows.name(row, rows.canvas.label(f"{verdict.new}: {name}" if several else name, _NAME_LIMIT), LIGHT["ink"])
        rows.value(row, effect_words(verdict), colour)
    rows.axes.axvline(1, color=LIGHT["axis"], linewidth=1)
    low, high = rows.axes.get_xlim()
    rows.axes.set_xlim(min(low, 0.9), min(max(high, 1.1), limit))
    best = shown[0][0]
    change = f"{shorten(best.new)} against {shorten(best.base)}: {metric_words(best.metric)} {effect_words(best)}"
    legend = (
        "Lines are confidence intervals, the grey band is the margin that still counts as the same, "
        "a grey tick is the smallest slowdown that this run would have seen."
    )
    reading = f"{change}. {legend}"
    return Chart(
        "Effect against the margin", rows.canvas.to_svg(prefix, f"Effect against the margin. {reading}"), reading
    )


def traffic_chart(cells: Mapping[str, Cell], styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """Bytes across the bus: upload and readback of each subject. None where neither was counted."""
    shown = [
        (subject, field, value)
        for subject, cell in cells.items()
        for field in ("upload_bytes", "readback_bytes")
        if (value := cell.median(field)) is not None
    ]
    if not shown:
        return None
    unit, unit_bytes = ("GB", 1e9) if max(value for _, _, value in shown) >= 1e9 else ("MB", 1e6)
    rows = _rows(len(shown), unit, row_px=28)
    sentences = []
    for row, (subject, field, value) in enumerate(shown):
        is_upload = field == "upload_bytes"
        colour = LIGHT[styles[subject].token]
        rows.axes.barh(
            row,
            value / unit_bytes,
            height=0.55,
            facecolor=LIGHT["page"] if is_upload else colour,
            edgecolor=colour,
            linewidth=1.4,
        )
        direction = "up" if is_upload else "back"
        rows.name(row, rows.canvas.label(f"{shorten(subject, _NAME_LIMIT - 4)} {direction}", _NAME_LIMIT + 4), colour)
        rows.value(row, bytes_words(value))
        sentences.append(f"{shorten(subject)} {'uploads' if is_upload else 'reads back'} {bytes_words(value)}")
    rows.axes.set_xlim(left=0)
    reading = f"{', '.join(sentences)} in one export (hollow: upload, filled: readback)."
    return Chart("Traffic to and from the GPU", rows.canvas.to_svg(prefix, f"Traffic. {reading}"), reading)


def latency_chart(cells: Mapping[str, Cell], styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """Time of a frame from decoder to encoder: median to slowest. None where no subject reports it."""
    shown = []
    for subject, cell in cells.items():
        found = [file.run.latency for file in cell.measured if file.run.latency is not None]
        if found:
            fields = ("p50_s", "p95_s", "p99_s", "max_s")
            points = [spread_of(getattr(latency, field) for latency in found) for field in fields]
            shown.append((subject, [point.median for point in points if point]))
    if not shown:
        return None
    rows = _rows(len(shown), "ms")
    sentences = []
    for row, (subject, values) in enumerate(shown):
        style = styles[subject]
        colour = LIGHT[style.token]
        times = [value * 1000 for value in values]
        rows.axes.plot([times[0], times[-1]], [row, row], color=colour, linewidth=2)
        rows.axes.plot(times[:1], [row], marker=style.marker, markersize=8, color=colour, markeredgecolor=LIGHT["page"])
        for time in times[1:]:
            rows.axes.plot([time, time], [row - 0.16, row + 0.16], color=colour, linewidth=2)
        rows.name(row, rows.canvas.label(subject, _NAME_LIMIT), colour, bold=True)
        rows.value(row, seconds_words(values[-1]))
        p50, p95, p99, slowest = (seconds_words(value) for value in values)
        sentences.append(f"{shorten(subject)} median {p50}, 95% within {p95}, 99% within {p99}, slowest {slowest}")
    rows.axes.set_xlim(left=0)
    reading = f"{'; '.join(sentences)}. Mark: median; ticks: 95%, 99%, slowest."
    return Chart("Latency of a frame", rows.canvas.to_svg(prefix, f"Latency of a frame. {reading}"), reading)
