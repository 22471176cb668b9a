"""Frames of the output in front of everything that the reference shows."""

from __future__ import annotations

import itertools
from statistics import median

from capbench.quality.measurements import Measurements

__all__ = ["added_at_start", "placed_pairs"]

_FEWEST_FOLLOWING = 8
"""Frames that must follow in the reference's order: fewer do so by chance in a clip that repeats itself."""
_WORSE_DB = 3.0
"""By how much the PSNR of luma of frames that the reference does not have is lower: rate control that starts is off by
as much within a clip, and another picture by 10 dB and more."""


def added_at_start(evidence: Measurements) -> int:
    """How many frames of the output come before the reference's first one.

    An exporter that does not heed an edit list (ISO/IEC 14496-12, 8.6.6) begins with what the list cuts off. These
    pictures are like some that follow, and are matched with them; they are no repetition, because they are another
    picture, and from the reference's first one on the output has all of it in order.
    """
    if evidence.wanted_rate is not None or evidence.pictures is None:
        return 0
    matches = evidence.matches
    begins = max((frame for frame, match in enumerate(matches) if match == 0), default=0)
    following = matches[begins:]
    in_order = all(after == before + 1 for before, after in itertools.pairwise(_known(following)))
    if not begins or not in_order or len(_known(following)) < _FEWEST_FOLLOWING:
        return 0
    values = evidence.pictures.series["psnr_y"]
    before, behind = ([value for value in part if value is not None] for part in (values[:begins], values[begins:]))
    if not before or not behind:
        return 0
    is_other = median(before) <= median(behind) - _WORSE_DB and max(before) < median(behind)
    return begins if is_other else 0


def _known(matches: tuple[int | None, ...]) -> list[int]:
    return [match for match in matches if match is not None]


def placed_pairs(evidence: Measurements) -> list[tuple[int, int]]:
    """Output frames that were matched, each with its reference frame, without those that were added at the start."""
    added = added_at_start(evidence)
    return [(frame, match) for frame, match in enumerate(evidence.matches) if match is not None and frame >= added]
