"""A metric's values over frames, pooled into the figures that a report shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from capbench.results import MetricSummary
from capbench.results.metric_registry import QualityMetric

__all__ = ["frame_values", "pool"]


def frame_values(values: Iterable[float | None], metric: QualityMetric) -> tuple[float | None, ...]:
    """Values by frame as they may be pooled: finite, or None.

    What is no number was not measured. An infinite value, as of identical pictures, becomes the end of the metric's
    range; where the range has none, no mean over frames would survive it, and it counts as not measured.
    """
    low, high = metric.range
    ends = {math.inf: high, -math.inf: low}
    brought = (value if value is None else ends.get(value, value) for value in values)
    return tuple(value if value is not None and math.isfinite(value) else None for value in brought)


def pool(values: Sequence[float | None], metric: QualityMetric) -> MetricSummary:
    """Pool values by frame, None where a frame was not measured. Percentiles interpolate linearly (NumPy's default).

    Percentiles are counted from the worst value: of a metric that improves downwards the 1st is what 1% of the frames
    exceed. The harmonic mean, which gives low values weight, is taken of a metric that improves upwards and only where
    all values are above 0: others have none.
    """
    values = frame_values(values, metric)
    frames = [frame for frame, value in enumerate(values) if value is not None]
    if not frames:
        return MetricSummary(
            mean=None, harmonic_mean=None, p5=None, p1=None, worst=None, worst_frame=None, frames=0, unit=metric.unit
        )
    found = np.array([value for value in values if value is not None], dtype=np.float64)
    worst = int(found.argmin() if metric.higher_is_better else found.argmax())
    p5, p1 = (5, 1) if metric.higher_is_better else (95, 99)
    return MetricSummary(
        mean=float(found.mean()),
        harmonic_mean=float(1 / np.mean(1 / found)) if metric.higher_is_better and found.min() > 0 else None,
        p5=float(np.percentile(found, p5)),
        p1=float(np.percentile(found, p1)),
        worst=float(found[worst]),
        worst_frame=frames[worst],
        frames=len(frames),
        unit=metric.unit,
    )
