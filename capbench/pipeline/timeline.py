"""Presentation times of the output: the source's own, or a constant rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

__all__ = ["TimedFrame", "at_constant_rate", "at_source_times"]


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrame:
    """A decoded frame and when it is shown, in units of the output's time base."""

    frame: Any
    pts: int
    duration: int


def at_source_times(frames: Iterable[Any], origin_s: Fraction, frame_rate: Fraction) -> Iterator[TimedFrame]:
    """Keep every frame at its own time, counted from `origin_s`, in the source's time base: variable rates stay so."""
    for frame in frames:
        time_base = Fraction(frame.time_base)
        pts = (frame.pts or 0) - round(origin_s / time_base)
        yield TimedFrame(frame, pts, frame.duration or max(1, round(1 / frame_rate / time_base)))


def at_constant_rate(frames: Iterable[Any], origin_s: Fraction, rate: Fraction) -> Iterator[TimedFrame]:
    """One frame for each tick of `rate`: the source frame that is on screen then, shown again or skipped as needed.

    The time base is `1 / rate`. The last frame lasts as long as its own duration says, at least one tick.
    """
    shown: Any = None
    tick = 0
    for frame in frames:
        time_base = Fraction(frame.time_base)
        start_s = (frame.pts or 0) * time_base - origin_s
        if shown is None:
            tick = round(start_s * rate)
        # Half a tick of slack: a source of the same rate must map one to one whatever its rounding.
        while shown is not None and (tick + Fraction(1, 2)) / rate <= start_s:
            yield TimedFrame(shown, tick, 1)
            tick += 1
        shown = frame
        end_s = start_s + (frame.duration or 0) * time_base
    if shown is None:
        return
    yield TimedFrame(shown, tick, 1)
    while (tick + Fraction(3, 2)) / rate <= end_s:
        tick += 1
        yield TimedFrame(shown, tick, 1)
