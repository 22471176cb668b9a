"""A typical picture of an output at rest, and where the recording lies in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.effect_meter import EffectContext
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.reading.planes import Planes
from capbench.recordings.layout import LayoutRectangle

__all__ = ["RestingPicture", "rounded_distance"]

Field = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RestingPicture:
    """Medians over some frames at rest."""

    context: EffectContext
    """The output."""
    placement: FramePlacement
    """Where the recording lies."""
    output: Planes
    """The output's picture."""
    recording: Planes
    """The recording as the output should show it, at the same size; black where it is not."""

    @property
    def edges(self) -> LayoutRectangle:
        """The part of the recording that the crop leaves, in output pixels."""
        return self.placement.rectangle(self.context.look.crop)

    @property
    def unit_px(self) -> float:
        """Output pixels for a pixel of a canvas 1080 lines high."""
        return self.context.unit_px


def rounded_distance(x: Field, y: Field, edges: LayoutRectangle, radius_px: float) -> Field:
    """Signed distance in pixels from a rounded rectangle, negative inside; x and y are coordinates in pixels."""
    dx = np.abs(x - (edges.left + edges.width / 2)) - (edges.width / 2 - radius_px)
    dy = np.abs(y - (edges.top + edges.height / 2)) - (edges.height / 2 - radius_px)
    distance: Field = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - radius_px
    return distance
