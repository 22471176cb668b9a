"""The scene on the GPU: what stays the same is drawn once, the rest for every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from capbench.pipeline.compositor.background_pass import Backdrop
from capbench.pipeline.compositor.exposure import EXPOSURE_DTYPE, Moment, exposure_block, moments_at
from capbench.pipeline.compositor.geometry import CanvasSize, display_rectangle
from capbench.pipeline.compositor.layers.background import background_picture
from capbench.pipeline.compositor.layers.image_textures import texture_of
from capbench.pipeline.compositor.layers.zoom import Magnification, magnification_at
from capbench.pipeline.compositor.overlay_pass import Overlay, has_overlay
from capbench.pipeline.compositor.scene_uniforms import fills_canvas, scene_constants, scene_uniforms
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.gpu.compute_pass import Bindings, ComputePass, Resource
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.scene import Scene
from capbench.resources import shader_source

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import GPUCommandEncoder, GPUTexture

__all__ = ["Compositor", "RecordingTextures"]


class RecordingTextures(Protocol):
    """Where the recording's samples lie: as they came up, or as a pass made them."""

    textures: tuple[GPUTexture, GPUTexture, GPUTexture]
    """Luma, Cb and Cr; twice the same for chroma in one texture, three times for all in one (red, green, blue)."""
    chroma_is_interleaved: bool
    """Whether Cb and Cr are in red and green of their texture."""


def _zooms(moments: Sequence[Moment]) -> Sequence[Magnification]:
    """How a frame magnifies the recording, moment by moment; once where that does not change within it."""
    zooms = [moment.zoom for moment in moments]
    return zooms[:1] if all(zoom == zooms[0] for zoom in zooms) else zooms


