"""What each field of a run is to the gate: how it is compared, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from capbench.results.export_report import LatencyPercentiles
from capbench.results.metric_registry import Direction, columns_of, known_metrics, metric_of
from capbench.results.run_record import RunResult
from capbench.results.tidy_table import NUMERIC_FIELDS, POOLS
from capbench.units import format_bytes, format_seconds

__all__ = [
    "CHECKS",
    "CURVE_FIGURES",
    "FIGURE_FAMILIES",
    "HIGHER_IS_BETTER_TWINS",
    "Kind",
    "Metric",
    "curve_sign",
    "describe_metric",
    "format_in",
    "is_curve_figure",
    "is_figure",
    "known_figures",
    "quality_unit",
]

CHECKS = "validation"
"""The metric that stands for every validation check of a case."""

HIGHER_IS_BETTER_TWINS = {
    "fps": "wall_s",
    "times_realtime": "wall_s",
    "gpu_percent": "gpu_busy_s",
    "cpu_percent": "cpu_s",
}
"""Fields that say what another one says, less directly; the gate judges the other one."""


_QUALITY_PREFIX = "quality."
_SOUND_OFFSETS = {
    "av_offset_ms": "distance of the sound's offset from zero",
    "av_drift_ms": "distance of the sound's drift from zero",
}
"""Figures of validation that are no metrics of pictures, and what a sentence calls what is compared of them."""


class Kind(StrEnum):
    """How a metric is compared. Of all but quality, less is better; of quality the registry of metrics knows."""

    NOISY = "noisy"
    """Differs from run to run: paired log ratios and a test."""
    COUNTED = "counted"
    """The same in every run, so that the ratio is exact; judged like a noisy one if it does vary and has a margin."""
    EQUAL = "equal"
    """Anything but equality is wrong."""
    QUALITY = "quality"
    """Differences count, not ratios."""
    CHECKS = "checks"
    """Passed or not."""
    CUSTOM = "custom"
    """A figure of the subject's own: the runs say which way is better."""
    CURVE = "curve"
    """Two curves as one number: a ratio of rates of which less is better, or a difference of quality."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One field of a run."""

    name: str
    """Column of the table of runs."""
    words: str
    """What a sentence calls it."""
    kind: Kind
    """How it is compared."""
    format: Callable[[float], str]
    """A value for people, with its unit."""
    machine_bound: bool
    """Whether the value only compares with others of the same machine."""
    unit: str = ""
    """Unit of a quality metric: `dB` or empty."""
    decimals: int = 4
    """Decimals of a quality metric."""
    direction: Direction | None = Direction.LOWER
    """Which way it improves; None for a quality metric that this installation does not know."""
    is_offset: bool = False
    """Whether zero is its best value, so that distances from zero are compared."""
    package: str = ""
    """Package that brings what computes a quality metric; empty where every installation computes it."""

    def judged_values(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is compared of its values, of which `direction` says which way is better; any shape."""
        return np.abs(values) if self.is_offset else values


def _plain(value: float) -> str:
    return f"{value:.4g}"


def _count(value: float) -> str:
    return f"{value:.0f}"


_KNOWN: tuple[tuple[str, str, Kind, Callable[[float], str], bool], ...] = (
    (CHECKS, "validation", Kind.CHECKS, _count, False),
    ("frames", "frame count", Kind.EQUAL, _count, False),
    ("wall_s", "wall time", Kind.NOISY, format_seconds, True),
    ("process_wall_s", "wall time of the process", Kind.NOISY, format_seconds, True),
    ("launch_s", "launch before the export", Kind.NOISY, format_seconds, True),
    ("cpu_s", "CPU time", Kind.NOISY, format_seconds, True),
    ("gpu_busy_s", "GPU time", Kind.NOISY, format_seconds, True),
    ("peak_rss_bytes", "peak memory", Kind.NOISY, format_bytes, True),
    ("peak_tree_rss_bytes", "peak memory of the process tree", Kind.NOISY, format_bytes, True),
    ("times_floor", "time over the floor's", Kind.NOISY, _plain, False),
    ("gpu_memory_bytes", "GPU memory", Kind.COUNTED, format_bytes, False),
    ("readback_bytes", "readback", Kind.COUNTED, format_bytes, False),
    ("upload_bytes", "upload", Kind.COUNTED, format_bytes, False),
    ("output_bytes", "output size", Kind.COUNTED, format_bytes, False),
    ("video_bytes", "video size", Kind.COUNTED, format_bytes, False),
    ("*_bytes", "", Kind.NOISY, format_bytes, True),
    ("*_s", "", Kind.NOISY, format_seconds, True),
)


CUSTOM_PREFIX = "custom."
"""Columns of figures that only the subject knows; `<column>.unit` and `<column>.better` say what it says of them."""
FIGURE_FAMILIES = ("stage.", "pipeline_bytes.", "telemetry.", CUSTOM_PREFIX)
"""Columns whose names the subject or the machine decides; what a run does not report has no column."""
_NO_FIGURES = frozenset(RunResult.model_fields) - NUMERIC_FIELDS | {
    *("block", "order", "schema_version", "folder"),
    *("validation.passed", "validation.failures", "thresholds.failures"),
}
"""Columns of `capbench.load` that nothing can be better or worse at."""


CURVE_FIGURES = ("bd_rate", "bd_quality")
"""Figures of two curves: `bd_rate.vmaf` is the rate at equal VMAF, `bd_quality.vmaf` the VMAF at equal rate; another
pool than the mean is named behind: `bd_rate.vmaf.p1`."""


def is_curve_figure(name: str) -> bool:
    """Whether a figure, or the glob of a rule, is about two curves."""
    return name.partition(".")[0] in CURVE_FIGURES or name.startswith("bd_")


def curve_sign(metric: str) -> int | None:
    """1 for a metric such as `vmaf` of which more is better, -1 where less is; None where nobody knows."""
    known = metric_of(metric)
    return None if known is None else 1 if known.higher_is_better else -1


def is_figure(column: str) -> bool:
    """Whether a column of `capbench.load` can be judged."""
    return column not in _NO_FIGURES and not (
        column.startswith(CUSTOM_PREFIX) and column.endswith((".unit", ".better"))
    )


def known_figures() -> tuple[str, ...]:
    """Every figure that can be judged, whether or not anybody measured it; without the families and without ratios."""
    return (
        CHECKS,
        *sorted(name for name in NUMERIC_FIELDS if is_figure(name) and name not in HIGHER_IS_BETTER_TWINS),
        *(f"{_QUALITY_PREFIX}{column}.{pool}" for column in columns_of(known_metrics()) for pool in POOLS),
        *(f"{_QUALITY_PREFIX}{name}" for name in _SOUND_OFFSETS),
        *(f"{kind}.{column}" for kind in CURVE_FIGURES for column in columns_of(known_metrics())),
        *(f"latency.{name}" for name in LatencyPercentiles.model_fields),
    )


def describe_metric(name: str) -> Metric:
    """What the gate knows about a column; one that it does not know is noisy, and less of it is better."""
    field, _, reference = name.partition("/")
    if reference:
        return Metric(name, f"{describe_metric(field).words} over that of {reference}", Kind.NOISY, _plain, False)
    if name.startswith(_QUALITY_PREFIX):
        return _quality(name)
    if name.startswith(CUSTOM_PREFIX):
        formatter = next((known for glob, _, _, known, _ in _KNOWN if fnmatchcase(name, glob)), _plain)
        return Metric(name, name.removeprefix(CUSTOM_PREFIX), Kind.CUSTOM, formatter, machine_bound=True)
    if is_curve_figure(name):
        return _curve_figure(name)
    for pattern, words, kind, formatter, machine_bound in _KNOWN:
        if fnmatchcase(name, pattern):
            return Metric(name, words or _words(name), kind, formatter, machine_bound)
    return Metric(name, _words(name), Kind.NOISY, _plain, True)


def _quality(name: str) -> Metric:
    unit, decimals = quality_unit(name)
    known = metric_of(name)
    is_sound = _bare(name) in _SOUND_OFFSETS
    return Metric(
        name,
        _SOUND_OFFSETS.get(_bare(name)) or _words(name),
        Kind.QUALITY,
        _in_unit(unit, decimals),
        machine_bound=False,
        unit=unit,
        decimals=decimals,
        direction=known.direction if known else Direction.LOWER if is_sound else None,
        is_offset=is_sound,
        package=known.package if known else "",
    )


def _curve_figure(name: str) -> Metric:
    kind, _, metric = name.partition(".")
    quality = describe_metric(f"{_QUALITY_PREFIX}{metric if '.' in metric else f'{metric}.mean'}")
    of = quality.words.removesuffix(" (mean)")
    if kind == "bd_rate":
        return Metric(name, f"BD-rate by {of}", Kind.CURVE, lambda percent: f"{percent:+.1f}%", False, "%", 1)
    return Metric(name, f"BD-quality by {of}", Kind.CURVE, quality.format, False, quality.unit, quality.decimals)


def quality_unit(metric: str) -> tuple[str, int]:
    """Unit and decimals of a quality metric such as `psnr_y`, `quality.vmaf.mean`: `("dB", 2)`, `("", 2)`.

    One that this installation does not know has no unit and four decimals.
    """
    if (known := metric_of(metric)) is not None:
        return known.unit, known.decimals
    return ("ms", 1) if _bare(metric) in _SOUND_OFFSETS else ("", 4)


def format_in(unit: str) -> Callable[[float], str]:
    """How a value is written for people that has this unit: seconds and bytes as elsewhere, any other as it is."""
    if unit == "s":
        return format_seconds
    return format_bytes if unit == "bytes" else lambda value: f"{value:.4g} {unit}".strip()


def _bare(metric: str) -> str:
    return metric.removeprefix(_QUALITY_PREFIX).partition(".")[0]


def _in_unit(unit: str, decimals: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{decimals}f} {unit}".strip()


def _words(name: str) -> str:
    """`quality.psnr_y.mean` is read as "PSNR Y (mean)"; anything else as it is written."""
    if not name.startswith(_QUALITY_PREFIX):
        return name
    metric, _, pool = name.removeprefix(_QUALITY_PREFIX).partition(".")
    known = metric_of(metric)
    words = known.column_label(metric) if known else metric.replace("_", " ").upper()
    return f"{words} ({pool})" if pool else words
