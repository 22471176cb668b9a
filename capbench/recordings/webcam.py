"""Draws the frames of a camera recording: a wall of shelves that never moves, and a plate with the frame number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from capbench.recordings.camera_marks import CAMERA_CELLS, MARK_SIDE, PLATE_SIDE, camera_cells
from capbench.recordings.recording_planes import RecordingPlanes, planes_from_rgb
from capbench.recordings.spec import RecordingSpec

__all__ = ["Webcam"]

_BLACK, _WHITE = 16, 235
_PLATE = (126, 126, 126)
"""The mean of the cells: at a distance the plate is one grey, whatever number it shows."""
_WALL_TOP, _WALL_BOTTOM = (112, 138, 178), (58, 60, 92)
_SHELVES = 6
"""Rows of books down the picture: each is high enough to place the picture by where it is 60 pixels high."""
_BOOKS = ((196, 84, 62), (226, 186, 92), (52, 104, 148), (88, 148, 108), (232, 228, 214), (64, 48, 58), (148, 92, 152))


class Webcam:
    """Draws any frame of one camera recording, in any order."""

    def __init__(self, spec: RecordingSpec) -> None:
        width, height = spec.width, spec.height
        self._still = planes_from_rgb(_room(width, height, seed=spec.seed))
        side = 2 * round(MARK_SIDE * height / 2)
        left, top = (2 * round((length - side) / 4) for length in (width, height))
        self._place = (slice(top, top + side), slice(left, left + side))
        self._row_edges = np.linspace(0, side, 2 * CAMERA_CELLS[0] + 1).round().astype(int)
        self._column_edges = np.linspace(0, side, CAMERA_CELLS[1] + 1).round().astype(int)

    def draw(self, frame: int, onto: RecordingPlanes) -> None:
        """Draw frame `frame`, counted from 0, over all of `onto`, which has the recording's size."""
        onto.paste(self._still)
        codes = np.where(camera_cells(frame) == 1, _WHITE, _BLACK).astype(np.uint8)
        rows = np.repeat(codes, np.diff(self._row_edges), axis=0)
        onto.luma[self._place] = np.repeat(rows, np.diff(self._column_edges), axis=1)


def _room(width: int, height: int, *, seed: int) -> NDArray[np.uint8]:
    """All that never moves, shape (height, width, 3)."""
    rng = np.random.default_rng([seed, 5])
    shade = np.linspace(0, 1, height)[:, None, None]
    wall = np.array(_WALL_TOP) * (1 - shade) + np.array(_WALL_BOTTOM) * shade
    picture = Image.fromarray(np.broadcast_to(wall, (height, width, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    shelf = height / _SHELVES
    for row in range(_SHELVES):
        bottom = (row + 0.94) * shelf
        draw.rectangle((0, bottom, width, (row + 1) * shelf), fill=(44, 36, 34))
        left = rng.uniform(-0.1, 0.1) * shelf
        while left < width:
            thick, high = rng.uniform(0.22, 0.7) * shelf, rng.uniform(0.5, 0.86) * shelf
            if rng.random() < 0.8:
                draw.rectangle(
                    (left, bottom - high, left + thick - 1, bottom), fill=_BOOKS[int(rng.integers(len(_BOOKS)))]
                )
            left += thick
    half = PLATE_SIDE * height / 2
    draw.rectangle((width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half), fill=_PLATE)
    return np.asarray(picture)
