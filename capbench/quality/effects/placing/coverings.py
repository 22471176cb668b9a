"""What lies over a recording and beside it: what one layer covers is no evidence of those beneath."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.placing.frame_placement import FramePlacement

__all__ = ["CoveredArea", "CoveringCursor", "Coverings"]

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CoveredArea:
    """A rectangle that something stands in. Lengths are fractions of the canvas, from its top left corner."""

    left: float
    top: float
    right: float
    bottom: float
    start_s: float = 0.0
    """Output time from which it may be there."""
    end_s: float = np.inf
    """Output time from which it is not there."""

    def covers(self, x: Field, y: Field) -> Mask:
        """Which points it covers while it is there."""
        covered: Mask = (x >= self.left) & (x <= self.right) & (y >= self.top) & (y <= self.bottom)
        return covered


@dataclass(frozen=True, slots=True)
class CoveringCursor:
    """A cursor on its way."""

    place: Callable[[float], tuple[float, float]]
    """Its middle at an output time, as fractions across and down the recording."""
    reach: float
    """How far from its middle it covers anything where the recording is least magnified, as a fraction of the
    recording's height."""

    def covers(self, x: Field, y: Field, time_s: float, placement: FramePlacement) -> Mask:
        """Which points, in output pixels, it covers at a time at which the recording lies there."""
        middle = placement.point(*self.place(time_s))
        reach_px = self.reach * placement.size[1]
        near: Mask = (np.abs(x - middle[0]) <= reach_px) & (np.abs(y - middle[1]) <= reach_px)
        return near


@dataclass(slots=True)
class Coverings:
    """What the meters of upper layers found; it grows as they finish."""

    areas: list[CoveredArea] = field(default_factory=list)
    """What stands."""
    cursor: CoveringCursor | None = None
    """What moves over the recording."""

    def standing(self, x: Field, y: Field) -> Mask:
        """Which points, in fractions of the canvas, something stands over at any time."""
        covered = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
        for area in self.areas:
            covered |= area.covers(x, y)
        return covered

    def is_timed(self, time_s: float) -> bool:
        """Whether something that is shown for a time only is there at an output time."""
        return any(area.start_s <= time_s < area.end_s for area in self.areas if np.isfinite(area.end_s))
