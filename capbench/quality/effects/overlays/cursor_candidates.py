"""Places in a picture that differ from the recording in an area as small as a cursor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from capbench.quality.effects.overlays.working_frame import WorkingFrame

__all__ = ["CursorCandidate", "cursor_candidates"]

_NOISE_CODES: Final = 4.0
"""Difference of a flat area between two encodings at common quality, in luma codes."""
_DETAIL: Final = 0.6
"""Share of what a pixel and its neighbours span that an exporter's filter may be off by: bilinear sampling without a
mean over the pixel, as GPUs do it, takes thin lines and small text anywhere in that span."""
_MIN_EVIDENCE: Final = 0.8
"""Mean difference over a cursor's middle in units of what encoding and scaling explain."""
_MOST_AT_ONCE: Final = 6
"""Candidates of one frame: the cursor, a ring of its click, and what else is small and differs."""
_MOST_CONSIDERED: Final = 40
"""Of one frame, before those are left out that something known explains."""
_LARGE_SIDES: Final = 3.0
"""Side, in heights of the cursor, of an area that is no cursor where it differs all the time."""
_ALWAYS: Final = 0.6
"""Share of frames in which a place must differ to be taken for something that stays."""


@dataclass(frozen=True, slots=True)
class CursorCandidate:
    """A small area that differs. Lengths are working pixels."""

    x: float
    """Its middle, right of the left edge."""
    y: float
    """Its middle, below the top edge."""
    evidence: float
    """Mean difference in units of what encoding and scaling explain."""


def cursor_candidates(
    frames: list[WorkingFrame], height_px: float, hides: Callable[[float, float, float], bool] | None = None
) -> list[list[CursorCandidate]]:
    """Candidates of each frame, the strongest first, for a cursor of about that height in working pixels.

    `hides` says of x, y and a time whether something known lies over that place then.
    """
    if not frames:
        return []
    kernel = max(3, round(height_px / 2.5))
    step = max(1, kernel // 2)
    maps = [_evidence(frame, kernel)[::step, ::step] for frame in frames]
    stays = np.mean([each > _MIN_EVIDENCE for each in maps], axis=0) > _ALWAYS
    side = max(1, round(_LARGE_SIDES * height_px / step))
    # What stays is seldom different at each of its pixels.
    filled = ndimage.binary_closing(np.pad(stays, side), np.ones((3, 3), bool), iterations=2)[side:-side, side:-side]
    large = ndimage.binary_dilation(ndimage.binary_opening(filled, np.ones((side, side), bool)), np.ones((3, 3), bool))
    found = []
    for frame, each in zip(frames, maps, strict=True):
        peaks = _peaks(np.where(large, 0, each), step, height_px)
        if hides is not None:
            peaks = [peak for peak in peaks if not hides(peak.x, peak.y, frame.time_s)]
        found.append(peaks[:_MOST_AT_ONCE])
    return found


def _evidence(frame: WorkingFrame, kernel: int) -> NDArray[np.float32]:
    difference = np.abs(frame.shown.astype(np.float32) - frame.recording)
    detail = ndimage.maximum_filter(frame.recording, 3) - ndimage.minimum_filter(frame.recording, 3)
    relative = np.where(frame.inside, difference / (_NOISE_CODES + _DETAIL * detail), 0) / 2
    evidence: NDArray[np.float32] = ndimage.uniform_filter(np.minimum(relative, 8.0).astype(np.float32), kernel)
    return evidence


def _peaks(evidence: NDArray[np.float32], step: int, height_px: float) -> list[CursorCandidate]:
    reach = max(3, 2 * round(0.4 * height_px / step) + 1)
    is_peak = (evidence == ndimage.maximum_filter(evidence, reach)) & (evidence > _MIN_EVIDENCE)
    labels, count = ndimage.label(is_peak, np.ones((3, 3)))  # of a plateau one place
    if count == 0:
        return []
    places = np.round(ndimage.center_of_mass(is_peak, labels, range(1, count + 1))).astype(int)
    rows, columns = places.T
    order = np.argsort(-evidence[rows, columns])[:_MOST_CONSIDERED]
    found = []
    for row, column in zip(rows[order], columns[order], strict=True):
        # The middle of what differs around the peak, as a mean of places.
        near = np.s_[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        weight = np.maximum(evidence[near] - 0.5 * evidence[row, column], 0).astype(np.float64)
        down, across = np.indices(weight.shape) + np.array([near[0].start, near[1].start])[:, None, None]
        middle = np.array([(weight * across).sum(), (weight * down).sum()]) / max(1e-9, weight.sum()) * step + 0.5
        found.append(CursorCandidate(float(middle[0]), float(middle[1]), float(evidence[row, column])))
    return found
