"""A cursor's telemetry from a seed, for recordings that come without any: somebody else's footage."""

from __future__ import annotations

import math
import random

__all__ = ["made_telemetry"]

_MADE_S = 600.0
"""How long a made cursor is on the move, in seconds: the longest recording that is shipped. After that it rests."""
_POINTS_PER_S = 30
_MARGIN = 0.12
"""Targets keep this far from the recording's edges, where windows have their content."""
_BOW = 0.06
"""How far a move bends to one side in its middle, as a share of its length: a wrist turns."""


def made_telemetry(seed: int) -> tuple[list[tuple[float, float, float]], list[float]]:
    """Points (time in seconds, fractions across and down) and times of clicks in seconds, the same on every machine.

    Moves with minimum jerk (Flash and Hogan, 1985, equation 3) to random targets, longer for farther ones as Fitts
    found, with pauses between them; two thirds of the moves end in a click. Only `random()` is drawn from: its values
    for a seed are the same in every version of Python.
    """
    draw = random.Random(seed).random
    at = (_target(draw()), _target(draw()))
    points, clicks_s = [(0.0, *at)], []
    time_s = 0.15
    while time_s < _MADE_S:
        target = (_target(draw()), _target(draw()))
        across, down = target[0] - at[0], target[1] - at[1]
        takes_s = 0.25 + 0.55 * math.hypot(across, down)
        bow = _BOW if draw() < 0.5 else -_BOW
        steps = max(2, round(takes_s * _POINTS_PER_S))
        points.append((time_s, *at))
        for step in range(1, steps):
            share = step / steps
            eased, side = share**3 * (10 - 15 * share + 6 * share**2), bow * math.sin(math.pi * share)
            x, y = at[0] + across * eased - down * side, at[1] + down * eased + across * side
            points.append((time_s + takes_s * share, min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)))
        at, time_s = target, time_s + takes_s
        points.append((time_s, *at))
        if draw() < 2 / 3:
            clicks_s.append(time_s + 0.1)
        time_s += 0.35 + 0.6 * draw()
    return [(round(when, 6), round(x, 6), round(y, 6)) for when, x, y in points], [round(at_s, 6) for at_s in clicks_s]


def _target(drawn: float) -> float:
    return _MARGIN + (1 - 2 * _MARGIN) * drawn
