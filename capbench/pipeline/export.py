"""One export from source to finished file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from capbench.errors import UnavailableError
from capbench.files import partial_path
from capbench.pipeline.account import ExportAccount
from capbench.pipeline.audio import read_audio
from capbench.pipeline.channel import Channel
from capbench.pipeline.decode import frame_bytes, read_frames
from capbench.pipeline.device import collected_problems, open_device
from capbench.pipeline.encode import OutputFormat, VideoWriter
from capbench.pipeline.job import ExportJob, ExportOptions, prepare
from capbench.pipeline.laps import LapClock, Span
from capbench.pipeline.memory import MemoryPlan, available_memory_bytes, channel_frames, plan_memory
from capbench.pipeline.paths import FLOOR, PASSTHROUGH, ConversionPath, path_factory
from capbench.pipeline.pictures import PicturePool
from capbench.pipeline.render import Picture, Renderer
from capbench.pipeline.stages import StageGroup
from capbench.pipeline.timeline import TimedFrame, at_constant_rate, at_source_times
from capbench.results import ExportReport

__all__ = ["ExportOptions", "export", "run_job"]

_AUDIO_CHANNEL_FRAMES = 256
"""About 5 s of sound: more than an encoder's look-ahead, and 2 MB."""
_FALLBACK = {"gpu": "cpu", "gpu-fused": "gpu"}


def export(
    source: Path,
    output: Path,
    options: ExportOptions | None = None,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
) -> ExportReport:
    """Export `source` to `output`, which appears only when it is complete.

    `on_frame` is told how many frames are in the file so far, from the encode thread; `cancel` stops the export when it
    is set; `on_span` receives what every thread does, for a trace. Raises `InputError` or `OutputError` for what the
    user can change, `UnavailableError` for what this machine cannot do, `PipelineError` for a failure on the way, and
    `CancelledExportError`.
    """
    started_ns = time.perf_counter_ns()
    return run_job(
        prepare(Path(source), Path(output), options or ExportOptions()),
        started_ns,
        on_frame=on_frame,
        cancel=cancel,
        on_span=on_span,
    )


def run_job(
    job: ExportJob,
    started_ns: int,
    *,
    on_frame: Callable[[int], None] | None = None,
    cancel: threading.Event | None = None,
    on_span: Callable[[Span], None] | None = None,
) -> ExportReport:
    """Run a settled export, falling back where its path cannot start; `started_ns` is when its clock began."""
    account = ExportAccount(job, started_ns, on_frame)
    path = job.path_requested
    while True:
        try:
            with partial_path(job.output) as partial:
                attempt = _Attempt(
                    job, path, partial=partial, account=account, cancel=cancel or threading.Event(), on_span=on_span
                )
                attempt.run()
            break
        except UnavailableError as error:
            if path not in _FALLBACK:
                raise
            account.fell_back(path, _FALLBACK[path], error)
            path = _FALLBACK[path]
    return account.report(path)


