"""Marks of a recording read where it lies in an output, by the readers of `capbench.recordings.marks`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.placing.warped_pictures import warped
from capbench.quality.reading.observed_frame import FrameRecord
from capbench.recordings.layout import FLASH, FRAME_NUMBER, Area, LayoutRectangle
from capbench.recordings.marks import flash_level, read_frame_number

__all__ = ["ReadMarks", "is_cropped", "read_marks", "with_marks"]

_LEAST_CELL_PX: Final = 2.0
"""Width of a cell of the frame number in the output from which it must be readable: smaller ones are a sample and a
half of a coarse encoding."""
_CELLS: Final = 44
_MOST_DRIFT: Final = 0.1
"""Of a cell's height by which a turned row may leave its place from end to end without being turned back."""


@dataclass(frozen=True, slots=True)
class ReadMarks:
    """What the marks of one output frame say."""

    number: int | None
    """Burnt-in frame number; None where it cannot be read."""
    number_visible: bool
    """Whether it lies in the picture, large enough to be read."""
    flash: float | None
    """Brightness of the flash mark, 0 black to 1 white; None where it is out of sight or no number was read."""


_NO_MARKS: Final = ReadMarks(None, number_visible=False, flash=None)


def is_cropped(area: Area, crop: tuple[float, float, float, float]) -> bool:
    """Whether a crop (left, top, right, bottom in fractions) cuts into an area of the recording."""
    left, top, right, bottom = crop
    return area.left < left or area.top < top or area.right > 1 - right or area.bottom > 1 - bottom


def read_marks(
    luma: NDArray[np.uint8], placement: FramePlacement | None, crop: tuple[float, float, float, float]
) -> ReadMarks:
    """Read the frame number and the flash of an output's luma plane (height, width)."""
    canvas = luma.shape[1], luma.shape[0]
    if placement is None or is_cropped(FRAME_NUMBER, crop) or not placement.shows(FRAME_NUMBER, canvas):
        return _NO_MARKS
    width_px = (FRAME_NUMBER.right - FRAME_NUMBER.left) * placement.size[0]
    if width_px / _CELLS < _LEAST_CELL_PX:
        return _NO_MARKS
    row_px = (FRAME_NUMBER.bottom - FRAME_NUMBER.top) / 2 * placement.size[1]
    picture, place = luma, placement.rectangle()
    if abs(math.sin(math.radians(placement.rotation_degrees))) * width_px > _MOST_DRIFT * row_px:
        picture, place = (
            warped(luma, placement.matrix, placement.recording_size),
            LayoutRectangle(0, 0, *placement.recording_size),
        )
    number = read_frame_number(picture, place)
    sees_flash = number is not None and not is_cropped(FLASH, crop) and placement.shows(FLASH, canvas)
    return ReadMarks(number, number_visible=True, flash=flash_level(picture, place) if sees_flash else None)


def with_marks(record: FrameRecord, marks: ReadMarks) -> FrameRecord:
    """The record of a frame with what its marks say."""
    return replace(record, number=marks.number, number_visible=marks.number_visible, flash=marks.flash)
