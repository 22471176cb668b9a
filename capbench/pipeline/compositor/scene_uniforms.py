"""The parameters of shaders/shared/scene.wgsl: from a scene, a source and a zoom to one uniform block."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize, clamped_radius, display_rectangle, even_size
from capbench.pipeline.compositor.layers.zoom import Magnification
from capbench.pipeline.decode.probe import SourceInfo, SourcePlanes
from capbench.pipeline.scene import Background, Display, Scene

__all__ = [
    "PICTURE_DTYPE",
    "SCENE_DTYPE",
    "fills_canvas",
    "picture_uniforms",
    "rgb_of",
    "scene_constants",
    "scene_uniforms",
]

PICTURE_DTYPE = np.dtype(
    [
        ("texture_from_fraction", "<f4", 4),
        ("texture_origin", "<f4", 2),
        ("chroma_is_interleaved", "<u4"),
        ("is_one_texture", "<u4"),
        ("texture_limits", "<f4", 4),
        ("chroma_from_luma", "<f4", 4),
        ("decode_scale", "<f4", 4),
        ("decode_matrix", "<f4", 4),
    ]
)
"""`struct Picture` of shaders/shared/scene.wgsl, field by field."""

PICTURE_NAMES = PICTURE_DTYPE.names or ()

SCENE_DTYPE = np.dtype(
    [
        ("canvas_px", "<f4", 2),
        ("corner_radius_px", "<f4"),
        ("shadow_blur_px", "<f4"),
        ("display_px", "<f4", 4),
        ("shadow", "<f4", 4),
        ("border", "<f4", 4),
        ("border_width_px", "<f4"),
        ("padding", "<u4", 3),
        ("gradient_from", "<f4", 4),
        ("gradient_to", "<f4", 4),
        ("gradient_axis", "<f4", 4),
        ("fraction_from_px", "<f4", 4),
    ]
)
"""`struct Scene` of shaders/shared/scene.wgsl, field by field."""


def scene_constants(
    scene: Scene,
    source: SourceInfo,
    canvas: CanvasSize,
    *,
    has_surround: bool,
    chroma_is_interleaved: bool,
    is_one_texture: bool = False,
) -> str:
    """What shaders/shared/scene.wgsl imports as `scene_constants`: what never changes during one export."""
    fills = fills_canvas(scene.display, source, canvas)
    unscaled = fills and not scene.zoom and scene.display.crop == (0, 0, 0, 0) and _has_size_of(source, canvas)
    picture = picture_uniforms(
        source, scene.display.crop, chroma_is_interleaved=chroma_is_interleaved, is_one_texture=is_one_texture
    )
    fields = ", ".join(_literal(picture[name][0]) for name in PICTURE_NAMES)
    constants = {
        "RECORDING": f"Picture({fields})",
        "LUMA_TEXEL": f"vec2f({1 / source.width}, {1 / source.height})",
        "IS_UNSCALED": str(unscaled).lower(),
        "FILLS_CANVAS": str(fills).lower(),
        "HAS_SURROUND": str(has_surround).lower(),
        "BACKGROUND_IS_IMAGE": str(scene.background.image is not None).lower(),
        "HAS_MOTION_BLUR": str(scene.motion_blur is not None).lower(),
    }
    return "".join(f"const {name} = {value};\n" for name, value in constants.items())


def _literal(value: NDArray[np.float32] | np.uint32) -> str:
    """WGSL for a field of a record."""
    if isinstance(value, np.uint32):
        return f"{value}u"
    return f"vec{len(value)}f({', '.join(str(float(number)) for number in value)})"


def fills_canvas(display: Display, source: SourceInfo, canvas: CanvasSize) -> bool:
    """Whether the recording covers every pixel; a zoom about a point inside it only makes it larger."""
    rectangle = display_rectangle(display, source, canvas)
    return display.rounding_px == 0 and rectangle.edges == (0, 0, canvas.width, canvas.height)


def _has_size_of(source: SourceInfo, canvas: CanvasSize) -> bool:
    return (
        source.rotation_degrees == 0
        and source.pixel_aspect == 1
        and even_size(source) == (Fraction(canvas.width), Fraction(canvas.height))
    )


def scene_uniforms(scene: Scene, source: SourceInfo, canvas: CanvasSize, zoom: Magnification) -> NDArray[np.void]:
    """The uniform block of shaders/shared/scene.wgsl: one record of `SCENE_DTYPE`."""
    block = np.zeros(1, SCENE_DTYPE)
    block["canvas_px"] = (canvas.width, canvas.height)
    _set_frame(block, scene.display, source, canvas, zoom)
    _set_background(block, scene.background, canvas)
    return block


def picture_uniforms(
    source: SourceInfo,
    crop: tuple[float, float, float, float],
    *,
    chroma_is_interleaved: bool,
    is_one_texture: bool = False,
    mirror: bool = False,
) -> NDArray[np.void]:
    """How a source's planes are read: one record of `PICTURE_DTYPE`.

    `crop` as in `Display`, of the upright picture; `chroma_is_interleaved` as the `PlaneUploader` says.
    `is_one_texture`: Y' - 0.5, Cb and Cr are in red, green and blue of luma's texture, as the tone map writes them.
    """
    block = np.zeros(1, PICTURE_DTYPE)
    _set_texture_mapping(block, source, source.planes, crop, mirror=mirror)
    block["chroma_is_interleaved"] = chroma_is_interleaved
    block["is_one_texture"] = is_one_texture
    _set_decoding(block, source.colour)
    if is_one_texture:
        block["decode_scale"] = (1.0, 0.5, 1.0, 0.0)
    return block


def rgb_of(colour: str) -> tuple[float, float, float]:
    """R'G'B' of 0..1 of `#rrggbb`."""
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)


