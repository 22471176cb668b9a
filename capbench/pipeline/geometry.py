"""Where things lie on the canvas: from a scene and a source to the numbers that the shaders read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.errors import InputError
from capbench.pipeline.scene import Background, Scene
from capbench.pipeline.source import SourceInfo, SourcePlanes

__all__ = ["CanvasSize", "Rectangle", "canvas_size", "display_rectangle", "scene_uniforms"]

REFERENCE_LINES = 1080
"""Lengths in a scene are pixels of a canvas this high."""
MAX_CANVAS_PX = 8192

SCENE_DTYPE = np.dtype(
    [
        ("canvas_px", "<f4", 2),
        ("corner_radius_px", "<f4"),
        ("shadow_blur_px", "<f4"),
        ("display_px", "<f4", 4),
        ("shadow", "<f4", 4),
        ("gradient_from", "<f4", 4),
        ("gradient_to", "<f4", 4),
        ("gradient_axis", "<f4", 4),
        ("texture_from_display", "<f4", 4),
        ("texture_origin", "<f4", 4),
        ("texture_limits", "<f4", 4),
        ("chroma_from_luma", "<f4", 4),
        ("decode_scale", "<f4", 4),
        ("decode_matrix", "<f4", 4),
    ]
)
"""`struct Scene` of shaders/scene.wgsl, field by field."""


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


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Edges in canvas pixels; fractions allowed."""

    left: float
    top: float
    right: float
    bottom: float


def _upright_size(source: SourceInfo) -> tuple[Fraction, Fraction]:
    """Size of the picture as a viewer sees it, in square pixels: rotation and pixel aspect applied."""
    width, height = Fraction(source.width) * source.pixel_aspect, Fraction(source.height)
    return (height, width) if source.rotation_degrees in (90, 270) else (width, height)


def canvas_size(source: SourceInfo, width: int | None, height: int | None) -> CanvasSize:
    """Output size: what was asked for, or the source's own cropped to even. One given side keeps the aspect.

    Raises `InputError` for sizes that 4:2:0 video cannot have.
    """
    upright_width, upright_height = _upright_size(source)
    for name, given in (("width", width), ("height", height)):
        if given is not None and (given < 2 or given % 2 or given > MAX_CANVAS_PX):
            raise InputError(f"{name} must be even and between 2 and {MAX_CANVAS_PX}, got {given}")
    if width is None:
        width = _even(upright_width if height is None else upright_width / upright_height * height)
    if height is None:
        height = _even(upright_height / upright_width * width if width != _even(upright_width) else upright_height)
    return CanvasSize(width, height)


def _even(length: Fraction) -> int:
    return max(2, int(length) // 2 * 2)


def display_rectangle(scene: Scene, source: SourceInfo, canvas: CanvasSize) -> Rectangle:
    """The recording inside its padding, centred, as large as its aspect allows."""
    padding = scene.display.padding * min(canvas.width, canvas.height)
    room_width, room_height = canvas.width - 2 * padding, canvas.height - 2 * padding
    upright_width, upright_height = (float(length) for length in _cropped_size(source))
    scale = min(room_width / upright_width, room_height / upright_height)
    width, height = upright_width * scale, upright_height * scale
    if abs(width - room_width) < 1.0:  # an aspect that differs by less than a pixel is rounding, not a letterbox
        width = room_width
    if abs(height - room_height) < 1.0:
        height = room_height
    left, top = (canvas.width - width) / 2, (canvas.height - height) / 2
    return Rectangle(left, top, left + width, top + height)


def _cropped_size(source: SourceInfo) -> tuple[Fraction, Fraction]:
    width, height = _upright_size(source)
    if source.pixel_aspect == 1:
        return Fraction(_even(width)), Fraction(_even(height))
    return width, height


def scene_uniforms(
    scene: Scene,
    source: SourceInfo,
    canvas: CanvasSize,
) -> NDArray[np.void]:
    """The uniform block of shaders/scene.wgsl: one record of `SCENE_DTYPE`, 208 bytes."""
    block = np.zeros(1, SCENE_DTYPE)
    unit = canvas.height / REFERENCE_LINES
    display = display_rectangle(scene, source, canvas)
    block["canvas_px"] = (canvas.width, canvas.height)
    block["corner_radius_px"] = _corner_radius(scene.display.rounding_px * unit, display)
    block["display_px"] = (display.left, display.top, display.right, display.bottom)
    shadow = scene.display.shadow
    block["shadow_blur_px"] = shadow.blur_px * unit if shadow else 1.0
    if shadow:
        block["shadow"] = (shadow.offset_px[0] * unit, shadow.offset_px[1] * unit, shadow.opacity, 1.0)
    _set_background(block, scene.background, canvas)
    _set_texture_mapping(block, source, source.planes)
    _set_decoding(block, source.colour)
    return block


def _corner_radius(radius_px: float, display: Rectangle) -> float:
    return min(radius_px, (display.right - display.left) / 2, (display.bottom - display.top) / 2)


def _rgb(colour: str) -> tuple[float, float, float, float]:
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255, 1.0)


