"""What was asked of one effect, and what the pictures show of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from capbench.results.record import Record

__all__ = ["EffectFinding", "EffectOutcome", "MeasuredParameter"]

EffectOutcome = Literal["pass", "fail", "not_applicable", "unchecked"]


class MeasuredParameter(Record):
    """One number of an effect: asked, measured, and how far apart they may be."""

    name: str
    """What it is, with the unit in the name where there is one: `radius_px`, `lag_frames`."""
    asked: float | None = None
    """What was asked for; None where any will do."""
    measured: float | None = None
    """What was measured; None where it could not be."""
    uncertainty: float | None = None
    """Standard error of the measurement; None where it is not known."""
    tolerance: float | None = None
    """Largest difference that is right; None where it is only shown."""
    reason: str = ""
    """Why so much is right."""

    @property
    def excess(self) -> float:
        """How far it is off in tolerances; 0 where it was not asked for, not measured, or is only shown."""
        if self.asked is None or self.measured is None or self.tolerance is None:
            return 0.0
        off = abs(self.measured - self.asked)
        return off / self.tolerance if self.tolerance > 0 else float(off > 0) * 2

    @property
    def is_wrong(self) -> bool:
        """Whether it was asked for, measured, and is off by more than the tolerance."""
        return self.excess > 1


class EffectFinding(Record):
    """One effect of an output. It becomes the check `effects.NAME`."""

    effect: str
    """Name of the effect: `padding`, `zoom`, `corner_radius`, `shadow`, `background`, `captions`, `cursor`, `camera`,
    `motion_blur`."""
    outcome: EffectOutcome
    """`fail` also where it was asked for and not found, and where it was found and not asked for."""
    message: str
    """The sentence that the user reads."""
    asked: bool | None = None
    """Whether it was asked for; None where whatever is found is right."""
    found: bool | None = None
    """Whether it is there; None where that cannot be known."""
    parameters: tuple[MeasuredParameter, ...] = Field(default=())
    """Its numbers."""
    frames: tuple[int, ...] = ()
    """The first output frames concerned, at most 20."""
