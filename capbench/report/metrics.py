"""Names of metrics for people: those of the gate, in which validation's own short names are known too."""

from __future__ import annotations

from capbench.gate.metrics import CHECKS, Kind, describe_metric

__all__ = ["is_quality_metric", "metric_words"]

_MEASURES = ("psnr", "ssim", "xpsnr", "vmaf")


def metric_words(metric: str) -> str:
    """`peak memory` for `peak_rss_bytes`, `PSNR Y` for `psnr_y` or `quality.psnr_y.mean`; unknown names as they are."""
    name = f"quality.{metric}" if metric.startswith(_MEASURES) else metric
    return describe_metric(name).words.removesuffix(" (mean)")


def is_quality_metric(metric: str) -> bool:
    """Whether a metric speaks about what is in the output rather than about its cost."""
    return metric.startswith(CHECKS) or describe_metric(metric).kind in (Kind.QUALITY, Kind.EQUAL)