class _Attempt:
    """One try by one path: its channels, threads and clocks."""

    def __init__(
        self,
        job: ExportJob,
        path: str,
        *,
        partial: Path,
        account: ExportAccount,
        cancel: threading.Event,
        on_span: Callable[[Span], None] | None,
    ) -> None:
        self._job = job
        self._path = path
        self._partial = partial
        self._account = account
        self._on_span = on_span
        source = job.source
        # Before the path exists only its name tells what it reads back; another's is planned for as RGBA, the larger.
        picture_bytes = job.canvas.nv12_bytes if path in ("gpu", "gpu-fused") else job.canvas.rgba_bytes
        self._plan: MemoryPlan = plan_memory(
            decoded_bytes=source.planes.size_bytes,
            upload_bytes=source.planes.size_bytes,
            staging_bytes=picture_bytes,
            picture_bytes=picture_bytes,
            budget_bytes=job.options.memory_limit_bytes,
            max_frames=channel_frames(available_memory_bytes(), gif=job.is_gif),
        )
        self._frames: Channel[TimedFrame] = self._channel("decode", "render", self._plan.decoded_frames)
        self._rendered: Channel[Picture] = self._channel("render", "convert", self._plan.pictures)
        self._pictures: Channel[Picture] = self._channel("convert", "encode", self._plan.pictures)
        self._sound: Channel[Any] = self._channel("audio", "encode", _AUDIO_CHANNEL_FRAMES)
        self._pool: PicturePool | None = None
        channels: list[Channel[Any]] = [self._frames, self._rendered, self._pictures, self._sound]
        self._group = StageGroup(channels, cancel)
        self._ready = threading.Event()
        """Set once the renderer knows its siting: the stream's tags depend on it."""
        self._colour = job.source.colour if path == FLOOR else job.options.colour

    def run(self) -> None:
        """Run every stage to the end. Raises the first failure."""
        if self._job.source.audio_streams:
            self._group.start("audio", self._read_audio)
        self._group.start("decode", self._decode)
        if self._path in (PASSTHROUGH, FLOOR):
            self._group.start("encode", self._encode_directly)
        else:
            self._group.start("render", self._render)
        self._group.wait()
        for channel in (self._frames, self._rendered, self._pictures):
            self._account.own(f"channel {channel.producer} to {channel.consumer}", channel.high_water_bytes)

    def _channel(self, producer: str, consumer: str, max_frames: int) -> Channel[Any]:
        return Channel(
            producer=producer,
            consumer=consumer,
            max_frames=max_frames,
            max_bytes=self._plan.channel_bytes,
            timeout_s=self._job.options.stall_timeout_s,
        )

    def _clock(self) -> LapClock:
        clock = LapClock(on_span=self._on_span)
        self._account.clocks.append(clock)
        return clock

    def _decode(self) -> None:
        job, clock = self._job, self._clock()
        on_damage = self._account.warn if job.options.salvage else None
        frames = read_frames(job.source.path, on_damage=on_damage)
        origin_s = job.source.origin_s
        timed = (
            at_constant_rate(frames, origin_s, job.options.fps)
            if job.options.fps
            else at_source_times(frames, origin_s, job.source.frame_rate)
        )
        for frame in timed:
            clock.mark("decode")
            self._account.decoded(frame.pts)
            self._frames.send(frame, frame_bytes(frame.frame))
            clock.mark("decode", "wait_output")
        clock.mark("decode")
        self._frames.close()

    def _read_audio(self) -> None:
        clock = self._clock()
        on_damage = self._account.warn if self._job.options.salvage else None
        for frame in read_audio(self._job.source.path, self._job.source.origin_s, on_damage=on_damage):
            clock.mark("audio")
            self._sound.send(frame, frame.samples * 8)
            clock.mark("audio", "wait_output")
        self._sound.close()

    def _render(self) -> None:
        job, clock = self._job, self._clock()
        gpu = open_device()
        try:
            with collected_problems(gpu):
                factory = path_factory(self._path)
                renderer = Renderer(
                    gpu,
                    canvas=job.canvas,
                    scene=job.scene,
                    source=job.source,
                    time_base=job.time_base,
                    make_path=lambda context, compositor: factory(
                        context, compositor, job.options.colour, threads=job.options.swscale_threads
                    ),
                    plan=self._plan,
                )
                path = renderer.path
                self._colour = replace(job.options.colour, siting=path.siting)
                self._pool = PicturePool(
                    job.canvas.width,
                    job.canvas.height,
                    path.picture_format,
                    self._plan.pictures,
                    job.options.stall_timeout_s,
                )
                clock.mark("setup")
                if path.converts_on_cpu:
                    self._group.start("convert", lambda: self._convert(path))
                    pictures = self._rendered
                else:
                    pictures = self._pictures
                self._group.start("encode", self._encode_pictures)
                renderer.run(self._frames, pictures, self._pool, clock)
                if not path.converts_on_cpu:
                    path.close()
                self._account.rendered(gpu, renderer, self._pool)
        finally:
            gpu.close()

    def _convert(self, path: ConversionPath) -> None:
        assert self._pool is not None
        clock = self._clock()
        for picture in self._rendered:
            clock.mark("convert", "wait_input")
            frame = path.finish(picture.frame)
            self._pool.release(picture.frame)
            clock.mark("convert")
            size_bytes = sum(plane.buffer_size for plane in frame.planes)
            self._pictures.send(Picture(frame, picture.pts, picture.duration, pool=None), size_bytes)
            clock.mark("convert", "wait_output")
        clock.mark("convert", "wait_input")
        path.close()  # here, not on the render thread: a path's own device is still busy when that one ends
        self._pictures.close()

    def _writer(self, pixel_format: str, sound: Iterator[Any] | None) -> VideoWriter:
        job = self._job
        output = OutputFormat(job.canvas.width, job.canvas.height, job.rate, job.time_base, self._colour, pixel_format)
        return VideoWriter(self._partial, output, job.options.encoder, audio=sound, on_packet=self._account.encoded)

    def _encode_pictures(self) -> None:
        def release(picture: Picture) -> None:
            if picture.pool is not None:
                picture.pool.release(picture.frame)

        self._encode("nv12", self._pictures, release)

    def _encode_directly(self) -> None:
        self._encode(self._job.source.planar_format, self._frames, lambda _: None)

    def _encode(self, pixel_format: str, pictures: Channel[Any], release: Callable[[Any], None]) -> None:
        clock = self._clock()
        sound = iter(self._sound) if self._job.source.audio_streams else None
        writer = self._writer(pixel_format, sound)
        try:
            for number, picture in enumerate(pictures):
                clock.mark("encode", "wait_input", number)
                writer.write(picture.frame, picture.pts, picture.duration)
                release(picture)
                clock.mark("encode", "work", number)
            clock.mark("encode", "wait_input")
            writer.finish()
        except BaseException:
            writer.abandon()
            raise
        clock.mark("encode")
