"""The placements of all frames as series, and where the recording lies at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from capbench.quality.effects.effect_meter import PlacedFrame
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.results.appearance.expected_layers import ExpectedZoom
from capbench.results.appearance.expected_look import ExpectedLook

__all__ = ["PlacementSeries", "is_asked_at_rest", "not_found_reason"]

_SETTLED_S: Final = 0.3
"""After the asked end of a zoom, and before its start, in which a zoom that is somewhat late or early is not rest."""
_REST_PERCENTILE: Final = 0.1
"""Of the scales in order the one that is taken for rest: springs go below it for a few frames."""
_SAME_SCALE: Final = 0.004
"""Relative difference of scales that are the same: a hundred times what registering is good to, a tenth of the smallest
zoom that anybody sees."""


@dataclass(slots=True)
class PlacementSeries:
    """Grows with the frames."""

    times_s: list[float] = field(default_factory=list)
    """Output time of each frame."""
    places: list[FramePlacement | None] = field(default_factory=list)
    """Where the recording lies in it."""

    def add(self, frame: PlacedFrame) -> None:
        """The next frame."""
        self.times_s.append(frame.time_s)
        self.places.append(frame.placement)

    def known(self) -> list[tuple[float, FramePlacement]]:
        """Times and places of the frames in which the recording was found."""
        return [(time, place) for time, place in zip(self.times_s, self.places, strict=True) if place is not None]

    def at_rest(self, look: ExpectedLook) -> FramePlacement | None:
        """The median place of the frames in which no zoom was asked for, the least magnified of them; None without any.

        Where zooms are left open, or were asked for throughout, all frames count.
        """
        known = self.known()
        resting = [place for time, place in known if is_asked_at_rest(look, time)] or [place for _, place in known]
        if not resting:
            return None
        scales = sorted(place.magnification for place in resting)
        scale = scales[int(len(scales) * _REST_PERCENTILE)]
        same = [p for p in resting if abs(p.magnification / scale - 1) <= _SAME_SCALE]
        return median_place(same)


def median_place(places: Sequence[FramePlacement]) -> FramePlacement:
    """Number by number; at least one."""

    def middle(axis_values: Sequence[float]) -> float:
        return float(median(axis_values))

    return FramePlacement(
        recording_size=places[0].recording_size,
        scale=(middle([p.scale[0] for p in places]), middle([p.scale[1] for p in places])),
        rotation_degrees=middle([p.rotation_degrees for p in places]),
        centre=(middle([p.centre[0] for p in places]), middle([p.centre[1] for p in places])),
        uncertainty_px=middle([p.uncertainty_px for p in places]),
        agreeing=middle([p.agreeing for p in places]),
    )


def is_asked_at_rest(look: ExpectedLook, time_s: float, settled_s: float = _SETTLED_S) -> bool:
    """Whether no zoom is asked for at an output time, nor `settled_s` before or after it."""
    zooms: Sequence[ExpectedZoom] = look.zoom if isinstance(look.zoom, tuple) else ()
    return not any(zoom.start_s - settled_s <= time_s < zoom.end_s + settled_s for zoom in zooms)


def not_found_reason(series: PlacementSeries) -> str:
    """Why nothing that depends on the recording's place can be measured."""
    frames = len(series.times_s)
    return f"the recording's marks and content could not be found in any of the {frames} frames of the output"
