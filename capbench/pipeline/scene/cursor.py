"""The mouse cursor of a scene."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from capbench.pipeline.scene.scene_values import Colour, ExistingFile, Fraction01, Point, SceneModel, Seconds

__all__ = ["Cursor", "CursorPoint"]


class CursorPoint(NamedTuple):
    """Where the cursor is at a time; written `[time_s, x, y]`."""

    time_s: Seconds
    """Output time."""
    x: float
    """Fraction across the recording."""
    y: float
    """Fraction down the recording."""


class Cursor(SceneModel):
    """The mouse cursor, drawn over the recording, clipped to it and magnified with it."""

    path: Annotated[tuple[CursorPoint, ...], Field(min_length=1)]
    """Timed positions in order of time; between two of them it moves straight, before the first and after the last it
    rests."""
    image: ExistingFile | None = None
    """Picture of the cursor; None draws the built-in arrow."""
    hotspot: Point = (0.0, 0.0)
    """The point of the image that lies at the position, as fractions across and down it."""
    size_px: float = Field(48.0, gt=0, le=1080)
    """Height in pixels of a canvas 1080 lines high."""
    clicks_s: tuple[Seconds, ...] = ()
    """Output times of clicks: a ring grows and fades, and the cursor dips."""
    click_colour: Colour = "#ffffff"
    """Colour of the ring."""
    click_opacity: Fraction01 = 0.8
    """Opacity of the ring when it starts."""

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        times_s = [point.time_s for point in self.path]
        for before_s, after_s in pairwise(times_s):
            if after_s <= before_s:
                raise ValueError(f"path must run forward in time: {after_s:g} s comes after {before_s:g} s")
        return self
