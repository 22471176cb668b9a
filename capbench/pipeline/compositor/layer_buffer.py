"""The parameters of shaders/shared/layers.wgsl, and what a layer tells about its looks in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capbench.pipeline.compositor.geometry import Rectangle
from capbench.pipeline.compositor.scene_uniforms import PICTURE_DTYPE
from capbench.pipeline.scene import MAX_CAPTIONS_AT_ONCE, MAX_MASKS_AT_ONCE, MAX_MOMENTS

__all__ = ["LAYERS_DTYPE", "MAX_CLICKS", "MAX_STALE", "FrameView", "LayerState"]

MAX_CLICKS = 4
"""Rings that can be seen at once; of more the latest are drawn."""
MAX_STALE = 16
"""Rectangles that one pass draws; of more their common bounds are drawn."""

MASK_DTYPE = np.dtype(
    [
        ("rectangle_px", "<f4", 4),
        ("cell_from_px", "<f4", 4),
        ("fraction_from_cell", "<f4", 4),
        ("cells", "<u4", 4),
        ("kind", "<u4"),
        ("radius_px", "<f4"),
        ("opacity", "<f4"),
        ("sigma_cells", "<f4"),
        ("samples", "<u4"),
        ("padding", "<u4", 3),
    ]
)
CAPTION_DTYPE = np.dtype([("rectangle_px", "<u4", 4), ("origin", "<u4", 2), ("opacity", "<f4"), ("padding", "<u4")])
CAMERA_DTYPE = np.dtype(
    [
        ("picture", PICTURE_DTYPE),
        ("rectangle_px", "<f4", 4),
        ("shadow_px", "<f4", 2),
        ("shadow_blur_px", "<f4"),
        ("shadow_opacity", "<f4"),
        ("radius_px", "<f4"),
        ("is_video", "<u4"),
        ("samples", "<u4"),
        ("is_shown", "<u4"),
    ]
)
LAYERS_DTYPE = np.dtype(
    [
        ("display_px", "<f4", 4),
        ("display_radius_px", "<f4"),
        ("mask_count", "<u4"),
        ("caption_count", "<u4"),
        ("click_count", "<u4"),
        ("click_colour", "<f4", 4),
        ("clicks", "<f4", (MAX_CLICKS, 4)),
        ("cursor_px", "<f4", 4),
        ("camera", CAMERA_DTYPE),
        ("masks", MASK_DTYPE, (MAX_MASKS_AT_ONCE,)),
        ("captions", CAPTION_DTYPE, (MAX_CAPTIONS_AT_ONCE,)),
        ("stale_px", "<u4", (MAX_STALE, 4)),
        ("exposed_cursor_px", "<f4", (MAX_MOMENTS, 4)),
    ]
)
"""`struct Layers` of shaders/shared/layers.wgsl, field by field."""


@dataclass(frozen=True, slots=True)
class FrameView:
    """What layers must know about a frame."""

    time_s: float
    """Output time since the first frame."""
    display: Rectangle
    """The recording on the canvas, magnified."""
    amount: float
    """Its magnification."""
    exposure: tuple[FrameView, ...] = ()
    """The same in each moment that the frame is the mean of; empty where nothing moves."""

    @property
    def moments(self) -> tuple[FrameView, ...]:
        """The moments of the exposure, or the frame's own."""
        return self.exposure or (self,)

    @property
    def displays(self) -> tuple[tuple[float, float, float, float], ...]:
        """Edges of the recording in each moment of an exposure: something that looks the same moves with them."""
        return tuple(moment.display.edges for moment in self.exposure)


@dataclass(frozen=True, slots=True)
class LayerState:
    """How one thing on the overlay looks in a frame: it is drawn again where this differs from the frame before."""

    state: object
    """Equal only if nothing about it changed."""
    bounds: Rectangle
    """Everything that it touches, in canvas pixels."""
