"""What was asked of an output whose look is not a scene of ours: the table `expect` of a case, or a file of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from capbench.results.appearance.expected_layers import (
    MOST_TIMED_TABLES,
    ExpectedCamera,
    ExpectedCaption,
    ExpectedCursor,
    ExpectedMotionBlur,
    ExpectedZoom,
    Fraction,
    LengthPx,
)
from capbench.results.record import Record

__all__ = ["ANY", "BackgroundKind", "ExpectedBackground", "ExpectedLook", "ExpectedShadow"]

ANY = "any"
"""Whatever is found is right."""
Anything = Literal["any"]
BackgroundKind = Literal["colour", "gradient", "picture"]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
_CropSide = Annotated[float, Field(ge=0, lt=1)]
_ShiftPx = Annotated[float, Field(ge=-16384, le=16384, allow_inf_nan=False)]
"""As far as a length may be, each way."""


class ExpectedShadow(Record):
    """A shadow around the recording. Lengths are pixels of a canvas 1080 lines high."""

    opacity: Fraction | None = None
    """Opacity where it is fullest; None where any will do."""
    blur_px: LengthPx | None = None
    """Distance from its edge over which it fades, each way; None where any will do."""
    offset_px: tuple[_ShiftPx, _ShiftPx] | None = None
    """Shift right and down; None where any will do."""


class ExpectedBackground(Record):
    """What lies behind the recording."""

    kind: BackgroundKind
    """One colour, a gradient or a picture."""
    colours: Annotated[tuple[Colour, ...], Field(max_length=2)] = ()
    """The colour, or both ends of the gradient; empty where any will do."""


def _named_background(value: object) -> object:
    """`"gradient"` is short for `{ kind = "gradient" }`."""
    return {"kind": value} if isinstance(value, str) and value != ANY else value


Background = Annotated[Anything | ExpectedBackground, BeforeValidator(_named_background)]


class ExpectedLook(Record):
    """What is not named was not asked for, and must not be found; `"any"` leaves it open.

    `true` asks for an effect whatever it looks like. Lengths that end in `_px` are pixels of a canvas 1080 lines high,
    times seconds since the output's first frame, as in scene files.
    """

    padding: Anything | Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Free border on the nearer sides at rest, as a fraction of the canvas's shorter side."""
    crop: tuple[_CropSide, _CropSide, _CropSide, _CropSide] = (0.0, 0.0, 0.0, 0.0)
    """What is cut off the recording at the left, top, right and bottom, as fractions of its width and height."""
    rounding_px: Anything | LengthPx = 0.0
    """Radius of the recording's corners."""
    shadow: Anything | bool | ExpectedShadow = False
    """Shadow around the recording."""
    background: Background = "any"
    """What lies behind the recording where there is padding."""
    zoom: Anything | Annotated[tuple[ExpectedZoom, ...], Field(max_length=MOST_TIMED_TABLES)] = ()
    """When the recording is magnified."""
    cursor: Anything | bool | ExpectedCursor = False
    """A cursor drawn over the recording."""
    camera: Anything | bool | ExpectedCamera = False
    """A camera picture over the recording."""
    motion_blur: Anything | bool | ExpectedMotionBlur = False
    """Blur of what moves."""
    caption: Anything | Annotated[tuple[ExpectedCaption, ...], Field(max_length=MOST_TIMED_TABLES)] = ()
    """Texts."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        left, top, right, bottom = self.crop
        if left + right >= 1 or top + bottom >= 1:
            raise ValueError(f"crop {list(self.crop)} leaves nothing: opposite sides must add up to less than 1")
        if isinstance(self.zoom, tuple):
            zooms = sorted(self.zoom, key=lambda zoom: zoom.start_s)
            for before, after in pairwise(zooms):
                if after.start_s < before.end_s:
                    raise ValueError(
                        f"zooms overlap: one ends at {before.end_s:g} s, the next starts at {after.start_s:g} s"
                    )
        return self
