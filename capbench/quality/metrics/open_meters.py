"""The meters of a choice of metrics: all that wants every pair shares one decode and one copy of the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from capbench.colour import ColourSpec
from capbench.quality.metrics.background_meters import BackgroundMeters, SequenceMeter
from capbench.quality.metrics.ffmpeg_metrics import FFMPEG_METRICS, FfmpegMeter
from capbench.quality.metrics.libvmaf.find_vmaf import find_tool
from capbench.quality.metrics.libvmaf.libvmaf_options import LIBVMAF_METRICS
from capbench.quality.metrics.libvmaf.vmaf_meter import open_vmaf
from capbench.quality.metrics.offered_meters import OfferedMeter
from capbench.results.metric_registry import (
    BUILT_IN_METRICS,
    MeasuredFrames,
    OfferedMetric,
    QualityMetric,
    offered_metrics,
)

__all__ = ["offered_for", "open_meters"]


def open_meters(
    metrics: Sequence[QualityMetric],
    spec: ColourSpec,
    size: tuple[int, int],
    *,
    rate: Fraction | None,
    sample_every: int,
) -> BackgroundMeters:
    """Meters of these metrics for yuv420p frames of an even size, in codes of `spec`, shown at a rate.

    Metrics that are measured of sampled frames take one pair in `sample_every`.
    """
    names = {metric.name for metric in metrics}
    meters: list[SequenceMeter] = []
    if by_ffmpeg := names & FFMPEG_METRICS.keys():
        meters.append(FfmpegMeter(*size, rate=rate, names=by_ffmpeg))
    if by_libvmaf := names & set(LIBVMAF_METRICS):
        meters.append(open_vmaf(find_tool, by_libvmaf, *size))
    by_packages = offered_for(metrics, MeasuredFrames.EVERY, MeasuredFrames.SAMPLED)
    meters.extend(OfferedMeter(offered, spec, sample_every=sample_every) for offered in by_packages)
    return BackgroundMeters(meters)


def offered_for(metrics: Sequence[QualityMetric], *frames: MeasuredFrames) -> list[OfferedMetric]:
    """Those metrics of other packages that are measured on such frames."""
    if all(metric in BUILT_IN_METRICS for metric in metrics):
        return []  # no package is loaded for nothing
    names = {metric.name for metric in metrics if metric.frames in frames}
    return [offered for offered in offered_metrics()[0] if offered.metric.name in names]
