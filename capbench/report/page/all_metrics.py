"""Every figure of a case in one table, including those without a chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from capbench.gate.judged_metrics import format_in
from capbench.report.aggregate import Cell, spread_of
from capbench.report.wording import MISSING, bytes_words, number_words, seconds_words, times_words
from capbench.results import RunResult

__all__ = ["FigureRow", "arrange_figures"]

Words = Callable[[float | None], str]


def _with_unit(unit: str, digits: int = 2) -> Words:
    return lambda value: number_words(value, digits, unit)


_FIELDS: tuple[tuple[str, str, Words], ...] = (
    ("wall_s", "export time", seconds_words),
    ("launch_s", "launch, before the export began", seconds_words),
    ("process_wall_s", "time of the whole process", seconds_words),
    ("time_to_first_frame_s", "time to the first frame", seconds_words),
    ("fps", "frames a second", _with_unit("", 1)),
    ("times_realtime", "times real time", times_words),
    ("times_floor", "times floor", times_words),
    ("cpu_s", "CPU time", seconds_words),
    ("cpu_percent", "CPU use, of one core", _with_unit("%", 0)),
    ("gpu_busy_s", "GPU time", seconds_words),
    ("gpu_percent", "GPU use", _with_unit("%", 1)),
    ("peak_rss_bytes", "peak memory, largest process", bytes_words),
    ("peak_tree_rss_bytes", "peak memory, all processes", bytes_words),
    ("gpu_memory_bytes", "GPU memory", bytes_words),
    ("upload_bytes", "upload", bytes_words),
    ("readback_bytes", "readback", bytes_words),
    ("mapped_read_gb_per_s", "reading mapped memory", _with_unit("GB/s")),
    ("memcpy_gb_per_s", "memcpy of the same size", _with_unit("GB/s")),
    ("output_bytes", "output", bytes_words),
    ("bitrate_bits_per_s", "bitrate", lambda value: number_words(None if value is None else value / 1e6, 2, "Mbit/s")),
)


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of every subject."""

    name: str
    """What it is."""
    values: tuple[str, ...]
    """Median and range for each subject, in their order."""


def arrange_figures(cells: Mapping[str, Cell]) -> tuple[FigureRow, ...]:
    """Fields of a run, bytes held by each owner, and numeric telemetry; only rows that somebody measured."""
    runs = [file.run for cell in cells.values() for file in cell.measured]
    on_cpu = any(run.adapter_is_software for run in runs)
    readers: list[tuple[str, Callable[[RunResult], float | None], Words]] = [
        (
            f"{name}, CPU time here" if on_cpu and field in ("gpu_busy_s", "gpu_percent") else name,
            attrgetter(field),
            words,
        )
        for field, name, words in _FIELDS
    ]
    readers += [
        (f"held by {owner}", partial(_entry, table="pipeline_bytes", key=owner), bytes_words)
        for owner in dict.fromkeys(key for run in runs for key in run.pipeline_bytes)
    ]
    readers += [
        (name, partial(_entry, table="telemetry", key=name), _with_unit(""))
        for name in dict.fromkeys(key for run in runs for key in run.telemetry)
    ]
    readers += [
        (name, partial(_own, name=name), _in_its_unit(figure.unit))
        for name, figure in {name: figure for run in runs for name, figure in run.custom.items()}.items()
    ]
    rows = (
        FigureRow(name, tuple(_words(cell, read, words) for cell in cells.values())) for name, read, words in readers
    )
    return tuple(row for row in rows if any(value != MISSING for value in row.values))


def _entry(run: RunResult, *, table: str, key: str) -> float | None:
    value = getattr(run, table).get(key)
    return float(value) if isinstance(value, int | float) else None


def _own(run: RunResult, *, name: str) -> float | None:
    figure = run.custom.get(name)
    return None if figure is None else figure.value


def _in_its_unit(unit: str) -> Words:
    words = format_in(unit)
    return lambda value: MISSING if value is None else words(value)


def _words(cell: Cell, read: Callable[[RunResult], float | None], words: Words) -> str:
    spread = spread_of(read(file.run) for file in cell.measured)
    if spread is None:
        return MISSING
    low, middle, high = words(spread.low), words(spread.median), words(spread.high)
    return middle if low == high else f"{middle} ({low} to {high})"
