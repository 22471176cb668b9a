"""What each field of a run is to the gate: how it is compared, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from capbench.units import format_bytes, format_seconds

__all__ = ["CHECKS", "HIGHER_IS_BETTER_TWINS", "Kind", "Metric", "describe_metric"]

CHECKS = "validation"
"""The metric that stands for every validation check of a case."""

HIGHER_IS_BETTER_TWINS = {
    "fps": "wall_s",
    "times_realtime": "wall_s",
    "gpu_percent": "gpu_busy_s",
    "cpu_percent": "cpu_s",
}
"""Fields that say what another one says, less directly; the gate judges the other one."""


class Kind(StrEnum):
    """How a metric is compared. Of all but quality, less is better."""

    NOISY = "noisy"
    """Differs from run to run: paired log ratios and a test."""
    COUNTED = "counted"
    """The same in every run, so that the ratio is exact; judged like a noisy one if it does vary and has a margin."""
    EQUAL = "equal"
    """Anything but equality is wrong."""
    QUALITY = "quality"
    """More is better, and differences count, not ratios."""
    CHECKS = "checks"
    """Passed or not."""


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


def _plain(value: float) -> str:
    return f"{value:.4g}"


def _decibel(value: float) -> str:
    return f"{value:.2f} dB"


def _index(value: float) -> str:
    return f"{value:.4f}"


def _count(value: float) -> str:
    return f"{value:.0f}"


_KNOWN: tuple[tuple[str, str, Kind, Callable[[float], str], bool], ...] = (
    (CHECKS, "validation", Kind.CHECKS, _count, False),
    ("frames", "frame count", Kind.EQUAL, _count, False),
    ("wall_s", "wall time", Kind.NOISY, format_seconds, True),
    ("process_wall_s", "wall time of the process", Kind.NOISY, format_seconds, True),
    ("cpu_s", "CPU time", Kind.NOISY, format_seconds, True),
    ("gpu_busy_s", "GPU time", Kind.NOISY, format_seconds, True),
    ("peak_rss_bytes", "peak memory", Kind.NOISY, format_bytes, True),
    ("peak_tree_rss_bytes", "peak memory of the process tree", Kind.NOISY, format_bytes, True),
    ("times_floor", "time over the floor's", Kind.NOISY, _plain, False),
    ("gpu_memory_bytes", "GPU memory", Kind.COUNTED, format_bytes, False),
    ("readback_bytes", "readback", Kind.COUNTED, format_bytes, False),
    ("upload_bytes", "upload", Kind.COUNTED, format_bytes, False),
    ("output_bytes", "output size", Kind.COUNTED, format_bytes, False),
    ("quality.ssim*", "", Kind.QUALITY, _index, False),
    ("quality.*", "", Kind.QUALITY, _decibel, False),
    ("*_bytes", "", Kind.NOISY, format_bytes, True),
    ("*_s", "", Kind.NOISY, format_seconds, True),
)


def describe_metric(name: str) -> Metric:
    """What the gate knows about a column; one that it does not know is noisy, and less of it is better."""
    field, _, reference = name.partition("/")
    if reference:
        return Metric(name, f"{describe_metric(field).words} over that of {reference}", Kind.NOISY, _plain, False)
    for pattern, words, kind, formatter, machine_bound in _KNOWN:
        if fnmatchcase(name, pattern):
            return Metric(name, words or _words(name), kind, formatter, machine_bound)
    return Metric(name, _words(name), Kind.NOISY, _plain, True)


def _words(name: str) -> str:
    """`quality.psnr_y.mean` is read as "PSNR Y (mean)"; anything else as it is written."""
    if not name.startswith("quality."):
        return name
    metric, _, pool = name.removeprefix("quality.").partition(".")
    return f"{metric.replace('_', ' ').upper()} ({pool})" if pool else metric.replace("_", " ").upper()