class Compositor:
    """Draws a scene. `picture` is made on first use: the fused path never needs it. Raises `SceneError`."""

    def __init__(
        self,
        gpu: GpuContext,
        recording: RecordingTextures,
        canvas: CanvasSize,
        scene: Scene,
        source: SourceInfo,
        *,
        frame_s: float | None = None,
    ) -> None:
        """`frame_s` is the time from one output frame to the next, of which a shutter is open for a part.

        None for the source's.
        """
        self.canvas = canvas
        self._frame_s = float(1 / source.frame_rate) if frame_s is None else frame_s
        self._gpu = gpu
        self._recording = recording
        self._scene = scene
        self._source = source
        self._zoom = Magnification()
        self._moments: tuple[Moment, ...] = (Moment(self._zoom, 0.0),)
        self._resting = display_rectangle(scene.display, source, canvas)
        self._moves = not fills_canvas(scene.display, source, canvas)
        """Whether a zoom moves something that can be seen besides the recording."""
        has_surround = self._moves or has_overlay(scene)
        constants = scene_constants(
            scene,
            source,
            canvas,
            has_surround=has_surround,
            chroma_is_interleaved=recording.chroma_is_interleaved,
            is_one_texture=recording.textures[0] is recording.textures[1],
        )
        self.generated = {"scene_constants": constants}
        """What `shader_source` needs beside the files for a shader that imports `scene`."""
        uniforms = self._scene_uniforms()
        self._uniforms = gpu.buffer(uniforms.nbytes, "UNIFORM|COPY_DST", "scene")
        gpu.device.queue.write_buffer(self._uniforms, 0, uniforms)
        self._exposure = gpu.buffer(EXPOSURE_DTYPE.itemsize, "STORAGE|COPY_DST", "exposure")
        gpu.device.queue.write_buffer(self._exposure, 0, exposure_block(self._moments, self._zoom, self._resting))
        self._sampler = gpu.device.create_sampler(
            mag_filter="linear", min_filter="linear", address_mode_u="clamp-to-edge", address_mode_v="clamp-to-edge"
        )
        self.backdrop: Backdrop | None = None
        """What lies behind the recording; None where there is nothing but the recording."""
        self.overlay: Overlay | None = None
        """What lies over it; None where the scene has nothing there."""
        size = (canvas.width, canvas.height) if has_surround else (1, 1)
        usage = "STORAGE_BINDING|TEXTURE_BINDING|COPY_SRC"
        self._surround = gpu.texture(*size, "rgba8unorm", usage, "surround")
        if has_surround:
            self._make_surround()
        self._picture: GPUTexture | None = None
        self._pass: ComputePass | None = None
        self._columns = 0

    @property
    def picture(self) -> GPUTexture:
        """RGBA texture (rgba8unorm) that `draw` fills."""
        if self._picture is None:
            usage = "STORAGE_BINDING|TEXTURE_BINDING|COPY_SRC"
            self._picture = self._gpu.texture(self.canvas.width, self.canvas.height, "rgba8unorm", usage, "picture")
            source = shader_source("composite", self.generated)
            groups: list[Bindings] = [self.scene_bindings(), {0: self._picture.create_view()}]
            self._pass = ComputePass(self._gpu, source, "composite", groups)
            self._columns = -(-self.canvas.width // source.constant("COLUMNS"))
        return self._picture

    def scene_bindings(self) -> Bindings:
        """Group 0 of a pass that draws the scene itself, by `scene_colour` of scene.wgsl."""
        return self._recording_bindings() | {4: self._surround.create_view(), 7: self._exposure}

    def _recording_bindings(self) -> dict[int, Resource]:
        """What scene.wgsl needs to sample the recording."""
        luma, cb, cr = (texture.create_view() for texture in self._recording.textures)
        return {0: self._uniforms, 1: luma, 2: cb, 3: self._sampler, 6: cr}

    def _make_surround(self) -> None:
        gpu, scene = self._gpu, self._scene
        picture = texture_of(gpu, background_picture(scene.background, self.canvas), "background")
        bindings = self._recording_bindings() | {5: picture.create_view(), 7: self._exposure}
        behind = {number: bindings[number] for number in (0, 5, 7)}
        self.backdrop = Backdrop(gpu, self.canvas, self._surround, scene_bindings=behind, generated=self.generated)
        if has_overlay(scene):
            self.overlay = Overlay(
                gpu,
                scene,
                self.canvas,
                self._resting,
                self._surround,
                scene_bindings=bindings,
                generated=self.generated,
            )

    def prepare(self, encoder: GPUCommandEncoder, time_s: float) -> None:
        """Record what must be drawn again before the frame of an output time, in seconds since the first frame.

        Call it for every frame, after its upload is recorded and before the path records its own passes. Where nothing
        moves it records nothing.
        """
        zoom = magnification_at(self._scene.zoom, time_s)
        moments = moments_at(self._scene, self._frame_s, time_s)
        if zoom != self._zoom or _zooms(moments) != _zooms(self._moments):
            self._zoom = zoom
            self._gpu.device.queue.write_buffer(self._uniforms, 0, self._scene_uniforms())
            if self.backdrop and self._moves:
                self.backdrop.is_stale = True
        if len(moments) > 1 or len(self._moments) > 1:
            block = exposure_block(moments, zoom, self._resting)
            self._gpu.device.queue.write_buffer(self._exposure, 0, block)
        self._moments = moments
        is_wiped = self.backdrop is not None and self.backdrop.is_stale
        if self.backdrop and is_wiped:
            self.backdrop.record(encoder)
        if self.overlay:
            self.overlay.record(encoder, time_s, zoom, moments, is_wiped=is_wiped)

    def submitted(self) -> None:
        """Say that what `prepare` recorded was submitted."""
        if self.overlay:
            self.overlay.submitted()

    def close(self) -> None:
        """Close the files that a scene reads while it plays. What is on the GPU goes with the device."""
        if self.overlay:
            self.overlay.close()

    def draw(self, encoder: GPUCommandEncoder) -> None:
        """Record the pass that draws the uploaded frame into `picture`."""
        assert self._pass is not None, "ask for `picture` before drawing into it"
        self._pass.record(encoder, self._columns, self.canvas.height)

    def _scene_uniforms(self) -> NDArray[np.void]:
        return scene_uniforms(self._scene, self._source, self.canvas, self._zoom)
