"""Masks of a scene: hide a part of the recording, or point at one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from capbench.pipeline.scene.scene_values import Fraction01, TimeSpan

__all__ = ["Mask"]

_Side = Annotated[float, Field(gt=0, le=1)]


class Mask(TimeSpan):
    """A rectangle of the recording that is hidden, or that everything around it is darkened for."""

    kind: Literal["pixelate", "blur", "highlight"]
    """What happens: squares of their mean colour, a Gaussian blur, or darkness all around."""
    rectangle: tuple[Fraction01, Fraction01, _Side, _Side]
    """Left, top, width and height as fractions of the recording."""
    strength_px: float = Field(16.0, ge=2, le=200)
    """Side of a square, or standard deviation of the blur, in pixels of a canvas 1080 lines high."""
    darkness: Fraction01 = 0.6
    """How dark a highlight makes its surroundings."""
    rounding_px: float = Field(0.0, ge=0)
    """Radius of the rectangle's corners in pixels of a canvas 1080 lines high."""

    @model_validator(mode="after")
    def _lies_inside(self) -> Self:
        left, top, width, height = self.rectangle
        if left + width > 1 + 1e-9 or top + height > 1 + 1e-9:  # 0.7 + 0.3 is more than 1 by an ulp
            raise ValueError(
                f"rectangle {list(self.rectangle)} reaches beyond the recording: left + width, top + height"
            )
        return self
