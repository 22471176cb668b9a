"""Decode a clean file, let a specimen meddle, and encode the result again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from capbench.quality.reading.planes import Planes, as_frame, planes_of

__all__ = ["Audio", "Remake", "Shot", "Tags", "remake"]

Audio = NDArray[np.float32]
"""Samples at 48 kHz, shape (channels, samples)."""

_AUDIO_RATE_HZ = 48_000
_TICKS_PER_S = 90_000
"""A time base that holds 24, 25, 30, 60 and 30000/1001 fps exactly."""
_AAC_SAMPLES = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture on its way to the encoder."""

    planes: Planes
    """What it shows."""
    time_s: Fraction
    """When it is shown, in seconds."""

    def showing(self, planes: Planes) -> Shot:
        """The same moment with another picture."""
        return replace(self, planes=planes)


@dataclass(frozen=True, slots=True)
class Tags:
    """What the file is to say about its colour: code points of ISO/IEC 23091-2, 2 being unspecified."""

    matrix: int = 1
    """Matrix coefficients."""
    primaries: int = 1
    """Colour primaries."""
    transfer: int = 1
    """Transfer characteristics."""
    full_range: bool | None = False
    """Range; None says nothing."""
    chroma_location: str = "left"
    """FFmpeg's name of the chroma location."""


def _same_shots(shots: Iterator[Shot]) -> Iterable[Shot]:
    return shots


def _same_audio(samples: Audio) -> Audio:
    return samples


@dataclass(frozen=True, slots=True)
class Remake:
    """What to change. Every default is the clean export."""

    shots: Callable[[Iterator[Shot]], Iterable[Shot]] = _same_shots
    """Changes, drops, repeats or moves pictures."""
    audio: Callable[[Audio], Audio | None] = _same_audio
    """Changes the sound; None drops the track."""
    audio_start_s: Fraction = Fraction(0)
    """When the sound starts, in seconds."""
    tags: Tags = field(default_factory=Tags)
    """Colour tags of the stream and the container."""
    rotation_degrees: int = 0
    """Counter-clockwise display rotation to write."""
    last_held_s: Fraction | None = None
    """How long the last picture is shown; None for as long as the one before."""
    qp: int = 16
    """Constant quantiser of libx264: as clean as a good export, so that nothing but the defect stands out."""


def remake(source: Path, target: Path, change: Remake) -> Path:
    """Write `source` to `target`, an MP4, with `change`; returns `target`."""
    shots = iter(change.shots(_read_shots(source)))
    first = next(shots)
    height, width = first.planes.luma.shape
    with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = _add_video(container, width, height, change)
        samples = _read_audio(source)
        changed = None if samples is None else change.audio(samples)
        sound: av.AudioStream | None = None
        if changed is not None:
            sound = container.add_stream("aac", rate=_AUDIO_RATE_HZ, layout="stereo" if len(changed) == 2 else "mono")
            sound.bit_rate = 128_000
        packets: list[av.Packet[av.VideoStream]] = []
        for shot in (first, *shots):
            frame = as_frame(shot.planes)
            frame.pts, frame.time_base = round(shot.time_s * _TICKS_PER_S), Fraction(1, _TICKS_PER_S)
            packets += video.encode(frame)
            while len(packets) > 1:
                container.mux(packets.pop(0))
        packets += video.encode(None)
        if change.last_held_s is not None:
            packets[-1].duration = round(change.last_held_s * _TICKS_PER_S)
        container.mux(packets)
        if sound is not None and changed is not None:
            _write_audio(container, sound, changed, round(change.audio_start_s * _AUDIO_RATE_HZ))
    return target


def _add_video(container: av.container.OutputContainer, width: int, height: int, change: Remake) -> av.VideoStream:
    tags = change.tags
    # Scene cuts would move key frames about; two runs of one specimen must give one file.
    options = {"preset": "superfast", "qp": str(change.qp), "sc_threshold": "0", "g": "60", "threads": "1"}
    if change.last_held_s is not None:
        options["bf"] = "0"  # the last packet is then the last picture
    options["chroma_sample_location"] = tags.chroma_location
    stream = container.add_stream("libx264", rate=30, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = Fraction(1, _TICKS_PER_S)
    context = stream.codec_context
    context.time_base = Fraction(1, _TICKS_PER_S)
    context.colorspace, context.color_primaries, context.color_trc = tags.matrix, tags.primaries, tags.transfer
    context.color_range = {None: 0, False: 1, True: 2}[tags.full_range]
    if change.rotation_degrees:
        stream.set_display_rotation(change.rotation_degrees)
    return stream


def _read_shots(source: Path) -> Iterator[Shot]:
    with av.open(str(source)) as container:
        for frame in container.decode(video=0):
            # A copy: the decoder uses its buffers again while a specimen holds a picture back.
            planes = Planes(*(plane.copy() for plane in planes_of(frame).all))
            yield Shot(planes, Fraction(frame.pts or 0) * Fraction(frame.time_base or 0))


def _read_audio(source: Path) -> Audio | None:
    with av.open(str(source)) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=_AUDIO_RATE_HZ)
        pieces = [piece.to_ndarray() for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        pieces += [piece.to_ndarray() for piece in resampler.resample(None)]
    return np.concatenate(pieces, axis=1).astype(np.float32)


def _write_audio(container: av.container.OutputContainer, stream: av.AudioStream, samples: Audio, start: int) -> None:
    layout = "stereo" if len(samples) == 2 else "mono"
    for at in range(0, samples.shape[1], _AAC_SAMPLES):
        piece = np.ascontiguousarray(samples[:, at : at + _AAC_SAMPLES])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE_HZ, start + at, Fraction(1, _AUDIO_RATE_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
