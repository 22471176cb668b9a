"""What a meter of an effect is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from capbench.colour import ColourSpec
from capbench.quality.effects.placing.coverings import Coverings
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.reading.planes import Planes
from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.appearance.expected_look import ExpectedLook

__all__ = ["EffectContext", "EffectMeter", "PlacedFrame"]


@dataclass(frozen=True, slots=True, eq=False)
class EffectContext:
    """What is known before the first frame, and what meters then tell one another."""

    look: ExpectedLook
    """What was asked."""
    canvas: tuple[int, int]
    """Width and height of the output in pixels, even."""
    recording: tuple[int, int]
    """Upright width and height of the recording in its own pixels, even."""
    spec: ColourSpec
    """How the codes of output and recording are read: both are in the output's."""
    frame_rate: Fraction
    """Frames a second of the output."""
    expected_frames: int
    """Of the output, about: the container's claim, to spread samples over and never to allocate by."""
    coverings: Coverings = field(default_factory=Coverings)
    """What meters that have finished found over the recording and beside it: empty before the last frame."""

    @property
    def unit_px(self) -> float:
        """Output pixels for a pixel of a canvas 1080 lines high, in which lengths are asked."""
        return self.canvas[1] / 1080


@dataclass(frozen=True, slots=True, eq=False)
class PlacedFrame:
    """One output frame, valid while it is handed to a meter: copy what is kept."""

    index: int
    """Position in the output, from 0."""
    time_s: float
    """Seconds since the output's first frame."""
    planes: Planes
    """The output's picture, upright 8-bit 4:2:0."""
    placement: FramePlacement | None
    """Where the recording lies in it; None where it was not found."""
    source: Planes | None
    """The recording's picture that it shows, in the output's codes; None where it is not known."""


class EffectMeter(Protocol):
    """Measures one effect. Memory may not grow with the clip but for a few figures a frame."""

    def add(self, frame: PlacedFrame) -> None:
        """The next output frame."""
        ...

    def finish(self) -> Sequence[EffectFinding]:
        """Compare what was measured with what was asked; the meter is used up."""
        ...
