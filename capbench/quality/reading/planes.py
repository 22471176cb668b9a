"""Three planes that can be compared, 8-bit 4:2:0, and small pictures of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ColourSpec, Range
from capbench.errors import PictureError
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.source_colour import COLOURSPACES

__all__ = [
    "PLANAR_420",
    "SAME_CODES",
    "THUMBNAIL_STEP",
    "Planes",
    "Reformatting",
    "as_frame",
    "planes_of",
    "rgb_of",
    "thumbnail",
]

PLANAR_420 = ("yuv420p", "yuvj420p")
"""Formats whose planes are compared as they are."""


class Reformatting(TypedDict):
    """Parameters of swscale besides size and format."""

    src_color_range: int
    dst_color_range: int
    interpolation: int


SAME_CODES: Reformatting = {
    "src_color_range": 1,
    "dst_color_range": 1,
    "interpolation": Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP,
}
"""Same range in and out: swscale may change size, depth and subsampling, never the meaning of a code."""
_MEANS_OF_AREAS: Reformatting = {**SAME_CODES, "interpolation": Interpolation.AREA}
THUMBNAIL_STEP = 8
"""Luma pixels of a picture for one of its thumbnail, each way: small enough to place a fault, big enough that the
coding noise of a block averages out."""


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """8-bit 4:2:0 planes: luma (height, width), Cb and Cr (height // 2, width // 2); views, valid while held."""

    luma: NDArray[np.uint8]
    """Y codes."""
    cb: NDArray[np.uint8]
    """Cb codes."""
    cr: NDArray[np.uint8]
    """Cr codes."""

    @property
    def all(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Luma, Cb, Cr."""
        return self.luma, self.cb, self.cr

    @property
    def chroma(self) -> NDArray[np.uint8]:
        """Cb and Cr interleaved as NV12 has them; a copy."""
        return np.stack([self.cb, self.cr], axis=-1)

    def cropped(self, width: int, height: int) -> Planes:
        """The top left part of that even size."""
        half = (slice(height // 2), slice(width // 2))
        return Planes(self.luma[:height, :width], self.cb[half], self.cr[half])


def planes_of(frame: av.VideoFrame) -> Planes:
    """Planes of a yuv420p or yuvj420p frame without a copy, even size. Raises `PictureError` for another format."""
    if frame.format.name not in PLANAR_420:
        raise PictureError(f"expected yuv420p, got {frame.format.name}")
    views = [plane_samples(plane) for plane in frame.planes]
    even_width, even_height = frame.width // 2 * 2, frame.height // 2 * 2
    return Planes(*views).cropped(even_width, even_height)


def as_frame(planes: Planes, index: int = 0) -> av.VideoFrame:
    """A yuv420p frame that holds a copy of the planes. Raises `PictureError` where they hold no sample."""
    height, width = planes.luma.shape
    if not planes.luma.size:
        raise PictureError("a picture of less than 2x2 pixels cannot be compared; scale it up first")
    frame = av.VideoFrame(width, height, "yuv420p")
    for source, plane in zip((planes.luma, planes.cb, planes.cr), frame.planes, strict=True):
        plane_samples(plane)[:] = source
    frame.pts = index
    return frame


def thumbnail(frame: av.VideoFrame, scaler: VideoReformatter, step: int = THUMBNAIL_STEP) -> NDArray[np.float32]:
    """Block means of Y, Cb, Cr of a yuv420p frame in codes, shape (rows, columns, 3), `step` luma pixels a side."""
    small = scaler.reformat(
        frame,
        width=max(2, frame.width // step),
        height=max(2, frame.height // step),
        format="yuv444p",
        **_MEANS_OF_AREAS,
    )
    planes = np.stack([plane_samples(plane) for plane in small.planes]).astype(np.float32)
    return np.moveaxis(planes, 0, -1)  # in memory one plane after the other: sums over pixels are 10 times as fast


def rgb_of(frame: av.VideoFrame, spec: ColourSpec, scaler: VideoReformatter) -> NDArray[np.uint8]:
    """R'G'B' codes of a yuv420p frame, shape (height, width, 3), for people and for metrics of R'G'B'.

    By swscale, off by a code in places.
    """
    picture = scaler.reformat(
        frame,
        format="rgb24",
        src_colorspace=COLOURSPACES[spec.matrix],
        src_color_range=ColorRange.JPEG if spec.range is Range.FULL else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    return np.asarray(picture.to_ndarray(), np.uint8)
