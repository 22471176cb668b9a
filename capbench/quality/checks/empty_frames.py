"""Does a frame show nothing at all: black, or the green of codes that nobody wrote?"""  # noqa: D400

from __future__ import annotations

import numpy as np

from capbench.colour import ColourSpec
from capbench.quality.checks import limits
from capbench.quality.checks.colour_diagnosis import rgb_of_codes
from capbench.quality.reading.observed_frame import FrameRecord

__all__ = ["is_black", "is_green"]


def is_black(record: FrameRecord, within: float = 1.0) -> bool:
    """Whether a frame is empty and dark, within so many times the limits.

    By the black of limited range in any file: what is as dark and empty in full range shows nothing either, and there
    it is black where the range alone is stated wrongly.
    """
    neutral = all(abs(code - 128) < 8 for code in record.mean_codes[1:])
    return (
        neutral
        and record.spread_codes < within * limits.EMPTY_SPREAD_CODES
        and record.mean_codes[0] < limits.BLACK_CODE + within * limits.BLACK_ABOVE_CODES
    )


def is_green(record: FrameRecord, spec: ColourSpec) -> bool:
    """Whether a frame is greener than any colour, or flat and green alone: what R'G'B' clips that to."""
    if max(record.mean_codes[1:]) < limits.GREEN_CHROMA_CODE:
        return True
    red, green, blue = (255 * rgb_of_codes(np.array(record.mean_codes), spec)).tolist()
    return (
        record.spread_codes < limits.EMPTY_SPREAD_CODES
        and green > limits.GREEN_CODES
        and max(red, blue) < limits.NO_RED_OR_BLUE_CODES
    )
