"""What surrounds the recording at rest: its corners, its shadow and what lies behind it, from one typical picture.

Some frames at rest, spread over the clip, are kept, and the median of each pixel is taken: what moves or is shown for a
time is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.framing.backdrop import judge_background
from capbench.quality.effects.framing.corner_radius import judge_corners
from capbench.quality.effects.framing.drop_shadow import judge_shadow
from capbench.quality.effects.framing.resting_picture import RestingPicture
from capbench.quality.effects.framing.surroundings import surroundings_of
from capbench.quality.effects.placement_series import PlacementSeries, is_asked_at_rest, not_found_reason
from capbench.quality.effects.placing.warped_pictures import onto_canvas
from capbench.quality.reading.planes import Planes
from capbench.results.appearance.effect_finding import EffectFinding

__all__ = ["FramingMeter"]

_MOST_FRAMES: Final = 9
"""Kept: an odd number has a middle, and what is shown in up to four of them is gone."""
_MOST_KEPT_BYTES: Final = 160 * 2**20
"""Of 4K frames, each of which is kept with the recording's frame beside it, fewer are."""
_FEWEST_FRAMES: Final = 3


class FramingMeter:
    """Keeps a few frames and all placements."""

    def __init__(self, context: EffectContext) -> None:
        self._context = context
        self._series = PlacementSeries()
        frame_bytes = (context.canvas[0] * context.canvas[1] + context.recording[0] * context.recording[1]) * 3 // 2
        self._most = max(_FEWEST_FRAMES, min(_MOST_FRAMES, _MOST_KEPT_BYTES // frame_bytes))
        self._kept: list[tuple[int, Planes, Planes]] = []
        self._seen, self._every = 0, 1

    def add(self, frame: PlacedFrame) -> None:
        """The next frame."""
        self._series.add(frame)
        # Those in which a zoom is late or early all the same are told by their scale, when all are known.
        at_rest = is_asked_at_rest(self._context.look, frame.time_s, settled_s=0.0)
        if frame.placement is None or frame.source is None or not at_rest:
            return
        if self._seen % self._every == 0:
            self._kept.append((frame.index, _copied(frame.planes), _copied(frame.source)))
            if len(self._kept) > 2 * self._most:  # every other one, still spread evenly, and half as many from now on
                self._kept, self._every = self._kept[::2], self._every * 2
        self._seen += 1

    def finish(self) -> Sequence[EffectFinding]:
        """Corner radius, shadow and background."""
        look = self._context.look
        picture = self._resting()
        if picture is None:
            reason = not_found_reason(self._series)
            if any(self._series.places):
                reason = "no frame shows the recording at rest, so that its frame cannot be measured"
            return [
                EffectFinding(effect=name, outcome="unchecked", message=reason)
                for name in ("corner_radius", "shadow", "background")
            ]
        corners, radius_px = judge_corners(picture, look)
        around = surroundings_of(picture, radius_px)
        return [corners, judge_shadow(picture, look, around), judge_background(picture, look, around)]

    def _resting(self) -> RestingPicture | None:
        rest = self._series.at_rest(self._context.look)
        if rest is None:
            return None
        kept = [
            (self._series.times_s[index], planes, source)
            for index, planes, source in self._kept
            if (place := self._series.places[index]) is not None
            and abs(place.scale[0] / rest.scale[0] - 1) < 0.01
            and max(abs(a - b) for a, b in zip(place.centre, rest.centre, strict=True)) < 1.0
        ]
        if not kept:
            return None
        # What is shown for a time is in the median of few frames: those without it are enough.
        kept = [each for each in kept if not self._context.coverings.is_timed(each[0])] or kept
        chosen = kept[:: max(1, len(kept) // self._most)][: self._most]
        output = _median([planes for _, planes, _ in chosen])
        source = _median([source for _, _, source in chosen])
        recording = onto_canvas(source, rest, self._context.canvas)
        return RestingPicture(self._context, rest, output, recording)


def _copied(planes: Planes) -> Planes:
    return Planes(*(plane.copy() for plane in planes.all))


def _median(pictures: Sequence[Planes]) -> Planes:
    """Of each pixel. One row of all pictures after the other: a stack of 4K pictures would be copied by the sort."""

    def of(planes: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        middle = np.empty_like(planes[0])
        for top in range(0, len(middle), _BAND_ROWS):
            band = np.s_[top : top + _BAND_ROWS]
            stack = np.stack([plane[band] for plane in planes])
            middle[band] = np.partition(stack, len(planes) // 2, axis=0)[len(planes) // 2]
        return middle

    return Planes(*(of([picture.all[plane] for picture in pictures]) for plane in range(3)))


_BAND_ROWS: Final = 64
