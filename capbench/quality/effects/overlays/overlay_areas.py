"""What camera and cursor cover of an output, found or asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from capbench.quality.effects.effect_meter import EffectContext
from capbench.quality.effects.overlays.camera_finding import RIM, CameraSighting
from capbench.quality.effects.overlays.cursor_finding import asked_cursor, asked_telemetry
from capbench.quality.effects.overlays.cursor_track import CursorTrack
from capbench.quality.effects.overlays.working_frame import WorkingFrame
from capbench.quality.effects.placing.coverings import CoveredArea, CoveringCursor
from capbench.results.appearance.expected_layers import ExpectedCamera

__all__ = ["camera_area", "cursor_cover"]

_USUAL_MARGIN: Final = 0.1
"""Of the canvas's shorter side, between a camera in a corner and the edges, where only the corner was asked for."""
_TOUCHES_PX: Final = 16
"""Working pixels from an area over the recording to the recording's edge, at which what stands there may go on beside
it, where it cannot be told from the background: the step of the search, its window and the edge's own rim."""
_REACH_SIZES: Final = 1.5
"""How far from its middle a cursor covers anything, in its heights: its shadow, the ring of a click, a frame's lag."""


def camera_area(
    sighting: CameraSighting | str | None,
    standing: tuple[float, float, float, float] | None,
    frames: Sequence[WorkingFrame],
    context: EffectContext,
) -> CoveredArea | None:
    """What a camera covers: the one that was found, else what else stands over the recording, else the asked place.

    `standing` is an area in working pixels. None where nothing is known to be there.
    """
    if isinstance(sighting, CameraSighting):
        height, width = frames[0].shown.shape
        outline = sighting.outline
        rim = RIM * (outline.bottom - outline.top)
        return CoveredArea(
            (outline.left - rim) / width,
            (outline.top - rim) / height,
            (outline.right + rim) / width,
            (outline.bottom + rim) / height,
        )
    if standing is not None:
        return _beyond_the_recording(standing, [frame for frame in frames if frame.is_placed])
    asked = context.look.camera
    # With its file it would have been found where it is.
    if isinstance(asked, ExpectedCamera) and (asked.source is None or isinstance(sighting, str)):
        return _asked_area(asked, context.canvas)
    return None


def _beyond_the_recording(area: tuple[float, float, float, float], frames: Sequence[WorkingFrame]) -> CoveredArea:
    """The area, and where it ends at the recording's edge all that lies beside it as far as the canvas goes."""
    left, top, right, bottom = area
    smallest = min(frames, key=lambda frame: frame.scale)
    height, width = smallest.shown.shape
    rows, columns = (np.flatnonzero(smallest.inside.any(axis=axis)) for axis in (1, 0))
    rim = RIM * (bottom - top)
    return CoveredArea(
        0.0 if left - columns[0] < _TOUCHES_PX else (left - rim) / width,
        0.0 if top - rows[0] < _TOUCHES_PX else (top - rim) / height,
        1.0 if columns[-1] - right < _TOUCHES_PX else (right + rim) / width,
        1.0 if rows[-1] - bottom < _TOUCHES_PX else (bottom + rim) / height,
    )


def _asked_area(asked: ExpectedCamera, canvas: tuple[int, int]) -> CoveredArea | None:
    if asked.position is None or asked.size is None:
        return None
    shorter = min(canvas)
    high, margin = asked.size * shorter / canvas[1], _USUAL_MARGIN * shorter
    wide = (asked.aspect or 1.0) * asked.size * shorter / canvas[0]
    if not isinstance(asked.position, str):
        across, down = asked.position
        half = wide * (0.5 + RIM), high * (0.5 + RIM)
        return CoveredArea(across - half[0], down - half[1], across + half[0], down + half[1])
    beside = wide * (1 + RIM) + margin / canvas[0], high * (1 + RIM) + margin / canvas[1]
    left = 0.0 if asked.position.endswith("left") else 1 - beside[0]
    top = 0.0 if asked.position.startswith("top") else 1 - beside[1]
    return CoveredArea(left, top, left + beside[0], top + beside[1])


def cursor_cover(
    track: CursorTrack | None, frames: Sequence[WorkingFrame], context: EffectContext
) -> CoveringCursor | None:
    """What a cursor covers: the one that was found, else where telemetry has it. `frames` are placed.

    None where neither is known.
    """
    asked = asked_cursor(context)
    telemetry = asked_telemetry(asked)
    if not frames:
        return None
    smallest = min(frames, key=lambda frame: frame.scale)
    sides = float(np.hypot(*smallest.matrix[:, 0])), smallest.scale
    if track is not None:
        size = track.size[0] / sides[0], track.size[1] / sides[1]
    elif asked.size_px is not None:
        high = asked.size_px * smallest.shown.shape[0] / 1080
        size = high / sides[0], high / sides[1]
    else:
        return None
    to_middle = (0.5 - asked.hotspot[0]) * size[0], (0.5 - asked.hotspot[1]) * size[1]
    reach = _REACH_SIZES * size[1]
    if telemetry is not None and (track is None or track.follows):
        lag_s = (track.lag_s if track is not None else None) or 0.0

        def on_its_way(time_s: float) -> tuple[float, float]:
            across, down = telemetry(time_s - lag_s)
            return across + to_middle[0], down + to_middle[1]

        return CoveringCursor(on_its_way, reach)
    if track is None:
        return None
    by_index = {frame.index: frame for frame in frames}
    seen = [each for each in track.sightings if each.point is not None]
    if not seen:  # it would change too little to be seen wherever it was learnt
        return None
    places = np.array(
        [
            np.linalg.solve(
                by_index[each.index].matrix[:, :2], np.array(each.point) - by_index[each.index].matrix[:, 2]
            )
            for each in seen
        ]
    )
    times_s = [each.time_s for each in seen]

    def as_seen(time_s: float) -> tuple[float, float]:
        across, down = (float(np.interp(time_s, times_s, places[:, axis])) for axis in (0, 1))
        return across + to_middle[0], down + to_middle[1]

    return CoveringCursor(as_seen, reach)
