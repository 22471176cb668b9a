"""A metric's values over frames, pooled into the figures that a report shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from capbench.results import MetricSummary

__all__ = ["pool"]


def pool(values: Sequence[float | None], unit: str = "") -> MetricSummary:
    """Pool values by frame, None where a frame was not measured. Percentiles interpolate linearly (NumPy's default).

    The harmonic mean is taken of values above 0 only where all are: a metric at or below 0 has none.
    """
    frames = [frame for frame, value in enumerate(values) if value is not None]
    if not frames:
        return MetricSummary(
            mean=None, harmonic_mean=None, p5=None, p1=None, worst=None, worst_frame=None, frames=0, unit=unit
        )
    found = np.array([value for value in values if value is not None], dtype=np.float64)
    worst = int(found.argmin())
    return MetricSummary(
        mean=float(found.mean()),
        harmonic_mean=float(1 / np.mean(1 / found)) if found.min() > 0 else None,
        p5=float(np.percentile(found, 5)),
        p1=float(np.percentile(found, 1)),
        worst=float(found[worst]),
        worst_frame=frames[worst],
        frames=len(frames),
        unit=unit,
    )
