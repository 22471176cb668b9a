"""The camera picture of a scene."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from capbench.pipeline.scene.display import Shadow
from capbench.pipeline.scene.scene_values import ExistingFile, Point, SceneModel

__all__ = ["Camera", "Corner"]

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]


def _own_is_none(aspect: object) -> object:
    # TOML has no null.
    return None if aspect == "own" else aspect


class Camera(SceneModel):
    """A second picture over the recording: an image or a video that starts with the output."""

    source: ExistingFile | None = None
    """Image or video; None draws a placeholder. A video that ends keeps its last picture."""
    position: Corner | Point = "bottom-right"
    """A corner, or the camera's centre as fractions across and down the canvas."""
    margin_px: float = Field(40.0, ge=0)
    """Distance from the edges in a corner, in pixels of a canvas 1080 lines high."""
    size: float = Field(0.25, gt=0, le=1)
    """Height as a fraction of the canvas's shorter side."""
    aspect: Annotated[Annotated[float, Field(gt=0.1, lt=10)] | None, BeforeValidator(_own_is_none)] = 1.0
    """Width over height; the picture is cropped to it around its middle. None, in a file "own", keeps the picture's."""
    rounding_px: float = Field(24.0, ge=0)
    """Radius of the corners in pixels of a canvas 1080 lines high; half the size gives a circle."""
    mirror: bool = False
    """Whether left and right change places."""
    shadow: Shadow | None = None
    """Shadow; None draws none."""
