"""Memory of an export, planned before it starts: threads and look-ahead of the codecs, queues, rings and pools.

The memory of a process has owners that can be counted (queues, rings, pools) and owners that can only be estimated
(interpreter and libraries, the GPU's driver, decoder, encoder). A limit is for all of them together.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from capbench.pipeline.conversion.registry import FLOOR, PASSTHROUGH
from capbench.pipeline.encode.encoders import has_threads, preset_look_ahead
from capbench.pipeline.job import ExportJob
from capbench.pipeline.threads.memory_budget import (
    FrameSizes,
    MemoryPlan,
    available_memory_bytes,
    channel_frames,
    plan_memory,
)

__all__ = [
    "PACKET_QUEUE_BYTES",
    "PICTURE_PACKETS",
    "SOUND_PACKETS",
    "CodecPlan",
    "estimated_bytes",
    "plan_codecs",
    "plan_export",
]

SOUND_PACKETS = 256
"""About 5 s of AAC: what an encoder looks ahead, so that the sound need not wait for the first picture."""
PICTURE_PACKETS = 32
"""A second of pictures: what a disk that hesitates may hold up before the encoder waits."""
PACKET_QUEUE_BYTES = 4 * 10**6
"""Of each queue: ten times what 32 pictures of 4K weigh at 20 Mbit/s and 5 s of AAC; a larger packet goes alone."""

MOST_DECODER_THREADS = 3
"""One thread decodes about 50 frames of 4K a second on a core of 2023, and three keep up with x264's fastest preset on
16 cores; every further one holds two more pictures (25 MB at 4K) and made an export no faster."""
_FEW_CORES = 4
"""Up to as many the encoder gets all of them: decoder and drawing wait for it anyway."""
MOST_ENCODER_THREADS = 16
"""Beyond it a slice of 4K is less than 9 rows of macroblocks, and each costs bits at its border."""
_ROWS_PER_SLICE = 4
"""x264 takes no slice of fewer rows of macroblocks (`max_sliced_threads` in its encoder.c)."""
_MACROBLOCK_PX = 16

_LIBRARIES_BYTES = 80 * 10**6
"""Interpreter, FFmpeg, NumPy and this package: 70 MB after the imports on Linux, 80 with an encoder opened."""
_DRIVER_BYTES = 140 * 10**6
"""wgpu and the driver in this process: 137 MB with NVIDIA's on an H100, 80 MB with llvmpipe."""
_DECODER_PICTURES = 7
"""Reference pictures of H.264 at level 5.1 and 4K (5), the one being decoded, and its tables."""
_PICTURES_PER_DECODER_THREAD = 2
"""Measured on H.264 at 4K: 108, 138, 187, 257 and 465 MB with 1, 2, 4, 8 and 16 threads."""
_HARDWARE_DECODER_BYTES = 150 * 10**6
"""Allowed for a device's driver and its context in this process: of the order of what wgpu's driver takes."""
_HARDWARE_DECODER_PICTURES = 2
"""In memory of this process: one being copied from the device, and one being handed on. References stay there."""
_ENCODER_PICTURES = 9
"""x264 at 4K without look-ahead and B-frames: 110 MB. A reconstructed picture comes with three filtered ones."""
_PICTURES_PER_LOOK_AHEAD = 3
"""x264 at 4K with 10 frames of look-ahead and 3 B-frames: 568 MB. Each comes with its half-size and its costs."""
_ENCODER_PICTURES_PER_THREAD = 0.2
"""x264 at 4K with slices: 2.2 MB more with each of 1, 4, 12, 16 and 24 threads."""


