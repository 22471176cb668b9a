"""Motion blur: the moments that a frame is the mean of, and the parameters of `struct Exposure` of scene.wgsl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.compositor.geometry import Rectangle
from capbench.pipeline.compositor.layers.cursor_path import cursor_position
from capbench.pipeline.compositor.layers.zoom import Magnification, magnification_at
from capbench.pipeline.scene import MAX_MOMENTS, Scene

__all__ = ["EXPOSURE_DTYPE", "Moment", "exposure_block", "moments_at"]

EXPOSURE_DTYPE = np.dtype(
    [("count", "<u4"), ("recording_count", "<u4"), ("padding", "<u4", 2), ("moments", "<f4", (MAX_MOMENTS, 4))]
)
"""`struct Exposure` of shaders/shared/scene.wgsl, field by field."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What of a scene moves within a frame, at one moment of its exposure."""

    zoom: Magnification
    """How the recording is magnified."""
    cursor_s: float
    """Output time whose place on its path the cursor has."""


def moments_at(scene: Scene, frame_s: float, time_s: float) -> tuple[Moment, ...]:
    """The moments that the frame of an output time is the mean of; one where nothing moves, or nothing is blurred.

    The shutter is open for `shutter_degrees` / 360 of `frame_s`, centred on the frame's time. The moments are the
    middles of equal parts of that: their mean is the integral by the midpoint rule.
    """
    still = Moment(magnification_at(scene.zoom, time_s), time_s)
    blur = scene.motion_blur
    if blur is None:
        return (still,)
    open_s = frame_s * blur.shutter_degrees / 360
    times_s = [time_s + ((number + 0.5) / blur.samples - 0.5) * open_s for number in range(blur.samples)]
    moments = tuple(
        Moment(
            magnification_at(scene.zoom, at_s) if blur.zoom else still.zoom,
            at_s if blur.cursor else time_s,
        )
        for at_s in times_s
    )
    return moments if _something_moves(scene, moments) else (still,)


def _something_moves(scene: Scene, moments: Sequence[Moment]) -> bool:
    if any(moment.zoom != moments[0].zoom for moment in moments):
        return True
    if scene.cursor is None:
        return False
    return len({cursor_position(scene.cursor, moment.cursor_s) for moment in moments}) > 1


def exposure_block(moments: Sequence[Moment], now: Magnification, resting: Rectangle) -> NDArray[np.void]:
    """One record of `EXPOSURE_DTYPE`.

    `now` is the magnification of the frame's own time, `resting` the recording's place without any.
    """
    block = np.zeros(1, EXPOSURE_DTYPE)
    moves = any(moment.zoom != moments[0].zoom for moment in moments)
    block["count"], block["recording_count"] = len(moments), len(moments) if moves else 1
    own_scale, own_offset = _from_rest(now, resting)
    for number, moment in enumerate(moments):
        scale, offset = _from_rest(moment.zoom, resting)
        # From the moment's canvas to the recording at rest, and from there to the canvas of the frame's own time.
        step = own_scale / scale
        across, down = (own - step * then for own, then in zip(own_offset, offset, strict=True))
        block["moments"][0, number] = (step, across, down, 1 / step)
    return block


def _from_rest(zoom: Magnification, resting: Rectangle) -> tuple[float, tuple[float, float]]:
    """Scale and offset from positions at rest to positions on the canvas."""
    x, y = resting.point(*zoom.centre)
    return zoom.amount, (x * (1 - zoom.amount), y * (1 - zoom.amount))
