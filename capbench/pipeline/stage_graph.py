"""One pass over a source: its channels and threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from capbench.pipeline.conversion.registry import FLOOR, PASSTHROUGH
from capbench.pipeline.decode.frame_times import TimedFrame
from capbench.pipeline.encode.frame_pool import PictureFormat, PooledPicture
from capbench.pipeline.encode.mp4 import SoundEncoder
from capbench.pipeline.encode.mux import EncodedPacket, OutputFile
from capbench.pipeline.encode.picture_encoder import PictureEncoder
from capbench.pipeline.job import ExportJob
from capbench.pipeline.memory_plan import PACKET_QUEUE_BYTES, PICTURE_PACKETS, SOUND_PACKETS, plan_codecs, plan_export
from capbench.pipeline.recorder import ExportRecorder, RenderOutcome
from capbench.pipeline.render.first_device import FirstDevice
from capbench.pipeline.render.render_stage import RenderOutputs, RenderStage
from capbench.pipeline.render.renderer import SubmissionValve
from capbench.pipeline.render.replay import UndeliveredFrames, UnfinishedPicture
from capbench.pipeline.render.upload_stage import UploadSession, UploadStage
from capbench.pipeline.stage_bodies import (
    convert_pictures,
    decode_pictures,
    encode_pictures,
    encode_sound,
    mux_packets,
)
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.stage_group import StageGroup
from capbench.pipeline.threads.stage_timer import StageTimer
from capbench.pipeline.threads.watchdog import StageWatch

__all__ = ["Output", "Run", "run_pass"]

_SCANNED_BYTES_PER_S = 50e6
"""A disk that reads more slowly than this counts as one that stalled."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """Where a pass over the source ends."""

    pictures: PictureEncoder
    sound: SoundEncoder | None = None
    """None for an output without sound."""
    file: OutputFile | None = None
    """None for a pass that writes nothing, whose encoder makes no packets."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One running export."""

    job: ExportJob
    recorder: ExportRecorder
    cancel: threading.Event
    """Stops the export when it is set."""
    device: FirstDevice
    """May be open, or on its way, before there are frames."""
    valve: SubmissionValve | None = None
    """Of who stops this process now and then; None where nobody does."""


def run_pass(run: Run, output: Output) -> None:
    """Run every stage from the source to `output`, each on its own thread. Raises the first failure."""
    job, recorder = run.job, run.recorder
    watch = StageWatch(job.options.stall_timeout_s)
    group = StageGroup(watch, run.cancel)
    plan = plan_export(job, job.path_requested)
    draws = job.path_requested not in (PASSTHROUGH, FLOOR)

    def start(stage: str, body: Callable[[StageTimer], None], *, slack_s: float = 0.0) -> None:
        group.start(stage, lambda: body(recorder.clock()), slack_s=slack_s)

    with group:
        # After the end of a track the rest of the file is searched for more of it, without progress.
        slack_s = job.source.path.stat().st_size / _SCANNED_BYTES_PER_S
        frames: Channel[TimedFrame] = group.channel(
            "decode", "upload" if draws else "encode", max_frames=plan.decoded_frames, max_bytes=plan.channel_bytes
        )
        threads = plan_codecs(job).decoder_threads
        start("decode", partial(decode_pictures, job, threads, frames, recorder), slack_s=slack_s)

        formats: Channel[PictureFormat] = group.channel(
            "render", "encode", max_frames=1, max_bytes=1, carries_frames=False
        )
        pictures: Channel[PooledPicture] = group.channel(
            "render", "encode", max_frames=plan.pictures, max_bytes=plan.channel_bytes, numbers_producer=False
        )
        unfinished: Channel[UnfinishedPicture] = group.channel(
            "render", "convert", max_frames=plan.pictures, max_bytes=plan.channel_bytes, numbers_producer=False
        )
        render = None
        if draws:
            outputs = RenderOutputs(formats, unfinished, pictures)
            undelivered = UndeliveredFrames(frames)
            sessions: Channel[UploadSession] = group.channel(
                "render", "upload", max_frames=1, max_bytes=1, carries_frames=False
            )
            render = RenderStage(job, group, undelivered, sessions, outputs, device=run.device, valve=run.valve)
            start("render", render.run)
            start("upload", UploadStage(undelivered, sessions).run)
            start("convert", lambda clock: convert_pictures(unfinished, pictures, clock))
        else:
            formats.send(PictureFormat(job.source.planar_format, job.source.colour), 1)

        shown: Iterable[TimedFrame | PooledPicture] = pictures if draws else frames
        packets: Channel[EncodedPacket] = group.channel(
            "encode", "mux", max_frames=PICTURE_PACKETS, max_bytes=PACKET_QUEUE_BYTES, carries_frames=False
        )
        start(
            "encode",
            lambda clock: encode_pictures(shown, formats, output.pictures, packets, recorder=recorder, clock=clock),
        )

        sound: Channel[EncodedPacket] | None = None
        if (encoder := output.sound) is not None:
            sound = group.channel(
                "audio", "mux", max_frames=SOUND_PACKETS, max_bytes=PACKET_QUEUE_BYTES, carries_frames=False
            )
            start("audio", partial(encode_sound, job, encoder, sound, recorder), slack_s=slack_s)
        if (file := output.file) is not None:
            start("mux", lambda clock: mux_packets(packets, sound, file, watch=watch, recorder=recorder, clock=clock))

    recorder.rendered(RenderOutcome(job.path_requested) if render is None else render.outcome())
    queues: list[Channel[TimedFrame] | Channel[PooledPicture] | Channel[EncodedPacket]] = [frames, packets]
    queues += [sound] if sound is not None else []
    # Pictures that need no finishing belong to their pool and are counted there.
    queues += [pictures] if unfinished.high_water_bytes else []
    for queue in queues:
        recorder.own(f"channel {queue.producer} to {queue.consumer}", queue.high_water_bytes)
