"""The camera: an image or a video in its own rectangle."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from capbench.errors import SceneError
from capbench.pipeline.compositor.geometry import CanvasSize, Rectangle, clamped_radius, even_size
from capbench.pipeline.compositor.layer_buffer import FrameView, LayerState
from capbench.pipeline.compositor.layers.image_textures import is_image, open_image, texture_of
from capbench.pipeline.compositor.scene_uniforms import PICTURE_DTYPE, picture_uniforms
from capbench.pipeline.decode.probe import SourceInfo, probe_source
from capbench.pipeline.decode.video import read_frames
from capbench.pipeline.gpu.device import MAX_TEXTURE_PX, GpuContext
from capbench.pipeline.gpu.upload_ring import PlaneUploader
from capbench.pipeline.scene import Camera

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder, GPUTexture

__all__ = ["CameraFeed", "CameraLayer", "aspect_crop", "camera_rectangle", "placeholder"]

_LOGGER = logging.getLogger(__name__)

UPLOAD_SLOTS = 2
SLACK_S = 1e-6
"""Two clocks that mean the same time may differ by a rounding; pictures are never so close."""
MOST_SAMPLES = 4
_OWN_ASPECTS = (0.1, 10.0)
"""Width over height that a camera may have, as `Camera.aspect` takes them."""
_PLACEHOLDER_PX = 512
_OVERSAMPLING = 4


def placeholder() -> Image.Image:
    """Placeholder of a camera without a source: a figure in front of a soft wall."""
    side = _PLACEHOLDER_PX * _OVERSAMPLING
    shade = np.linspace(0, 1, side)[:, None, None]
    wall = np.array((94, 114, 158)) * (1 - shade) + np.array((46, 52, 84)) * shade
    image = Image.fromarray(np.broadcast_to(wall, (side, side, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(image)

    def ellipse(x: float, y: float, radius_x: float, radius_y: float, colour: str) -> None:
        draw.ellipse(
            ((x - radius_x) * side, (y - radius_y) * side, (x + radius_x) * side, (y + radius_y) * side), fill=colour
        )

    ellipse(0.5, 1.06, 0.40, 0.40, "#e2725b")
    draw.rounded_rectangle(
        (0.43 * side, 0.50 * side, 0.57 * side, 0.74 * side), radius=round(0.07 * side), fill="#d9a07c"
    )
    ellipse(0.5, 0.40, 0.175, 0.215, "#3a2a2a")
    ellipse(0.5, 0.42, 0.150, 0.185, "#e8b48f")
    draw.pieslice((0.335 * side, 0.19 * side, 0.665 * side, 0.53 * side), 180, 360, fill="#3a2a2a")
    for x in (0.445, 0.555):
        ellipse(x, 0.425, 0.016, 0.020, "#2b2b33")
    draw.arc((0.445 * side, 0.44 * side, 0.555 * side, 0.53 * side), 25, 155, fill="#9c5a48", width=round(0.012 * side))
    return image.resize((_PLACEHOLDER_PX, _PLACEHOLDER_PX), Image.Resampling.BOX).convert("RGBA")


def aspect_crop(own: float, wanted: float | None) -> tuple[float, float, float, float]:
    """What to cut off at the left, top, right and bottom, as fractions, to give a picture another aspect."""
    if wanted is None or math.isclose(own, wanted):
        return (0.0, 0.0, 0.0, 0.0)
    if own > wanted:
        side = (1 - wanted / own) / 2
        return (side, 0.0, side, 0.0)
    side = (1 - own / wanted) / 2
    return (0.0, side, 0.0, side)


def camera_rectangle(camera: Camera, canvas: CanvasSize, own_aspect: float) -> Rectangle:
    """Where the camera lies on the canvas. Raises `SceneError` where its own aspect is to count and is absurd."""
    narrowest, widest = _OWN_ASPECTS
    if camera.aspect is None and not narrowest < own_aspect < widest:
        raise SceneError(
            f'camera {camera.source} is {own_aspect:.4g} times as wide as high; with aspect = "own" that must lie '
            f"between {narrowest:g} and {widest:g}; set aspect to crop it"
        )
    height = camera.size * min(canvas.width, canvas.height)
    width = height * (camera.aspect or own_aspect)
    if isinstance(camera.position, str):
        margin = camera.margin_px * canvas.unit_px
        left = margin if camera.position.endswith("left") else canvas.width - margin - width
        top = margin if camera.position.startswith("top") else canvas.height - margin - height
    else:
        left = camera.position[0] * canvas.width - width / 2
        top = camera.position[1] * canvas.height - height / 2
    return Rectangle(left, top, left + width, top + height)


class CameraFeed:
    """Pictures of a camera video in step with the output: it begins with the output's first frame."""

    def __init__(self, path: Path) -> None:
        self._frames: Iterator[av.VideoFrame] = read_frames(path, warn=_LOGGER.warning)
        self._next: av.VideoFrame | None = next(self._frames, None)
        self._first_s = self._time_s(self._next) if self._next is not None else 0.0

    def frame_at(self, time_s: float) -> av.VideoFrame | None:
        """The `av.VideoFrame` that is new at an output time; None if the one before still shows."""
        newest = None
        while self._next is not None and self._time_s(self._next) - self._first_s <= time_s + SLACK_S:
            newest, self._next = self._next, next(self._frames, None)
        return newest

    def close(self) -> None:
        """Close the file."""
        self._next = None
        self._frames.close()  # type: ignore[attr-defined]  # a generator

    @staticmethod
    def _time_s(frame: av.VideoFrame) -> float:
        assert frame.time_base is not None  # read_frames gives every frame the stream's
        return float((frame.pts or 0) * frame.time_base)


