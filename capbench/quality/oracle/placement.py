"""Where the recording lies on the canvas at a time, worked out from the scene's description alone."""

from __future__ import annotations

from dataclasses import dataclass

from capbench.colour import ChromaSiting
from capbench.pipeline.scene import Display, ZoomSegment
from capbench.quality.oracle.scene_timing import zoom_at

__all__ = ["REFERENCE_LINES", "Placement", "chroma_place", "place_recording"]

REFERENCE_LINES = 1080
"""Lengths in a scene file are pixels of a canvas this high."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A rectangle on the canvas, edges in pixels, and how much everything on it is magnified."""

    left: float
    """Left edge."""
    top: float
    """Top edge."""
    right: float
    """Right edge."""
    bottom: float
    """Bottom edge."""
    amount: float
    """Magnification by a zoom; 1 at rest."""

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels down."""
        return self.bottom - self.top

    def point(self, across: float, down: float) -> tuple[float, float]:
        """Canvas position of fractions of the rectangle."""
        return self.left + across * self.width, self.top + down * self.height


def place_recording(
    display: Display,
    zoom: tuple[ZoomSegment, ...],
    *,
    shown: tuple[float, float],
    canvas: tuple[int, int],
    time_s: float,
) -> Placement:
    """The recording's rectangle, its crop taken off, at an output time in seconds.

    `shown` is the recording's upright size in square pixels, `canvas` the output's, both width and height. It is as
    large as its aspect allows inside the padding, centred; a side less than two pixels short of the room fills it.
    """
    width, height = canvas
    padding = display.padding * min(width, height)
    room = (width - 2 * padding, height - 2 * padding)
    left, top, right, bottom = display.crop
    size = (shown[0] * (1 - left - right), shown[1] * (1 - top - bottom))
    scale = min(room[0] / size[0], room[1] / size[1])
    fitted = [
        side if abs(length * scale - side) < 2 else length * scale for length, side in zip(size, room, strict=True)
    ]
    x, y = (width - fitted[0]) / 2, (height - fitted[1]) / 2
    amount, centre = zoom_at(zoom, time_s)
    stay_x, stay_y = x + centre[0] * fitted[0], y + centre[1] * fitted[1]
    return Placement(
        stay_x + (x - stay_x) * amount,
        stay_y + (y - stay_y) * amount,
        stay_x + (x + fitted[0] - stay_x) * amount,
        stay_y + (y + fitted[1] - stay_y) * amount,
        amount,
    )


def chroma_place(siting: ChromaSiting) -> tuple[float, float]:
    """Where chroma lies, in luma samples right of and below the middle of two, in a picture that is not turned."""
    return (-0.5 if siting is ChromaSiting.LEFT else 0.0), 0.0
