"""An output frame beside the recording alone, drawn to the same place, at a size that bounds time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.quality.effects.effect_meter import PlacedFrame
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.reading.planes import Planes

__all__ = [
    "WORKING_WIDTH_PX",
    "MeanPicture",
    "SampledFrames",
    "WorkingFrame",
    "drawn_recording",
    "working_frame",
    "working_size",
]

Field = NDArray[np.float64]

WORKING_WIDTH_PX: Final = 1280
"""Widest picture that overlays are looked for in: a cursor 48 pixels high at 1080 lines then has 32, and a sample of
output and recording takes 1.8 MB."""
_MOST_SAMPLES: Final = 48
"""Frames that are kept at once: 90 MB at the largest size."""
_MIN_TURN_DEGREES: Final = 0.02
"""Less moves no pixel of a picture 1280 wide by more than half a pixel, and needs no rotation."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkingFrame:
    """One output frame and what the recording alone would look like in it. All lengths are working pixels."""

    index: int
    """Position in the output, from 0."""
    time_s: float
    """Seconds since the output's first frame."""
    shown: NDArray[np.uint8]
    """Luma of the output, shape (height, width)."""
    recording: NDArray[np.uint8]
    """Luma of the recording where it lies, same shape; 0 outside it."""
    inside: NDArray[np.bool_]
    """Where the recording lies, less a rim of two pixels, same shape."""
    matrix: Field
    """Shape (2, 3): working pixels = matrix @ (across, down, 1), fractions of the recording; all NaN where it is not
    known."""

    @property
    def is_placed(self) -> bool:
        """Whether it is known where the recording lies, and which of its pictures it is."""
        return bool(np.isfinite(self.matrix).all())

    @property
    def scale(self) -> float:
        """Height of the recording."""
        return float(np.hypot(self.matrix[0, 1], self.matrix[1, 1]))

    def point(self, across: float, down: float) -> Field:
        """Where a point of the recording lies, x and y; its fractions are given."""
        place: Field = self.matrix @ np.array([across, down, 1.0])
        return place


def working_size(canvas: tuple[int, int]) -> tuple[int, int]:
    """Width and height that a canvas is brought to."""
    reduction = max(1.0, canvas[0] / WORKING_WIDTH_PX)
    return max(2, round(canvas[0] / reduction)), max(2, round(canvas[1] / reduction))


def working_frame(frame: PlacedFrame, canvas: tuple[int, int]) -> WorkingFrame:
    """The frame at the working size; without a recording where it is not known which picture it shows, or where."""
    width, height = working_size(canvas)
    shown = frame.planes.luma
    if (shown.shape[1], shown.shape[0]) != (width, height):
        shown = np.asarray(Image.fromarray(shown).resize((width, height), Image.Resampling.BOX))
    if frame.placement is None or frame.source is None:
        nothing = np.zeros(shown.shape, np.uint8)
        return WorkingFrame(
            frame.index, frame.time_s, shown.copy(), nothing, nothing.astype(bool), np.full((2, 3), np.nan)
        )
    to_working = np.array([width / canvas[0], height / canvas[1]])
    matrix = frame.placement.matrix * to_working[:, None]
    recording, inside = drawn_recording(frame.source.luma, frame.placement, matrix, (width, height))
    fractions = matrix.copy()
    fractions[:, 0] *= frame.placement.recording_size[0]
    fractions[:, 1] *= frame.placement.recording_size[1]
    return WorkingFrame(frame.index, frame.time_s, shown.copy(), recording, inside, fractions)


def drawn_recording(
    luma: NDArray[np.uint8], placement: FramePlacement, matrix: Field, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The recording's luma in a picture of a width and height, and where it covers that, less a rim of two pixels.

    `matrix`, shape (2, 3), maps pixels of the recording to the picture's. A reduction averages over each pixel.
    """
    source_size = (luma.shape[1], luma.shape[0])
    drawn = np.zeros((size[1], size[0]), np.uint8)
    inside = np.zeros(drawn.shape, bool)
    if abs(placement.rotation_degrees) < _MIN_TURN_DEGREES:
        scale = (float(matrix[0, 0]), float(matrix[1, 1]))
        # Whole pixels of the picture whose area lies within the recording.
        first = np.ceil(np.maximum(matrix[:, 2], 0)).astype(int)
        end = np.floor(np.minimum(matrix[:, 2] + np.array(scale) * source_size, size)).astype(int)
        if (end - first).min() < 1:
            return drawn, inside
        box = [*((first - matrix[:, 2]) / scale), *((end - matrix[:, 2]) / scale)]
        limits = (*source_size, *source_size)
        part = Image.fromarray(luma).resize(
            (int(end[0] - first[0]), int(end[1] - first[1])),
            Image.Resampling.BILINEAR,
            box=tuple(min(max(0.0, side), limit) for side, limit in zip(box, limits, strict=True)),
        )
        place = np.s_[first[1] : end[1], first[0] : end[0]]
        drawn[place] = np.asarray(part)
        inside[first[1] + 2 : end[1] - 2, first[0] + 2 : end[0] - 2] = True
        return drawn, inside
    picture = Image.fromarray(luma)
    reduction = min(1.0, max(placement.scale))
    reduced = picture.resize((max(1, round(source_size[0] * reduction)), max(1, round(source_size[1] * reduction))))
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    back *= np.array([reduced.width / source_size[0], reduced.height / source_size[1]])[:, None]
    turned = reduced.transform(size, Image.Transform.AFFINE, tuple(back.ravel()), Image.Resampling.BILINEAR)
    drawn[:] = np.asarray(turned)
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    columns, rows = (axis[0] * x + axis[1] * y + axis[2] for axis in back)
    rim = 2.0
    inside[:] = (columns > rim) & (columns < reduced.width - rim) & (rows > rim) & (rows < reduced.height - rim)
    return drawn, inside


class MeanPicture:
    """The mean of an output's pictures at the working size. It changes."""

    def __init__(self, canvas: tuple[int, int]) -> None:
        """For an output of that width and height."""
        width, height = working_size(canvas)
        self._size = (width, height)
        self._sum = np.zeros((height, width, 3), np.float32)
        self.count = 0
        """Pictures so far."""

    def add(self, planes: Planes) -> None:
        """The next picture."""
        for channel, plane in enumerate(planes.all):
            # Chroma of 4:2:0 lies half a pixel aside where it is left-sited: an outline is not so sharp.
            kernel = Image.Resampling.BOX if channel == 0 else Image.Resampling.BILINEAR
            self._sum[..., channel] += np.asarray(Image.fromarray(plane).resize(self._size, kernel))
        self.count += 1

    def mean(self) -> Field:
        """Luma, Cb and Cr in codes, shape (height, width, 3)."""
        return self._sum.astype(np.float64) / max(1, self.count)


class SampledFrames:
    """Frames spread over an output, however many it has. It changes: where it is full, every other one is dropped."""

    def __init__(self, expected_frames: int) -> None:
        """For an output of about so many frames."""
        self._every = max(1, -(-expected_frames // _MOST_SAMPLES))
        self.frames: list[WorkingFrame] = []
        """In order of time."""

    def wants(self, index: int) -> bool:
        """Whether the frame at that position in the output is one of them."""
        return index % self._every == 0

    def add(self, frame: WorkingFrame) -> None:
        """Keep a frame that is wanted."""
        if len(self.frames) >= _MOST_SAMPLES:
            self._every *= 2
            self.frames = [each for each in self.frames if self.wants(each.index)]
            if not self.wants(frame.index):
                return
        self.frames.append(frame)
