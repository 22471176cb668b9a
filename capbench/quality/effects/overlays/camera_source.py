"""What a camera recorded, as far as finding it again needs it: a mean picture, what varies, its frame numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.errors import SourceError
from capbench.pipeline.compositor.layers.image_textures import is_image, open_image
from capbench.quality.reading.clip import Clip, read_facts
from capbench.quality.reading.planes import PLANAR_420, planes_of
from capbench.recordings.camera_marks import CAMERA_NUMBERS, read_camera_number

__all__ = ["TEMPLATE_HEIGHT_PX", "CameraSource", "read_camera"]

Field = NDArray[np.float64]

TEMPLATE_HEIGHT_PX: Final = 180
"""Height that a camera's picture is brought to: an inset of a quarter of 720 lines has it."""
_MOST_FRAMES: Final = 60
"""Frames that are read of a camera recording, its first two seconds: what is at rest in them tells where it lies."""
_SLACK_S: Final = 1e-6
"""Two clocks that mean the same time may differ by a rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraSource:
    """A camera recording."""

    mean: Field
    """Mean luma of its first frames in codes, shape (rows, columns), `TEMPLATE_HEIGHT_PX` high."""
    chroma: Field
    """Mean Cb and Cr, shape (rows, columns, 2)."""
    spread: Field
    """Standard deviation of luma over those frames, shape (rows, columns): what moves, or counts."""
    first_number: int | None
    """Frame number of its first frame; None where it carries none."""
    frame_s: float | None
    """Time from one of its frames to the next; None for an image."""
    last: int
    """Position of its last frame; it stays."""

    @property
    def aspect(self) -> float:
        """Width over height."""
        return float(self.mean.shape[1] / self.mean.shape[0])

    def expected_number(self, time_s: float) -> int | None:
        """Frame number that should be seen at a time since the output's first frame; None where there are none."""
        if self.first_number is None or self.frame_s is None:
            return None
        position = min(math.floor((time_s + _SLACK_S) / self.frame_s), self.last)
        return (self.first_number + position) % CAMERA_NUMBERS


def read_camera(path: Path) -> CameraSource:
    """Read the beginning of a camera recording, or an image. Raises `SceneError` or `SourceError`."""
    if is_image(path):
        picture = np.asarray(open_image(path).convert("YCbCr"), np.float64)
        # JPEG's codes are full range, those of videos mostly limited; contrast is free in registration.
        mean, cb, cr = (_reduced(picture[..., channel]) for channel in range(3))
        return CameraSource(mean, np.stack([cb, cr], axis=-1), np.zeros_like(mean), None, None, 0)
    facts = read_facts(path)
    clip = Clip(path)
    pictures: list[Field] = []
    numbers: list[int | None] = []
    for frame in clip.frames():
        planes = [clip.turn.applied(plane) for plane in planes_of(_plain(frame)).all]
        luma = np.ascontiguousarray(planes[0])
        numbers.append(read_camera_number(luma, (luma.shape[1] / 2, luma.shape[0] / 2), luma.shape[0]))
        pixel = 1 / facts.sample_aspect if clip.turn.swaps_sides else facts.sample_aspect
        aspect = luma.shape[1] / luma.shape[0] * float(pixel)
        pictures.append(np.stack([_reduced(plane, aspect) for plane in planes], axis=-1))
        if len(pictures) >= _MOST_FRAMES:
            break
    if not pictures:
        raise SourceError(f"{path}: no frame decodes ({clip.error or 'the video stream is empty'})")
    rate = float(facts.frame_rate or 30)
    stack = np.stack(pictures)
    mean, spread = stack.mean(axis=0), stack[..., 0].std(axis=0)
    first = numbers[0] if _counts(numbers) else None
    return CameraSource(mean[..., 0], mean[..., 1:], spread, first, 1 / rate, max(facts.expected_frames, 1) - 1)


def _counts(numbers: Sequence[int | None]) -> bool:
    """Whether every frame carries the number after the one before."""
    first = numbers[0]
    return first is not None and all(
        number == (first + position) % CAMERA_NUMBERS for position, number in enumerate(numbers)
    )


def _plain(frame: av.VideoFrame) -> av.VideoFrame:
    return frame if frame.format.name in PLANAR_420 else frame.reformat(format="yuv420p")


def _reduced(plane: NDArray[np.generic], aspect: float | None = None) -> Field:
    """At the template's height, in square pixels. What is 64 times as wide as high is no camera, and is narrowed."""
    width = TEMPLATE_HEIGHT_PX * (plane.shape[1] / plane.shape[0] if aspect is None else aspect)
    size = (min(max(8, round(width)), 64 * TEMPLATE_HEIGHT_PX), TEMPLATE_HEIGHT_PX)
    picture = Image.fromarray(np.ascontiguousarray(plane).astype(np.float32))
    return np.asarray(picture.resize(size, Image.Resampling.BOX), np.float64)
