"""Decides whether the camera is there, where and cut as asked, and whether it shows the frame that it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from capbench.errors import SceneError, SourceError
from capbench.quality.effects.effect_meter import EffectContext
from capbench.quality.effects.overlays.camera_outline import CameraOutline, fit_outline
from capbench.quality.effects.overlays.camera_place import CameraPlace, disc_correlation, find_camera
from capbench.quality.effects.overlays.camera_source import CameraSource, read_camera
from capbench.quality.effects.overlays.working_frame import WorkingFrame
from capbench.recordings.camera_marks import CAMERA_NUMBERS, read_camera_number
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_layers import ExpectedCamera

__all__ = ["RIM", "CameraSighting", "camera_finding", "look_for_camera", "standing_area"]

Field = NDArray[np.float64]
_EFFECT: Final = "camera"
_EDGE_PX: Final = 3.0
"""Output pixels of an edge: exporters round sides to even pixels, and a coarse encoding blurs an outline by one."""
_SIZE: Final = 0.03
"""Share of the height beside that: an inset of 400 pixels is rounded otherwise by every layout."""
_RADIUS: Final = 0.15
"""Share of the radius: what a corner of another curve, such as a squircle, differs by."""
_LAG_FRAMES: Final = 1.0
"""Camera frames: two clocks of the same rate are rounded to either side."""
_PRESENT: Final = 0.45
"""Correlation of one frame's disc with the camera's mean from which the camera is there; without it it is 0.2."""
_GONE: Final = 0.1
"""Share of frames in which it may be missing: it may fade in."""
_FROZEN_FRAMES: Final = 4
"""Camera frames that must have passed before one number alone is a frozen camera."""
_FEWEST: Final = 3
RIM: Final = 0.15
"""Share of its height around it in which it is not known what is seen: its shadow, and its outline's."""
_MOST_FRAMES: Final = 20
_DIFFERS_CODES: Final = 14.0
_AREA_STEP: Final = 4
_AREA_ALWAYS: Final = 0.8
_AREA_SHARES: Final = (0.008, 0.35)
"""Of the canvas, from the smallest camera to the largest: less is a cursor or a logo, more a recording that was
misplaced."""
_AREA_ASPECTS: Final = (0.5, 2.0)
"""Width over height: a caption is wider."""
_AREA_FILL: Final = 0.6
"""Share of its box that differs: of a circle it is 0.79, of text less than half."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraSighting:
    """A camera that was found. Lengths are working pixels."""

    place: CameraPlace
    """Where its whole picture would lie."""
    outline: CameraOutline
    """What can be seen of it."""
    source: CameraSource
    """What it recorded."""

    def hides(self, x: float, y: float) -> bool:
        """Whether it lies over a place of the working picture."""
        outline = self.outline
        rim = RIM * (outline.bottom - outline.top)
        return outline.left - rim <= x <= outline.right + rim and outline.top - rim <= y <= outline.bottom + rim


def look_for_camera(mean: Field, context: EffectContext) -> CameraSighting | str | None:
    """The camera in a mean picture, shape (height, width, 3); None where it is not there or was not named.

    A sentence where its own file cannot be read.
    """
    asked = context.look.camera
    if not isinstance(asked, ExpectedCamera) or asked.source is None:
        return None
    try:
        source = read_camera(Path(asked.source))
    except (SceneError, SourceError, OSError) as error:
        return f"the camera's file cannot be read: {error}"
    place = find_camera(mean[..., 0], source)
    return None if place is None else CameraSighting(place, fit_outline(mean, source, place), source)


def camera_finding(
    sighting: CameraSighting | str | None,
    standing: tuple[float, float, float, float] | None,
    frames: Sequence[WorkingFrame],
    context: EffectContext,
) -> EffectFinding:
    """What follows for the check. `standing` is what else stands over the recording, as `standing_area` has it."""
    look = context.look.camera
    asked = None if look == "any" else bool(look)
    if isinstance(sighting, str):
        return EffectFinding(effect=_EFFECT, outcome="unchecked", message=sighting, asked=asked)
    expected = look if isinstance(look, ExpectedCamera) else ExpectedCamera()
    if sighting is not None:
        return _judged(sighting, expected, frames, context)
    if expected.source is not None:
        beside = "" if standing is None else f"; something else stands {_where(standing, frames[0])}"
        message = f"a camera was asked for, and its picture was not found{beside}"
        return EffectFinding(effect=_EFFECT, outcome="fail", message=message, asked=True, found=False)
    if standing is None:
        if not asked:
            return EffectFinding(effect=_EFFECT, outcome="pass", message="no camera", asked=asked, found=False)
        message = "no picture stands over the recording; beside it none can be told without the camera's file"
        return EffectFinding(effect=_EFFECT, outcome="unchecked", message=message, asked=True)
    message = f"a picture stands over the recording {_where(standing, frames[0])}"
    if asked is False:
        return EffectFinding(
            effect=_EFFECT,
            outcome="fail",
            message=message + ", and no camera was asked for",
            asked=False,
            found=True,
        )
    return EffectFinding(effect=_EFFECT, outcome="pass", message=message, asked=asked, found=True)


def _judged(
    sighting: CameraSighting, expected: ExpectedCamera, frames: Sequence[WorkingFrame], context: EffectContext
) -> EffectFinding:
    outline, working = sighting.outline, frames[0].shown.shape
    to_canvas = context.canvas[1] / working[0]
    sentences: list[str] = []
    parameters = _placed(outline, expected, context, to_canvas)
    sentences += [_words(each) for each in parameters if each.is_wrong]
    middle = (outline.left + outline.right) / 2, (outline.top + outline.bottom) / 2
    if (
        isinstance(expected.position, str)
        and (corner := _corner(middle, (working[1], working[0]))) != expected.position
    ):
        sentences.append(f"stands {corner} instead of {expected.position}")
    if expected.mirror is not None and sighting.place.mirrored != expected.mirror:
        sentences.append("is mirrored" if sighting.place.mirrored else "is not mirrored")
    is_there = [disc_correlation(frame.shown, sighting.source, sighting.place) >= _PRESENT for frame in frames]
    missing = [frame.index for frame, there in zip(frames, is_there, strict=True) if not there]
    gone = MeasuredParameter(
        name="missing",
        asked=0.0,
        measured=len(missing) / max(1, len(frames)),
        tolerance=_GONE,
        reason="a tenth of the frames: it may fade in",
    )
    if gone.is_wrong:
        sentences.append(f"is missing in {gone.measured:.0%} of the frames")
    timing, said = _timing(sighting, [frame for frame, there in zip(frames, is_there, strict=True) if there])
    if said is not None:
        sentences.append(said)
    return EffectFinding(
        effect=_EFFECT,
        outcome="fail" if sentences else "pass",
        message="the camera " + ("; ".join(sentences) if sentences else _praise(outline, middle, frames[0], timing)),
        asked=None if context.look.camera == "any" else True,
        found=True,
        parameters=(*parameters, gone, *timing),
        frames=tuple(missing[:_MOST_FRAMES]) if gone.is_wrong else (),
    )


def _placed(
    outline: CameraOutline, expected: ExpectedCamera, context: EffectContext, to_canvas: float
) -> list[MeasuredParameter]:
    canvas, unit = context.canvas, context.unit_px
    width, height = (outline.right - outline.left) * to_canvas, (outline.bottom - outline.top) * to_canvas
    wanted = None if expected.size is None else expected.size * min(canvas)
    parameters = [
        MeasuredParameter(
            name="height_px",
            asked=None if wanted is None else wanted / unit,
            measured=height / unit,
            tolerance=None if wanted is None else (_EDGE_PX + _SIZE * wanted) / unit,
            reason="sides rounded to even, and 3%",
        ),
        MeasuredParameter(
            name="aspect",
            asked=expected.aspect,
            measured=width / max(height, 1e-9),
            tolerance=None if expected.aspect is None else 2 * _EDGE_PX / max(height, 1e-9) * max(1.0, expected.aspect),
            reason="both sides rounded to even",
        ),
        MeasuredParameter(
            name="radius_px",
            asked=expected.rounding_px,
            measured=outline.radius * to_canvas / unit,
            tolerance=None if expected.rounding_px is None else 2 * _EDGE_PX / unit + _RADIUS * expected.rounding_px,
            reason="another curve for a corner, and a coarse encoding",
        ),
    ]
    if expected.position is not None and not isinstance(expected.position, str):
        middle = (outline.left + outline.right) / 2 * to_canvas, (outline.top + outline.bottom) / 2 * to_canvas
        away = float(np.hypot(*(np.array(middle) - np.array(expected.position) * canvas)))
        parameters.append(
            MeasuredParameter(
                name="offset_px",
                asked=0.0,
                measured=away / unit,
                tolerance=2 * _EDGE_PX / unit,
                reason="both sides rounded to even",
            )
        )
    return parameters


def _timing(sighting: CameraSighting, frames: Sequence[WorkingFrame]) -> tuple[list[MeasuredParameter], str | None]:
    """Lag in camera frames, and what is wrong; nothing where the camera carries no numbers."""
    place, source = sighting.place, sighting.source
    read, expected = [], []
    for frame in frames:
        wanted = source.expected_number(frame.time_s)
        number = read_camera_number(frame.shown, place.middle, place.height, mirrored=place.mirrored)
        if wanted is not None and number is not None:
            read.append(number)
            expected.append(wanted)
    if len(read) < _FEWEST:
        return [], None
    span = (expected[-1] - expected[0]) % CAMERA_NUMBERS
    half = CAMERA_NUMBERS // 2
    lags = (np.array(expected) - np.array(read) + half) % CAMERA_NUMBERS - half
    lag = MeasuredParameter(
        name="lag_frames",
        asked=0.0,
        measured=float(np.median(lags)),
        tolerance=_LAG_FRAMES,
        reason="two clocks of one rate round to either side",
    )
    shown = MeasuredParameter(name="camera_frames", asked=None, measured=float(len(set(read))))
    if span >= _FROZEN_FRAMES and len(set(read)) == 1:
        return [lag, shown], f"is frozen at its frame {read[0]}"
    if lag.is_wrong:
        late = lag.measured or 0.0
        return [lag, shown], f"is {abs(late):.0f} of its frames {'late' if late > 0 else 'early'}"
    drift = float(np.percentile(np.abs(lags), 95))
    if drift > _LAG_FRAMES + 1:  # the median is right: it runs at another rate, or jumps
        return [lag, shown], f"is up to {drift:.0f} of its frames off"
    return [lag, shown], None


def _corner(middle: tuple[float, float], size: tuple[int, int]) -> str:
    down = "top" if middle[1] < size[1] / 2 else "bottom"
    return f"{down}-{'left' if middle[0] < size[0] / 2 else 'right'}"


def _words(parameter: MeasuredParameter) -> str:
    measured, asked = parameter.measured or 0.0, parameter.asked or 0.0
    return {
        "height_px": f"is {measured:.0f} px high instead of {asked:.0f}",
        "aspect": f"is {measured:.2f} times as wide as high instead of {asked:.2f}",
        "radius_px": f"has corners of radius {measured:.0f} px instead of {asked:.0f}",
        "offset_px": f"stands {measured:.0f} px from its place",
    }[parameter.name]


def _praise(
    outline: CameraOutline, middle: tuple[float, float], frame: WorkingFrame, timing: Sequence[MeasuredParameter]
) -> str:
    height, width = frame.shown.shape
    lag = next((each.measured for each in timing if each.name == "lag_frames"), None)
    kind = "circle" if outline.shape == "circle" else f"{outline.shape} picture"
    return f"is a {kind} {_corner(middle, (width, height))}" + (
        "" if lag is None else f", {lag:+.0f} of its frames late"
    )


def _where(area: tuple[float, float, float, float], frame: WorkingFrame) -> str:
    height, width = frame.shown.shape
    return _corner(((area[0] + area[2]) / 2, (area[1] + area[3]) / 2), (width, height))


def standing_area(frames: Sequence[WorkingFrame]) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of an area over the recording that always differs from it, in working pixels."""
    if len(frames) < _FEWEST:
        return None
    step = _AREA_STEP
    always = np.zeros_like(frames[0].shown[::step, ::step], float)
    for frame in frames:
        difference = np.abs(frame.shown.astype(np.float32) - frame.recording) * frame.inside
        always += ndimage.uniform_filter(difference, 3 * step)[::step, ::step] > _DIFFERS_CODES
    labels, count = ndimage.label(ndimage.binary_closing(always >= _AREA_ALWAYS * len(frames), iterations=2))
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    number = int(sizes.argmax())
    rows, columns = ndimage.find_objects(labels)[number]
    height, width = rows.stop - rows.start, columns.stop - columns.start
    share = sizes[number] / labels.size
    is_one = (
        _AREA_SHARES[0] <= share <= _AREA_SHARES[1]
        and _AREA_ASPECTS[0] <= width / height <= _AREA_ASPECTS[1]
        and sizes[number] / (width * height) >= _AREA_FILL
    )
    return (columns.start * step, rows.start * step, columns.stop * step, rows.stop * step) if is_one else None
