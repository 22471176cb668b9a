"""What each thread of an export does with its input, its output and its clock. Drawing lives in `render`."""

from __future__ import annotations

from collections.abc import Iterable

import av

from capbench.pipeline.decode.audio import read_audio
from capbench.pipeline.decode.frame_times import TimedFrame, at_constant_rate, at_source_times, writable_pauses_s
from capbench.pipeline.decode.open_source import stored_bytes
from capbench.pipeline.decode.video import frame_bytes, read_frames
from capbench.pipeline.encode.frame_pool import PictureFormat, PooledPicture
from capbench.pipeline.encode.mp4 import SoundEncoder
from capbench.pipeline.encode.mux import EncodedPacket, OutputFile, in_decoding_order
from capbench.pipeline.encode.picture_encoder import PictureEncoder
from capbench.pipeline.job import ExportJob
from capbench.pipeline.recorder import ExportRecorder
from capbench.pipeline.render.replay import UnfinishedPicture
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.stage_timer import StageTimer
from capbench.pipeline.threads.watchdog import StageWatch

__all__ = ["convert_pictures", "decode_pictures", "encode_pictures", "encode_sound", "mux_packets"]

_CLOSING_BYTES_PER_S = 10e6
"""Moving the index to the front rewrites the file; a slower disk than this counts as one that stalled."""


def decode_pictures(
    job: ExportJob, threads: int, frames: Channel[TimedFrame], recorder: ExportRecorder, clock: StageTimer
) -> None:
    """Decode the source's pictures at the times of the output."""
    source, options = job.source, job.options
    decoded = read_frames(
        source.path,
        warn=recorder.warn,
        salvage=options.salvage,
        threads=threads,
        decoder=job.decoder.used,
        keeps_depth=source.hdr is not None,
    )
    timed = (
        at_constant_rate(
            decoded,
            source.origin_s,
            options.fps,
            source.frame_rate,
            pauses_s=writable_pauses_s(stored_bytes(source.path)),
        )
        if options.fps
        else at_source_times(decoded, source.origin_s, source.frame_rate)
    )
    for frame in timed:
        clock.mark("decode")
        recorder.decoded(frame.pts, frame.duration)
        frames.send(frame, frame_bytes(frame.frame))
        clock.mark("decode", "wait_output")
    clock.mark("decode")
    frames.close()


def encode_sound(
    job: ExportJob, encoder: SoundEncoder, packets: Channel[EncodedPacket], recorder: ExportRecorder, clock: StageTimer
) -> None:
    """Decode, mix and encode the source's sound."""
    mixed = read_audio(job.source.path, job.source.origin_s, warn=recorder.warn, salvage=job.options.salvage)
    for frame in mixed:
        ready = encoder.encode(frame)
        clock.mark("audio")
        _send_all(ready, packets)
        clock.mark("audio", "wait_output")
    ready = encoder.finish()
    clock.mark("audio")
    _send_all(ready, packets)
    clock.mark("audio", "wait_output")
    packets.close()


def convert_pictures(
    unfinished: Channel[UnfinishedPicture], pictures: Channel[PooledPicture], clock: StageTimer
) -> None:
    """Let each picture's path finish it; closes `pictures`, those that needed no finishing included."""
    last = None
    for picture, path in unfinished:
        # A device and its shaders are waited for once; that says nothing about the pace of converting.
        clock.mark("setup" if last is None else "convert", "wait_input")
        if last is not None and last is not path:
            last.close()
        last = path
        frame = path.finish(picture.frame)
        picture.release()
        clock.mark("convert")
        pictures.send(PooledPicture(frame, picture.pts, picture.duration, pool=None), frame_bytes(frame))
        clock.mark("convert", "wait_output")
    if last is not None:
        clock.mark("convert", "wait_input")
        last.close()
    pictures.close()


def encode_pictures(
    pictures: Iterable[TimedFrame | PooledPicture],
    formats: Channel[PictureFormat],
    encoder: PictureEncoder,
    packets: Channel[EncodedPacket],
    *,
    recorder: ExportRecorder,
    clock: StageTimer,
) -> None:
    """Open the encoder for the format that is announced, and give it every picture."""
    layout = formats.receive()
    assert layout is not None, "a format is announced before anything is closed"
    clock.mark("setup", "wait_input")
    encoder.open(layout)
    recorder.ready()
    clock.mark("setup")
    for number, picture in enumerate(pictures):
        clock.mark("encode", "wait_input", number)
        ready = encoder.encode(picture.frame, picture.pts, picture.duration)
        if isinstance(picture, PooledPicture):
            picture.release()
        recorder.encoded(ready)
        clock.mark("encode", "work", number)
        if ready:
            _send_all(ready, packets)
            clock.mark("encode", "wait_output", number)
    clock.mark("encode", "wait_input")
    ready = encoder.finish()
    recorder.encoded(ready)
    clock.mark("encode")
    _send_all(ready, packets)
    clock.mark("encode", "wait_output")
    packets.close()


def mux_packets(
    pictures: Channel[EncodedPacket],
    sound: Channel[EncodedPacket] | None,
    file: OutputFile,
    *,
    watch: StageWatch,
    recorder: ExportRecorder,
    clock: StageTimer,
) -> None:
    """Write every packet in decoding order, and complete the file. Raises `OutputError`."""
    written = 0
    try:
        for packet in in_decoding_order(*([pictures] if sound is None else [pictures, sound])):
            clock.mark("mux", "wait_input")
            is_picture = isinstance(packet.stream, av.VideoStream)
            file.write(packet)
            if is_picture:
                watch.progress("mux", written)
                written += 1
                recorder.written(written)
            clock.mark("mux")
        clock.mark("mux", "wait_input")
        watch.progress("mux", extra_s=file.size_bytes / _CLOSING_BYTES_PER_S)
        file.complete()
    except BaseException:
        file.abandon()
        raise
    clock.mark("mux")


def _send_all(ready: list[EncodedPacket], packets: Channel[EncodedPacket]) -> None:
    for packet in ready:
        packets.send(packet, packet.size)
