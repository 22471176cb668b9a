"""Captions of a scene."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from capbench.pipeline.scene.scene_values import Colour, ExistingFile, Fraction01, Point, TimeSpan

__all__ = ["Caption"]


class Caption(TimeSpan):
    """A text on a plate, over everything else."""

    text: Annotated[str, Field(min_length=1, max_length=1000)]
    """What it says; lines that are too long for the canvas are broken between words."""
    size_px: float = Field(44.0, ge=6, le=400)
    """Size of the font in pixels of a canvas 1080 lines high."""
    font: ExistingFile | None = None
    """TrueType or OpenType file; None takes the font that Pillow carries, so that all machines draw the same."""
    colour: Colour = "#ffffff"
    """Colour of the letters."""
    position: Point = (0.5, 0.9)
    """Middle of the plate, as fractions across and down the canvas; it is kept inside."""
    plate_colour: Colour = "#000000"
    """Colour behind the letters."""
    plate_opacity: Fraction01 = 0.6
    """Opacity behind the letters."""
