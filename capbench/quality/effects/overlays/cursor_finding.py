"""Decides whether the cursor is there, where and when telemetry says, and as large as asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from capbench.quality.effects.effect_meter import EffectContext
from capbench.quality.effects.overlays.cursor_track import CursorTrack, Telemetry, cursor_way, follow_cursor
from capbench.quality.effects.overlays.working_frame import WorkingFrame
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_layers import ExpectedCursor

__all__ = ["asked_cursor", "asked_telemetry", "cursor_finding", "track_cursor", "where_it_rests"]

_EFFECT: Final = "cursor"
_USUAL_SIZES_PX: Final = (48.0, 80.0, 30.0)
"""Heights that are looked for where none was asked, of 1080 lines: what screen recorders draw, the usual one first. A
cursor half as high again as what is looked for falls into pieces."""
_SURE: Final = 0.85
"""Share of frames in which it is there, times what its picture explains, from which no other size is tried."""
_LAG_FRAMES: Final = 1.0
"""Telemetry may be read at the start, the middle or the end of a frame, and rounded to its own samples."""
_SIZE: Final = 0.25
"""Share of the size: a picture of a cursor has a margin and a shadow, and a soft edge is counted half."""
_OFFSET_SIZES: Final = 0.3
"""Share of the cursor's height: the point of an unknown picture need not be its corner."""
_LEAST_OFFSET_PX: Final = 3.0
"""Output pixels that are right for a cursor of any size: positions are rounded, and so are chroma and a blurred tip."""
_LOST: Final = 0.1
"""Share of frames in which it may not be seen though it should: what covers it for a moment, and its fading in."""
_MOST_FRAMES: Final = 20
_FEWEST_SIGHTINGS: Final = 5
_MOVES_SIZES: Final = 1.5
"""How far, in its own heights, something unasked must move over the recording and over the canvas to be a cursor."""
_MIN_EXPLAINED: Final = 0.65
"""Share of what differs that the learnt picture explains, of something unasked: of a cursor it is nine tenths, and
seven where a zoom moves both."""
_LARGEST_STEP: Final = 0.6
"""Largest step between two sightings as a share of its whole way: what was mistaken for it leaps."""
_MOST_RIVALS: Final = 3.0
"""Other small areas that differ, beside something unasked that is a cursor: of a tinted or blurred picture there are
more, and what they have in common is no cursor."""
_RESTS_PX: Final = 1.0
"""Way from the frame before to the next, in working pixels, below which it is sharp whatever the shutter."""
_SMEARED_SIZES: Final = 0.4
"""Way from one frame to the next, in heights of the cursor, from which a shutter may smear it to less than half."""
_STEADY: Final = 0.6
"""Share of frames in which something unasked must be there."""


def asked_cursor(context: EffectContext) -> ExpectedCursor:
    """What is asked of a cursor; nothing of its path and size where it must only be there, or need not."""
    look = context.look.cursor
    return look if isinstance(look, ExpectedCursor) else ExpectedCursor()


def asked_telemetry(asked: ExpectedCursor) -> Telemetry | None:
    """Where the cursor should be at a time: straight from point to point, at rest before the first and after."""
    if not asked.path:
        return None
    times_s, across, down = (np.array(values, float) for values in zip(*asked.path, strict=True))
    return lambda time_s: (float(np.interp(time_s, times_s, across)), float(np.interp(time_s, times_s, down)))


def track_cursor(
    frames: list[WorkingFrame],
    context: EffectContext,
    hides: Callable[[float, float, float], bool] | None,
) -> CursorTrack | None:
    """The cursor of an output; None where there is none. `hides` as in `follow_cursor`."""
    asked = asked_cursor(context)
    if not frames:
        return None
    best: CursorTrack | None = None
    for size_px in (asked.size_px,) if asked.size_px else _USUAL_SIZES_PX:
        track = follow_cursor(
            frames,
            size_px * frames[0].shown.shape[0] / 1080,
            asked_telemetry(asked),
            hotspot=asked.hotspot,
            frame_s=1 / float(context.frame_rate),
            unlike=asked.clicks_s,
            hides=hides,
        )
        if track is not None and (best is None or _certainty(track) > _certainty(best)):
            best = track
        if best is not None and _certainty(best) >= _SURE:
            break
    return best if best is not None or not context.look.motion_blur else where_it_rests(frames, context, hides)


