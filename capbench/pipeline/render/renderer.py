"""Drawing on one device: composite, convert, read back. It alone submits to the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from capbench.pipeline.compositor.scene_compositor import Compositor, RecordingTextures
from capbench.pipeline.compositor.tone_map_pass import ToneMapPass
from capbench.pipeline.conversion.registry import ConversionPath
from capbench.pipeline.decode.video import frame_bytes
from capbench.pipeline.encode.frame_pool import PicturePool, PooledPicture
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.gpu.gpu_timestamps import FrameTimestamps
from capbench.pipeline.gpu.readback_ring import ReadbackRing
from capbench.pipeline.gpu.upload_ring import PlaneUploader
from capbench.pipeline.job import ExportJob
from capbench.pipeline.recorder import DeviceStatistics
from capbench.pipeline.render.upload_stage import UploadedFrame, UploadSession
from capbench.pipeline.threads.memory_budget import MemoryPlan
from capbench.pipeline.threads.stage_timer import StageTimer

__all__ = ["PictureReceiver", "Renderer", "SubmissionValve"]


class PictureReceiver(Protocol):
    """Where rendered pictures go: a channel, or what stands before one."""

    def send(self, item: PooledPicture, size_bytes: int) -> None:
        """Take a picture, waiting for room."""


class SubmissionValve(Protocol):
    """Lets frames be submitted, or asks that the GPU be left idle: this process is about to be stopped."""

    def begin(self, *, is_software: bool) -> None:
        """Called before the first frame is submitted to a device, with whether its adapter runs on the CPU."""

    def is_shut(self) -> bool:
        """Whether what was submitted should be finished, and nothing else submitted."""

    def wait_idle(self) -> None:
        """Called when everything submitted is finished; returns once frames may be submitted again."""

    def end(self) -> None:
        """Called when everything submitted to the device is finished, or the device is given up."""


class Renderer:
    """Everything on the GPU for one export. Make and use it on one thread. Raises `ShaderError`."""

    def __init__(
        self,
        gpu: GpuContext,
        uploader: PlaneUploader,
        job: ExportJob,
        make_path: Callable[[GpuContext, Compositor], ConversionPath],
        plan: MemoryPlan,
    ) -> None:
        self._gpu = gpu
        source = job.source
        self._uploader = uploader
        self._tone_map = None if source.hdr is None else ToneMapPass(gpu, uploader, source, source.hdr)
        recording: RecordingTextures
        recording, shown = (uploader, source) if self._tone_map is None else (self._tone_map, self._tone_map.shown)
        frame_s = float(1 / job.rate)
        self.compositor = Compositor(gpu, recording, job.canvas, job.scene, shown, frame_s=frame_s)
        self.path = make_path(gpu, self.compositor)
        self._time_base = job.time_base
        # From the source, not from the first frame that comes by: a renderer may take over in the middle of an export.
        self._first_pts = round((source.start_s - source.origin_s) / job.time_base)
        self._timestamps = FrameTimestamps(gpu)
        self._ring: ReadbackRing[tuple[int, int]] = ReadbackRing(gpu, self.path.staging_bytes, plan.staging_slots)
        self._staging_bytes = self._ring.slot_bytes * plan.staging_slots
        self._gpu_ticks_ns = self._readback_s = 0.0
        self._readback_bytes = 0
        gpu.finish_compiling()

    def statistics(self) -> DeviceStatistics:
        """What was counted so far."""
        gpu = self._gpu
        return DeviceStatistics(
            adapter=gpu.adapter,
            adapter_is_software=gpu.is_software,
            has_timestamps=gpu.has_timestamps,
            allocated_bytes=gpu.allocated_bytes,
            upload_ring_bytes=self._uploader.ring_bytes,
            staging_ring_bytes=self._staging_bytes,
            uploaded_bytes=self._uploader.uploaded_bytes,
            readback_bytes=self._readback_bytes,
            readback_s=self._readback_s,
            gpu_ticks_ns=self._gpu_ticks_ns,
        )

    def run(
        self,
        session: UploadSession,
        pictures: PictureReceiver,
        pool: PicturePool,
        clock: StageTimer,
        *,
        finishes: bool = False,
        valve: SubmissionValve | None = None,
    ) -> None:
        """Render every frame into a picture, in order. Raises `StallError` or `DeviceLostError`.

        With `finishes` the path's `finish` runs here, before the picture is passed on. Frames are submitted while
        `valve` is open.
        """
        deliver = self._deliver_finished if finishes else self._deliver
        # A scene's camera is another file, open while frames are drawn.
        with closing(self.compositor), self._behind(valve):
            for number, frame in enumerate(session):
                clock.mark("render", "wait_input", number)
                if self._ring.is_full:
                    deliver(pictures, pool, clock)
                # Last, because the valve may be shut while a picture is delivered.
                if valve is not None and valve.is_shut():
                    self._ring.wait_for_all()
                    valve.wait_idle()
                    clock.mark("readback", "wait_input", number)
                self._submit(frame, clock, number)
                session.give_back(frame.slot)
                self._gpu.check()
            clock.mark("render", "wait_input")
            while not self._ring.is_empty:  # the last pictures have no successor to push them out
                deliver(pictures, pool, clock)

    @contextmanager
    def _behind(self, valve: SubmissionValve | None) -> Iterator[None]:
        """Tell the valve from when until when this device may be at work."""
        if valve is None:
            yield
            return
        valve.begin(is_software=self._gpu.is_software)
        try:
            yield
        finally:
            valve.end()

    def _submit(self, frame: UploadedFrame, clock: StageTimer, number: int) -> None:
        encoder = self._gpu.device.create_command_encoder(label="frame")
        self._uploader.record_filled(frame.slot, encoder)
        staging = self._ring.next_buffer()
        self._timestamps.begin(encoder)
        if self._tone_map is not None:
            self._tone_map.record(encoder)
        self.compositor.prepare(encoder, self._time_s(frame.pts))
        self.path.record(encoder, staging)
        self._timestamps.end(encoder, staging, self._ring.timestamp_offset)
        self._gpu.device.queue.submit([encoder.finish()])
        self._uploader.submitted()
        self.compositor.submitted()
        self._ring.submitted((frame.pts, frame.duration))
        clock.mark("render", "work", number)

    def _time_s(self, pts: int) -> float:
        """Output time since the first frame, which is what scenes are timed by."""
        return float((pts - self._first_pts) * self._time_base)

    def _deliver(self, pictures: PictureReceiver, pool: PicturePool, clock: StageTimer) -> None:
        picture = self._read_back(pool, clock)
        pictures.send(picture, pool.picture_bytes)
        clock.mark("readback", "wait_output")

    def _deliver_finished(self, pictures: PictureReceiver, pool: PicturePool, clock: StageTimer) -> None:
        picture = self._read_back(pool, clock)
        frame = self.path.finish(picture.frame)
        pool.release(picture.frame)
        clock.mark("convert")
        pictures.send(PooledPicture(frame, picture.pts, picture.duration, pool=None), frame_bytes(frame))
        clock.mark("convert", "wait_output")

    def _read_back(self, pool: PicturePool, clock: StageTimer) -> PooledPicture:
        """The oldest picture in flight, as the path reads it."""
        self._ring.wait()
        clock.mark("readback", "wait_input")
        frame = pool.acquire()
        clock.mark("readback", "wait_output")
        started_ns = time.perf_counter_ns()
        (pts, duration), ticks = self._ring.take(lambda mapped: self.path.read(mapped, frame))
        self._readback_s += (time.perf_counter_ns() - started_ns) / 1e9
        self._readback_bytes += self.path.readback_bytes
        self._gpu_ticks_ns += ticks * self._gpu.timestamp_period_ns
        clock.note("gpu", ticks * self._gpu.timestamp_period_ns)
        clock.mark("readback", "work")
        return PooledPicture(frame, pts, duration, pool)
