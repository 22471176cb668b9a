"""The scene on the GPU: what stays the same is drawn once, the rest for every frame."""

from __future__ import annotations

from typing import Any

from capbench.pipeline.compositor.background_pass import Backdrop
from capbench.pipeline.compositor.geometry import CanvasSize, display_rectangle
from capbench.pipeline.compositor.layers.background import background_picture
from capbench.pipeline.compositor.layers.image_textures import texture_of
from capbench.pipeline.compositor.layers.zoom import Magnification, magnification_at
from capbench.pipeline.compositor.overlay_pass import Overlay, has_overlay
from capbench.pipeline.compositor.scene_uniforms import fills_canvas, scene_code, scene_uniforms
from capbench.pipeline.decode.probe import SourceInfo
from capbench.pipeline.gpu.compute_pass import bind, workgroups
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.upload_ring import PlaneUploader
from capbench.pipeline.scene import Scene
from capbench.resources import shader_text

__all__ = ["Compositor"]

_PICTURE_WORKGROUP_PX = (64, 8)
"""Pixels that a workgroup of composite.wgsl writes: four to an invocation."""


class Compositor:
    """Draws a scene. `picture` is made on first use: the fused path never needs it. Raises `SceneError`."""

    def __init__(
        self, gpu: GpuContext, uploader: PlaneUploader, canvas: CanvasSize, scene: Scene, source: SourceInfo
    ) -> None:
        self.canvas = canvas
        self._gpu = gpu
        self._uploader = uploader
        self._scene = scene
        self._source = source
        self._zoom = Magnification()
        self._moves = not fills_canvas(scene.display, source, canvas)
        """Whether a zoom moves something that can be seen besides the recording."""
        has_surround = self._moves or has_overlay(scene)
        self.scene_code = scene_code(scene, source, canvas, has_surround=has_surround)
        """WGSL that a pipeline which draws the scene itself joins before its own: it defines `scene_colour`."""
        uniforms = self._scene_uniforms()
        self._uniforms = gpu.buffer(uniforms.nbytes, "UNIFORM|COPY_DST", "scene")
        gpu.device.queue.write_buffer(self._uniforms, 0, uniforms)
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
        self._picture: Any = None
        self._pipeline: Any = None
        self._bind_groups: tuple[Any, ...] = ()

    @property
    def picture(self) -> Any:
        """RGBA texture (rgba8unorm) that `draw` fills."""
        if self._picture is None:
            usage = "STORAGE_BINDING|TEXTURE_BINDING|COPY_SRC"
            self._picture = self._gpu.texture(self.canvas.width, self.canvas.height, "rgba8unorm", usage, "picture")
            code = self.scene_code + shader_text("composite")
            self._pipeline = self._gpu.compute_pipeline(code, "composite", "composite")
            self._bind_groups = (
                self.scene_bind_group(self._pipeline),
                bind(self._gpu, self._pipeline, 1, {0: self._picture.create_view()}),
            )
        return self._picture

    def scene_bind_group(self, pipeline: Any) -> Any:
        """Bind group 0 of scene.wgsl for a pipeline that draws the scene itself."""
        return bind(self._gpu, pipeline, 0, self._recording_bindings() | {4: self._surround.create_view()})

    def _recording_bindings(self) -> dict[int, Any]:
        """What scene.wgsl needs to sample the recording."""
        luma, chroma = self._uploader.luma.create_view(), self._uploader.chroma.create_view()
        return {0: self._uniforms, 1: luma, 2: chroma, 3: self._sampler}

    def _make_surround(self) -> None:
        gpu, scene = self._gpu, self._scene
        picture = texture_of(gpu, background_picture(scene.background, self.canvas), "background")
        bindings = self._recording_bindings() | {5: picture.create_view()}
        behind = {number: bindings[number] for number in (0, 5)}
        self.backdrop = Backdrop(gpu, self.canvas, self._surround, scene_bindings=behind, scene_code=self.scene_code)
        if has_overlay(scene):
            resting = display_rectangle(scene.display, self._source, self.canvas)
            self.overlay = Overlay(
                gpu, scene, self.canvas, resting, self._surround, scene_bindings=bindings, scene_code=self.scene_code
            )

    def prepare(self, encoder: Any, time_s: float) -> None:
        """Record what must be drawn again before the frame of an output time, in seconds since the first frame.

        Call it for every frame, after its upload is recorded and before the path records its own passes. Where nothing
        moves it records nothing.
        """
        zoom = magnification_at(self._scene.zoom, time_s)
        if zoom != self._zoom:
            self._zoom = zoom
            self._gpu.device.queue.write_buffer(self._uniforms, 0, self._scene_uniforms())
            if self.backdrop and self._moves:
                self.backdrop.is_stale = True
        is_wiped = self.backdrop is not None and self.backdrop.is_stale
        if self.backdrop and is_wiped:
            self.backdrop.record(encoder)
        if self.overlay:
            self.overlay.record(encoder, time_s, zoom, is_wiped=is_wiped)

    def submitted(self) -> None:
        """Say that what `prepare` recorded was submitted."""
        if self.overlay:
            self.overlay.submitted()

    def close(self) -> None:
        """Close the files that a scene reads while it plays. What is on the GPU goes with the device."""
        if self.overlay:
            self.overlay.close()

    def draw(self, encoder: Any) -> None:
        """Record the pass that draws the uploaded frame into `picture`."""
        assert self._picture is not None, "ask for `picture` before drawing into it"
        compute_pass = encoder.begin_compute_pass(label="composite")
        compute_pass.set_pipeline(self._pipeline)
        for number, group in enumerate(self._bind_groups):
            compute_pass.set_bind_group(number, group)
        compute_pass.dispatch_workgroups(*workgroups(self.canvas.width, self.canvas.height, _PICTURE_WORKGROUP_PX))
        compute_pass.end()

    def _scene_uniforms(self) -> Any:
        return scene_uniforms(self._scene, self._source, self.canvas, self._zoom)
