"""Small scenes on a GPU without files: a synthetic frame in, the drawn picture or its NV12 out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.pipeline.compositor.geometry import CanvasSize
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.contact_sheet import read_rgb
from capbench.pipeline.conversion.shader import FusedPath, GpuPath
from capbench.pipeline.decode.decoded_planes import plane_samples
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.decode.source_colour import DeclaredColour
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.upload_ring import PlaneUploader
from capbench.pipeline.scene import Scene
from capbench.quality.oracle.composition import compose
from capbench.quality.oracle.placement import Placement, place_recording
from capbench.quality.oracle.sampling import sample_rgb
from capbench.quality.oracle.shutter import ExposedMoment, distinct_placements, exposed_moments

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder

__all__ = [
    "CANVAS",
    "FRAME_S",
    "Stage",
    "exposure_of",
    "oracle_picture",
    "placement_of",
    "recording_at",
    "synthetic_frame",
]

CANVAS = CanvasSize(192, 108)
"""A tenth of the height that scene files count in: a length of 10 there is a pixel here."""
COLOUR = ColourSpec()
FRAME_S = 1 / 30
"""Time from one output frame to the next."""


def synthetic_frame(
    width: int = CANVAS.width, height: int = CANVAS.height, seed: int = 1, *, is_colourful: bool = False
) -> av.VideoFrame:
    """A frame in yuv420p: slow waves with a grain of 24 codes on luma; chroma is a wave too, or one code everywhere."""
    rng = np.random.default_rng(seed)
    frame = av.VideoFrame(width, height, "yuv420p")
    for number, plane in enumerate(frame.planes):
        samples = plane_samples(plane)
        y, x = np.mgrid[: samples.shape[0], : samples.shape[1]] / samples.shape[1]
        wave = np.sin(9 * x + 2 * number) * np.cos(7 * y + number)
        grain = rng.uniform(-12, 12, samples.shape) if number == 0 else 0
        height_codes = 80 if number == 0 else 60 * is_colourful
        middle_code = 126 if number == 0 or is_colourful else 104 + 24 * number
        samples[:] = np.clip(middle_code + wave * height_codes + grain, 16, 235).astype(np.uint8)
    return frame


def _info(frame: av.VideoFrame, rotation_degrees: int = 0) -> SourceInfo:
    return SourceInfo(
        path=Path("synthetic"),
        width=frame.width,
        height=frame.height,
        rotation_degrees=rotation_degrees,
        pixel_aspect=Fraction(1),
        frame_rate=Fraction(30),
        time_base=Fraction(1, 30),
        start_s=Fraction(0),
        duration_s=None,
        frame_count_claimed=0,
        colour=COLOUR,
        declared_colour=DeclaredColour(),
        planar_format=frame.format.name,
        audio_streams=0,
        audio_start_s=None,
    )


@dataclass(frozen=True, eq=False)
class Stage:
    """A scene set up on a device with one frame to show."""

    gpu: GpuContext
    scene: Scene
    frame: av.VideoFrame
    canvas: CanvasSize = CANVAS
    rotation_degrees: int = 0
    """Clockwise turn that the frame needs."""
    colour: ColourSpec = COLOUR
    """How the frame's codes are to be read; the output is always `COLOUR`."""
    interleaves_chroma: bool | None = None
    """As `PlaneUploader` has it."""

    @cached_property
    def _source(self) -> SourceInfo:
        return replace(_info(self.frame, self.rotation_degrees), colour=self.colour)

    @cached_property
    def _uploader(self) -> PlaneUploader:
        return PlaneUploader(self.gpu, self._source.planes, 2, interleaves_chroma=self.interleaves_chroma)

    @cached_property
    def compositor(self) -> Compositor:
        """The compositor under test."""
        return Compositor(self.gpu, self._uploader, self.canvas, self.scene, self._source)

    @cached_property
    def _paths(self) -> dict[type[GpuPath | FusedPath], GpuPath | FusedPath]:
        return {}

    def path(self, path_class: type[GpuPath | FusedPath]) -> GpuPath | FusedPath:
        """A path on the compositor, made on first use."""
        if path_class not in self._paths:
            self._paths[path_class] = path_class(self.gpu, self.compositor, COLOUR, threads=1)
        return self._paths[path_class]

    def rgb(self, time_s: float) -> NDArray[np.uint8]:
        """Codes of the picture at an output time, shape (height, width, 3)."""
        picture = self.compositor.picture
        encoder = self.gpu.device.create_command_encoder()
        self._uploader.record(self.frame, encoder)
        self.compositor.prepare(encoder, time_s)
        self.compositor.draw(encoder)
        self._submit(encoder)
        return read_rgb(self.gpu, picture)

    def nv12(self, time_s: float, path_class: type[GpuPath | FusedPath]) -> NDArray[np.uint8]:
        """Rows of the NV12 picture at an output time, shape (height * 3 / 2, width)."""
        path = self.path(path_class)
        staging = self.gpu.buffer(path.staging_bytes, "COPY_DST|COPY_SRC", "test")
        encoder = self.gpu.device.create_command_encoder()
        self._uploader.record(self.frame, encoder)
        self.compositor.prepare(encoder, time_s)
        path.record(encoder, staging)
        self._submit(encoder)
        rows = np.frombuffer(self.gpu.device.queue.read_buffer(staging), np.uint8)
        return rows.reshape(self.canvas.height * 3 // 2, -1)[:, : self.canvas.width].copy()

    def _submit(self, encoder: GPUCommandEncoder) -> None:
        self.gpu.device.queue.submit([encoder.finish()])
        self._uploader.submitted()
        self.compositor.submitted()
        self.gpu.check()


def placement_of(scene: Scene, frame: av.VideoFrame, time_s: float | None) -> Placement:
    """Where the oracle sees the recording at a time, or at rest."""
    zoom = scene.zoom if time_s is not None else ()
    shown, canvas = (frame.width, frame.height), (CANVAS.width, CANVAS.height)
    return place_recording(scene.display, zoom, shown=shown, canvas=canvas, time_s=time_s or 0.0)


def recording_at(
    scene: Scene, frame: av.VideoFrame, placement: Placement, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """R'G'B' of the recording at canvas columns and rows, by the oracle."""
    left, top, right, bottom = scene.display.crop
    across = left + (x - placement.left) / placement.width * (1 - left - right)
    down = top + (y - placement.top) / placement.height * (1 - top - bottom)
    # The first and the last sample inside the crop: what is cut off must not bleed in.
    column = (across * frame.width - 0.5).clip(left * frame.width, (1 - right) * frame.width - 1)
    row = (down * frame.height - 0.5).clip(top * frame.height, (1 - bottom) * frame.height - 1)
    luma, cb, cr = (plane_samples(plane).copy() for plane in frame.planes)
    assert COLOUR.siting is ChromaSiting.LEFT
    return sample_rgb((luma, cb, cr), COLOUR, columns=column, rows=row, chroma_place=(-0.5, 0.0))


def exposure_of(scene: Scene, frame: av.VideoFrame, time_s: float) -> tuple[ExposedMoment, ...]:
    """The moments that the frame of a time is the mean of, by the oracle."""
    return exposed_moments(scene, lambda at_s: placement_of(scene, frame, at_s), FRAME_S, time_s)


def oracle_picture(scene: Scene, frame: av.VideoFrame, time_s: float) -> NDArray[np.float64]:
    """What lies behind and in the recording's rectangle, by the oracle, without the layers over it."""
    x = np.arange(CANVAS.width, dtype=np.float64) + 0.5
    y = np.arange(CANVAS.height, dtype=np.float64) + 0.5
    pictures = [
        compose(scene, recording_at(scene, frame, placement, x, y), placement, (CANVAS.width, CANVAS.height))
        for placement in distinct_placements(exposure_of(scene, frame, time_s))
    ]
    mean: NDArray[np.float64] = np.mean(pictures, axis=0)
    return mean
