"""Presentation times of the output: the source's own, or a constant rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from capbench.errors import SourceError
from capbench.units import format_seconds

__all__ = [
    "Pauses",
    "PtsFrame",
    "SteadyClock",
    "StrayTimes",
    "TimedFrame",
    "at_constant_rate",
    "at_source_times",
    "check_apart",
    "credible_length_s",
    "fine_time_base",
    "writable_pauses_s",
]

_JUMP_S = Fraction(1)
"""Times that go back by more than this have restarted; by less, it is rounding or a muxer's error."""
_LEAP_S = Fraction(6 * 3600)
"""Times that jump ahead by more than this are damaged: no recording has a still picture, or silence, for so long."""
_UNKNOWN_FRAME_S = Fraction(1, 30)
"""Duration of the first frame if the file does not state one."""
_PAUSE_S = Fraction(60)
"""A step that is longer than this is a pause: something that a file claims in a few bytes."""
_LONGEST_PAUSES_S = Fraction(24 * 3600)
"""All pauses of a recording in total: a thousand of them must not add up to a year."""
_WRITABLE_PAUSE_S = Fraction(10 * 60)
"""Pauses that are written out, moment by moment, for any file: ten minutes of silence take some seconds to encode."""
_PAUSE_BYTES_PER_S = 1000
"""Longer ones take a file of some size: with 10 MB it may pause for 3 hours. A second of silence takes about 10 ms to
encode as AAC, so what pauses cost is in proportion to what there is to decode."""
_COARSEST_TICK_S = Fraction(1)
"""Time bases with longer ticks are divided: by a file's own tick of a week, no jump could be removed."""
_MOST_TICKS = 2**62
"""Times that count more ticks do not fit into FFmpeg's 64 bits, once an offset is added."""


class PtsFrame(Protocol):
    """As much of an `av.VideoFrame` as times need, in units of its time base."""

    pts: int | None
    time_base: Fraction | None
    duration: int


def check_apart(path: Path, sound_after_picture_s: Fraction) -> None:
    """Raise `SourceError` if sound and picture start so far apart that one of the two times is damaged."""
    if abs(sound_after_picture_s) > _LEAP_S:
        order = "after" if sound_after_picture_s > 0 else "before"
        raise SourceError(
            f"the sound of {path} starts {format_seconds(float(abs(sound_after_picture_s)))} {order} its picture; "
            f"more than {format_seconds(float(_LEAP_S))} is a damaged time stamp; write the file again without it"
        )


def credible_length_s(claimed_s: Fraction) -> Fraction | None:
    """How long a frame is shown, in seconds, as its file claims; None where it claims nothing, or more than can be."""
    return claimed_s if 0 < claimed_s <= _LEAP_S else None


def fine_time_base(claimed: Fraction) -> Fraction:
    """A file's time base, in seconds; one with ticks of more than a second in ticks of a thirtieth at most."""
    return claimed if claimed <= _COARSEST_TICK_S else claimed / math.ceil(claimed / _UNKNOWN_FRAME_S)


def writable_pauses_s(stored_bytes: int) -> Fraction:
    """How long, in seconds and in total, a file of a size may pause where every moment of a pause has to be written."""
    return _WRITABLE_PAUSE_S + Fraction(stored_bytes, _PAUSE_BYTES_PER_S)


def _is_near(step_s: Fraction) -> bool:
    return -_JUMP_S <= step_s <= _PAUSE_S


_Frame = TypeVar("_Frame", bound=PtsFrame)


class StrayTimes(Generic[_Frame]):
    """Takes its time from a frame of one stream whose time is far from both of its neighbours', which are near.

    A recorder that pauses or restarts goes on from there: the next frame tells it from a damaged time stamp.
    """

    def __init__(self, *, holds_first: bool) -> None:
        """`holds_first`: whether the first time is checked too, by the second alone."""
        self.found = 0
        """Frames whose time was damaged."""
        self._holds_first = holds_first
        self._last_s: Fraction | None = None
        self._held: tuple[_Frame, Fraction, Fraction] | None = None

    def checked(self, frame: _Frame, shift_s: Fraction) -> Iterator[tuple[_Frame, Fraction]]:
        """Frames that are known by now, each with its `shift_s`, which is to be added to its time."""
        time_s = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 1) + shift_s
        if self._held is not None:
            yield self._released(frame, time_s)
        if time_s is not None:
            is_near = not self._holds_first if self._last_s is None else _is_near(time_s - self._last_s)
            if not is_near:
                self._held = (frame, shift_s, time_s)
                return
            self._last_s = time_s
        yield frame, shift_s

    def rest(self) -> Iterator[tuple[_Frame, Fraction]]:
        """The frame that waits for another, if one does: nothing is left to tell what its time is."""
        if self._held is not None:
            yield self._released(None, None)

    def _released(self, following: _Frame | None, following_s: Fraction | None) -> tuple[_Frame, Fraction]:
        assert self._held is not None
        frame, shift_s, time_s = self._held
        self._held = None
        if following is None or following_s is None or _is_near(following_s - time_s):
            self._last_s = time_s
        elif self._last_s is not None and _is_near(following_s - self._last_s):
            self.found += 1
            frame.pts = None  # it follows the frame before
        elif self._last_s is None and following_s < time_s and following.pts is not None:
            self.found += 1
            frame.pts, frame.time_base = following.pts - (following.duration or 0), following.time_base
        else:
            self._last_s = time_s
        return frame, shift_s


class Pauses:
    """Decides which steps between two times of one stream are plausible."""

    def __init__(self) -> None:
        self._paused_s = Fraction(0)

    def is_break(self, step_s: Fraction) -> bool:
        """Whether a step, in seconds, is implausible. Call it once for each: pauses add up."""
        if step_s < -_JUMP_S or step_s > _LEAP_S:
            return True
        if step_s <= _PAUSE_S:
            return False
        self._paused_s += step_s
        return self._paused_s > _LONGEST_PAUSES_S


