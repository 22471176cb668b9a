"""Decoded frames as three planes that can be compared: upright, 8-bit 4:2:0, in one colour specification and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients
from capbench.errors import PictureError
from capbench.quality.reading.colour_conversion import Respecifier

__all__ = ["COLOURSPACES", "THUMBNAIL_STEP", "Normaliser", "Planes", "as_frame", "planes_of", "thumbnail"]

_PLANAR_420 = ("yuv420p", "yuvj420p")


class _Reformatting(TypedDict):
    src_color_range: int
    dst_color_range: int
    interpolation: int


_SAME_CODES: _Reformatting = {
    "src_color_range": 1,
    "dst_color_range": 1,
    "interpolation": Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP,
}
"""Same range in and out: swscale may change size, depth and subsampling, never the meaning of a code."""
_FULL_TO_LIMITED: _Reformatting = {**_SAME_CODES, "src_color_range": 2}
_MEANS_OF_AREAS: _Reformatting = {**_SAME_CODES, "interpolation": Interpolation.AREA}
COLOURSPACES = {
    MatrixCoefficients.BT601: Colorspace.ITU601,
    MatrixCoefficients.BT709: Colorspace.ITU709,
    MatrixCoefficients.BT2020: Colorspace.BT2020,
}
"""Matrices as swscale names them."""
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
    if frame.format.name not in _PLANAR_420:
        raise PictureError(f"expected yuv420p, got {frame.format.name}")
    views = [_rows(plane) for plane in frame.planes]
    even_width, even_height = frame.width // 2 * 2, frame.height // 2 * 2
    return Planes(*views).cropped(even_width, even_height)


def as_frame(planes: Planes, index: int = 0) -> av.VideoFrame:
    """A yuv420p frame that holds a copy of the planes."""
    height, width = planes.luma.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for source, plane in zip((planes.luma, planes.cb, planes.cr), frame.planes, strict=True):
        _rows(plane)[:] = source
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
    planes = np.stack([_rows(plane) for plane in small.planes]).astype(np.float32)
    return np.moveaxis(planes, 0, -1)  # in memory one plane after the other: sums over pixels are 10 times as fast


def _rows(plane: VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


class Normaliser:
    """Turns a clip's frames into upright 8-bit 4:2:0 frames of a wanted size and colour. Keeps its scaler: it changes.

    Size and bit depth go through swscale; matrix and range do not, because swscale's own conversion is off by half a
    code in chroma, which would be blamed on the file under test.
    """

    def __init__(
        self, spec: ColourSpec, wanted: ColourSpec, size: tuple[int, int] | None, rotation_degrees: int, *, crop: bool
    ) -> None:
        """From `spec` to `wanted`, and to `size` (None keeps it, made even).

        The size is reached by scaling, or by cutting or repeating the edge when `crop`.
        """
        self._scaler = VideoReformatter()
        self._size = size
        self._siting = wanted.siting
        self._colorspace = COLOURSPACES[spec.matrix]
        self._crop = crop
        self._quarter_turns = round(rotation_degrees / 90) % 4
        same = (spec.matrix, spec.range) == (wanted.matrix, wanted.range)
        self._respecifier = None if same else Respecifier(spec, wanted)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame as it is to be compared; the same object where nothing had to be done."""
        if frame.format.is_rgb or frame.format.has_palette:
            # Pictures without a matrix of their own (GIF, PNG) become what the tags' guess says they are.
            frame = self._scaler.reformat(frame, format="yuv444p", dst_colorspace=self._colorspace, **_FULL_TO_LIMITED)
        if frame.format.name.startswith(("yuv444", "yuvj444")):
            frame = self._subsample(frame)
        elif frame.format.name not in _PLANAR_420:
            frame = self._scaler.reformat(
                frame, format="yuvj420p" if frame.format.name.startswith("yuvj") else "yuv420p", **_SAME_CODES
            )
        if self._quarter_turns:
            frame = as_frame(Planes(*(np.rot90(plane, self._quarter_turns) for plane in planes_of(frame).all)))
        if frame.format.name != "yuv420p" or frame.width % 2 or frame.height % 2:
            # swscale reads a range out of "yuvj" and would convert it; the comparison is of codes.
            frame = as_frame(planes_of(frame))
        if self._size is not None and (frame.width, frame.height) != self._size:
            frame = self._fit(frame, *self._size)
        if self._respecifier is not None:
            frame = as_frame(Planes(*self._respecifier(*planes_of(frame).all)))
        return frame

    def _subsample(self, frame: av.VideoFrame) -> av.VideoFrame:
        """4:2:0 of 4:4:4, sited as wanted: swscale would always centre it."""
        if frame.format.name not in ("yuv444p", "yuvj444p"):
            frame = self._scaler.reformat(frame, format="yuv444p", **_SAME_CODES)
        luma, cb, cr = (_rows(plane)[: frame.height // 2 * 2, : frame.width // 2 * 2] for plane in frame.planes)
        return as_frame(Planes(luma, *(_halved(plane, self._siting) for plane in (cb, cr))))

    def _fit(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        if self._crop:
            planes = planes_of(frame).all
            wanted = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
            return as_frame(Planes(*(_fitted(plane, *shape) for plane, shape in zip(planes, wanted, strict=True))))
        return self._scaler.reformat(frame, width=width, height=height, **_SAME_CODES)


def _halved(plane: NDArray[np.uint8], siting: ChromaSiting) -> NDArray[np.uint8]:
    rows = plane[0::2].astype(np.uint16) + plane[1::2]
    if siting is ChromaSiting.CENTRE:
        sums = 2 * (rows[:, 0::2] + rows[:, 1::2])
    else:
        before = np.concatenate([rows[:, :1], rows[:, 1:-1:2]], axis=1)
        sums = before + 2 * rows[:, 0::2] + rows[:, 1::2]
    means: NDArray[np.uint8] = ((sums + 4) // 8).astype(np.uint8)
    return means


def _fitted(plane: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    more = ((0, max(0, height - plane.shape[0])), (0, max(0, width - plane.shape[1])))
    return np.pad(plane[:height, :width], more, mode="edge")
