"""The registry of metrics as people and programs read it, with what this machine computes."""

from __future__ import annotations

import math

from capbench.errors import UnavailableError
from capbench.quality.metrics.ffmpeg_metrics import FFMPEG_METRICS, missing_filter
from capbench.quality.metrics.libvmaf.find_vmaf import find_tool
from capbench.quality.metrics.libvmaf.libvmaf_options import LIBVMAF_METRICS
from capbench.results.metric_registry import QualityMetric, known_metrics, offered_metrics
from capbench.results.record import Record

__all__ = ["ListedMetric", "MetricList", "list_metrics"]


class ListedMetric(Record):
    """One metric."""

    name: str
    """What `--metrics` takes."""
    label: str
    """What people call it; empty for one that cannot be used."""
    columns: tuple[str, ...] = ()
    """Its values in reports."""
    unit: str = ""
    """`dB`; empty for an index."""
    direction: str = ""
    """`higher` or `lower`: what is better."""
    decimals: int = 4
    """Decimals that people are shown."""
    smallest: float | None = None
    """Smallest value; null for no bound."""
    largest: float | None = None
    """Largest value; null for no bound."""
    margin_mean: float | None = None
    """Margin of the gate for the mean, in the metric's unit; null where the gate does not judge it by default."""
    margin_p1: float | None = None
    """The same for the 1st percentile."""
    frames: str = ""
    """`every`, `sampled` or `worst`: the frames that it is measured on."""
    source: str = ""
    """Paper or standard."""
    computed_by: str = ""
    """Program or library."""
    cost_cpu_ms: float | None = None
    """CPU time of one pair of 1920x1080 pictures in ms, for orientation; null where nobody measured it."""
    is_default: bool = False
    """Whether it is measured where nobody chooses."""
    unavailable: str | None = None
    """Why this machine does not compute it; null where it does."""

    @property
    def range_words(self) -> str:
        """`0 to 100`, `from 0`; empty without bounds."""
        if self.smallest is not None and self.largest is not None:
            return f"{self.smallest:g} to {self.largest:g}"
        if self.smallest is not None:
            return f"from {self.smallest:g}"
        return f"up to {self.largest:g}" if self.largest is not None else ""

    @property
    def margin_words(self) -> str:
        """`0.1 (p1: 0.5)`; empty where the gate does not judge it by default."""
        if self.margin_mean is None:
            return ""
        return f"{self.margin_mean:g}" + (f" (p1: {self.margin_p1:g})" if self.margin_p1 is not None else "")


class MetricList(Record):
    """Every metric of this installation, and the entry points that offer none."""

    metrics: tuple[ListedMetric, ...]
    """In the order of reports."""


def list_metrics() -> MetricList:
    """The registry, with what is found out by running the tools of this machine."""
    broken = offered_metrics()[1]
    return MetricList(
        metrics=(
            *(_listed(metric) for metric in known_metrics()),
            *(ListedMetric(name=each.name, label="", unavailable=each.reason) for each in broken),
        )
    )


def _listed(metric: QualityMetric) -> ListedMetric:
    smallest, largest = (end if math.isfinite(end) else None for end in metric.range)
    return ListedMetric(
        name=metric.name,
        label=metric.label,
        columns=metric.columns,
        unit=metric.unit,
        direction=metric.direction.value,
        decimals=metric.decimals,
        smallest=smallest,
        largest=largest,
        margin_mean=metric.margins.mean,
        margin_p1=metric.margins.p1,
        frames=metric.frames.value,
        source=metric.source,
        computed_by=metric.computed_by,
        cost_cpu_ms=metric.cost_cpu_ms,
        is_default=metric.is_default,
        unavailable=_why_not_here(metric.name),
    )


def _why_not_here(name: str) -> str | None:
    if name in FFMPEG_METRICS:
        return missing_filter(FFMPEG_METRICS[name])
    if name not in LIBVMAF_METRICS:
        return None
    try:
        tool, measures = find_tool()
    except UnavailableError as error:
        return str(error)
    return None if name in measures else f"{tool} does not measure it"
