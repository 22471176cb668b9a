"""Decides whether there is motion blur where something moves, and whether it is as long as the shutter asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.overlays.blur_length import (
    BlurEstimate,
    MovingFrame,
    blur_of_cursor,
    blur_of_recording,
    corner_speed,
)
from capbench.quality.effects.overlays.cursor_picture import learn_picture
from capbench.quality.effects.overlays.cursor_track import CursorTrack, Telemetry
from capbench.quality.effects.overlays.working_frame import WorkingFrame
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_layers import ExpectedMotionBlur

__all__ = ["MovingFrames", "blur_finding", "cursor_blur"]

_EFFECT: Final = "motion_blur"
_MOST_FRAMES: Final = 5
"""Moving frames that are kept: a picture of each and of the recording, 40 MB at 1080 lines, 160 at 4K."""
_BEST_SPEED_PX: Final = 18.0
"""Way of the fastest part in sight from one frame to the next: enough for any shutter to show, little enough that what
moves is still in sight."""
_LEAST_SPEED_PX: Final = 4.0
_STEADY: Final = 1.7
"""How much faster than the other the step before or after may be: of a smooth ease most are, of its ends none."""
_THERE_SHARE: Final = 0.15
"""Exposure from which there is blur: 54 degrees. Encodings that soften what moves look like less."""
_THERE_GAIN: Final = 0.2
"""Part of the misfit that blur must explain; of a picture that a coarse encoding softened it explains an eighth."""
_DEGREES: Final = 50.0
"""Of the shutter: few samples of a fast motion, and coarse encodings, are off by so much."""
_RESTS_PX: Final = 1.0
"""Way a frame below which a cursor is sharp whatever the shutter: its look is learnt from such frames."""
_FEWEST: Final = 3


class MovingFrames:
    """Keeps the frames of an output in which the recording moves best for an estimate. It changes."""

    def __init__(self, canvas: tuple[int, int]) -> None:
        self._canvas = canvas
        self._before: tuple[int, FramePlacement] | None = None
        self._pending: tuple[int, FramePlacement, NDArray[np.uint8], NDArray[np.uint8]] | None = None
        self._best: list[tuple[float, MovingFrame]] = []

    def add(self, frame: PlacedFrame) -> None:
        """The next output frame."""
        now = None if frame.placement is None or frame.source is None else frame.placement
        if self._pending is not None and self._before is not None and now is not None:
            index, placement, shown, source = self._pending
            before_index, before = self._before
            if before_index == index - 1 and frame.index == index + 1:
                self._consider(MovingFrame(index, shown, source, before, placement, now, 2))
        self._before = None if self._pending is None else self._pending[:2]
        self._pending = None
        if now is not None and frame.source is not None:
            self._pending = (frame.index, now, frame.planes.luma.copy(), frame.source.luma.copy())

    def _consider(self, frame: MovingFrame) -> None:
        speeds = [
            corner_speed(frame.before, frame.now, 1, self._canvas),
            corner_speed(frame.now, frame.after, 1, self._canvas),
        ]
        # While it starts, stops or turns, the way during the exposure is not that from frame to frame.
        if min(speeds) < _LEAST_SPEED_PX or max(speeds) > _STEADY * min(speeds):
            return
        speed = sum(speeds) / 2
        self._best.append((abs(float(np.log(speed / _BEST_SPEED_PX))), frame))
        self._best.sort(key=lambda each: each[0])
        del self._best[_MOST_FRAMES:]

    def estimate(self) -> BlurEstimate | None:
        """Blur of the recording; None where it does not move, or nothing in it tells."""
        return blur_of_recording([frame for _, frame in self._best])


def cursor_blur(
    track: CursorTrack | None, frames: Sequence[WorkingFrame], telemetry: Telemetry | None, frame_s: float
) -> BlurEstimate | None:
    """Blur of a cursor that follows telemetry; None where it never rests, or never moves fast."""
    if track is None or telemetry is None or not track.follows:
        return None
    lag_s = track.lag_s or 0.0
    ways = []
    for number in track.patch_numbers:
        frame = frames[number]
        at = frame.time_s - lag_s
        ends = [frame.point(*telemetry(at + sign * frame_s / 2)) for sign in (1, -1)]
        ways.append(ends[0] - ends[1])
    rests = [patch for patch, way in zip(track.patches, ways, strict=True) if np.hypot(*way) < _RESTS_PX]
    if len(rests) < _FEWEST:
        return None
    picture, _ = learn_picture(rests)
    return blur_of_cursor(picture, track.patches, ways, [frames[number].index for number in track.patch_numbers])


def blur_finding(recording: BlurEstimate | None, cursor: BlurEstimate | None, context: EffectContext) -> EffectFinding:
    """What follows for the check."""
    look = context.look.motion_blur
    asked = None if look == "any" else bool(look)
    degrees = look.shutter_degrees if isinstance(look, ExpectedMotionBlur) else None
    known = [(name, each) for name, each in (("recording", recording), ("cursor", cursor)) if each is not None]
    if not known:
        message = "nothing moves fast enough for blur to show"
        outcome = "not_applicable" if not asked else "unchecked"
        return EffectFinding(effect=_EFFECT, outcome=outcome, message=message, asked=asked)
    parameters = [_parameter(name, each, degrees) for name, each in known]
    parameters += [
        MeasuredParameter(name=f"{name}_length_px", measured=each.length_px / context.unit_px) for name, each in known
    ]
    blurred = [name for name, each in known if _is_there(each)]
    sentences = []
    if asked:
        sentences += [f"the {name} moves without blur" for name, _ in known if name not in blurred]
        sentences += [
            f"blur of the {each.name.split('_')[0]} is that of a shutter of {each.measured:.0f} degrees instead of "
            f"{each.asked:.0f}"
            for each in parameters
            if each.is_wrong and each.name.split("_")[0] in blurred
        ]
    elif asked is False:
        sentences += [f"the {name} is blurred as it moves, and no motion blur was asked for" for name in blurred]
    said = ", ".join(f"{name} {each.share * 360:.0f} degrees at {each.speed_px:.0f} px a frame" for name, each in known)
    wrong_frames = sorted({index for _, each in known for index in each.frames}) if sentences else []
    return EffectFinding(
        effect=_EFFECT,
        outcome="fail" if sentences else "pass",
        message="; ".join(sentences) if sentences else (f"motion blur: {said}" if blurred else "what moves is sharp"),
        asked=asked,
        found=bool(blurred),
        parameters=tuple(parameters),
        frames=tuple(wrong_frames[:20]),
    )


def _is_there(estimate: BlurEstimate) -> bool:
    return estimate.share >= _THERE_SHARE and estimate.gain >= _THERE_GAIN


def _parameter(name: str, estimate: BlurEstimate, degrees: float | None) -> MeasuredParameter:
    return MeasuredParameter(
        name=f"{name}_shutter_degrees",
        asked=degrees,
        measured=estimate.share * 360,
        uncertainty=estimate.error * 360,
        tolerance=_DEGREES,
        reason="50 degrees: few samples of a fast motion, and coarse encodings, are off by so much",
    )
