"""Where the recording lies in one output picture: a similarity with two scales, in continuous pixel coordinates.

A coordinate of 0 is the left or top edge of a picture and its width or height the other edge, so that the middle of the
first pixel is at 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.recordings.layout import Area, LayoutRectangle

__all__ = ["FramePlacement"]


@dataclass(frozen=True, slots=True)
class FramePlacement:
    """Maps the recording, upright and whole, to an output picture."""

    recording_size: tuple[int, int]
    """Width and height of the recording in its own pixels."""
    scale: tuple[float, float]
    """Output pixels for a pixel of the recording, across and down it."""
    rotation_degrees: float
    """Clockwise turn of the recording as a viewer sees it."""
    centre: tuple[float, float]
    """Where the middle of the recording lies in the output, in pixels; it may be outside."""
    uncertainty_px: float
    """Standard error of the place of the recording's corners that can be seen, in output pixels."""
    agreeing: float
    """Share of the compared places whose luma fits, 0..1: what lies over the recording does not."""

    @property
    def magnification(self) -> float:
        """Output pixels for a pixel of the recording: the geometric mean of both scales."""
        return math.sqrt(self.scale[0] * self.scale[1])

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the recording in output pixels."""
        return self.recording_size[0] * self.scale[0], self.recording_size[1] * self.scale[1]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Shape (2, 3): output (x, y) = matrix @ (x, y, 1) of a point in pixels of the recording."""
        turn = math.radians(self.rotation_degrees)
        cos, sin = math.cos(turn), math.sin(turn)
        (a, b), (c, d) = (cos * self.scale[0], -sin * self.scale[1]), (sin * self.scale[0], cos * self.scale[1])
        x, y = self.recording_size[0] / 2, self.recording_size[1] / 2
        return np.array([[a, b, self.centre[0] - a * x - b * y], [c, d, self.centre[1] - c * x - d * y]])

    @property
    def inverse(self) -> NDArray[np.float64]:
        """Shape (2, 3): the other way, from output pixels to pixels of the recording."""
        forward = self.matrix
        linear = np.linalg.inv(forward[:, :2])
        return np.concatenate([linear, -(linear @ forward[:, 2:])], axis=1)

    def point(self, across: float, down: float) -> tuple[float, float]:
        """Where a point of the recording lies in the output in pixels; fractions of its width and height are given."""
        x, y = self.matrix @ (across * self.recording_size[0], down * self.recording_size[1], 1.0)
        return float(x), float(y)

    def fractions(self, x: float, y: float) -> tuple[float, float]:
        """The other way: fractions of the recording's width and height for a point of the output in pixels."""
        across, down = self.inverse @ (x, y, 1.0)
        return float(across) / self.recording_size[0], float(down) / self.recording_size[1]

    def rectangle(self, crop: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)) -> LayoutRectangle:
        """The recording less a crop (left, top, right, bottom in fractions) in output pixels, rotation left out."""
        (width, height), (left, top, right, bottom) = self.size, crop
        return LayoutRectangle(
            left=self.centre[0] - width / 2 + left * width,
            top=self.centre[1] - height / 2 + top * height,
            width=(1 - left - right) * width,
            height=(1 - top - bottom) * height,
        )

    def shows(self, area: Area, canvas: tuple[int, int]) -> bool:
        """Whether the whole of an area of the recording lies within an output picture of that width and height."""
        corners = (self.point(x, y) for x in (area.left, area.right) for y in (area.top, area.bottom))
        return all(0 <= x <= canvas[0] and 0 <= y <= canvas[1] for x, y in corners)
