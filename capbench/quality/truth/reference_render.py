"""The expected pictures of an export of a scene: chosen frames rendered by the oracle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.measurements import MOTION_BLUR, LayerShare
from capbench.quality.oracle import rgb_to_nv12
from capbench.quality.oracle.composition import compose, hidden_by_layers
from capbench.quality.oracle.placement import Placement, place_recording
from capbench.quality.oracle.reference_nv12 import LUMA_WEIGHTS, QUANTISATION
from capbench.quality.oracle.sampling import sample_rgb
from capbench.quality.oracle.shutter import ExposedMoment, at_rest, distinct_placements, exposed_moments
from capbench.quality.reading.observed_frame import ObservedPicture
from capbench.quality.reading.planes import Planes, as_frame, planes_of, thumbnail
from capbench.quality.truth.scene_layers import DrawnLayer, SceneLayers
from capbench.recordings.layout import FRAME_NUMBER, PATCH_CHART, Area, LayoutRectangle
from capbench.recordings.marks import cell_size_px

__all__ = ["GroundTruth", "Rendered"]

_CHANGED_CODES = 0.5
_SMEARED_CELLS = 0.3
"""Motion within a frame, in cells of the frame number, up to which it is read: the middle third of a cell is what
counts, and it is then still a mean of that cell alone."""
_ENOUGH_ENERGY_CODES = 300.0
"""Root of the summed squares of what a layer changes, from which its share is known: an error of 3 codes in every pixel
that it changes, alike over neighbouring ones, then moves the share by 3%."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The expected picture of an output frame, and how much of each layer is in the actual one."""

    picture: ObservedPicture
    """The truth."""
    shares: list[LayerShare]
    """Layers that change enough to tell."""


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
    layers: SceneLayers
    """What the scene draws over the recording."""
    frame_s: float = 1 / 30
    """Time from one output frame to the next, of which a shutter is open for a part."""

    def placement(self, time_s: float) -> Placement:
        """Where the recording lies at an output time in seconds since the first frame."""
        return place_recording(self.scene.display, self.scene.zoom, shown=self.shown, canvas=self.canvas, time_s=time_s)

    def recording(self, time_s: float, area: Area = FRAME_NUMBER) -> LayoutRectangle | None:
        """The rectangle that the whole recording fills, its crop included, for reading its marks.

        None where `area` of the recording cannot be seen whole: cropped, out of the canvas, under a layer, or smeared
        by motion blur.
        """
        placement = self.placement(time_s)
        left, top, right, bottom = self.scene.display.crop
        width, height = placement.width / (1 - left - right), placement.height / (1 - top - bottom)
        whole = LayoutRectangle(placement.left - left * width, placement.top - top * height, width, height)
        place = area.within(whole)
        inside = (area.left >= left and area.right <= 1 - right and area.top >= top and area.bottom <= 1 - bottom) and (
            place.left >= 0
            and place.top >= 0
            and place.left + place.width <= self.canvas[0]
            and place.top + place.height <= self.canvas[1]
        )
        if not inside or self._is_smeared(whole, time_s):
            return None
        rows = slice(math.floor(place.top), math.ceil(place.top + place.height))
        columns = slice(math.floor(place.left), math.ceil(place.left + place.width))
        blur = self.scene.motion_blur
        half_open_s = 0.0 if blur is None else self.frame_s * blur.shutter_degrees / 720
        for at_s in {time_s, time_s - half_open_s, time_s + half_open_s}:
            if hidden_by_layers(self.scene, placement, self.canvas, at_s)[rows, columns].any():
                return None
        return whole

    def exposure(self, time_s: float) -> tuple[ExposedMoment, ...]:
        """The moments that the frame at an output time is the mean of."""
        return exposed_moments(self.scene, self.placement, self.frame_s, time_s)

    def _is_smeared(self, whole: LayoutRectangle, time_s: float) -> bool:
        """Whether the recording, which fills `whole`, moves so far within a frame that its marks cannot be read."""
        if self.scene.motion_blur is None:
            return False
        places = distinct_placements(self.exposure(time_s))
        edges = np.array([(place.left, place.top, place.right, place.bottom) for place in places])
        return bool(np.ptp(edges, axis=0).max() > _SMEARED_CELLS * min(cell_size_px(whole)))

    def patches(self, time_s: float) -> LayoutRectangle | None:
        """The same for the colour patches."""
        return self.recording(time_s, PATCH_CHART)

    def render(self, source: ObservedPicture, output: ObservedPicture, time_s: float) -> Rendered:
        """The picture that should be in the output in place of `output`, made from `source`.

        Output times must not fall.
        """
        resting = replace(self, scene=self.scene.model_copy(update={"zoom": ()})).placement(0.0)
        moments = self.exposure(time_s)
        recording = partial(self._recording, source.frame, resting)
        luma_codes = planes_of(output.frame).luma
        rgb = self._composed(source.frame, distinct_placements(moments))
        still = at_rest(self.placement(time_s), self.scene, time_s)
        sharp = None
        if len(moments) > 1:
            places = distinct_placements(still)
            same = places == distinct_placements(moments)
            sharp = rgb.copy() if same else self._composed(source.frame, places)
        drawn = []
        for layer in self.layers.at(recording, resting, moments, time_s):
            under = rgb[layer.part].copy()
            rgb[layer.part] = layer.draw(under)
            drawn.append(_Drawn(layer, self._luma(under), self._luma(rgb[layer.part])))
        # A render target holds 8 bits.
        luma, chroma = rgb_to_nv12(np.floor(rgb * 255 + 0.5).clip(0, 255).astype(np.uint8), self.wanted)
        frame = as_frame(Planes(luma, chroma[..., 0].copy(), chroma[..., 1].copy()))
        picture = replace(source, frame=frame, thumb=thumbnail(frame, VideoReformatter()))
        shares = _shares(drawn, luma_codes, output.record.index)
        if sharp is not None:
            for layer in self.layers.at(recording, resting, still, time_s):
                sharp[layer.part] = layer.draw(sharp[layer.part].copy())
            shares += _blur_share(self._luma(sharp), self._luma(rgb), luma_codes, output.record.index)
        return Rendered(picture, shares)

    def _composed(self, frame: av.VideoFrame, places: Sequence[Placement]) -> NDArray[np.float64]:
        """R'G'B' of the canvas without the layers over the recording: the mean of the pictures of all its places."""
        across, down = (np.arange(side, dtype=np.float64) + 0.5 for side in self.canvas)
        total = np.zeros((self.canvas[1], self.canvas[0], 3))
        for place in places:
            recording = self._recording(frame, place, across, down)
            total += compose(self.scene, recording, place, self.canvas, self.layers.ground)
        return total / len(places)

    def _luma(self, rgb: NDArray[np.float64]) -> NDArray[np.float64]:
        """Y in codes of the output, not rounded."""
        offset, span, _ = QUANTISATION[self.wanted.range]
        luma: NDArray[np.float64] = offset + span * (rgb @ np.array(LUMA_WEIGHTS[self.wanted.matrix]))
        return luma

    def _recording(
        self, frame: av.VideoFrame, placement: Placement, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """R'G'B' of the recording, lying somewhere, at canvas columns and rows."""
        planes = planes_of(frame).all
        height, width = planes[0].shape
        left, top, right, bottom = self.scene.display.crop
        return sample_rgb(
            planes,
            self.spec,
            columns=_Axis(placement.left, placement.width, (left, right)).samples(x, width),
            rows=_Axis(placement.top, placement.height, (top, bottom)).samples(y, height),
            chroma_place=self.chroma_place,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A layer in its part of the canvas: luma in codes without it and with it."""

    layer: DrawnLayer
    without: NDArray[np.float64]
    with_it: NDArray[np.float64]


def _shares(drawn: list[_Drawn], luma: NDArray[np.uint8], output_frame: int) -> list[LayerShare]:
    """How much of each layer is in an output's luma plane: the regression of what is there on what it changes.

    Pixels that a layer above changes again say nothing about the one below.
    """
    uppermost = np.full(luma.shape, -1)
    for number, one in enumerate(drawn):
        uppermost[one.layer.part][np.abs(one.with_it - one.without) > _CHANGED_CODES] = number
    found = []
    for number, one in enumerate(drawn):
        own = uppermost[one.layer.part] == number
        change = (one.with_it - one.without)[own]
        energy = float(change @ change)
        if energy >= _ENOUGH_ENERGY_CODES**2:
            share = float((luma[one.layer.part][own] - one.without[own]) @ change) / energy
            found.append(LayerShare(output_frame, one.layer.name, share, one.layer.presence))
    return found


def _blur_share(
    sharp: NDArray[np.float64], blurred: NDArray[np.float64], luma: NDArray[np.uint8], output_frame: int
) -> list[LayerShare]:
    """How much of the motion blur is in an output's luma plane: 0 where it is as sharp as without, 1 where all is."""
    change = blurred - sharp
    own = np.abs(change) > _CHANGED_CODES
    energy = float(np.square(change[own]).sum())
    if energy < _ENOUGH_ENERGY_CODES**2:
        return []
    share = float((luma[own] - sharp[own]) @ change[own]) / energy
    return [LayerShare(output_frame, MOTION_BLUR, share, 1.0)]


@dataclass(frozen=True, slots=True)
class _Axis:
    """One direction of the canvas and of the recording on it."""

    start: float
    length: float
    crop: tuple[float, float]

    def samples(self, places: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
        """Canvas places in samples of the recording, which has so many. What was cut off does not bleed in."""
        shown = 1 - self.crop[0] - self.crop[1]
        positions = (self.crop[0] + (places - self.start) / self.length * shown) * samples - 0.5
        return positions.clip(self.crop[0] * samples, (1 - self.crop[1]) * samples - 1)
