"""One pass over a source: its channels, threads and clocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from capbench.colour import ColourSpec
from capbench.pipeline.conversion.registry import FLOOR, PASSTHROUGH, ConversionPath
from capbench.pipeline.decode.audio import read_audio
from capbench.pipeline.decode.frame_times import TimedFrame, at_constant_rate, at_source_times
from capbench.pipeline.decode.video import frame_bytes, read_frames
from capbench.pipeline.encode.sink import PictureSink
from capbench.pipeline.job import ExportJob
from capbench.pipeline.memory_plan import SOUND_FRAME_BYTES, SOUND_FRAMES, plan_export
from capbench.pipeline.recorder import ExportRecorder
from capbench.pipeline.render.render_stage import RenderStage
from capbench.pipeline.render.renderer import RenderedPicture
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.memory_budget import MemoryPlan
from capbench.pipeline.threads.stage_group import StageGroup
from capbench.pipeline.threads.stage_timer import Span, StageTimer
from capbench.pipeline.threads.watchdog import StageWatch

__all__ = ["Flow", "OpenSink"]

OpenSink = Callable[[str, ColourSpec, Iterator[Any] | None], PictureSink]
"""Opens where pictures end, given their pixel format, how to read them, and the sound."""

_SCANNED_BYTES_PER_S = 50e6
"""A disk that reads more slowly than this counts as one that stalled."""
_CLOSING_BYTES_PER_S = 10e6
"""Moving the index to the front rewrites the file; a slower disk than this counts as one that stalled."""


class Flow:
    """Runs every stage from the source to a sink, each on its own thread."""

    def __init__(
        self,
        job: ExportJob,
        *,
        account: ExportRecorder,
        cancel: threading.Event,
        on_span: Callable[[Span], None] | None,
        open_sink: OpenSink,
        written_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        self._job = job
        self._account = account
        self._on_span = on_span
        self._open_sink = open_sink
        self._written_bytes = written_bytes
        self._watch = StageWatch(job.options.stall_timeout_s)
        self._group = StageGroup(self._watch, cancel)
        self._plan: MemoryPlan = plan_export(job, job.path_requested)
        frames, pictures = self._plan.decoded_frames, self._plan.pictures
        self._is_direct = job.path_requested in (PASSTHROUGH, FLOOR)
        self._frames: Channel[TimedFrame] = self._channel("decode", "encode" if self._is_direct else "render", frames)
        self._rendered: Channel[tuple[RenderedPicture, ConversionPath]] = self._channel("render", "convert", pictures)
        self._pictures: Channel[RenderedPicture] = self._channel("convert", "encode", pictures)
        self._sound: Channel[Any] = self._channel("audio", "encode", SOUND_FRAMES, carries_frames=False)

    def run(self) -> str:
        """Run every stage to the end; returns the path that drew. Raises the first failure."""
        job = self._job
        # Behind the end of a track the rest of the file is read for more of it, without a sign of life.
        slack_s = job.source.path.stat().st_size / _SCANNED_BYTES_PER_S
        if job.has_sound:
            self._group.start("audio", self._read_audio, slack_s=slack_s)
        self._group.start("decode", self._decode, slack_s=slack_s)
        path = job.path_requested
        if self._is_direct:
            self._start_encode(job.source.planar_format, job.source.colour, self._frames)
            self._group.wait()
        else:
            self._watch.expect("encode", waits_for="render")
            path = self._run_with_renderer()
        self._account_channels()
        return path

    def _account_channels(self) -> None:
        # What waits between readback and its consumer belongs to the picture pool and is counted there.
        owners: list[Channel[Any]] = [self._frames, self._sound]
        if self._rendered.high_water_bytes:
            owners.append(self._pictures)
        for channel in owners:
            if channel.high_water_bytes:
                self._account.own(f"channel {channel.producer} to {channel.consumer}", channel.high_water_bytes)

    def _run_with_renderer(self) -> str:
        stage = RenderStage(
            self._job,
            plan=lambda path: plan_export(self._job, path),
            frames=self._frames,
            rendered=self._rendered,
            pictures=self._pictures,
            group=self._group,
            watch=self._watch,
            account=self._account,
            start_convert=lambda: self._group.start("convert", self._convert),
            start_encode=lambda pixels, colour: self._start_encode(pixels, colour, self._pictures),
        )
        self._group.start("render", lambda: stage.run(self._clock()))
        self._group.wait()
        return stage.path

    def _channel(self, producer: str, consumer: str, max_frames: int, *, carries_frames: bool = True) -> Channel[Any]:
        channel: Channel[Any] = Channel(
            producer=producer,
            consumer=consumer,
            max_frames=max_frames,
            max_bytes=self._plan.channel_bytes,
            watch=self._watch,
            carries_frames=carries_frames,
        )
        self._group.add(channel)
        return channel

    def _clock(self) -> StageTimer:
        clock = StageTimer(on_span=self._on_span)
        self._account.clocks.append(clock)
        return clock

    def _decode(self) -> None:
        job, clock = self._job, self._clock()
        frames = read_frames(job.source.path, warn=self._account.warn, salvage=job.options.salvage)
        origin_s = job.source.origin_s
        timed = (
            at_constant_rate(frames, origin_s, job.options.fps, job.source.frame_rate)
            if job.options.fps
            else at_source_times(frames, origin_s, job.source.frame_rate)
        )
        for frame in timed:
            clock.mark("decode")
            self._account.decoded(frame.pts, frame.duration)
            self._frames.send(frame, frame_bytes(frame.frame))
            clock.mark("decode", "wait_output")
        clock.mark("decode")
        self._frames.close()

    def _read_audio(self) -> None:
        job, clock = self._job, self._clock()
        sound = read_audio(job.source.path, job.source.origin_s, warn=self._account.warn, salvage=job.options.salvage)
        for frame in sound:
            clock.mark("audio")
            self._sound.send(frame, SOUND_FRAME_BYTES)
            clock.mark("audio", "wait_output")
        self._sound.close()

    def _convert(self) -> None:
        clock, last = self._clock(), None
        for picture, path in self._rendered:
            clock.mark("convert", "wait_input")
            if last is not None and last is not path:
                last.close()
            last = path
            frame = path.finish(picture.frame)
            if picture.pool is not None:
                picture.pool.release(picture.frame)
            clock.mark("convert")
            self._pictures.send(RenderedPicture(frame, picture.pts, picture.duration, pool=None), frame_bytes(frame))
            clock.mark("convert", "wait_output")
        clock.mark("convert", "wait_input")
        if last is not None:
            last.close()
        self._pictures.close()

    def _start_encode(self, pixel_format: str, colour: ColourSpec, pictures: Channel[Any]) -> None:
        self._group.start("encode", lambda: self._encode(pixel_format, colour, pictures))

    def _encode(self, pixel_format: str, colour: ColourSpec, pictures: Channel[Any]) -> None:
        clock = self._clock()
        sink = self._open_sink(pixel_format, colour, iter(self._sound) if self._job.has_sound else None)
        try:
            for number, picture in enumerate(pictures):
                clock.mark("encode", "wait_input", number)
                sink.write(picture.frame, picture.pts, picture.duration)
                if isinstance(picture, RenderedPicture) and picture.pool is not None:
                    picture.pool.release(picture.frame)
                clock.mark("encode", "work", number)
            clock.mark("encode", "wait_input")
            sink.flush()
            self._watch.progress("encode", extra_s=self._written_bytes() / _CLOSING_BYTES_PER_S)
            sink.complete()
        except BaseException:
            sink.abandon()
            raise
        clock.mark("encode")
