"""The body of the render thread: draws every frame, by another path or on a new device where one fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from capbench.colour import ColourSpec
from capbench.errors import DeviceLostError, UnavailableError
from capbench.pipeline.compositor.scene_compositor import Compositor
from capbench.pipeline.conversion.registry import ConversionPath, Finishing, PathFactory, path_factory
from capbench.pipeline.conversion.swscale import CpuPath
from capbench.pipeline.encode.frame_pool import PictureFormat, PicturePool, PooledPicture
from capbench.pipeline.gpu.device import GpuContext, collected_problems, is_device_loss, open_device
from capbench.pipeline.gpu.upload_ring import PlaneUploader
from capbench.pipeline.job import ExportJob
from capbench.pipeline.memory_plan import plan_export
from capbench.pipeline.recorder import DeviceStatistics, RenderOutcome
from capbench.pipeline.render.first_device import FirstDevice
from capbench.pipeline.render.renderer import Renderer, SubmissionValve
from capbench.pipeline.render.replay import Deliveries, UndeliveredFrames, UnfinishedPicture
from capbench.pipeline.render.upload_stage import UploadSession
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.memory_budget import MemoryPlan
from capbench.pipeline.threads.stage_group import StageGroup
from capbench.pipeline.threads.stage_timer import StageTimer

__all__ = ["RenderOutputs", "RenderStage"]

_FALLBACK = {"gpu": "cpu", "gpu-fused": "gpu"}
_MOST_LOSSES = 3
"""Devices that an export may lose before it gives up: a driver that resets again and again will not get it done."""


@dataclass(frozen=True, slots=True, eq=False)
class RenderOutputs:
    """Where what is drawn goes."""

    formats: Channel[PictureFormat]
    """Takes the one format of all pictures, before the first of them."""
    unfinished: Channel[UnfinishedPicture]
    """Pictures that a path finishes on another thread; closed after the last picture, whichever route it took."""
    pictures: Channel[PooledPicture]
    """Pictures that are ready for the encoder."""


class RenderStage:
    """Everything between decoded frames and pictures. A picture that was delivered is never drawn again."""

    def __init__(
        self,
        job: ExportJob,
        group: StageGroup,
        frames: UndeliveredFrames,
        sessions: Channel[UploadSession],
        outputs: RenderOutputs,
        *,
        device: FirstDevice,
        valve: SubmissionValve | None = None,
    ) -> None:
        """`group` is that of the stage itself, which stops its picture pools too.

        `frames` reach it through the upload thread, which `sessions` tells of every device. `valve` is of who stops
        this process now and then.
        """
        self._job = job
        self._device = device
        self._valve = valve
        self._group = group
        self._frames = frames
        self._sessions = sessions
        self._outputs = outputs
        self._path = job.path_requested
        self._colour: ColourSpec | None = None
        """As the first renderer promised it; the stream is tagged so."""
        self._losses = 0
        self._lost_at_frame: int | None = None
        self._fallbacks: list[str] = []
        self._warnings: list[str] = []
        self._devices: list[DeviceStatistics] = []
        self._pool_bytes = 0

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
                self._sessions.close()
                self._outputs.unfinished.close()
                return

    def outcome(self) -> RenderOutcome:
        """What came of it, once it has run."""
        return RenderOutcome(
            path_used=self._path,
            fallbacks=tuple(self._fallbacks),
            warnings=tuple(self._warnings),
            devices=tuple(self._devices),
            picture_pool_bytes=self._pool_bytes,
            frames_in_flight_bytes=self._frames.high_water_bytes,
        )

    def _draw(self, clock: StageTimer) -> None:
        gpu = self._device.take() or open_device()
        with collected_problems(gpu):
            try:
                self._draw_on(gpu, clock)
            except Exception as error:
                if not is_device_loss(gpu, error):
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
        plan = plan_export(self._job, self._path)
        uploader = PlaneUploader(gpu, self._job.source.planes, plan.upload_slots)
        session = UploadSession(gpu, uploader, self._group, first=self._frames.delivered)
        # The first frames go up while shaders compile.
        self._sessions.send(session, 1)
        try:
            self._draw_uploaded(gpu, uploader, session, plan, clock)
        except Exception as error:
            session.end(error)
            raise

    def _draw_uploaded(
        self, gpu: GpuContext, uploader: PlaneUploader, session: UploadSession, plan: MemoryPlan, clock: StageTimer
    ) -> None:
        job, factory = self._job, self._path_factory()

        def make_path(context: GpuContext, compositor: Compositor) -> ConversionPath:
            return factory(context, compositor, job.options.colour, threads=job.options.swscale_threads)

        renderer = Renderer(gpu, uploader, job, make_path, plan)
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
            group=self._group,
        )
        self._pool_bytes = max(self._pool_bytes, pool.total_bytes)
        clock.mark("setup")
        self._announce(path, finishing)
        try:
            renderer.run(
                session,
                self._deliveries(path if aside else None),
                pool,
                clock,
                finishes=finishing is Finishing.IN_LINE,
                valve=self._valve,
            )
        finally:
            self._devices.append(renderer.statistics())
        if not aside:  # the convert thread closes a path that still finishes pictures
            path.close()

    def _path_factory(self) -> PathFactory:
        factory = path_factory(self._path)
        if self._colour is not None and factory is CpuPath:
            # The stream's tag is written; what swscale does by itself would be half a pixel beside it.
            return partial(CpuPath, siting=self._colour.siting)
        return factory

    def _announce(self, path: ConversionPath, finishing: Finishing) -> None:
        """Say what the pictures are, now that it is known."""
        colour = replace(self._job.options.colour, siting=path.siting)
        if self._colour is None:
            self._colour = colour
            pixel_format = path.picture_format if finishing is Finishing.NOT_NEEDED else "nv12"
            self._outputs.formats.send(PictureFormat(pixel_format, colour), 1)
        elif colour.siting is not self._colour.siting:
            self._warnings.append(
                f"from frame {self._frames.delivered} on, chroma is sited {colour.siting}, the stream is tagged "
                f"{self._colour.siting}"
            )

    def _deliveries(self, finisher: ConversionPath | None) -> Deliveries:
        """The way to the encoder, through the convert thread where a path finishes pictures there."""
        if finisher is None:
            return Deliveries(self._frames, self._outputs.pictures.send)
        self._outputs.pictures.hand_over("convert")
        unfinished = self._outputs.unfinished
        return Deliveries(self._frames, lambda picture, size_bytes: unfinished.send((picture, finisher), size_bytes))

    def _take_another_path(self, reason: UnavailableError) -> None:
        if self._path not in _FALLBACK:
            if self._losses:
                raise DeviceLostError(
                    f"the GPU device was lost and cannot be opened again: {reason}",
                    stage="render",
                    frame=self._frames.delivered,
                ) from reason
            raise reason
        self._fallbacks.append(f"{self._path} could not start, used {_FALLBACK[self._path]}: {reason}")
        self._path = _FALLBACK[self._path]

    def _recover(self, loss: DeviceLostError) -> None:
        self._losses += 1
        # If a second device is lost at the same frame, this path may be the cause.
        path = _FALLBACK.get(self._path) if self._lost_at_frame == loss.frame else self._path
        if path is None or self._losses > _MOST_LOSSES:
            raise loss
        self._fallbacks.append(f"{loss}; continued on a new device by path {path}")
        self._lost_at_frame, self._path = loss.frame, path