def _set_frame(
    block: NDArray[np.void], display: Display, source: SourceInfo, canvas: CanvasSize, zoom: Magnification
) -> None:
    """The recording's rectangle and what lies around it; all of it grows with the zoom."""
    resting = display_rectangle(display, source, canvas)
    unit = canvas.unit_px * zoom.amount
    rectangle = resting.magnified(zoom)
    block["display_px"] = rectangle.edges
    block["fraction_from_px"] = (
        1 / rectangle.width,
        1 / rectangle.height,
        -rectangle.left / rectangle.width,
        -rectangle.top / rectangle.height,
    )
    block["corner_radius_px"] = clamped_radius(display.rounding_px * canvas.unit_px, resting) * zoom.amount
    shadow, border = display.shadow, display.border
    block["shadow_blur_px"] = shadow.blur_px * unit if shadow else 1.0
    if shadow:
        block["shadow"] = (shadow.offset_px[0] * unit, shadow.offset_px[1] * unit, shadow.opacity, 0.0)
    if border:
        block["border"] = (*rgb_of(border.colour), border.opacity)
        block["border_width_px"] = border.width_px * unit


def _set_background(block: NDArray[np.void], background: Background, canvas: CanvasSize) -> None:
    first, last = background.gradient or (background.colour, background.colour)
    block["gradient_from"], block["gradient_to"] = (*rgb_of(first), 1.0), (*rgb_of(last), 1.0)
    # CSS Images 3, section 3.1: the gradient line runs through the centre and reaches the corners' perpendiculars.
    angle = math.radians(background.angle_degrees)
    across, down = math.sin(angle), -math.cos(angle)
    length = abs(canvas.width * across) + abs(canvas.height * down)
    offset = 0.5 - (across * canvas.width + down * canvas.height) / (2 * length)
    block["gradient_axis"] = (across / length, down / length, offset, 0.0)


def _set_texture_mapping(
    block: NDArray[np.void],
    source: SourceInfo,
    planes: SourcePlanes,
    crop: tuple[float, float, float, float],
    *,
    mirror: bool,
) -> None:
    """Map the unit square of the picture, upright and cropped, to texture coordinates of the coded picture."""
    even_width, even_height = planes.width // 2 * 2, planes.height // 2 * 2
    if source.pixel_aspect != 1:
        even_width, even_height = planes.width, planes.height
    across, down = even_width / planes.width, even_height / planes.height
    # Columns of the matrix: texture step for one picture width, and for one picture height. Corner: texture origin.
    column_x, column_y, corner = (
        np.array(values)
        for values in {
            0: ((across, 0.0), (0.0, down), (0.0, 0.0)),
            90: ((0.0, -down), (across, 0.0), (0.0, down)),
            180: ((-across, 0.0), (0.0, -down), (across, down)),
            270: ((0.0, down), (-across, 0.0), (across, 0.0)),
        }[source.rotation_degrees]
    )
    crop_left, crop_top, crop_right, crop_bottom = crop
    corner = corner + crop_left * column_x + crop_top * column_y
    column_x, column_y = (1 - crop_left - crop_right) * column_x, (1 - crop_top - crop_bottom) * column_y
    if mirror:
        corner, column_x = corner + column_x, -column_x
    block["texture_from_fraction"] = (*column_x, *column_y)
    block["texture_origin"] = corner
    # Half a texel inside: interpolation at the edge must not reach what is cut off.
    opposite = corner + column_x + column_y
    half_texel = np.array((0.5 / planes.width, 0.5 / planes.height))
    lowest, highest = np.minimum(corner, opposite) + half_texel, np.maximum(corner, opposite) - half_texel
    block["texture_limits"] = (*np.minimum(lowest, highest), *np.maximum(lowest, highest))
    # Luma position x lies at chroma position x / 2 when sited between the columns, a quarter sample on when left; so
    # down.
    halved_x, halved_y = planes.chroma_width < planes.width, planes.chroma_height < planes.height
    scale_x = planes.width / (2 * planes.chroma_width) if halved_x else 1.0
    scale_y = planes.height / (2 * planes.chroma_height) if halved_y else 1.0
    left_sited = halved_x and source.colour.siting is ChromaSiting.LEFT
    below = source.colour.siting_down if halved_y else 0.0
    right_of_it = 0.25 / planes.chroma_width if left_sited else 0.0
    block["chroma_from_luma"] = (scale_x, scale_y, right_of_it, -0.5 * below / planes.chroma_height)


def _set_decoding(block: NDArray[np.void], colour: ColourSpec) -> None:
    """From codes to R'G'B'."""
    block["decode_scale"] = (
        255 / colour.luma_span_codes,
        -colour.luma_offset_code / colour.luma_span_codes,
        255 / colour.chroma_span_codes,
        -128 / colour.chroma_span_codes,
    )
    (_, _, red_cr), (_, green_cb, green_cr), (_, blue_cb, _) = colour.matrix.rgb_from_differences
    block["decode_matrix"] = (red_cr, green_cb, green_cr, blue_cb)
