"""The meters of a choice of metrics: all that wants every pair shares one decode and one copy of the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from capbench.colour import ColourSpec
from capbench.quality.metrics.background_meters import BackgroundMeters, SequenceMeter, Unmeasured
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

__all__ = ["no_hdr_model", "offered_for", "open_meters", "open_native_meters"]

_SAMPLE_METRICS = ("psnr", "ffmpeg_psnr", "xpsnr")
"""Metrics of codes, which mean something whatever light these stand for. Every other models what SDR looks like."""


def open_meters(
    metrics: Sequence[QualityMetric],
    spec: ColourSpec,
    size: tuple[int, int],
    *,
    rate: Fraction | None,
    sample_every: int,
    hdr: str | None = None,
    is_native: bool = False,
    first_pair: int = 0,
    threads: int | None = None,
) -> BackgroundMeters:
    """Meters of these metrics for yuv420p frames of an even size, in codes of `spec`, shown at a rate.

    Metrics that are measured of sampled frames take one pair in `sample_every`. `hdr` is `PQ` or `HLG` of HDR's codes,
    which have no model in most metrics. Where pairs are compared at their own depth (`is_native`) FFmpeg's filters are
    left to `open_native_meters`. `first_pair` is the number of the first pair, from 0, where a part is measured, and
    `threads` the most that libvmaf takes, None for what the machine has.
    """
    meters: list[SequenceMeter] = []
    if hdr is not None:
        without = [metric for metric in metrics if metric.name not in _SAMPLE_METRICS]
        reasons = {column: no_hdr_model(each.label, hdr) for each in without for column in each.columns}
        meters.append(Unmeasured(reasons))
        metrics = [metric for metric in metrics if metric.name in _SAMPLE_METRICS]
    names = {metric.name for metric in metrics}
    if not is_native and (by_ffmpeg := names & FFMPEG_METRICS.keys()):
        meters.append(FfmpegMeter(*size, rate=rate, names=by_ffmpeg))
    if by_libvmaf := names & set(LIBVMAF_METRICS):
        meters.append(open_vmaf(find_tool, by_libvmaf, *size, threads=threads))
    by_packages = offered_for(metrics, MeasuredFrames.EVERY, MeasuredFrames.SAMPLED)
    meters.extend(
        OfferedMeter(offered, spec, sample_every=sample_every, first_pair=first_pair) for offered in by_packages
    )
    return BackgroundMeters(meters)


def open_native_meters(
    metrics: Sequence[QualityMetric],
    size: tuple[int, int],
    pixel_format: str,
    *,
    rate: Fraction | None,
    hdr: str | None,
) -> BackgroundMeters:
    """FFmpeg's filters among these metrics, for frames of another planar format than yuv420p."""
    names = {metric.name for metric in metrics if hdr is None or metric.name in _SAMPLE_METRICS}
    by_ffmpeg = names & FFMPEG_METRICS.keys()
    return BackgroundMeters(
        [FfmpegMeter(*size, rate=rate, names=by_ffmpeg, pixel_format=pixel_format)] if by_ffmpeg else []
    )


def no_hdr_model(label: str, hdr: str) -> str:
    """Why a metric, by its label, is not measured of codes of `PQ` or `HLG`."""
    return f"{label} has no public model for HDR, and these are codes of {hdr}"


def offered_for(metrics: Sequence[QualityMetric], *frames: MeasuredFrames) -> list[OfferedMetric]:
    """Those metrics of other packages that are measured on such frames."""
    if all(metric in BUILT_IN_METRICS for metric in metrics):
        return []  # no package is loaded for nothing
    names = {metric.name for metric in metrics if metric.frames in frames}
    return [offered for offered in offered_metrics()[0] if offered.metric.name in names]
