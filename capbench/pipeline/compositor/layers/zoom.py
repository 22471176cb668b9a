"""How much the recording is magnified at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capbench.pipeline.scene import ZoomSegment

__all__ = ["Magnification", "magnification_at"]


@dataclass(frozen=True, slots=True)
class Magnification:
    """A magnification about a point that stays where it is."""

    amount: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)
    """Fractions across and down the recording."""


def magnification_at(segments: Sequence[ZoomSegment], time_s: float) -> Magnification:
    """What the segments, which do not overlap, say about an output time in seconds.

    The amount runs geometrically, `amount ** smoothstep(progress)`, so that the motion looks equally fast all the way.
    """
    for segment in segments:
        if segment.start_s <= time_s < segment.end_s:
            progress = min(
                _progress(time_s - segment.start_s, segment.ease_in_s),
                _progress(segment.end_s - time_s, segment.ease_out_s),
            )
            amount = segment.amount ** (progress * progress * (3 - 2 * progress))
            return Magnification(amount, segment.centre)
    return Magnification()


def _progress(elapsed_s: float, ease_s: float) -> float:
    return 1.0 if elapsed_s >= ease_s else elapsed_s / ease_s