@dataclass(frozen=True, slots=True)
class CodecPlan:
    """Threads of decoder and encoder. The encoder's bytes depend on it, so it never depends on what happens to be free.

    It follows from cores, picture size, settings and memory limit alone, and is the same for every path.
    """

    decoder_threads: int
    encoder_threads: int | None
    """None for an encoder that has none of ours, such as hardware."""
    look_ahead_frames: int | None = None
    """Look-ahead of libx264 where the limit allows less than its preset's; None for the preset's."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1


def plan_codecs(job: ExportJob) -> CodecPlan:
    """As many threads as are of use; with a memory limit, what of it leaves room for one frame in each place.

    Room is left for the path that needs most, so that all paths get the same encoder.
    """
    limit_bytes = job.options.memory_limit_bytes
    plans = list(_codec_plans(job))
    if limit_bytes is None:
        return plans[0]
    least_bytes = _LIBRARIES_BYTES + _DRIVER_BYTES + _packet_bytes(job) + _frame_sizes(job, "cpu").least_bytes
    least_bytes += _tone_mapped_bytes(job)
    room_bytes = limit_bytes - least_bytes
    return next((p for p in plans if _decoder_bytes(job, p) + _encoder_bytes(job, p) <= room_bytes), plans[-1])


def _codec_plans(job: ExportJob) -> Iterator[CodecPlan]:
    """From the one that is fastest to the one that takes least; threads that were asked for stay."""
    options, cores = job.options, usable_cores()
    on_device = job.decoder.is_hardware
    decoder = 1 if on_device else options.decoder_threads or min(cores, MOST_DECODER_THREADS)
    encoder = None
    if has_threads(options.encoder.name):
        rows = -(-job.canvas.height // _MACROBLOCK_PX)
        # 6 of 16 cores are left to the decoder and to the threads that upload, draw and mux: on them 10 encoder threads
        # were as fast as 12, and 8 were 12% slower.
        of_use = max(min(cores, _FEW_CORES), cores * 5 // 8)
        encoder = options.encoder_threads or min(of_use, MOST_ENCODER_THREADS, max(1, rows // _ROWS_PER_SLICE))
    least_decoder = 1 if on_device else options.decoder_threads or 1
    for threads in range(decoder, least_decoder - 1, -1):
        yield CodecPlan(threads, encoder)
    look_ahead = None
    if options.encoder.name == "libx264":
        look_ahead = preset_look_ahead(options.encoder.preset)
        while look_ahead > 0:
            look_ahead //= 2
            yield CodecPlan(least_decoder, encoder, look_ahead)
    while encoder is not None and encoder > 1 and options.encoder_threads is None:
        encoder //= 2
        yield CodecPlan(least_decoder, encoder, look_ahead)


def estimated_bytes(job: ExportJob, path: str) -> dict[str, int]:
    """What the owners hold that cannot be counted, by name."""
    codecs = plan_codecs(job)
    driver = {"driver (estimate)": _DRIVER_BYTES} if _draws(path) else {}
    return {
        "libraries (estimate)": _LIBRARIES_BYTES,
        **driver,
        **({} if job.source.hdr is None else {"tone-mapped picture": _tone_mapped_bytes(job)}),
        "decoder (estimate)": _decoder_bytes(job, codecs),
        "encoder (estimate)": _encoder_bytes(job, codecs),
    }


def plan_export(job: ExportJob, path: str) -> MemoryPlan:
    """Share what the estimates leave of the memory limit between queues, rings and pools. Raises `InputError`.

    Never more than half of what the machine has free: that moves the queues and nothing else.
    """
    available_bytes = available_memory_bytes()
    others_bytes = sum(estimated_bytes(job, path).values())
    limit_bytes = job.options.memory_limit_bytes
    return plan_memory(
        _frame_sizes(job, path),
        budget_bytes=limit_bytes,
        ceiling_bytes=available_bytes // 2,
        max_frames=channel_frames(available_bytes, gif=job.is_gif),
        reserved_bytes=_packet_bytes(job),
        others_bytes=0 if limit_bytes is None else others_bytes,
    )


def _draws(path: str) -> bool:
    return path not in (PASSTHROUGH, FLOOR)


_READS_NV12 = ("gpu", "gpu-fused")
"""Paths whose pictures cross as NV12. Of another only the name is known here, and RGBA, the larger, is planned for."""


def _frame_sizes(job: ExportJob, path: str) -> FrameSizes:
    decoded_bytes, nv12_bytes, rgba_bytes = job.source.planes.size_bytes, job.canvas.nv12_bytes, job.canvas.rgba_bytes
    if not _draws(path):
        return FrameSizes(decoded_bytes=decoded_bytes)
    readback_bytes = nv12_bytes if path in _READS_NV12 else rgba_bytes
    converted_bytes = 0 if path in _READS_NV12 or job.is_gif else nv12_bytes
    return FrameSizes(
        decoded_bytes=decoded_bytes,
        # A frame is kept until its picture was delivered: a device may be lost in between.
        upload_bytes=2 * decoded_bytes,
        staging_bytes=readback_bytes + decoded_bytes,
        picture_bytes=readback_bytes + converted_bytes,
    )


def _tone_mapped_bytes(job: ExportJob) -> int:
    """The texture that an HDR source becomes, which a software adapter has in this process: 4 half floats a pixel."""
    return 0 if job.source.hdr is None else 8 * job.source.width * job.source.height


def _packet_bytes(job: ExportJob) -> int:
    return PACKET_QUEUE_BYTES * (2 if job.has_sound else 1)


def _decoder_bytes(job: ExportJob, plan: CodecPlan) -> int:
    if job.decoder.is_hardware:
        return _HARDWARE_DECODER_BYTES + _HARDWARE_DECODER_PICTURES * job.source.planes.size_bytes
    return job.source.planes.size_bytes * (_DECODER_PICTURES + _PICTURES_PER_DECODER_THREAD * plan.decoder_threads)


def _encoder_bytes(job: ExportJob, plan: CodecPlan) -> int:
    """As x264 does it; what hardware holds lies elsewhere, and of other software nothing better is known."""
    if job.is_gif:
        return job.canvas.rgba_bytes
    if plan.encoder_threads is None:
        return 0
    settings = job.options.encoder
    ahead = preset_look_ahead(settings.preset) if plan.look_ahead_frames is None else plan.look_ahead_frames
    b_frames = 0 if settings.preset == "ultrafast" else 3
    pictures = _ENCODER_PICTURES + _PICTURES_PER_LOOK_AHEAD * (ahead + b_frames)
    return round(job.canvas.nv12_bytes * (pictures + _ENCODER_PICTURES_PER_THREAD * plan.encoder_threads))