def _set_background(block: NDArray[np.void], background: Background, canvas: CanvasSize) -> None:
    first, last = background.gradient or (background.colour, background.colour)
    block["gradient_from"], block["gradient_to"] = _rgb(first), _rgb(last)
    # CSS Images 3, section 3.1: the gradient line runs through the centre and reaches the corners' perpendiculars.
    angle = math.radians(background.angle_degrees)
    across, down = math.sin(angle), -math.cos(angle)
    length = abs(canvas.width * across) + abs(canvas.height * down)
    offset = 0.5 - (across * canvas.width + down * canvas.height) / (2 * length)
    block["gradient_axis"] = (across / length, down / length, offset, 0.0)


def _set_texture_mapping(block: NDArray[np.void], source: SourceInfo, planes: SourcePlanes) -> None:
    """Map the display's unit square, upright, to texture coordinates of the coded picture."""
    crop_width, crop_height = planes.width // 2 * 2, planes.height // 2 * 2
    if source.pixel_aspect != 1:
        crop_width, crop_height = planes.width, planes.height
    across, down = crop_width / planes.width, crop_height / planes.height
    # Columns of the matrix: texture step for one display width, and for one display height. Corner: texture origin.
    column_x, column_y, corner = {
        0: ((across, 0.0), (0.0, down), (0.0, 0.0)),
        90: ((0.0, -down), (across, 0.0), (0.0, down)),
        180: ((-across, 0.0), (0.0, -down), (across, down)),
        270: ((0.0, down), (-across, 0.0), (across, 0.0)),
    }[source.rotation_degrees]
    block["texture_from_display"] = (*column_x, *column_y)
    block["texture_origin"] = (*corner, 0.0, 0.0)
    half_x, half_y = 0.5 / planes.width, 0.5 / planes.height
    block["texture_limits"] = (half_x, half_y, across - half_x, down - half_y)
    # Luma position x lies at chroma position x / 2 when sited between the columns, a quarter sample on when left.
    halved_x, halved_y = planes.chroma_width < planes.width, planes.chroma_height < planes.height
    scale_x = planes.width / (2 * planes.chroma_width) if halved_x else 1.0
    scale_y = planes.height / (2 * planes.chroma_height) if halved_y else 1.0
    left_sited = halved_x and source.colour.siting is ChromaSiting.LEFT
    block["chroma_from_luma"] = (scale_x, scale_y, 0.25 / planes.chroma_width if left_sited else 0.0, 0.0)


def _set_decoding(block: NDArray[np.void], colour: ColourSpec) -> None:
    """Inverse of the NV12 equations, from Kr and Kb (ITU-R BT.709-6 item 3)."""
    kr, kb = colour.matrix.kr_kb
    kg = 1 - kr - kb
    block["decode_scale"] = (
        255 / colour.luma_span_codes,
        -colour.luma_offset_code / colour.luma_span_codes,
        255 / colour.chroma_span_codes,
        -128 / colour.chroma_span_codes,
    )
    block["decode_matrix"] = (2 * (1 - kr), -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg, 2 * (1 - kb))
