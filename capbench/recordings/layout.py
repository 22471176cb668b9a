"""Layout of a synthetic recording, as data: the drawing and every check read the same numbers.

Positions are fractions of the recording's width and height, so they hold at any size and inside any rectangle that the
recording is scaled into. Everything that must be read back keeps away from the corners (rounding cuts them off) and
from the bottom right (where a camera picture sits); nothing that moves ever covers it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "EDGE_CHART",
    "EDGE_COLOURS",
    "EDITOR",
    "FLASH",
    "FRAME_NUMBER",
    "MOVING",
    "PATCHES",
    "PATCH_CHART",
    "TOP_BAR",
    "Area",
    "LayoutRectangle",
    "Patch",
    "edge_positions",
]


@dataclass(frozen=True, slots=True)
class LayoutRectangle:
    """A rectangle in pixels of some picture; the edges may lie between pixels."""

    left: float
    """Distance of the left edge from the picture's, in pixels."""
    top: float
    """Distance of the top edge from the picture's, in pixels."""
    width: float
    """Width in pixels."""
    height: float
    """Height in pixels."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in fractions of a recording: 0 is its left or top edge, 1 its right or bottom edge."""

    left: float
    """Left edge."""
    top: float
    """Top edge."""
    right: float
    """Right edge."""
    bottom: float
    """Bottom edge."""

    def within(self, recording: LayoutRectangle) -> LayoutRectangle:
        """This area in pixels, where the whole recording fills `recording`."""
        return LayoutRectangle(
            left=recording.left + self.left * recording.width,
            top=recording.top + self.top * recording.height,
            width=(self.right - self.left) * recording.width,
            height=(self.bottom - self.top) * recording.height,
        )

    def shrunk(self, share: float) -> Area:
        """The middle of this area, `share` of its width and of its height cut off at each side."""
        dx = (self.right - self.left) * share
        dy = (self.bottom - self.top) * share
        return Area(self.left + dx, self.top + dy, self.right - dx, self.bottom - dy)

    def cell(self, column: int, row: int, *, columns: int, rows: int) -> Area:
        """One cell of this area cut into a grid; cells are counted from the top left from 0."""
        width = (self.right - self.left) / columns
        height = (self.bottom - self.top) / rows
        left, top = self.left + column * width, self.top + row * height
        return Area(left, top, left + width, top + height)

    def pixels(self, width: int, height: int, *, multiple: int = 1) -> tuple[slice, slice]:
        """Rows and columns of this area in an array of a picture of that size, snapped to a `multiple` of pixels."""

        def snap(fraction: float, size: int) -> int:
            return round(fraction * size / multiple) * multiple

        return (
            slice(snap(self.top, height), snap(self.bottom, height)),
            slice(snap(self.left, width), snap(self.right, width)),
        )


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch of a single colour."""

    name: str
    """Name of the colour."""
    rgb: tuple[int, int, int]
    """R'G'B' in 0..255 that was drawn."""
    area: Area
    """The whole patch."""

    @property
    def sample(self) -> Area:
        """The part to measure: where the recording is 192 pixels wide or more, no adjacent patch is in it."""
        return self.area.shrunk(0.3)


TOP_BAR = Area(0.0, 0.0, 1.0, 0.105)
"""Dark bar that the frame number stands on."""
FRAME_NUMBER = Area(0.14, 0.02, 0.86, 0.09)
"""Two rows of cells, the lower one the negative of the upper one; `capbench.recordings.marks` reads them."""
PATCH_CHART = Area(0.04, 0.19, 0.23, 0.61)
"""Grid of `PATCHES`, four to a row."""
EDGE_CHART = Area(0.04, 0.68, 0.23, 0.77)
"""Vertical bars of `EDGE_COLOURS`: their edges step in luma and in chroma at the same place."""
FLASH = Area(0.04, 0.815, 0.23, 0.915)
"""Nearly black, and white for a moment once a second while the beep sounds."""
EDITOR = Area(0.27, 0.14, 0.73, 0.94)
"""Window of scrolling text."""
MOVING = Area(0.48, 0.14, 0.975, 0.95)
"""Windows move inside this area."""

EDGE_COLOURS = ((40, 40, 215), (215, 215, 40), (215, 40, 40), (40, 215, 215))
"""R'G'B' of the bars of `EDGE_CHART` from left to right."""

_PATCH_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "white": (255, 255, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "near-white": (247, 247, 247),
    "dark red": (140, 0, 0),
    "dark green": (0, 140, 0),
    "dark blue": (0, 0, 140),
    "light grey": (192, 192, 192),
    "orange": (255, 128, 0),
    "violet": (128, 0, 255),
    "teal": (0, 128, 128),
    "middle grey": (128, 128, 128),
    "skin light": (244, 208, 180),
    "skin tan": (214, 162, 122),
    "skin brown": (150, 98, 68),
    "dark grey": (64, 64, 64),
    "skin dark": (84, 54, 42),
    "near-black": (8, 8, 8),
    "shadow": (20, 20, 20),
    "black": (0, 0, 0),
}

PATCHES = tuple(
    Patch(name, rgb, PATCH_CHART.cell(number % 4, number // 4, columns=4, rows=len(_PATCH_COLOURS) // 4))
    for number, (name, rgb) in enumerate(_PATCH_COLOURS.items())
)
"""Primaries, secondaries, darker and mixed colours, skin tones, greys, near-black and near-white."""


def edge_positions(width: int) -> tuple[int, ...]:
    """Columns at which the bars of `EDGE_CHART` meet in a recording `width` pixels wide: left edge of the right bar."""
    bars = len(EDGE_COLOURS)
    return tuple(round(EDGE_CHART.cell(bar, 0, columns=bars, rows=1).left * width) for bar in range(1, bars))