class SteadyClock:
    """Assigns increasing times to the frames of one stream, in the time base of the first of them.

    The time base is that of `fine_time_base`. A frame without a time follows the one before it; after a restart or a
    jump, times continue from there.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._time_base: Fraction | None = None
        self._next = 0
        self._last: int | None = None
        self._restart = 0
        self._step = 1
        self._frames = 0
        self._pauses = Pauses()
        self._is_length_damaged = False

    def apply(self, frame: PtsFrame, shift_s: Fraction) -> None:
        """Set the PTS and the time base of an `av.VideoFrame`, `shift_s` added.

        Raises `SourceError` for a first time that is too far from zero to be counted.
        """
        time_base = Fraction(frame.time_base or 1)
        if self._time_base is None:
            self._time_base = fine_time_base(time_base)
            self._step = max(1, round(_UNKNOWN_FRAME_S / self._time_base))
        ticks = time_base / self._time_base
        duration = self._plausible(round((frame.duration or 0) * ticks))
        pts = self._next if frame.pts is None else round(frame.pts * ticks + shift_s / self._time_base) + self._restart
        if self._last is not None and self._pauses.is_break((pts - self._last) * self._time_base):
            # What the frame before claims to last may be the pause that was too much.
            follows = min(self._next, self._last + max(1, round(_PAUSE_S / self._time_base)))
            self._restart += follows - pts
            self._warn(f"the time stamps jump at frame {self._frames}; the jump is removed")
            pts = follows
        if self._last is not None and pts <= self._last:
            pts = self._last + 1
        if abs(pts) > _MOST_TICKS:
            raise SourceError(
                f"frame {self._frames} claims the time {float(pts * self._time_base):.3g} s, a damaged time stamp; "
                "write the file again without it"
            )
        if self._last is not None and not duration:
            self._step = pts - self._last  # nothing better is known of how long this one lasts
        self._last, self._next = pts, pts + (duration or self._step)
        self._frames += 1
        frame.pts, frame.time_base, frame.duration = pts, self._time_base, duration

    def _plausible(self, duration: int) -> int:
        assert self._time_base is not None
        if not duration or credible_length_s(duration * self._time_base):
            return duration
        if not self._is_length_damaged:
            self._is_length_damaged = True
            length = format_seconds(float(duration * self._time_base))
            self._warn(f"frame {self._frames} claims to last {length}; it is shown as long as the frame before")
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrame:
    """A decoded frame and when it is shown, in units of the output's time base."""

    frame: Any
    """An `av.VideoFrame`; None where its time passes without one."""
    pts: int
    duration: int


def at_source_times(frames: Iterable[PtsFrame], origin_s: Fraction, frame_rate: Fraction) -> Iterator[TimedFrame]:
    """Keep every frame at its own time, counted from `origin_s`, in the source's time base: variable rates stay so."""
    for frame in frames:
        assert frame.pts is not None, "a steady clock gives every frame a time"
        time_base = Fraction(frame.time_base or 1)
        pts = frame.pts - round(origin_s / time_base)
        yield TimedFrame(frame, pts, frame.duration or max(1, round(1 / frame_rate / time_base)))


def at_constant_rate(
    frames: Iterable[PtsFrame],
    origin_s: Fraction,
    rate: Fraction,
    source_rate: Fraction,
    *,
    pauses_s: Fraction = _LONGEST_PAUSES_S,
) -> Iterator[TimedFrame]:
    """One frame for each tick of `rate`: the source frame that is on screen then, repeated or skipped as needed.

    The time base is `1 / rate`. The last frame lasts as long as its own duration says, or a frame of `source_rate`
    where it says nothing; a source shorter than a tick still gives one. Raises `SourceError` where pauses are longer
    than `pauses_s` in total.
    """
    shown: PtsFrame | None = None
    paused_s = Fraction(0)

    def check(still_s: Fraction, since_s: Fraction) -> None:
        nonlocal paused_s
        paused_s += still_s if still_s > _PAUSE_S else 0
        if paused_s > pauses_s:
            raise SourceError(
                f"the picture stands still for {format_seconds(float(still_s))} from {format_seconds(float(since_s))} "
                f"on, which are {round(still_s * rate)} frames at a constant rate; a file of this size may pause for "
                f"{format_seconds(float(pauses_s))} in all; export it without --fps, at its own times, or cut the "
                "pause out"
            )

    shown_s = end_s = Fraction(0)
    tick = given = 0
    for frame in frames:
        assert frame.pts is not None, "a steady clock gives every frame a time"
        time_base = Fraction(frame.time_base or 1)
        start_s = frame.pts * time_base - origin_s
        if shown is None:
            tick = round(start_s * rate)
        else:
            check(start_s - shown_s, shown_s)
        # Half a tick of slack: a source of the same rate must map one to one whatever its rounding.
        while shown is not None and (tick + Fraction(1, 2)) / rate <= start_s:
            yield TimedFrame(shown, tick, 1)
            tick, given = tick + 1, given + 1
        shown, shown_s = frame, start_s
        length_s = frame.duration * time_base if frame.duration else 1 / source_rate
        # PTS and duration are both rounded: an end may lie a tick and a half too late and must not make a frame.
        end_s = start_s + length_s - min(time_base * 3 / 2, length_s / 2)
    if shown is not None:
        check(end_s - shown_s, shown_s)
    while shown is not None and (not given or tick / rate < end_s):
        yield TimedFrame(shown, tick, 1)
        tick, given = tick + 1, given + 1
