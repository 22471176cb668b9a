"""The background of a scene."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from capbench.pipeline.scene.scene_values import Colour, ExistingFile, SceneModel

__all__ = ["Background"]


class Background(SceneModel):
    """What lies behind the recording: an image, else a gradient, else a colour."""

    colour: Colour = "#000000"
    """Plain colour."""
    gradient: tuple[Colour, Colour] | None = None
    """Colours at the start and the end of a linear gradient."""
    angle_degrees: float = 90.0
    """Direction of the gradient as in CSS: 90 runs left to right, 180 top to bottom."""
    image: ExistingFile | None = None
    """Picture that covers the canvas, its aspect kept and its middle shown. Transparent parts show `colour`."""
    blur_px: Annotated[float, Field(ge=0, le=200)] = 0.0
    """Standard deviation of a Gaussian blur of the image, in pixels of a canvas 1080 lines high."""

    @model_validator(mode="after")
    def _only_an_image_can_be_blurred(self) -> Self:
        if self.blur_px and self.image is None:
            raise ValueError("blur_px blurs an image, and there is none; name one or leave blur_px out")
        if self.image is not None and self.gradient is not None:
            raise ValueError("image and gradient exclude each other")
        return self
