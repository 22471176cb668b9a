"""What a scene's camera shows: an image, or a video in step with the output, sampled by the oracle."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.pipeline.compositor.layers.camera import placeholder
from capbench.pipeline.compositor.layers.image_textures import is_image, open_image
from capbench.pipeline.scene import Camera
from capbench.quality.oracle.overlay_layers import Part, stretched
from capbench.quality.oracle.sampling import sample_rgb
from capbench.quality.oracle.upright_chroma import upright_chroma_place
from capbench.quality.reading.clip import Clip, read_facts
from capbench.quality.reading.frame_samples import chroma_ratio
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.planes import planes_of
from capbench.quality.reading.tags import read_tags, spec_of

__all__ = ["CameraPicture", "CameraStill", "CameraVideo", "camera_picture"]

Field = NDArray[np.float64]
Edges = tuple[float, float, float, float]

_SLACK_S = 1e-6  # two clocks that mean the same time may differ by a rounding


def camera_picture(camera: Camera) -> CameraStill | CameraVideo:
    """What the camera shows. Raises `SceneError` or `SourceError`."""
    if camera.source is None:
        return CameraStill(camera, placeholder())
    return CameraStill(camera, open_image(camera.source)) if is_image(camera.source) else CameraVideo(camera)


class CameraStill:
    """An image, reduced as Pillow reduces it: resampling a photograph is not what an oracle can know."""

    def __init__(self, camera: Camera, image: Image.Image) -> None:
        self._camera = camera
        self._image = image.convert("RGB")
        self.aspect = image.width / image.height
        """Width over height of the whole picture."""

    def content(self, edges: Edges, shape: tuple[int, int], part: Part, time_s: float) -> Field:
        """R'G'B' at the pixels of a part of the canvas, where the camera fills `edges`."""
        del time_s
        size = max(1, round(edges[2] - edges[0])), max(1, round(edges[3] - edges[1]))
        cut_x, cut_y = _cut(self.aspect, self._camera.aspect)
        width, height = self._image.size
        box = (cut_x * width, cut_y * height, (1 - cut_x) * width, (1 - cut_y) * height)
        texels = np.asarray(self._image.resize(size, Image.Resampling.LANCZOS, box=box)) / 255
        return stretched(texels[:, ::-1] if self._camera.mirror else texels, edges, shape, part)


class CameraVideo:
    """A video whose first frame shows with the output's first; its last one stays. Times must be asked for in order."""

    def __init__(self, camera: Camera) -> None:
        assert camera.source is not None
        self._camera = camera
        path = Path(camera.source)
        clip = Clip(path)
        self._frames = clip.frames()
        self._frame: av.VideoFrame | None = None
        self._next: av.VideoFrame | None = next(self._frames, None)
        self._first_s = _time_s(self._next)
        height = 0 if self._next is None else self._next.height
        self._spec = spec_of(read_tags(path).merged, height)
        self._chroma_place = upright_chroma_place(
            self._spec,
            (2, 2) if self._next is None else chroma_ratio(self._next),
            (0, 0) if self._next is None else (self._next.width, self._next.height),
            clip.turn,
            filtered_to=self._spec.siting,
        )
        self._normalise = Normaliser(self._spec, self._spec, None, clip.turn, crop=False)
        aspect = read_facts(path).sample_aspect * (1 if self._next is None else self._next.width) / max(1, height)
        self.aspect = float(1 / aspect if clip.turn.swaps_sides else aspect)
        """Width over height of the whole upright picture."""

    def content(self, edges: Edges, shape: tuple[int, int], part: Part, time_s: float) -> Field:
        """R'G'B' at the pixels of a part of the canvas, where the camera fills `edges`: the mean over each pixel."""
        while self._next is not None and _time_s(self._next) - self._first_s <= time_s + _SLACK_S:
            self._frame, self._next = self._next, next(self._frames, None)
        if self._frame is None:
            return np.zeros((*shape, 3))
        planes = planes_of(self._normalise(self._frame)).all
        height, width = planes[0].shape
        cut_x, cut_y = _cut(self.aspect, self._camera.aspect)
        fine = max(1, math.ceil(max(width / (edges[2] - edges[0]), height / (edges[3] - edges[1]))))
        steps = (np.arange(fine) + 0.5) / fine
        x = (part.left + np.arange(shape[1])[:, None] + steps).ravel()
        y = (part.top + np.arange(shape[0])[:, None] + steps).ravel()
        across = ((x - edges[0]) / (edges[2] - edges[0])).clip(0, 1)
        down = ((y - edges[1]) / (edges[3] - edges[1])).clip(0, 1)
        if self._camera.mirror:
            across = 1 - across
        sampled = sample_rgb(
            planes,
            self._spec,
            columns=(cut_x + across * (1 - 2 * cut_x)) * width - 0.5,
            rows=(cut_y + down * (1 - 2 * cut_y)) * height - 0.5,
            chroma_place=self._chroma_place,
        )
        mean: Field = sampled.reshape(shape[0], fine, shape[1], fine, 3).mean(axis=(1, 3))
        return mean


CameraPicture = CameraStill | CameraVideo
"""Either."""


def _time_s(frame: av.VideoFrame | None) -> float:
    return 0.0 if frame is None else float((frame.pts or 0) * (frame.time_base or 0))


def _cut(own: float, wanted: float | None) -> tuple[float, float]:
    """Fractions cut off at the left and right, and at the top and bottom, to reach an aspect."""
    if wanted is None:
        return 0.0, 0.0
    return max(0.0, (1 - wanted / own) / 2), max(0.0, (1 - own / wanted) / 2)
