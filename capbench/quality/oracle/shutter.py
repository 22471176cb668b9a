"""What moves within a frame: the moments of its exposure, worked out from the scene's description alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.scene import Scene
from capbench.quality.oracle.placement import Placement
from capbench.quality.oracle.scene_timing import cursor_place

__all__ = ["ExposedMoment", "at_rest", "distinct_placements", "exposed_moments"]


@dataclass(frozen=True, slots=True)
class ExposedMoment:
    """One of the moments that a frame is the mean of."""

    placement: Placement
    """Where the recording lies then."""
    cursor: tuple[float, float] | None = None
    """Where the cursor is then, in fractions across and down the recording; None where the scene has none."""


def exposed_moments(
    scene: Scene, place: Callable[[float], Placement], frame_s: float, time_s: float
) -> tuple[ExposedMoment, ...]:
    """The moments of the frame of an output time, `frame_s` after the one before; one where nothing moves.

    `place` says where the recording lies at an output time. An angle of 360 degrees is a whole frame; the shutter opens
    half of its time before the frame's own, and each moment stands for an equal part, in whose middle it is.
    """
    own = ExposedMoment(place(time_s), _cursor(scene, time_s))
    blur = scene.motion_blur
    if blur is None:
        return (own,)
    edges: NDArray[np.float64] = np.linspace(-0.5, 0.5, blur.samples + 1) * (frame_s * blur.shutter_degrees / 360)
    middles_s = time_s + (edges[:-1] + edges[1:]) / 2
    moments = tuple(
        ExposedMoment(
            place(at_s) if blur.zoom else own.placement,
            _cursor(scene, at_s) if blur.cursor else own.cursor,
        )
        for at_s in middles_s.tolist()
    )
    return (own,) if len(set(moments)) == 1 else moments


def at_rest(placement: Placement, scene: Scene, time_s: float) -> tuple[ExposedMoment, ...]:
    """An exposure in which nothing moves."""
    return (ExposedMoment(placement, _cursor(scene, time_s)),)


def distinct_placements(moments: Sequence[ExposedMoment]) -> list[Placement]:
    """Where the recording lies, moment by moment; once where it does not move."""
    placements = [moment.placement for moment in moments]
    return placements[:1] if len(set(placements)) == 1 else placements


def _cursor(scene: Scene, time_s: float) -> tuple[float, float] | None:
    return None if scene.cursor is None else cursor_place(scene.cursor, time_s)
