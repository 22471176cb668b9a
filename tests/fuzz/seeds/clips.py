"""Small clips of every container and codec that PyAV writes: half a second of moving squares, and a chirp."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

__all__ = ["CLIPS", "ClipSpec", "make_clip", "make_clips"]

_SIZE: Final = (96, 64)
_FRAMES: Final = 14
_RATE: Final = 30
_OPTIONS: Final = {
    "libx264": {"preset": "ultrafast", "bf": "2", "g": "7"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
}


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """One clip."""

    name: str
    """File name."""
    encoder: str
    """Of the picture."""
    pixel_format: str = "yuv420p"
    """FFmpeg's name."""
    sound: str | None = None
    """Encoder of the sound."""
    layout: str = "stereo"
    """Channels of the sound."""
    passes_through: bool = True
    """Whether its pictures are the output's as they are: tagged as BT.709, limited range, 8 bit 4:2:0, left."""


CLIPS: Final = (
    ClipSpec("h264.mp4", "libx264", sound="aac"),
    ClipSpec("h264.mkv", "libx264", sound="flac", layout="5.1"),
    ClipSpec("h264.ts", "libx264", sound="mp2"),
    ClipSpec("hevc.mkv", "libx265", sound="ac3"),
    ClipSpec("vp9.webm", "libvpx-vp9", sound="libopus"),
    ClipSpec("av1.mkv", "libsvtav1"),
    ClipSpec("mpeg2.ts", "mpeg2video", sound="mp2", layout="mono"),
    ClipSpec("hevc10.mp4", "libx265", "yuv420p10le", passes_through=False),
    ClipSpec("mpeg4.avi", "mpeg4", sound="pcm_s16le", passes_through=False),
    ClipSpec("mjpeg.mov", "mjpeg", "yuvj420p", sound="pcm_s16le", passes_through=False),
    ClipSpec("prores.mov", "prores_ks", "yuv422p10le", sound="pcm_s24le", passes_through=False),
)
"""Of H.264, whose decoder is most used, a clip in each kind of container: boxes, elements, packets of 188 bytes."""


def make_clips(folder: Path) -> dict[str, bytes]:
    """Content of each clip, by its name, without those that no encoder here can make."""
    made = {}
    for spec in CLIPS:
        encoders = (spec.encoder, *([spec.sound] if spec.sound else []))
        if all(encoder in av.codec.codecs_available for encoder in encoders):
            make_clip(folder / spec.name, spec)
            made[spec.name] = (folder / spec.name).read_bytes()
    return made


def make_clip(path: Path, spec: ClipSpec) -> None:
    """One clip. Of libsvtav1, which makes root's process a real-time one (SCHED_FIFO), in another process."""
    if spec.encoder != "libsvtav1":
        _write_clip(path, spec)
        return
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        process.submit(_write_clip, path, spec).result()


def _write_clip(path: Path, spec: ClipSpec) -> None:
    width, height = _SIZE
    rows, columns = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as container:
        video = container.add_stream(spec.encoder, rate=Fraction(_RATE), options=_OPTIONS.get(spec.encoder, {}))
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = width, height, spec.pixel_format
        codec = video.codec_context
        codec.thread_count = 1
        is_full = spec.pixel_format.startswith("yuvj")
        if spec.encoder != "mpeg4":  # neither it nor AVI says a colour
            codec.colorspace = Colorspace.ITU601 if is_full else Colorspace.ITU709
            codec.color_range = ColorRange.JPEG if is_full else ColorRange.MPEG
            codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        audio = None
        if spec.sound is not None:
            audio = container.add_stream(spec.sound, rate=48000, layout=spec.layout)
        for number in range(_FRAMES):
            picture = np.stack([columns * 2 + 5 * number, rows * 3 + 3 * number, (columns ^ rows) + number], axis=-1)
            frame = av.VideoFrame.from_ndarray((picture % 256).astype(np.uint8), "rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if isinstance(audio, av.AudioStream):
            _write_sound(container, audio, spec.layout)


def _write_sound(container: av.container.OutputContainer, stream: av.AudioStream, layout: str) -> None:
    time = np.arange(48000 * _FRAMES // _RATE) / 48000
    samples = (9000 * np.sin(2 * np.pi * (300 + 900 * time) * time)).astype(np.int16)
    channels = av.AudioLayout(layout).nb_channels
    frame = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[None], format="s16", layout=layout)
    frame.sample_rate = 48000
    frame.pts = 0
    resampler = av.AudioResampler(stream.format, layout, 48000, frame_size=stream.codec_context.frame_size or 1024)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))
