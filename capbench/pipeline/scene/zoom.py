"""Zoom segments of a scene."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from capbench.pipeline.scene.scene_values import Point, SceneModel, Seconds

__all__ = ["ZoomSegment"]


class ZoomSegment(SceneModel):
    """A time in which the recording is magnified about a point that stays where it is."""

    start_s: Seconds
    """Output time at which the motion begins."""
    end_s: Seconds
    """Output time at which it is undone."""
    amount: float = Field(2.0, ge=1, le=10)
    """Magnification once eased in."""
    centre: Point = (0.5, 0.5)
    """The point that stays, as fractions across and down the recording."""
    ease_in_s: Seconds = 0.6
    """Duration of the motion in."""
    ease_out_s: Seconds = 0.6
    """Duration of the motion out; it ends at `end_s`."""

    @model_validator(mode="after")
    def _has_time_for_its_eases(self) -> Self:
        eases_s = self.ease_in_s + self.ease_out_s
        if self.end_s <= self.start_s:
            raise ValueError(f"end_s {self.end_s:g} must be after start_s {self.start_s:g}")
        if eases_s > self.end_s - self.start_s + 1e-9:  # sums of decimal fractions miss by an ulp
            raise ValueError(
                f"ease_in_s and ease_out_s take {eases_s:g} s together, "
                f"the segment lasts {self.end_s - self.start_s:g} s; shorten them"
            )
        return self
