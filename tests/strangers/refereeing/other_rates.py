"""Where another rate was asked for frames have no counterparts: what is left is how long, and which moment is shown."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.refereeing.opinions import Finding, graded
from tests.strangers.stream_facts import StreamFacts

__all__ = ["UNROUNDED", "Rounding", "judge_lateness", "judge_length", "rounding_of_first"]

_RIGHT_FRAMES_OFF, _WRONG_FRAMES_OFF = 1.2, 1.75
"""How far a picture, or the end, may lie from its time at another rate, in frames of the slower one: whatever rounds to
its own ticks is within one."""
_FARTHEST_FRAMES: Final = 6.0
"""How far from its time a picture is looked for, in such frames."""
_MATCH_SHARE: Final = 0.75
"""A frame that differs less than this share from a picture of another time than from those of its own shows it."""
_MATCH_CODES, _LIKE_CODES = 0.6, 0.2
"""And by at least this much: coding noise averaged over a picture's blocks is below 0.3. What fits worse than the best
by less is as likely."""


_TICK_MS: Final = 1.0
"""Containers round a time to a millisecond: that near, a picture lies on the raster of a rate."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How far the first picture may be moved against the sound by an exporter that was asked for a rate."""

    nearest_ms: float
    """To the nearest frame of that rate: nobody's fault."""
    most_ms: float
    """To the frame before or behind, wherever it lies: whether that is a fault is for the user to say."""


UNROUNDED: Final = Rounding(0.0, 0.0)
"""No rate was asked for, or the source's pictures are where that rate has them."""


def rounding_of_first(reference: StreamFacts, rate: Fraction | None) -> Rounding:
    """Where a rate was asked for: half a frame of it; of the source's own rate what its first picture lies beside.

    Frames are counted from time 0, or from where the file begins, which may be its sound: FFmpeg moves that to 0. What
    picture and sound begin with in the source is no fault: they stay as far apart as they were, but for this.
    """
    if rate is None:
        return UNROUNDED
    frame_ms = 1e3 / float(rate)
    if rate != reference.rate or not reference.is_constant:
        return Rounding(frame_ms / 2, frame_ms)
    first = reference.frames[0].start_s
    begins = min([first, *(sound.start_s for sound in reference.sounds if sound.start_s is not None)])
    beside_ms = max(
        abs(ticks - round(ticks)) * frame_ms for ticks in (float(first * rate), float((first - begins) * rate))
    )
    return UNROUNDED if beside_ms <= _TICK_MS else Rounding(beside_ms, frame_ms)


def judge_length(reference: StreamFacts, output: StreamFacts) -> list[Finding]:
    """At another rate each end is rounded to a frame: what the pictures show does not tell how many there should be."""
    ends = reference.end_s, output.end_s
    if ends[0] is None or ends[1] is None:
        return []
    off, step = abs(ends[0] - ends[1]), max(1 / reference.rate, 1 / output.rate)
    message = f"the picture lasts {float(ends[1]):.3f} s instead of {float(ends[0]):.3f} s"
    return graded("times", float(off / step), _RIGHT_FRAMES_OFF, _WRONG_FRAMES_OFF, message)


def judge_lateness(
    reference: StreamFacts, output: StreamFacts, wanted: NDArray[np.float32], found: NDArray[np.float32]
) -> list[Finding]:
    """At another rate: pictures that are clearly those of another time than they are shown at."""
    if not reference.is_timed:
        return []
    step = max(1 / reference.rate, 1 / output.rate)
    times = [frame.start_s - reference.frames[0].start_s for frame in reference.frames[: len(wanted)]]
    # A picture that is held is shown again at any time until then.
    untils = [max(time, after - step) for time, after in zip(times, [*times[1:], reference.end_s or 0], strict=True)]
    worst, worst_at = 0.0, 0
    for index, frame in enumerate(output.frames[: len(found)]):
        now = frame.start_s - output.frames[0].start_s
        alike: list[tuple[float, float]] = []
        for time, until, picture in zip(times, untils, wanted, strict=True):
            away = float(max(time - now, now - until, Fraction(0)) / step)
            if away <= _FARTHEST_FRAMES:
                alike.append((away, float(np.abs(found[index] - picture).mean())))
        near = min((codes for away, codes in alike if away <= _RIGHT_FRAMES_OFF), default=np.inf)
        far = min((codes for _, codes in alike), default=np.inf)
        if near - far > _MATCH_CODES and far < _MATCH_SHARE * near:
            away = min(away for away, codes in alike if codes <= far + _LIKE_CODES)
            worst, worst_at = max((worst, worst_at), (away, index))
    message = f"frame {worst_at} shows what was due {worst:.1f} frames from its time"
    return graded("times", worst, _RIGHT_FRAMES_OFF, _WRONG_FRAMES_OFF, message)
