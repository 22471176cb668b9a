"""Where the recording lies in each frame of an output, from frame to frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.placing.find_recording import NEAR, WIDE, find_recording
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.placing.luma_pyramid import LumaPyramid
from capbench.quality.effects.placing.register_picture import likeness, register_picture

__all__ = ["PlacementTracker"]

_WORTH_TRYING: Final = 0.35
"""Correlation at a start from which it is registered: two samples off, text still correlates by so much."""
_FITS: Final = 0.7
"""Correlation of a registered place that is right. A camera, captions and a cursor over a quarter of the recording
leave 0.8; places that are wrong reach 0.3."""
_LEAST_AGREEING: Final = 0.35
"""Share of the points that must agree besides: a place in which a part fits by chance has less."""
_SCALES: Final = (0.15, 12.0)
"""Scales of a right place, over the one that fits into the output."""
_MOST_STRETCH: Final = 1.25
"""Of one scale over the other; a recording that is shown more out of shape than 5:4 is taken for another one."""
_MOST_TURN_DEGREES: Final = 20.0


class PlacementTracker:
    """Places frame after frame. It changes: it starts from the frames before.

    Where nothing fits any more, the whole picture is searched again: in the first such frame, and then in ever fewer,
    so that a clip without the recording costs a few searches.
    """

    def __init__(
        self,
        canvas: tuple[int, int],
        recording: tuple[int, int],
        asked: Callable[[float], FramePlacement | None] = lambda _: None,
    ) -> None:
        """For outputs and recordings of those widths and heights. `asked` is where it should be at an output time."""
        self._asked = asked
        self._fitted = min(canvas[0] / recording[0], canvas[1] / recording[1])
        self._before: list[FramePlacement] = []
        self._lost_frames = 0
        self._next_search = 0
        self._recording: tuple[int, LumaPyramid] | None = None

    def place(
        self, luma: NDArray[np.uint8], recording: NDArray[np.uint8], time_s: float, *, recording_key: int
    ) -> FramePlacement | None:
        """Where the recording's luma plane lies in an output's; None where it was not found.

        Frames come in order. `recording_key` tells the recording's pictures apart, so that one that is shown again is
        prepared once.
        """
        output = LumaPyramid(luma)
        if self._recording is None or self._recording[0] != recording_key:
            self._recording = recording_key, LumaPyramid(recording)
        found = next(self._attempts(output, self._recording[1], time_s), None)
        if found is None:
            self._lost_frames += 1
            return None
        self._before = [*self._before[-1:], found]
        self._lost_frames = self._next_search = 0
        return found

    def _attempts(self, output: LumaPyramid, recording: LumaPyramid, time_s: float) -> Iterator[FramePlacement]:
        starts = [start for start in (*self._continued(), self._asked(time_s)) if start is not None]
        rated = [(likeness(output, recording, start), start) for start in starts]
        for correlation, start in sorted(rated, key=lambda one: -one[0]):
            if correlation >= _WORTH_TRYING:
                yield from self._registered(output, recording, start)
        if self._before and self._lost_frames == 0:
            middle = self._before[-1].magnification / self._fitted
            for start in find_recording(output, recording, (middle * NEAR[0], middle * NEAR[1])):
                yield from self._registered(output, recording, start)
        if self._lost_frames >= self._next_search:
            self._next_search = 2 * self._lost_frames + 1
            for start in find_recording(output, recording, WIDE):
                yield from self._registered(output, recording, start)

    def _continued(self) -> Iterator[FramePlacement]:
        if not self._before:
            return
        last = self._before[-1]
        if len(self._before) > 1 and self._lost_frames == 0:
            earlier = self._before[-2]
            # Scales go on by the same factor, and so does the distance of the middle from wherever it stays.
            growth = [now / then for now, then in zip(last.scale, earlier.scale, strict=True)]
            yield FramePlacement(
                recording_size=last.recording_size,
                scale=(last.scale[0] * growth[0], last.scale[1] * growth[1]),
                rotation_degrees=2 * last.rotation_degrees - earlier.rotation_degrees,
                centre=(
                    last.centre[0] + growth[0] * (last.centre[0] - earlier.centre[0]),
                    last.centre[1] + growth[1] * (last.centre[1] - earlier.centre[1]),
                ),
                uncertainty_px=last.uncertainty_px,
                agreeing=last.agreeing,
            )
        yield last

    def _registered(
        self, output: LumaPyramid, recording: LumaPyramid, start: FramePlacement
    ) -> Iterator[FramePlacement]:
        """The place near a start, if it is one."""
        place = register_picture(output, recording, start)
        if place is None or not self._is_possible(place) or place.agreeing < _LEAST_AGREEING:
            return
        if likeness(output, recording, place) >= _FITS:
            yield place

    def _is_possible(self, place: FramePlacement) -> bool:
        scales = [scale / self._fitted for scale in place.scale]
        return (
            all(_SCALES[0] <= scale <= _SCALES[1] for scale in scales)
            and 1 / _MOST_STRETCH <= scales[0] / scales[1] <= _MOST_STRETCH
            and abs(place.rotation_degrees) <= _MOST_TURN_DEGREES
        )
