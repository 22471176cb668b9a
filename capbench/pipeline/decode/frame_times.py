"""Presentation times of the output: the source's own, or a constant rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

__all__ = ["SteadyClock", "TimedFrame", "at_constant_rate", "at_source_times", "is_break"]


_JUMP_S = Fraction(1)
"""Times that run back by more than this have started anew; by less, they are rounding or a muxer's slip."""
_LEAP_S = Fraction(6 * 3600)
"""Times that run ahead by more than this are damaged: nobody records a still picture, or silence, for so long."""


def is_break(step_s: Fraction) -> bool:
    """Whether a step between two times, in seconds, is none that a recording makes."""
    return step_s < -_JUMP_S or step_s > _LEAP_S


class SteadyClock:
    """Gives frames of one stream times that rise, in the time base of the first of them.

    A frame without a time follows the one before it, and a clock that starts anew or leaps goes on from there.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._time_base: Fraction | None = None
        self._next = 0
        self._last: int | None = None
        self._restart = 0
        self._step = 1
        self._frames = 0

    def apply(self, frame: Any, shift_s: Fraction) -> None:
        """Set the PTS and the time base of an `av.VideoFrame`, `shift_s` added."""
        time_base = Fraction(frame.time_base)
        if self._time_base is None:
            self._time_base = time_base
        ticks = time_base / self._time_base
        duration = round((frame.duration or 0) * ticks)
        pts = self._next if frame.pts is None else round(frame.pts * ticks + shift_s / self._time_base) + self._restart
        if self._last is not None and is_break((pts - self._last) * self._time_base):
            self._restart += self._next - pts
            self._warn(f"the source's clock breaks at frame {self._frames}; its frames follow those before")
            pts = self._next
        if self._last is not None and pts <= self._last:
            pts = self._last + 1
        if self._last is not None and not duration:
            self._step = pts - self._last  # nothing better is known of how long this one lasts
        self._last, self._next = pts, pts + (duration or self._step)
        self._frames += 1
        frame.pts, frame.time_base, frame.duration = pts, self._time_base, duration


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
        pts = frame.pts - round(origin_s / time_base)
        yield TimedFrame(frame, pts, frame.duration or max(1, round(1 / frame_rate / time_base)))


def at_constant_rate(
    frames: Iterable[Any], origin_s: Fraction, rate: Fraction, source_rate: Fraction
) -> Iterator[TimedFrame]:
    """One frame for each tick of `rate`: the source frame that is on screen then, shown again or skipped as needed.

    The time base is `1 / rate`. The last frame lasts as long as its own duration says, or a frame of `source_rate`
    where it says nothing; a source shorter than a tick still gives one.
    """
    shown: Any = None
    tick = given = 0
    for frame in frames:
        time_base = Fraction(frame.time_base)
        start_s = frame.pts * time_base - origin_s
        if shown is None:
            tick = round(start_s * rate)
        # Half a tick of slack: a source of the same rate must map one to one whatever its rounding.
        while shown is not None and (tick + Fraction(1, 2)) / rate <= start_s:
            yield TimedFrame(shown, tick, 1)
            tick, given = tick + 1, given + 1
        shown = frame
        length_s = frame.duration * time_base if frame.duration else 1 / source_rate
        # PTS and duration are both rounded: an end may lie a tick and a half too late and must not make a frame.
        end_s = start_s + length_s - min(time_base * 3 / 2, length_s / 2)
    while shown is not None and (not given or tick / rate < end_s):
        yield TimedFrame(shown, tick, 1)
        tick, given = tick + 1, given + 1