def where_it_rests(
    frames: list[WorkingFrame],
    context: EffectContext,
    hides: Callable[[float, float, float], bool] | None,
) -> CursorTrack | None:
    """A cursor that is smeared as it moves, from the frames in which telemetry has it at rest; None if it is not there.

    What it looks like in frames of other speeds is not alike, and a small one is smeared to little in most of them.
    `hides` as in `follow_cursor`.
    """
    asked = asked_cursor(context)
    telemetry, frame_s = asked_telemetry(asked), 1 / float(context.frame_rate)
    if telemetry is None or asked.size_px is None:
        return None

    def rests(frame: WorkingFrame) -> bool:
        way = cursor_way(frame, telemetry, frame.time_s - frame_s, frame.time_s + frame_s)
        return float(np.hypot(*way)) < _RESTS_PX

    numbers = [number for number, frame in enumerate(frames) if rests(frame)]
    resting = [frames[number] for number in numbers]
    height_px = asked.size_px * frames[0].shown.shape[0] / 1080
    track = follow_cursor(
        resting,
        height_px,
        telemetry,
        hotspot=asked.hotspot,
        frame_s=frame_s,
        unlike=asked.clicks_s,
        hides=hides,
    )
    if track is None or not track.follows:
        return None
    return replace(track, patch_numbers=tuple(numbers[number] for number in track.patch_numbers))


def _certainty(track: CursorTrack) -> float:
    """0 to 1: of a part of a cursor its picture is as well explained, and is found in fewer frames."""
    return track.explained * sum(each.point is not None for each in track.sightings) / len(track.sightings)


def cursor_finding(track: CursorTrack | None, frames: list[WorkingFrame], context: EffectContext) -> EffectFinding:
    """What follows for the check."""
    look = context.look.cursor
    asked = None if look == "any" else bool(look)
    if len(frames) < _FEWEST_SIGHTINGS:
        return EffectFinding(
            effect=_EFFECT,
            outcome="unchecked",
            message=f"the recording was found in only {len(frames)} of the frames that were looked at",
            asked=asked,
        )
    if not asked:
        return _unasked(track, frames, context, asked=asked)
    expected = asked_cursor(context)
    if track is None:
        return EffectFinding(
            effect=_EFFECT,
            outcome="fail",
            message="a cursor was asked for, and none was found",
            asked=True,
            found=False,
        )
    smeared = _smeared(track, expected, frames, context) if context.look.motion_blur else frozenset[int]()
    return _judged(track, expected, context, working_lines=frames[0].shown.shape[0], smeared=smeared)


def _smeared(
    track: CursorTrack, expected: ExpectedCursor, frames: list[WorkingFrame], context: EffectContext
) -> frozenset[int]:
    """Positions in the output of frames in which motion blur leaves too little of it to say whether it is there."""
    telemetry, frame_s = asked_telemetry(expected), 1 / float(context.frame_rate)
    if telemetry is None:
        return frozenset()
    lag_s, smallest = track.lag_s or 0.0, min(frame.scale for frame in frames)

    def way_px(frame: WorkingFrame) -> float:
        at_s = frame.time_s - lag_s
        way = cursor_way(frame, telemetry, at_s - frame_s / 2, at_s + frame_s / 2)
        return float(np.hypot(*way)) * smallest / frame.scale

    return frozenset(frame.index for frame in frames if way_px(frame) > _SMEARED_SIZES * track.size[1])


def _unasked(
    track: CursorTrack | None, frames: list[WorkingFrame], context: EffectContext, *, asked: bool | None
) -> EffectFinding:
    if track is None or not _moves(track, frames):
        return EffectFinding(effect=_EFFECT, outcome="pass", message="no cursor", asked=asked, found=False)
    size_px = track.size[1] * context.canvas[1] / frames[0].shown.shape[0] / context.unit_px
    seen = [each.index for each in track.sightings if each.point is not None]
    return EffectFinding(
        effect=_EFFECT,
        outcome="pass" if asked is None else "fail",
        message=f"something {size_px:.0f} px high moves over the recording like a cursor"
        + ("" if asked is None else ", and none was asked for"),
        asked=asked,
        found=True,
        parameters=(MeasuredParameter(name="size_px", measured=size_px),),
        frames=() if asked is None else tuple(seen[:_MOST_FRAMES]),
    )


