"""The body of the render thread: draws every frame, by another path or on a new device where one fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from capbench.colour import ColourSpec
from capbench.errors import CapbenchError, DeviceLostError, StallError, UnavailableError
from capbench.pipeline.conversion.registry import ConversionPath, Finishing, PathFactory, path_factory
from capbench.pipeline.conversion.swscale import CpuPath
from capbench.pipeline.decode.frame_times import TimedFrame
from capbench.pipeline.encode.frame_pool import PicturePool
from capbench.pipeline.gpu.device import GpuContext, collected_problems, open_device
from capbench.pipeline.job import ExportJob
from capbench.pipeline.recorder import ExportRecorder
from capbench.pipeline.render.renderer import RenderedPicture, Renderer
from capbench.pipeline.render.replay import Deliveries, UndeliveredFrames
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.memory_budget import MemoryPlan
from capbench.pipeline.threads.stage_group import StageGroup
from capbench.pipeline.threads.stage_timer import StageTimer
from capbench.pipeline.threads.watchdog import StageWatch

__all__ = ["RenderStage"]

_FALLBACK = {"gpu": "cpu", "gpu-fused": "gpu"}
_MOST_LOSSES = 3
"""Devices that an export may lose before it gives up: a driver that resets again and again will not get it done."""


class RenderStage:
    """Everything between decoded frames and pictures. A picture that was delivered is never drawn again."""

    def __init__(
        self,
        job: ExportJob,
        *,
        plan: Callable[[str], MemoryPlan],
        frames: Channel[TimedFrame],
        rendered: Channel[tuple[RenderedPicture, ConversionPath]],
        pictures: Channel[RenderedPicture],
        group: StageGroup,
        watch: StageWatch,
        account: ExportRecorder,
        start_convert: Callable[[], None],
        start_encode: Callable[[str, ColourSpec], None],
    ) -> None:
        self._job = job
        self._plan = plan
        self._frames = UndeliveredFrames(frames)
        self._rendered = rendered
        self._pictures = pictures
        self._group = group
        self._watch = watch
        self._account = account
        self._start_convert = start_convert
        self._start_encode = start_encode
        self._converting = False
        self._colour: ColourSpec | None = None
        """As the first renderer promised it; the stream is tagged so."""
        self._losses = 0
        self._lost_at_frame: int | None = None
        self.path = job.path_requested
        """The path that draws; the last one where several did."""

    def run(self, clock: StageTimer) -> None:
        """Draw every frame. Raises `UnavailableError` where no path can start, `DeviceLostError`, `StallError`."""
        while True:
            try:
                self._draw(clock)
            except UnavailableError as error:
                self._take_another_path(error)
            except DeviceLostError as error:
                self._recover(error)
            else:
                self._account.own("frames in flight", self._frames.high_water_bytes)
                return

    def _draw(self, clock: StageTimer) -> None:
        gpu = open_device()
        with collected_problems(gpu):
            try:
                self._draw_on(gpu, clock)
            except Exception as error:
                if not _is_device_loss(gpu, error):
                    raise
                # wgpu heads its errors with their kind and ends them with the reason.
                reason = str(error).splitlines()[-1].strip()
                raise DeviceLostError(
                    f"the GPU device was lost at frame {self._frames.delivered}: {reason}",
                    stage="render",
                    frame=self._frames.delivered,
                ) from error
            finally:
                gpu.close()

    def _draw_on(self, gpu: GpuContext, clock: StageTimer) -> None:
        job, plan = self._job, self._plan(self.path)
        factory = self._path_factory()
        renderer = Renderer(
            gpu,
            canvas=job.canvas,
            scene=job.scene,
            source=job.source,
            time_base=job.time_base,
            make_path=lambda context, compositor: factory(
                context, compositor, job.options.colour, threads=job.options.swscale_threads
            ),
            plan=plan,
        )
        path = renderer.path
        # A GIF's palette is chosen from RGBA.
        finishing = Finishing.NOT_NEEDED if job.is_gif else path.finishing
        aside = finishing is Finishing.ASIDE
        pool = PicturePool(
            job.canvas.width,
            job.canvas.height,
            path.picture_format,
            plan.pictures,
            consumer="convert" if aside else "encode",
            watch=self._watch,
        )
        self._group.add(pool.free)
        clock.mark("setup")
        self._announce(path, finishing)
        receiver: Channel[Any] = self._rendered if aside else self._pictures
        deliveries = Deliveries(self._frames, receiver, path if aside else None)
        try:
            renderer.run(self._frames, deliveries, pool, clock, finishes=finishing is Finishing.IN_LINE)
        finally:
            self._account.rendered(gpu, renderer, pool)
        if not aside:  # the convert thread closes a path that still finishes pictures
            path.close()

    def _path_factory(self) -> PathFactory:
        factory = path_factory(self.path)
        if self._colour is not None and factory is CpuPath:
            # The stream's tag is written; what swscale does by itself would be half a pixel beside it.
            return partial(CpuPath, siting=self._colour.siting)
        return factory

    def _announce(self, path: ConversionPath, finishing: Finishing) -> None:
        """Start who comes behind, now that the pictures are known."""
        if finishing is Finishing.ASIDE and not self._converting:
            self._converting = True
            self._start_convert()
        colour = replace(self._job.options.colour, siting=path.siting)
        if self._colour is None:
            self._colour = colour
            self._start_encode(path.picture_format if finishing is Finishing.NOT_NEEDED else "nv12", colour)
        elif colour.siting is not self._colour.siting:
            self._account.warn(
                f"from frame {self._frames.delivered} on chroma is sited {colour.siting}, the stream is tagged "
                f"{self._colour.siting}"
            )

    def _take_another_path(self, reason: UnavailableError) -> None:
        if self.path not in _FALLBACK:
            if self._losses:
                raise DeviceLostError(
                    f"the GPU device was lost and none opens again: {reason}",
                    stage="render",
                    frame=self._frames.delivered,
                ) from reason
            raise reason
        self._account.fell_back(f"{self.path} could not start, took {_FALLBACK[self.path]}: {reason}")
        self.path = _FALLBACK[self.path]

    def _recover(self, loss: DeviceLostError) -> None:
        self._losses += 1
        # A second device that goes at the very same frame may be this path's doing.
        path = _FALLBACK.get(self.path) if self._lost_at_frame == loss.frame else self.path
        if path is None or self._losses > _MOST_LOSSES:
            raise loss
        self._account.fell_back(f"{loss}; a new device went on from there by path {path}")
        self._lost_at_frame, self.path = loss.frame, path


def _is_device_loss(gpu: GpuContext, error: Exception) -> bool:
    """Whether the device is gone. wgpu raises a validation error or none, and logs the loss."""
    if isinstance(error, DeviceLostError):
        return True
    if isinstance(error, CapbenchError) and not isinstance(error, StallError):
        return False
    return any("lost" in text.lower() for text in (str(error), *gpu.problems))
