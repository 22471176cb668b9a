"""Charts with one row a subject: distributions, traffic and latency."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from matplotlib.axes import Axes

from capbench.gate.judged_metrics import format_in
from capbench.report.aggregate import Cell, figure_of, spread_of
from capbench.report.charts.canvas import Canvas, Chart
from capbench.report.charts.labels import label_row, name_margin_px
from capbench.report.palette import LIGHT, SubjectStyle
from capbench.report.report_folder import RunFile
from capbench.report.wording import bytes_words, seconds_words, shorten

__all__ = ["custom_charts", "distribution_chart", "latency_chart", "traffic_chart"]

_ROW_PX = 38
_LEFT_PX = 100
_RIGHT_PX = 72
_NAME_LIMIT = 15
_MOST_CUSTOM_CHARTS = 6
"""Of figures that a subject reports, in the order in which it does. What ffmpeg prints of itself has no chart."""


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


def _rows(names: Collection[str], unit: str, *, row_px: float = _ROW_PX, right: float = _RIGHT_PX) -> _Rows:
    canvas = Canvas(height_px=len(names) * row_px + 52)
    left = name_margin_px(names, _NAME_LIMIT, least_px=_LEFT_PX, bold=True)
    axes = canvas.axes(left=left, top=6, right=right, bottom=44)
    axes.set_ylim(len(names) - 0.5, -0.5)
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
    rows = _rows(shown, unit)
    if reference is not None:
        rows.axes.axvline(reference, color=LIGHT["axis"], linewidth=1, linestyle=(0, (3, 3)))
    sentences = []
    for row, (subject, cell) in enumerate(shown.items()):
        style = styles[subject]
        known = [(run, value) for run in cell.measured if (value := figure_of(run.run, field)) is not None]
        runs, values = [run for run, _ in known], [float(value) for _, value in known]
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
    low, high = rows.axes.get_xlim()
    is_signed = any((spread := cell.spread(field)) is not None and spread.low < 0 for cell in shown.values())
    rows.axes.set_xlim(left=low if is_signed else 0, right=high)
    reading = f"Median: {', '.join(sentences)}."
    return Chart(title, rows.canvas.to_svg(prefix, f"{title}. {reading}"), reading)


def custom_charts(
    cells: Mapping[str, Cell], styles: Mapping[str, SubjectStyle], *, prefix: str
) -> Iterator[Chart | None]:
    """The first figures of the subjects' own, each like any other; the table of all figures has the rest."""
    runs = (file.run for cell in cells.values() for file in cell.measured)
    figures = {name: figure for run in runs for name, figure in run.custom.items() if not name.startswith("ffmpeg_")}
    for number, (name, figure) in enumerate(islice(figures.items(), _MOST_CUSTOM_CHARTS)):
        yield distribution_chart(
            cells,
            styles,
            f"custom.{name}",
            title=f"{shorten(name)}, {figure.better} is better",
            unit=figure.unit or "as reported",
            words=_in_words(figure.unit),
            prefix=f"{prefix}-{number}",
        )


def _in_words(unit: str) -> Callable[[float | None], str]:
    words = format_in(unit)
    return lambda value: "" if value is None else words(value)


def _spread_out(count: int) -> list[float]:
    """Vertical offsets that keep dots apart, the same for the same count: no randomness in a report."""
    lanes = (0.0, -0.18, 0.18, -0.09, 0.09, -0.27, 0.27)
    return [0.0] if count == 1 else [lanes[index % len(lanes)] for index in range(count)]


def _run_words(file: RunFile, value: str) -> str:
    return f"{shorten(file.run.subject)}, block {file.run.block}: {value}"


def traffic_chart(cells: Mapping[str, Cell], styles: Mapping[str, SubjectStyle], *, prefix: str) -> Chart | None:
    """Bytes across the bus: upload and readback of each subject. None where neither was counted."""
    counted = {name: (cell.median("upload_bytes"), cell.median("readback_bytes")) for name, cell in cells.items()}
    shown = {name: pair for name, pair in counted.items() if pair != (None, None)}
    if not shown:
        return None
    largest = max(value for pair in shown.values() for value in pair if value is not None)
    unit, unit_bytes = ("GB", 1e9) if largest >= 1e9 else ("MB", 1e6)
    rows = _rows(shown, unit, row_px=42, right=104)
    sentences = []
    for row, (subject, pair) in enumerate(shown.items()):
        colour = LIGHT[styles[subject].token]
        rows.name(row, rows.canvas.label(subject, _NAME_LIMIT), colour, bold=True)
        for value, offset, fill, short, verb in zip(
            pair, (-0.2, 0.2), (LIGHT["page"], colour), ("up", "back"), ("uploads", "reads back"), strict=True
        ):
            if value is None:
                continue
            size = value / unit_bytes
            rows.axes.barh(row + offset, size, height=0.3, facecolor=fill, edgecolor=colour, linewidth=1.4)
            rows.value(row + offset, f"{bytes_words(value)} {short}")
            sentences.append(f"{shorten(subject)} {verb} {bytes_words(value)}")
    rows.axes.set_xlim(left=0)
    reading = f"{', '.join(sentences)} in one export. Hollow marks: upload; filled marks: readback."
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
    rows = _rows([subject for subject, _ in shown], "ms")
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
