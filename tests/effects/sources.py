"""Small recordings of a screen and of a camera that looks are drawn from, decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final

import av
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from capbench.quality.reading.clip import Clip
from capbench.quality.reading.planes import Planes, as_frame
from capbench.recordings import RecordingSpec, make_recording

__all__ = ["FPS", "Source", "camera_file", "encode", "screen_source"]

FPS: Final = 30
"""Frames a second of every recording and of every look."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A recording in memory."""

    path: Path
    """The file."""
    frames: tuple[av.VideoFrame, ...]
    """Its pictures, yuv420p."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frames[0].width, self.frames[0].height


@cache
def screen_source(width: int, height: int, frames: int, seed: int, folder: Path) -> Source:
    """A screen recording of so many frames."""
    spec = RecordingSpec("study", width, height, FPS, frames / FPS, seed=seed)
    path = make_recording(spec, folder=folder)
    return Source(path, tuple(Clip(path).frames()))


@cache
def camera_file(height: int, frames: int, seed: int, folder: Path) -> Path:
    """A camera recording, 4:3, of so many frames."""
    width = 2 * round(height * 4 / 6)
    spec = RecordingSpec("study", width, height, FPS, frames / FPS, seed=seed, content="camera")
    return make_recording(spec, folder=folder)


def encode(pictures: Sequence[Planes], path: Path, *, crf: int) -> Path:
    """Write pictures as H.264 of a quality; 0 is lossless. By one thread: more would be another file on other cores."""
    height, width = pictures[0].luma.shape
    options = {"preset": "veryfast", "crf": str(crf), "threads": "1"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        codec = stream.codec_context
        codec.time_base = Fraction(1, FPS)
        # Untagged, 360 lines would be read as BT.601.
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        for index, picture in enumerate(pictures):
            frame = as_frame(picture, index)
            frame.time_base = Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
