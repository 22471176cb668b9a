"""Clips whose sound is unusual: several tracks, other rates and layouts, late, short, long, with a hole, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
from av.audio.stream import AudioStream

from capbench.recordings import RecordingSpec
from capbench.recordings.marks import FLASH_LENGTH_S
from capbench.recordings.recording_planes import RecordingPlanes
from capbench.recordings.screen import Screen

WIDTH, HEIGHT, FPS = 320, 180, 30


@dataclass(frozen=True, slots=True)
class Track:
    """One track that beeps once a second, in seconds of the picture's clock."""

    codec: str = "aac"
    rate_hz: int = 48_000
    layout: str = "stereo"
    start_s: float = 0.0
    """When the sound starts; nothing is stored before it."""
    end_s: float = 2.0
    """When it ends."""
    beep_s: float = 0.0
    """When the first beep starts; the others follow each second."""
    hole_s: tuple[float, float] | None = None
    """No samples are stored between these."""


def write_clip(
    path: Path,
    *tracks: Track,
    frames: int = 60,
    first_frame_s: float = 0.0,
    codec: str = "libx264",
    muxer: Mapping[str, str] = MappingProxyType({}),
    encoder: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """A recording's frames from `first_frame_s` on, with these tracks; the container goes by the suffix.

    `muxer` and `encoder` are options of FFmpeg's.
    """
    with av.open(str(path), "w", options=dict(muxer)) as container:
        video = container.add_stream(codec, rate=FPS, options={"preset": "ultrafast", "b": "4M", **encoder})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sounds = []
        for track in tracks:
            sound = container.add_stream(track.codec, rate=track.rate_hz, layout=track.layout)
            assert isinstance(sound, AudioStream)
            sounds.append(sound)
        screen = Screen(RecordingSpec("clip", WIDTH, HEIGHT, FPS, frames / FPS))
        for number in range(frames):
            planes = RecordingPlanes(*(np.empty((HEIGHT // part, WIDTH // part), np.uint8) for part in (1, 2, 2)))
            screen.draw(number, planes)
            packed = np.concatenate([plane.ravel() for plane in (planes.luma, planes.cb, planes.cr)])
            frame = av.VideoFrame.from_ndarray(packed.reshape(HEIGHT * 3 // 2, WIDTH), format="yuv420p")
            frame.pts, frame.time_base = number + round(first_frame_s * FPS), Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track, sound in zip(tracks, sounds, strict=True):
            for audio in _frames(track):
                container.mux(sound.encode(audio))
            container.mux(sound.encode(None))
    return path


def _frames(track: Track) -> Iterator[av.AudioFrame]:
    """Frames of 1024 samples, or 1152, which is what AAC and MP2 take; floats for AAC, 16-bit samples for others."""
    first, last = round(track.start_s * track.rate_hz), round(track.end_s * track.rate_hz)
    channels = len(av.AudioLayout(track.layout).channels)
    length = 1152 if track.codec == "mp2" else 1024
    for start in range(first, last, length):
        time_s = np.arange(start, min(start + length, last)) / track.rate_hz
        if track.hole_s and track.hole_s[0] <= time_s[0] < track.hole_s[1]:
            continue
        # A nanosecond of slack: the sample on which a beep starts must not fall on the wrong side of the remainder.
        sounding = (time_s >= track.beep_s) & ((time_s - track.beep_s + 1e-9) % 1.0 < FLASH_LENGTH_S)
        wave = np.tile(0.4 * np.sin(2 * np.pi * 1000 * (time_s - track.beep_s)) * sounding, (channels, 1))
        if track.codec.startswith("pcm") or track.codec == "mp2":
            packed = np.ascontiguousarray((wave.T * 32767).astype(np.int16)).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=track.layout)
        else:
            frame = av.AudioFrame.from_ndarray(wave.astype(np.float32), format="fltp", layout=track.layout)
        frame.sample_rate, frame.pts, frame.time_base = track.rate_hz, start, Fraction(1, track.rate_hz)
        yield frame
