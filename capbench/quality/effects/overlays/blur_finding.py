"""Decides whether there is motion blur where something moves, and whether it is as long as the shutter asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from capbench.quality.effects.overlays.cursor_picture import CursorPicture, learn_picture
from capbench.quality.effects.overlays.cursor_track import CursorTrack, Telemetry, cursor_way
from capbench.quality.effects.overlays.working_frame import WorkingFrame, working_size
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_layers import ExpectedMotionBlur

__all__ = ["CursorMotion", "MovingFrames", "blur_finding"]

_EFFECT: Final = "motion_blur"
_MOST_FRAMES: Final = 5
"""Moving frames that are kept: a picture of each and of the recording. With those of the window it is 40 MB at 1080
lines, 160 at 4K."""
_BEST_SPEED_PX: Final = 18.0
"""Way of the fastest part in sight from one frame to the next: enough for any shutter to show, little enough that what
moves is still in sight."""
_LEAST_SPEED_PX: Final = 4.0
_STEADY: Final = 1.7
"""How much faster than the other the step before or after may be: of a smooth ease most are, of its ends none."""
_WINDOW: Final = 5
"""Frames from which the velocity in the middle one follows."""
_THERE_SHARE: Final = 0.15
"""Exposure from which there is blur: 54 degrees. Encodings that soften what moves look like less."""
_THERE_GAIN: Final = 0.2
"""Part of the misfit that blur must explain; of a picture that a coarse encoding softened it explains an eighth."""
_DEGREES: Final = 50.0
"""Of the shutter: few samples of a fast motion, and coarse encodings, are off by so much."""
_SURE: Final = 3.0
"""Standard errors that it may be off besides."""
_MOST_UNCERTAIN_DEGREES: Final = 30.0
"""Standard error beyond which a shutter was not measured: three of them are half of the usual 180 degrees."""
_RESTS_PX: Final = 1.0
"""Way a frame below which what moves is sharp whatever the shutter: a cursor's look is learnt from such frames."""
_LEAST_SHARP: Final = 0.6
"""Of a cursor's size where it moves, that where it rests: blur makes it larger by half of it at most, and what is
smaller is a part of it."""
_STRAIGHT: Final = 0.3
"""How far apart, as a share of their mean, a cursor's ways before and after a frame may be: across a turn its blur has
two directions."""
_FEWEST: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class _SeenFrame:
    """An output frame in which the recording was found."""

    index: int
    placement: FramePlacement
    pictures: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None
    """Luma of the output and of the recording; None where that came by too short a way for blur to show."""


