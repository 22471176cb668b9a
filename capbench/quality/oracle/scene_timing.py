"""When a scene's layers show, where its cursor is and how far it is zoomed in, worked out from its description alone.

Scene models are read field by field. None of their methods is called: the pipeline calls the same ones, and two sides
that share a formula share its mistakes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.scene import Caption, Cursor, CursorPoint, Mask, ZoomSegment

__all__ = ["CLICK_S", "cursor_place", "presence_at", "zoom_at"]

CLICK_S = 0.5
"""How long the ring of a click grows and fades, in seconds."""


def presence_at(span: Mask | Caption, time_s: float) -> float:
    """How much of a layer is there at an output time, 0 to 1.

    From `start_s` on it rises in a straight line over `fade_s`, and falls in one that ends at `end_s`. Where both lines
    cross before the top is reached, the lower one counts.
    """
    end_s = np.inf if span.end_s is None else span.end_s
    if not span.start_s <= time_s < end_s:
        return 0.0
    if not span.fade_s:
        return 1.0
    nearest_end_s = min(time_s - span.start_s, end_s - time_s)
    return float(np.clip(nearest_end_s / span.fade_s, 0.0, 1.0))


def zoom_at(segments: Sequence[ZoomSegment], time_s: float) -> tuple[float, tuple[float, float]]:
    """Magnification and the point that stays: amount ** smoothstep, eased in from the start and out to the end."""
    for segment in segments:
        if segment.start_s <= time_s < segment.end_s:
            since, until = time_s - segment.start_s, segment.end_s - time_s
            eased = min(
                since / segment.ease_in_s if since < segment.ease_in_s else 1.0,
                until / segment.ease_out_s if until < segment.ease_out_s else 1.0,
            )
            return segment.amount ** (3 * eased**2 - 2 * eased**3), segment.centre
    return 1.0, (0.5, 0.5)


def cursor_place(cursor: Cursor, time_s: float) -> tuple[float, float]:
    """Fractions across and down the recording: straight from point to point, at rest before the first and after.

    With `smoothing_s` the mean over so long around the time: what the integral of the path grows by, over its length.
    """
    ends_s = time_s + np.array([-0.5, 0.5]) * cursor.smoothing_s
    times_s, across, down = (np.array(column) for column in zip(*_around(cursor.path, *ends_s.tolist()), strict=True))
    if cursor.smoothing_s == 0:
        return float(np.interp(time_s, times_s, across)), float(np.interp(time_s, times_s, down))
    knots_s = np.unique(np.concatenate([ends_s, times_s]))
    x, y = (
        float(np.ptp(np.interp(ends_s, knots_s, _integral(knots_s, np.interp(knots_s, times_s, values)))))
        for values in (across, down)
    )
    return x / cursor.smoothing_s, y / cursor.smoothing_s


def _around(path: Sequence[CursorPoint], start_s: float, end_s: float) -> Sequence[CursorPoint]:
    """The points from the last before the start to the first after the end: ten minutes of telemetry have thousands."""
    first = bisect_right(path, start_s, key=lambda point: point.time_s) - 1
    return path[max(first, 0) : bisect_left(path, end_s, key=lambda point: point.time_s) + 1]


def _integral(places: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a piecewise straight curve that is not negative, from its first place to each."""
    steps = np.diff(places) * (values[:-1] + values[1:]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])
