"""What was asked of what lies over a recording: zooms, cursor, camera, motion blur and captions."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from capbench.results.record import Record

__all__ = [
    "MOST_TIMED_TABLES",
    "CornerName",
    "ExpectedCamera",
    "ExpectedCaption",
    "ExpectedCursor",
    "ExpectedMotionBlur",
    "ExpectedZoom",
    "Fraction",
]

MOST_TIMED_TABLES = 1000
"""Zooms or captions of one output, and points of a cursor's path times a hundred: one a second for a quarter of an
hour. What is checked against each of them is checked in every frame."""
_LONGEST_S = 24 * 3600.0
"""A day, as for recordings."""

Time = Annotated[float, Field(ge=0, le=_LONGEST_S, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""Share of a width or a height."""
LengthPx = Annotated[float, Field(ge=0, le=16384, allow_inf_nan=False)]
"""Pixels of a canvas 1080 lines high."""
CornerName = Literal["top-left", "top-right", "bottom-left", "bottom-right"]


class ExpectedZoom(Record):
    """A time in which the recording is magnified."""

    start_s: Time
    """Output time at which the motion begins, in seconds since the first frame."""
    end_s: Time
    """Output time at which it is undone."""
    amount: Annotated[float, Field(ge=1, le=10)] = 2.0
    """Magnification once eased in."""
    centre: tuple[Fraction, Fraction] | None = None
    """The point that stays where it is, as fractions across and down the recording; None where any will do."""
    ease_in_s: Time | None = None
    """Duration of the motion in; None where any will do."""
    ease_out_s: Time | None = None
    """Duration of the motion out; None where any will do."""
    overshoot: Annotated[float, Field(ge=0, le=1)] | None = 0.0
    """How far it goes beyond the amount before it settles, as a share of the magnification's logarithm; None where any
    will do, as with springs."""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError(f"end_s {self.end_s:g} must be after start_s {self.start_s:g}")
        eases_s = (self.ease_in_s or 0) + (self.ease_out_s or 0)
        if eases_s > self.end_s - self.start_s + 1e-9:  # sums of decimal fractions miss by an ulp
            raise ValueError(f"ease_in_s and ease_out_s take {eases_s:g} s together, more than the zoom lasts")
        return self


class ExpectedCursor(Record):
    """A cursor that is drawn over the recording."""

    path: Annotated[tuple[tuple[Time, float, float], ...], Field(max_length=100 * MOST_TIMED_TABLES)] | None = None
    """Output time in seconds, and fractions across and down the recording; straight between two points. None where only
    its presence counts."""
    size_px: LengthPx | None = None
    """Height in pixels of a canvas 1080 lines high; None where any will do."""
    clicks_s: Annotated[tuple[Time, ...], Field(max_length=100 * MOST_TIMED_TABLES)] = ()
    """Output times of clicks."""
    hotspot: tuple[Fraction, Fraction] = (0.0, 0.0)
    """The point of the cursor's picture that lies at the position, as fractions across and down what is opaque of
    it."""
    smoothing_s: Time = 0.0
    """By how much smoothing of its way may delay it."""

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        times_s = [point[0] for point in self.path or ()]
        if any(after <= before for before, after in pairwise(times_s)):
            raise ValueError("path must run forward in time")
        return self


class ExpectedCamera(Record):
    """A camera picture over the recording."""

    position: CornerName | tuple[Fraction, Fraction] | None = None
    """A corner, or its centre as fractions across and down the canvas; None where any will do."""
    size: Fraction | None = None
    """Height as a fraction of the canvas's shorter side; None where any will do."""
    aspect: Annotated[float, Field(gt=0.1, lt=10)] | None = None
    """Width over height; None where any will do."""
    rounding_px: LengthPx | None = None
    """Radius of its corners in pixels of a canvas 1080 lines high, half its size for a circle; None where any will
    do."""
    source: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """File that the camera recorded, a video or an image. Where it is not known, only what covers the recording is
    found, and nothing is known of its frames."""
    mirror: bool | None = None
    """Whether left and right change places; None where any will do."""


class ExpectedMotionBlur(Record):
    """Blur of what moves, along its way."""

    shutter_degrees: Annotated[float, Field(gt=0, le=360)] | None = None
    """Part of a frame's duration for which the shutter is open, 360 for all of it; None where any will do."""


class ExpectedCaption(Record):
    """A text that is shown for a time."""

    start_s: Time = 0.0
    """Output time at which it appears."""
    end_s: Time | None = None
    """Output time at which it is gone; None stays to the end."""
    position: tuple[Fraction, Fraction] | None = None
    """Its middle, as fractions across and down the canvas; None where any will do."""
    fade_s: Time = 0.0
    """Time that it takes to appear and, before its end, to vanish."""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(f"end_s {self.end_s:g} must be after start_s {self.start_s:g}")
        return self