class CameraLayer:
    """The camera on the GPU: an image uploaded once, or a video's planes, uploaded when its picture changes."""

    def __init__(self, gpu: GpuContext, camera: Camera, canvas: CanvasSize) -> None:
        self._camera = camera
        self._unit_px = canvas.unit_px
        self._feed: CameraFeed | None = None
        self._uploader: PlaneUploader | None = None
        self._is_recorded = False
        self._picture_number = 0
        if camera.source is not None and not is_image(camera.source):
            self._open_video(gpu, camera.source, canvas)
        else:
            self._open_image(gpu, open_image(camera.source) if camera.source else placeholder(), canvas)

    @property
    def textures(self) -> tuple[GPUTexture, GPUTexture, GPUTexture, GPUTexture]:
        """Image (rgba8unorm), then luma, Cb and Cr as `PlaneUploader` has them; what is not needed is one texel."""
        return self._image, *self._planes

    def _open_image(self, gpu: GpuContext, image: Image.Image, canvas: CanvasSize) -> None:
        own_aspect = image.width / image.height
        self._rectangle = camera_rectangle(self._camera, canvas, own_aspect)
        left, top, right, bottom = aspect_crop(own_aspect, self._camera.aspect)
        box = (left * image.width, top * image.height, (1 - right) * image.width, (1 - bottom) * image.height)
        width, height = (
            min(max(1, round(length)), MAX_TEXTURE_PX) for length in (self._rectangle.width, self._rectangle.height)
        )
        size = (width, height)
        drawn = image.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=box).convert("RGBA")
        texels = np.asarray(ImageOps.mirror(drawn) if self._camera.mirror else drawn)  # opaque throughout
        self._image = texture_of(gpu, texels, "camera image")
        none = gpu.texture(1, 1, "r8unorm", "TEXTURE_BINDING", "no camera plane")
        self._planes = (none, none, none)
        self._samples = 1
        self._mapping = np.zeros(1, PICTURE_DTYPE)
        self._mapping["texture_from_fraction"] = (1, 0, 0, 1)
        half_x, half_y = 0.5 / size[0], 0.5 / size[1]
        self._mapping["texture_limits"] = (half_x, half_y, 1 - half_x, 1 - half_y)

    def _open_video(self, gpu: GpuContext, path: Path, canvas: CanvasSize) -> None:
        source: SourceInfo = probe_source(path)
        width, height = (float(length) for length in even_size(source))
        self._rectangle = camera_rectangle(self._camera, canvas, width / height)
        # A sample reads 2 x 2 texels: with one for every two of them across, a reduction skips none.
        reduction = min(width / self._rectangle.width, height / self._rectangle.height)
        self._samples = min(max(1, math.ceil(reduction / 2)), MOST_SAMPLES)
        self._uploader = PlaneUploader(gpu, source.planes, UPLOAD_SLOTS)
        self._mapping = picture_uniforms(
            source,
            aspect_crop(width / height, self._camera.aspect),
            chroma_is_interleaved=self._uploader.chroma_is_interleaved,
            mirror=self._camera.mirror,
        )
        self._feed = CameraFeed(path)
        self._image = texture_of(gpu, None, "no camera image")
        self._planes = self._uploader.textures

    def place(self, block: NDArray[np.void], view: FrameView) -> dict[str, LayerState]:
        """Write the camera into a record of `LAYERS_DTYPE`. It stays where it is, whatever the zoom."""
        del view
        camera, shadow, unit_px = self._camera, self._camera.shadow, self._unit_px
        record = block["camera"]
        record["picture"] = self._mapping
        record["rectangle_px"] = self._rectangle.edges
        record["radius_px"] = clamped_radius(camera.rounding_px * unit_px, self._rectangle)
        record["is_video"] = self._feed is not None
        record["samples"] = self._samples
        record["is_shown"] = 1
        bounds = self._rectangle.grown(1)
        record["shadow_blur_px"] = 1
        if shadow:
            right, down = (offset * unit_px for offset in shadow.offset_px)
            record["shadow_px"] = (right, down)
            record["shadow_blur_px"] = shadow.blur_px * unit_px
            record["shadow_opacity"] = shadow.opacity
            bounds = bounds.grown(shadow.blur_px * unit_px + max(abs(right), abs(down)))
        return {"camera": LayerState(self._picture_number, bounds)}

    def record(self, encoder: GPUCommandEncoder, time_s: float) -> None:
        """Record the upload of the picture that is new at an output time, if one is. Raises `DamagedStreamError`."""
        if self._feed is None or self._uploader is None or (frame := self._feed.frame_at(time_s)) is None:
            return
        self._uploader.record(frame, encoder)
        self._is_recorded = True
        self._picture_number += 1

    def submitted(self) -> None:
        """Say that what `record` recorded was submitted."""
        if self._uploader is not None and self._is_recorded:
            self._uploader.submitted()
            self._is_recorded = False

    def close(self) -> None:
        """Close the video, if it is one."""
        if self._feed is not None:
            self._feed.close()
