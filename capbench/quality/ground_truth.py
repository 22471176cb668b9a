"""What an export of a scene should look like: chosen frames rendered by the oracle, as pictures to compare with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.observe import Picture
from capbench.quality.oracle import rgb_to_nv12
from capbench.quality.oracle.composition import compose, hidden_by_layers
from capbench.quality.oracle.placement import Placement, place_recording
from capbench.quality.oracle.sampling import sample_rgb
from capbench.quality.pictures import Planes, as_frame, planes_of, thumbnail
from capbench.recordings.layout import FRAME_NUMBER, PATCH_CHART, Area, Rectangle

__all__ = ["GroundTruth"]


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Renders a scene's pictures from upright, unconverted frames of the source."""

    scene: Scene
    """The scene."""
    canvas: tuple[int, int]
    """Width and height of the output in pixels."""
    shown: tuple[float, float]
    """Upright size of the source in square pixels, an odd last column or row of square pixels left off."""
    spec: ColourSpec
    """How the source's codes are read."""
    chroma_place: tuple[float, float]
    """Where the upright source's chroma samples lie, right of and below the middle of four luma samples."""
    wanted: ColourSpec
    """How the output's codes are read."""

    def placement(self, time_s: float) -> Placement:
        """Where the recording lies at an output time in seconds since the first frame."""
        return place_recording(self.scene.display, self.scene.zoom, shown=self.shown, canvas=self.canvas, time_s=time_s)

    def recording(self, time_s: float, area: Area = FRAME_NUMBER) -> Rectangle | None:
        """The rectangle that the whole recording fills, its crop included, for reading its marks.

        None where `area` of the recording cannot be seen whole: cropped, out of the canvas, or under a layer.
        """
        placement = self.placement(time_s)
        left, top, right, bottom = self.scene.display.crop
        width, height = placement.width / (1 - left - right), placement.height / (1 - top - bottom)
        whole = Rectangle(placement.left - left * width, placement.top - top * height, width, height)
        place = area.within(whole)
        inside = (area.left >= left and area.right <= 1 - right and area.top >= top and area.bottom <= 1 - bottom) and (
            place.left >= 0
            and place.top >= 0
            and place.left + place.width <= self.canvas[0]
            and place.top + place.height <= self.canvas[1]
        )
        if not inside:
            return None
        hidden = hidden_by_layers(self.scene, placement, self.canvas, time_s)
        part = hidden[
            math.floor(place.top) : math.ceil(place.top + place.height),
            math.floor(place.left) : math.ceil(place.left + place.width),
        ]
        return None if part.any() else whole

    def patches(self, time_s: float) -> Rectangle | None:
        """The same for the colour patches."""
        return self.recording(time_s, PATCH_CHART)

    def render(self, source: Picture, output: Picture, time_s: float) -> Picture:
        """The picture that should be in the output in place of `output`, made from `source`.

        Where a layer lies that the oracle does not draw, it holds the output's own samples: nothing is compared there.
        """
        placement = self.placement(time_s)
        rgb = compose(self.scene, self._sampled(source.frame, placement), placement, self.canvas)
        # A render target holds 8 bits.
        luma, chroma = rgb_to_nv12(np.floor(rgb * 255 + 0.5).clip(0, 255).astype(np.uint8), self.wanted)
        truth = Planes(luma, chroma[..., 0].copy(), chroma[..., 1].copy())
        _copy_where(hidden_by_layers(self.scene, placement, self.canvas, time_s), planes_of(output.frame), truth)
        frame = as_frame(truth)
        return replace(source, frame=frame, thumb=thumbnail(frame, VideoReformatter()))

    def _sampled(self, frame: av.VideoFrame, placement: Placement) -> NDArray[np.float64]:
        planes = planes_of(frame).all
        height, width = planes[0].shape
        left, top, right, bottom = self.scene.display.crop

        across = _Axis(self.canvas[0], placement.left, placement.width, (left, right))
        down = _Axis(self.canvas[1], placement.top, placement.height, (top, bottom))
        return sample_rgb(
            planes,
            self.spec,
            columns=across.places(width),
            rows=down.places(height),
            chroma_place=self.chroma_place,
        )


@dataclass(frozen=True, slots=True)
class _Axis:
    """One direction of the canvas and of the recording on it."""

    pixels: int
    start: float
    length: float
    crop: tuple[float, float]

    def places(self, samples: int) -> NDArray[np.float64]:
        """Position of each canvas pixel's middle in the recording, in samples of `samples` in all."""
        fractions = (np.arange(self.pixels, dtype=np.float64) + 0.5 - self.start) / self.length
        return (self.crop[0] + fractions * (1 - self.crop[0] - self.crop[1])) * samples - 0.5


def _copy_where(hidden: NDArray[np.bool_], source: Planes, target: Planes) -> None:
    if not hidden.any():
        return
    height, width = hidden.shape
    # Chroma of a pixel beside the layer is mixed with it: one sample more each way.
    blocks: NDArray[np.bool_] = hidden.reshape(height // 2, 2, width // 2, 2).max(axis=(1, 3))
    grown = blocks.copy()
    grown[:, 1:] |= blocks[:, :-1]
    grown[:, :-1] |= blocks[:, 1:]
    np.copyto(target.luma, source.luma, where=hidden)
    np.copyto(target.cb, source.cb, where=grown)
    np.copyto(target.cr, source.cr, where=grown)
