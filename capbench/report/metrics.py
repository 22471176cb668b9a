"""Names of metrics for people: those of the gate, in which validation's own short names are known too."""

from __future__ import annotations

import re

from capbench.gate.verdicts.judged_metrics import CHECKS, Kind, describe_metric

__all__ = ["is_main_metric", "is_quality_metric", "metric_words"]

_MEASURE = re.compile(r"(ffmpeg_)?(psnr|ssim|xpsnr|vmaf)")
_MAIN = re.compile(r"(quality\.)?(psnr_y|ssim_y|xpsnr_y|vmaf)(\.mean)?")


def metric_words(metric: str) -> str:
    """`peak memory` for `peak_rss_bytes`, `PSNR Y` for `psnr_y` or `quality.psnr_y.mean`; unknown names as they are."""
    if not _MEASURE.match(metric.removeprefix("quality.")):
        return describe_metric(metric).words
    words = describe_metric(f"quality.{metric.removeprefix('quality.')}").words.removesuffix(" (mean)")
    return words.replace("FFMPEG", "FFmpeg").replace(" CB", " Cb").replace(" CR", " Cr")


def is_quality_metric(metric: str) -> bool:
    """Whether a metric speaks about what is in the output rather than about its cost."""
    return metric.startswith(CHECKS) or describe_metric(metric).kind in (Kind.QUALITY, Kind.EQUAL)


def is_main_metric(metric: str) -> bool:
    """Whether a metric stands in the first row: costs, checks, and one figure of luma for each kind of quality."""
    return not _MEASURE.match(metric.removeprefix("quality.")) or _MAIN.fullmatch(metric) is not None
