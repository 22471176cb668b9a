"""The points of rate and quality that the runs of a curve are, and those that no curve can be drawn through."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from capbench.gate.curves.fold_blocks import label_points
from capbench.results.metric_registry import metric_of

__all__ = ["FEWEST_POINTS", "RateCurve", "RatePoint", "curve_of", "has_video_bytes", "refuse_curve"]

FEWEST_POINTS = 4
"""What the common test conditions of MPEG and JVET take (JVET-T2010): fewer leave the interpolation to guess."""
_MOST_NAMED = 2
"""Points that a reason names, where there are more than one beyond."""


@dataclass(frozen=True, slots=True)
class RatePoint:
    """One point of a curve: medians over the blocks."""

    label: str
    """`qp=24`."""
    rate_bits_per_s: float
    """Bits of the pictures over the length of the video."""
    quality: float
    """The metric, pooled over frames, in its unit."""
    wall_s: float
    """Wall time in seconds; not a number where it was not measured."""
    cpu_s: float
    """CPU time in seconds, likewise."""


@dataclass(frozen=True, slots=True)
class RateCurve:
    """One subject of one clip by one metric."""

    points: tuple[RatePoint, ...]
    """In order of rising rate."""
    left_out: tuple[str, ...] = ()
    """One phrase for each reason why points are not among them: which, and why."""


def has_video_bytes(runs: pd.DataFrame) -> bool:
    """Whether every run says what its pictures take without sound and container."""
    return "video_bytes" in runs.columns and bool(runs["video_bytes"].notna().all())


def curve_of(runs: pd.DataFrame, metric: str, *, pool: str = "mean", of_pictures: bool = True) -> RateCurve:
    """The curve of one subject of one case from its finished measured runs, one row each.

    `metric` is a metric of validation such as `psnr_y`. The rate is that of the pictures alone, or of the whole file
    where `of_pictures` is false because one side did not count them.
    """
    if runs.empty or "point.value" not in runs.columns:
        return RateCurve(())
    column = f"quality.{metric}.{pool}"
    points: list[RatePoint] = []
    unusable: dict[str, list[str]] = {}
    labelled = runs.assign(_label=label_points(runs)).sort_values("point.value", kind="stable")
    for label, of_point in labelled.groupby("_label", sort=False):
        point = RatePoint(
            label=str(label),
            rate_bits_per_s=_median(_rates(of_point, of_pictures=of_pictures)),
            quality=_median(_numbers(of_point, column)),
            wall_s=_median(_numbers(of_point, "wall_s")),
            cpu_s=_median(_numbers(of_point, "cpu_s")),
        )
        if reason := _unusable(point, metric):
            unusable.setdefault(reason, []).append(point.label)
        else:
            points.append(point)
    points.sort(key=lambda point: (point.rate_bits_per_s, point.quality))
    kept: list[RatePoint] = []
    for point in points:
        if kept and (point.rate_bits_per_s, point.quality) == (kept[-1].rate_bits_per_s, kept[-1].quality):
            unusable.setdefault(f"repeats {kept[-1].label}", []).append(point.label)
        else:
            kept.append(point)
    return RateCurve(tuple(kept), tuple(f"{_joined(labels)} {reason}" for reason, labels in unusable.items()))


def refuse_curve(curve: RateCurve, *, sign: int = 1) -> str | None:
    """Why a curve cannot be interpolated; None where it can.

    `sign` is -1 for a metric of which less is better: its values fall where the rate rises.
    """
    if len(curve.points) < FEWEST_POINTS:
        without = f" ({'; '.join(curve.left_out)})" if curve.left_out else ""
        return f"{len(curve.points)} usable points of at least {FEWEST_POINTS}{without}"
    for before, after in zip(curve.points, curve.points[1:], strict=False):
        if after.rate_bits_per_s <= before.rate_bits_per_s or sign * after.quality <= sign * before.quality:
            return f"not monotone: {after.label} has no lower rate than {before.label} and no better quality"
    return None


def _joined(labels: list[str]) -> str:
    """`qp=20`, or `qp=20, qp=26 and 3 more`."""
    more = len(labels) - _MOST_NAMED
    return f"{', '.join(labels[:_MOST_NAMED])} and {more} more" if more > 1 else ", ".join(labels)


def _unusable(point: RatePoint, metric: str) -> str | None:
    if not math.isfinite(point.rate_bits_per_s) or point.rate_bits_per_s <= 0:
        return "without rate"
    if math.isnan(point.quality):
        return "without quality: it was not measured"
    if math.isinf(point.quality):
        return "infinite: the pictures are identical"
    return f"saturated at {point.quality:.6g}" if _is_saturated(point.quality, metric) else None


def _is_saturated(value: float, metric: str) -> bool:
    """Whether a value is the best of its scale, to the decimals that people are shown.

    A ceiling that frames reach bends the mean of all; where all reach it, quality no longer follows from the rate.
    """
    known = metric_of(metric)
    if known is None:
        return False
    best = known.range[1 if known.higher_is_better else 0]
    return math.isfinite(best) and abs(value - best) <= 0.5 * 10.0**-known.decimals


def _rates(runs: pd.DataFrame, *, of_pictures: bool) -> Iterable[float]:
    """Bits a second of each run."""
    if not of_pictures:
        return _numbers(runs, "bitrate_bits_per_s")
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = 8 * np.asarray(_numbers(runs, "video_bytes")) / np.asarray(_numbers(runs, "duration_s"))
    return [float(rate) for rate in rates]


def _numbers(runs: pd.DataFrame, name: str) -> list[float]:
    if name not in runs.columns:
        return [math.nan] * len(runs)
    return [float(value) for value in pd.to_numeric(runs[name]).to_numpy(dtype=np.float64, na_value=np.nan)]


def _median(values: Iterable[float]) -> float:
    """Median of what was measured; not a number where nothing was."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan
