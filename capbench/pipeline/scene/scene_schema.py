"""What a scene file may say: background, the recording's place and frame, zooms, masks, cursor, camera, captions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from capbench.pipeline.scene.made_telemetry import made_telemetry
from capbench.pipeline.scene.scene_values import Colour, ExistingFile, Fraction01, Point, SceneModel, Seconds, TimeSpan

__all__ = [
    "MAX_CAPTIONS_AT_ONCE",
    "MAX_MASKS_AT_ONCE",
    "MAX_MOMENTS",
    "Background",
    "Border",
    "Camera",
    "Caption",
    "Corner",
    "Cursor",
    "CursorPoint",
    "Display",
    "Mask",
    "MotionBlur",
    "Scene",
    "Shadow",
    "ZoomSegment",
]

MAX_MASKS_AT_ONCE = 8
"""`masks` of shaders/shared/layers.wgsl."""
MAX_CAPTIONS_AT_ONCE = 4
"""`captions` of shaders/shared/layers.wgsl."""
MAX_MOMENTS = 32
"""`moments` of shaders/shared/scene.wgsl. Every one of them reads the recording again. 32 are 6 pixels apart for a
cursor that crosses 3840 pixels in a third of a second, at 30 fps with a shutter of 180 degrees."""


class Background(SceneModel):
    """What lies behind the recording: an image, a gradient or a colour: the first of them that is given."""

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
            raise ValueError("blur_px needs an image; name one or omit blur_px")
        if self.image is not None and self.gradient is not None:
            raise ValueError("give image or gradient, not both")
        return self


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
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """Instead of `path` and `clicks_s`: both are made from this number, for a recording without telemetry."""
    smoothing_s: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Length of time around each moment over which the path's mean is taken; 0 for the path itself."""
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

    @model_validator(mode="before")
    @classmethod
    def _made_from_its_seed(cls, values: object) -> object:
        if not isinstance(values, dict) or not isinstance(seed := values.get("seed"), int):
            return values
        if given := [key for key in ("path", "clicks_s") if key in values]:
            raise ValueError(f"seed makes {given[0]}; give one of them, not both")
        path, clicks_s = made_telemetry(seed)
        return {**values, "path": path, "clicks_s": clicks_s}

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        times_s = [point.time_s for point in self.path]
        for before_s, after_s in pairwise(times_s):
            if after_s <= before_s:
                raise ValueError(f"path must run forward in time: {after_s:g} s comes after {before_s:g} s")
        return self


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


class Caption(TimeSpan):
    """A text on a plate, above all other layers."""

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


class MotionBlur(SceneModel):
    """Blur of what moves: a frame is the mean of moments while a shutter is open, centred on the frame's own time."""

    shutter_degrees: Annotated[float, Field(gt=0, le=360)] = 180.0
    """How long the shutter is open: 360 is the time from one output frame to the next."""
    samples: Annotated[int, Field(ge=2, le=MAX_MOMENTS)] = 8
    """Moments that a frame is the mean of."""
    zoom: bool = True
    """Whether the motion of zooms is blurred, with all that moves with the recording."""
    cursor: bool = True
    """Whether the cursor's own motion is blurred."""


class Scene(SceneModel):
    """A whole scene, bottom to top. Times are seconds of output time since the first frame."""

    background: Background = Background()
    """Behind everything."""
    display: Display = Display()
    """The recording."""
    zoom: tuple[ZoomSegment, ...] = ()
    """When the recording is magnified; segments must not overlap."""
    mask: tuple[Mask, ...] = ()
    """Hidden and highlighted parts of the recording."""
    cursor: Cursor | None = None
    """Mouse cursor."""
    camera: Camera | None = None
    """Camera picture."""
    caption: tuple[Caption, ...] = ()
    """Texts."""
    motion_blur: MotionBlur | None = None
    """Blur of what moves; None draws every frame as it is at its own time."""

    @model_validator(mode="after")
    def _something_can_be_blurred(self) -> Self:
        blur = self.motion_blur
        if blur and not ((blur.zoom and self.zoom) or (blur.cursor and self.cursor)):
            raise ValueError(
                "motion_blur blurs nothing: it needs a [[zoom]] or a [cursor] that it applies to; add one or omit it"
            )
        return self

    @model_validator(mode="after")
    def _layers_fit_the_shaders(self) -> Self:
        segments = sorted(self.zoom, key=lambda segment: segment.start_s)
        for before, after in pairwise(segments):
            if after.start_s < before.end_s:
                raise ValueError(
                    f"zoom segments overlap: one ends at {before.end_s:g} s, another starts at {after.start_s:g} s"
                )
        for name, spans, limit in (
            ("mask", self.mask, MAX_MASKS_AT_ONCE),
            ("caption", self.caption, MAX_CAPTIONS_AT_ONCE),
        ):
            if (most := _most_at_once(spans)) > limit:
                raise ValueError(
                    f"{name}: {most} at the same time, at most {limit} are supported; shift their time spans"
                )
        return self

    @property
    def draws_nothing(self) -> bool:
        """Whether an export of this scene is the recording itself."""
        return self == Scene()


def _most_at_once(spans: Sequence[TimeSpan]) -> int:
    """Largest number of spans that hold at one time; it is reached where one of them starts."""
    return max(
        (
            sum(
                other.start_s <= span.start_s and (other.end_s is None or span.start_s < other.end_s) for other in spans
            )
            for span in spans
        ),
        default=0,
    )
