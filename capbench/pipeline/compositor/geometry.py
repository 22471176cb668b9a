"""Where things lie on the canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from capbench.errors import InputError
from capbench.pipeline.compositor.layers.zoom import Magnification
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.gpu.device import MAX_TEXTURE_PX
from capbench.pipeline.scene import Display
from capbench.units import even_length

__all__ = [
    "CanvasSize",
    "Rectangle",
    "canvas_size",
    "clamped_radius",
    "common_bounds",
    "display_rectangle",
    "even_size",
]

REFERENCE_LINES = 1080
"""Lengths in a scene are pixels of a canvas this high."""
MAX_CANVAS_PX = MAX_TEXTURE_PX
"""Longest side of an output in pixels: it is drawn into one texture."""
ROUNDING_PX = 2


@dataclass(frozen=True, slots=True)
class CanvasSize:
    """Output size in pixels, both even."""

    width: int
    height: int

    @property
    def nv12_bytes(self) -> int:
        """Bytes of an NV12 picture."""
        return self.width * self.height * 3 // 2

    @property
    def rgba_bytes(self) -> int:
        """Bytes of an RGBA picture."""
        return self.width * self.height * 4

    @property
    def unit_px(self) -> float:
        """Canvas pixels for a pixel of a scene file."""
        return self.height / REFERENCE_LINES


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Edges in canvas pixels; fractions allowed."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels down."""
        return self.bottom - self.top

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom

    def point(self, across: float, down: float) -> tuple[float, float]:
        """Canvas position of fractions of the rectangle."""
        return self.left + across * self.width, self.top + down * self.height

    def part(self, left: float, top: float, width: float, height: float) -> Rectangle:
        """The part that fractions name."""
        return Rectangle(*self.point(left, top), *self.point(left + width, top + height))

    def grown(self, margin_px: float) -> Rectangle:
        """Moved outwards on every side."""
        return Rectangle(self.left - margin_px, self.top - margin_px, self.right + margin_px, self.bottom + margin_px)

    def magnified(self, zoom: Magnification) -> Rectangle:
        """Scaled about the point that stays."""
        x, y = self.point(*zoom.centre)
        amount = zoom.amount
        return Rectangle(
            x + (self.left - x) * amount,
            y + (self.top - y) * amount,
            x + (self.right - x) * amount,
            y + (self.bottom - y) * amount,
        )


def common_bounds(rectangles: Sequence[Rectangle]) -> Rectangle:
    """The smallest rectangle around all of them; there is at least one."""
    left, top, right, bottom = zip(*(rectangle.edges for rectangle in rectangles), strict=True)
    return Rectangle(min(left), min(top), max(right), max(bottom))


def _upright_size(source: SourceInfo) -> tuple[Fraction, Fraction]:
    """Size of the picture as a viewer sees it, in square pixels: rotation and pixel aspect applied."""
    width, height = Fraction(source.width) * source.pixel_aspect, Fraction(source.height)
    return (height, width) if source.rotation_degrees in (90, 270) else (width, height)


def canvas_size(source: SourceInfo, width: int | None, height: int | None) -> CanvasSize:
    """Output size: what was asked for, or the source's own rounded to even. One given side keeps the aspect.

    Raises `InputError` for sizes that 4:2:0 video cannot have, or that are larger than `MAX_CANVAS_PX`.
    """
    upright_width, upright_height = _upright_size(source)
    for name, given in (("width", width), ("height", height)):
        if given is not None and (given < 2 or given % 2 or given > MAX_CANVAS_PX):
            raise InputError(f"{name} must be even and between 2 and {MAX_CANVAS_PX}, got {given}")
    if width is None:
        width = even_length(upright_width if height is None else upright_width / upright_height * height)
    if height is None:
        is_own_width = width == even_length(upright_width)
        height = even_length(upright_height if is_own_width else upright_height / upright_width * width)
    if max(width, height) > MAX_CANVAS_PX:
        raise InputError(
            f"the output would be {width}x{height}; a side may be at most {MAX_CANVAS_PX}: set --width or --height"
        )
    return CanvasSize(width, height)


def display_rectangle(display: Display, source: SourceInfo, canvas: CanvasSize) -> Rectangle:
    """The recording inside its padding, centred, as large as its aspect allows, before any zoom."""
    padding = display.padding * min(canvas.width, canvas.height)
    room_width, room_height = canvas.width - 2 * padding, canvas.height - 2 * padding
    crop_left, crop_top, crop_right, crop_bottom = display.crop
    whole_width, whole_height = even_size(source)
    upright_width = float(whole_width) * (1 - crop_left - crop_right)
    upright_height = float(whole_height) * (1 - crop_top - crop_bottom)
    scale = min(room_width / upright_width, room_height / upright_height)
    width, height = upright_width * scale, upright_height * scale
    # Rounding a side to even moves it by less than two pixels: a gap of so little is rounding, not a letterbox.
    if abs(width - room_width) < ROUNDING_PX:
        width = room_width
    if abs(height - room_height) < ROUNDING_PX:
        height = room_height
    left, top = (canvas.width - width) / 2, (canvas.height - height) / 2
    return Rectangle(left, top, left + width, top + height)


def even_size(source: SourceInfo) -> tuple[Fraction, Fraction]:
    """Upright size of what is shown of an uncropped source: a last odd column or row of square pixels is not."""
    width, height = _upright_size(source)
    if source.pixel_aspect == 1:
        return Fraction(even_length(width)), Fraction(even_length(height))
    return width, height


def clamped_radius(radius_px: float, rectangle: Rectangle) -> float:
    """The radius, or what makes the shorter sides half circles."""
    return min(radius_px, rectangle.width / 2, rectangle.height / 2)
