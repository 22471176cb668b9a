"""Where the cursor is at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from capbench.pipeline.scene import Cursor, CursorPoint

__all__ = ["cursor_position"]


def cursor_position(cursor: Cursor, time_s: float) -> tuple[float, float]:
    """Where the cursor is, as fractions across and down the recording.

    Straight lines between the path's points; with `smoothing_s` the mean of that path over so long a time around this
    one, which is exact: between two points the mean of a straight line is that of its ends.
    """
    path, length_s = cursor.path, cursor.smoothing_s
    if length_s == 0:
        return _between(path, time_s)
    start_s, end_s = time_s - length_s / 2, time_s + length_s / 2
    inside = path[
        bisect_right(path, start_s, key=lambda point: point.time_s) : bisect_left(
            path, end_s, key=lambda point: point.time_s
        )
    ]
    places = [
        (start_s, *_between(path, start_s)),
        *((point.time_s, point.x, point.y) for point in inside),
        (end_s, *_between(path, end_s)),
    ]
    x = sum((after[0] - before[0]) * (before[1] + after[1]) for before, after in pairwise(places)) / (2 * length_s)
    y = sum((after[0] - before[0]) * (before[2] + after[2]) for before, after in pairwise(places)) / (2 * length_s)
    return x, y


def _between(path: Sequence[CursorPoint], time_s: float) -> tuple[float, float]:
    after = bisect_right(path, time_s, key=lambda point: point.time_s)
    if after == 0:
        return path[0].x, path[0].y
    before = path[after - 1]
    if after == len(path):
        return before.x, before.y
    share = (time_s - before.time_s) / (path[after].time_s - before.time_s)
    return before.x + share * (path[after].x - before.x), before.y + share * (path[after].y - before.y)
