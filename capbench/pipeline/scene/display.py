"""The recording's place in a scene, and its frame."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from capbench.pipeline.scene.scene_values import Colour, Fraction01, SceneModel

__all__ = ["Border", "Display", "Shadow"]

CropSide = Annotated[float, Field(ge=0, lt=1)]


class Shadow(SceneModel):
    """Soft shadow. Lengths are pixels of a canvas 1080 lines high."""

    opacity: Fraction01 = 0.4
    """Opacity where the shadow is fullest."""
    blur_px: float = Field(40.0, gt=0)
    """Distance from the edge over which it fades, each way."""
    offset_px: tuple[float, float] = (0.0, 12.0)
    """Shift right and down."""


class Border(SceneModel):
    """Line around the recording, outside of it."""

    width_px: float = Field(2.0, gt=0)
    """Width in pixels of a canvas 1080 lines high."""
    colour: Colour = "#ffffff"
    """Colour of the line."""
    opacity: Fraction01 = 1.0
    """Opacity of the line."""


class Display(SceneModel):
    """The recording itself. Lengths are pixels of a canvas 1080 lines high, so that a scene looks alike at any size."""

    crop: tuple[CropSide, CropSide, CropSide, CropSide] = (0.0, 0.0, 0.0, 0.0)
    """What is cut off at the left, top, right and bottom, as fractions of the recording's width and height."""
    padding: float = Field(0.0, ge=0, lt=0.5)
    """Free border on each side, as a fraction of the canvas's shorter side."""
    rounding_px: float = Field(0.0, ge=0)
    """Radius of the corners."""
    shadow: Shadow | None = None
    """Shadow; None draws none."""
    border: Border | None = None
    """Border; None draws none."""

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        left, top, right, bottom = self.crop
        if left + right >= 1 or top + bottom >= 1:
            raise ValueError(f"crop {list(self.crop)} leaves nothing: opposite sides must add up to less than 1")
        return self