class MovingFrames:
    """Keeps the frames of an output in which the recording moves best for an estimate. It changes."""

    def __init__(self, canvas: tuple[int, int]) -> None:
        self._canvas = canvas
        self._last: deque[_SeenFrame | None] = deque(maxlen=_WINDOW)
        self._best: list[tuple[float, MovingFrame]] = []
        self._speeds: dict[int, float] = {}

    def add(self, frame: PlacedFrame) -> None:
        """The next output frame."""
        seen = None
        if frame.placement is not None and frame.source is not None:
            before, pictures = self._last[-1] if self._last else None, None
            if before is not None:
                speed = self._speeds[frame.index] = corner_speed(before.placement, frame.placement, self._canvas)
                # Most frames of most outputs rest: they need no copies.
                if speed >= _LEAST_SPEED_PX:
                    pictures = frame.planes.luma.copy(), frame.source.luma.copy()
            seen = _SeenFrame(frame.index, frame.placement, pictures)
        self._last.append(seen)
        if len(self._last) == _WINDOW:
            self._consider()

    def _consider(self) -> None:
        """The frame in the middle of the last ones."""
        middle = self._last[_WINDOW // 2]
        around = {number - _WINDOW // 2: each.placement for number, each in enumerate(self._last) if each is not None}
        if middle is None or middle.pictures is None or 1 not in around:
            return
        speeds = [self._speeds[middle.index], self._speeds[middle.index + 1]]
        # While it starts, stops or turns, the way during the exposure is not that from frame to frame.
        if min(speeds) < _LEAST_SPEED_PX or max(speeds) > _STEADY * min(speeds):
            return
        speed = sum(speeds) / 2
        frame = MovingFrame(middle.index, *middle.pictures, middle.placement, around)
        self._best.append((abs(float(np.log(speed / _BEST_SPEED_PX))), frame))
        self._best.sort(key=lambda each: each[0])
        del self._best[_MOST_FRAMES:]

    def rests_at(self, index: int) -> bool:
        """Whether the recording is known to rest from the frame before an output frame to the one after."""
        return all(self._speeds.get(each, np.inf) < _RESTS_PX for each in (index, index + 1))

    def moves_at(self, index: int) -> bool:
        """Whether it is known to move from the frame before an output frame or to the one after."""
        return any(self._speeds.get(each, 0.0) >= _RESTS_PX for each in (index, index + 1))

    def estimate(self) -> BlurEstimate | None:
        """Blur of the recording; None where it does not move, or nothing in it tells."""
        return blur_of_recording([frame for _, frame in self._best])


@dataclass(frozen=True, slots=True, eq=False)
class CursorMotion:
    """A cursor that follows telemetry, and how fast it moves in the patches of its track."""

    track: CursorTrack
    """The cursor."""
    ways: tuple[NDArray[np.float64], ...]
    """For each patch its way from half a frame before to half a frame after, x and y in working pixels."""
    is_straight: tuple[bool, ...]
    """For each patch whether it comes and goes by the same way."""
    indices: tuple[int, ...]
    """For each patch the position of its frame in the output."""

    @classmethod
    def of(
        cls, track: CursorTrack | None, frames: Sequence[WorkingFrame], telemetry: Telemetry | None, frame_s: float
    ) -> CursorMotion | None:
        """The motion of a cursor; None where it is not known to follow telemetry."""
        if track is None or telemetry is None or not track.follows:
            return None
        lag_s = track.lag_s or 0.0
        ways, is_straight = [], []
        for number in track.patch_numbers:
            frame, at_s = frames[number], frames[number].time_s - lag_s
            come = cursor_way(frame, telemetry, at_s - frame_s, at_s)
            go = cursor_way(frame, telemetry, at_s, at_s + frame_s)
            mean = float(np.hypot(*(come + go))) / 2
            ways.append(cursor_way(frame, telemetry, at_s - frame_s / 2, at_s + frame_s / 2))
            is_straight.append(float(np.hypot(*(go - come))) <= _STRAIGHT * mean)
        indices = tuple(frames[number].index for number in track.patch_numbers)
        return cls(track, tuple(ways), tuple(is_straight), indices)

    def resting_picture(self, moving: MovingFrames) -> CursorPicture | None:
        """The cursor as it is where it rests, sharp whatever the shutter; None where it seldom does."""
        rests = [
            patch
            for patch, way, index in zip(self.track.patches, self.ways, self.indices, strict=True)
            if np.hypot(*way) < _RESTS_PX and not moving.moves_at(index)
        ]
        return learn_picture(rests)[0] if len(rests) >= _FEWEST else None

    def sized_as(self, picture: CursorPicture) -> CursorTrack:
        """The track, as large as another picture of the cursor: where it moves, motion blur makes it larger."""
        box, own = picture.box(), self.track.picture.box()
        if box is None or own is None:
            return self.track
        shares = [(box[axis + 2] - box[axis]) / (own[axis + 2] - own[axis]) for axis in (0, 1)]
        if not _LEAST_SHARP <= min(shares) <= max(shares) <= 1:
            return self.track
        width, height = self.track.size
        return replace(self.track, size=(shares[0] * width, shares[1] * height))

    def blur(self, picture: CursorPicture, moving: MovingFrames) -> BlurEstimate | None:
        """Its blur, from frames in which it moves straight over a recording that rests; None where they do not tell.

        `picture` is how it looks at rest.
        """
        used = [
            number for number, index in enumerate(self.indices) if self.is_straight[number] and moving.rests_at(index)
        ]
        return blur_of_cursor(
            picture,
            [self.track.patches[number] for number in used],
            [self.ways[number] for number in used],
            [self.indices[number] for number in used],
        )


def blur_finding(recording: BlurEstimate | None, cursor: BlurEstimate | None, context: EffectContext) -> EffectFinding:
    """What follows for the check."""
    look = context.look.motion_blur
    asked = None if look == "any" else bool(look)
    degrees = look.shutter_degrees if isinstance(look, ExpectedMotionBlur) else None
    estimates = [(name, each) for name, each in (("recording", recording), ("cursor", cursor)) if each is not None]
    known = [(name, each) for name, each in estimates if each.error * 360 <= _MOST_UNCERTAIN_DEGREES]
    if not known:
        message = "nothing moves fast enough for blur to show"
        if estimates:
            message = "what moves is too slow, or coded too coarsely, for its blur to be told"
        outcome = "not_applicable" if not asked else "unchecked"
        return EffectFinding(effect=_EFFECT, outcome=outcome, message=message, asked=asked)
    shutters = {name: _shutter(name, each, degrees) for name, each in known}
    # A cursor is looked at in smaller pictures than a large output's own.
    units = {"recording": context.unit_px, "cursor": working_size(context.canvas)[1] / 1080}
    lengths = [
        MeasuredParameter(name=f"{name}_length_px", measured=each.length_px / units[name]) for name, each in known
    ]
    blurred = [name for name, each in known if _is_there(each)]
    sentences = []
    if asked:
        for name, shutter in shutters.items():
            if name not in blurred and (degrees is None or shutter.is_wrong):
                sentences.append(f"the {name} moves without blur")
            elif shutter.is_wrong:
                sentences.append(
                    f"blur of the {name} is that of a shutter of {shutter.measured:.0f} degrees instead of "
                    f"{degrees:.0f}"
                )
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
        parameters=(*shutters.values(), *lengths),
        frames=tuple(wrong_frames[:20]),
    )


def _is_there(estimate: BlurEstimate) -> bool:
    is_sure = estimate.share >= max(_THERE_SHARE, _SURE * estimate.error)
    return is_sure and estimate.gain >= _THERE_GAIN


def _shutter(name: str, estimate: BlurEstimate, degrees: float | None) -> MeasuredParameter:
    return MeasuredParameter(
        name=f"{name}_shutter_degrees",
        asked=degrees,
        measured=estimate.share * 360,
        uncertainty=estimate.error * 360,
        tolerance=_DEGREES + _SURE * estimate.error * 360,
        reason="50 degrees, for few samples of a fast motion and coarse encodings, and three standard errors",
    )
