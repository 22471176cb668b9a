"""Decoded frames made comparable: upright, 8-bit 4:2:0, in one colour specification and size."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.decode.source_colour import COLOURSPACES
from capbench.quality.oracle.display_turn import DisplayTurn
from capbench.quality.oracle.upright_chroma import upright_chroma_place
from capbench.quality.reading.colour_conversion import Respecifier
from capbench.quality.reading.frame_samples import chroma_ratio, read_samples
from capbench.quality.reading.planes import (
    PLANAR_420,
    SAME_CODES,
    Planes,
    Reformatting,
    as_frame,
    planes_of,
)
from capbench.quality.reading.sited_scaler import SitedScaler
from capbench.quality.reading.tags import respecified

__all__ = ["Normaliser"]

_FULL_TO_LIMITED: Reformatting = {**SAME_CODES, "src_color_range": 2}


class Normaliser:
    """Turns a clip's frames into upright 8-bit 4:2:0 frames of a wanted size and colour. Keeps its scalers: it changes.

    R'G'B' and size go through swscale; depth, subsampling, matrix and range do not: its conversions are off by half a
    code, dither, centre chroma wherever it is and assume full range for grey, which would look like faults of the
    file under test.
    """

    def __init__(
        self, spec: ColourSpec, wanted: ColourSpec, size: tuple[int, int] | None, turn: DisplayTurn, *, crop: bool
    ) -> None:
        """From `spec` to `wanted`, and to `size` (None keeps it, made even).

        The size is reached by scaling, or by cutting or repeating the edge when `crop`.
        """
        self._scaler = VideoReformatter()
        self._sited_scalers: dict[tuple[float, float], SitedScaler] = {}
        self._size = size
        self._spec = spec
        self._siting = wanted.siting
        self._crop = crop
        self._turn = turn
        self._wanted = wanted
        self._respecifiers: dict[tuple[int, int, tuple[float, float]], Respecifier | None] = {}

    def __call__(self, decoded: av.VideoFrame) -> av.VideoFrame:
        """The frame, ready to be compared, as a new one that says nothing of its colours."""
        place = upright_chroma_place(
            self._spec,
            chroma_ratio(decoded),
            (decoded.width, decoded.height),
            self._turn,
            filtered_to=self._siting,
        )
        respecifier = self._respecifier_of(decoded, place)
        # swscale reads a range out of "yuvj" and would convert it, scales the fields of a frame that is called
        # interlaced one by one, and moves chroma by where a frame says that it lies; the comparison is of codes,
        # row by row.
        is_ready = decoded.format.name in PLANAR_420 and self._turn.is_none
        frame = as_frame(planes_of(decoded) if is_ready else self._planes(decoded))
        if self._size is not None and (frame.width, frame.height) != self._size:
            frame = self._fit(frame, *self._size, place)
        if respecifier is not None:
            frame = as_frame(Planes(*respecifier(*planes_of(frame).all)))
        return frame

    def _respecifier_of(self, frame: av.VideoFrame, place: tuple[float, float]) -> Respecifier | None:
        """By the frame's own tags where they change midway; the first frame's are the file's."""
        tags = int(frame.colorspace), int(frame.color_range), place
        if tags not in self._respecifiers:
            spec = respecified(self._spec, frame) if self._respecifiers else self._spec
            same = (spec.matrix, spec.range) == (self._wanted.matrix, self._wanted.range)
            self._respecifiers[tags] = None if same else Respecifier(spec, self._wanted, place)
        return self._respecifiers[tags]

    def _planes(self, frame: av.VideoFrame) -> Planes:
        if frame.format.is_rgb or frame.format.has_palette:
            # Pictures without a matrix of their own (GIF, PNG) become what the tags' guess says they are.
            frame = self._scaler.reformat(
                frame, format="yuv444p", dst_colorspace=COLOURSPACES[self._spec.matrix], **_FULL_TO_LIMITED
            )
        samples = read_samples(frame, self._scaler)
        return samples.as_planes(self._spec.range, self._siting, self._turn)

    def _fit(self, frame: av.VideoFrame, width: int, height: int, place: tuple[float, float]) -> av.VideoFrame:
        if self._crop:
            planes = planes_of(frame).all
            wanted = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
            return as_frame(Planes(*(_fitted(plane, *shape) for plane, shape in zip(planes, wanted, strict=True))))
        if place not in self._sited_scalers:
            self._sited_scalers[place] = SitedScaler(place)
        return self._sited_scalers[place](frame, width, height)


def _fitted(plane: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    more = ((0, max(0, height - plane.shape[0])), (0, max(0, width - plane.shape[1])))
    return np.pad(plane[:height, :width], more, mode="edge")