def _moves(track: CursorTrack, frames: list[WorkingFrame]) -> bool:
    """Whether it is steadily there and moves over the recording as well as over the canvas."""
    seen = [number for number, each in enumerate(track.sightings) if each.point is not None]
    if len(seen) < max(_FEWEST_SIGHTINGS, _STEADY * len(track.sightings)) or track.rivals > _MOST_RIVALS:
        return False
    if track.explained < _MIN_EXPLAINED:
        return False
    on_canvas = np.array([track.sightings[number].point for number in seen])
    on_recording = []
    for number, point in zip(seen, on_canvas, strict=True):
        matrix = frames[number].matrix
        on_recording.append(np.linalg.solve(matrix[:, :2], point - matrix[:, 2]) * frames[0].scale)
    ways = [float(np.ptp(places, axis=0).max()) for places in (on_canvas, np.array(on_recording))]
    steps = np.hypot(*np.diff(np.array(on_recording), axis=0).T)
    return min(ways) >= _MOVES_SIZES * track.size[1] and float(steps.max()) <= _LARGEST_STEP * ways[1]


def _judged(
    track: CursorTrack,
    expected: ExpectedCursor,
    context: EffectContext,
    *,
    working_lines: int,
    smeared: frozenset[int],
) -> EffectFinding:
    to_asked = 1080 / working_lines
    frame_rate = float(context.frame_rate)
    parameters = [
        MeasuredParameter(
            name="size_px",
            asked=expected.size_px,
            measured=track.size[1] * to_asked,
            tolerance=None if expected.size_px is None else _SIZE * expected.size_px,
            reason="a quarter: a cursor's picture has a margin, and its soft edge counts half",
        )
    ]
    if expected.path:
        tolerance_px = max(_OFFSET_SIZES * track.size[1] * to_asked, _LEAST_OFFSET_PX / context.unit_px)
        away = _away(track)
        parameters.append(
            MeasuredParameter(
                name="offset_px",
                asked=0.0,
                measured=None if away is None else away * to_asked,
                tolerance=tolerance_px,
                reason="three tenths of its height: the point of an unknown picture need not be its corner",
            )
        )
        parameters.append(
            MeasuredParameter(
                name="lag_frames",
                asked=0.0,
                measured=None if track.lag_s is None else track.lag_s * frame_rate,
                uncertainty=None if track.lag_error_s is None else track.lag_error_s * frame_rate,
                tolerance=_LAG_FRAMES + expected.smoothing_s * frame_rate,
                reason="telemetry may be read at either end of a frame; smoothing as asked",
            )
        )
    visible = [each for each in track.sightings if each.share is not None and each.index not in smeared]
    lost = [each.index for each in visible if each.is_lost]
    parameters.append(
        MeasuredParameter(
            name="lost",
            asked=0.0,
            measured=len(lost) / max(1, len(visible)),
            tolerance=_LOST,
            reason="a tenth of the frames: what covers it for a moment",
        )
    )
    sentences = [_words(parameter) for parameter in parameters if parameter.is_wrong]
    if expected.path and not track.follows:
        sentences.insert(0, "does not keep to telemetry, whatever its lag and offset")
    return EffectFinding(
        effect=_EFFECT,
        outcome="fail" if sentences else "pass",
        message="the cursor " + ("; ".join(sentences) if sentences else _praise(parameters)),
        asked=True,
        found=True,
        parameters=tuple(parameters),
        frames=tuple(lost[:_MOST_FRAMES]) if sentences else (),
    )


def _away(track: CursorTrack) -> float | None:
    return None if track.offset is None else float(np.hypot(*track.offset))


def _words(parameter: MeasuredParameter) -> str:
    measured, asked = parameter.measured or 0.0, parameter.asked or 0.0
    return {
        "size_px": f"is {measured:.0f} px high instead of {asked:.0f}",
        "offset_px": f"lies {measured:.0f} px from where telemetry has it",
        "lag_frames": f"is {abs(measured):.1f} frames {'late' if measured > 0 else 'early'}",
        "lost": f"is not there in {measured:.0%} of the frames in which it would be seen",
    }[parameter.name]


def _praise(parameters: list[MeasuredParameter]) -> str:
    known = {each.name: each.measured for each in parameters if each.measured is not None}
    said = [f"is {known['size_px']:.0f} px high"]
    if "lag_frames" in known:
        said.append(f"{known['lag_frames']:+.1f} frames late")
    if "offset_px" in known:
        said.append(f"{known['offset_px']:.1f} px from telemetry")
    return ", ".join(said)
