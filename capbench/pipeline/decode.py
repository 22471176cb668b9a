"""Frames of a source, as 8-bit planar pictures in presentation order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.reformatter import VideoReformatter

from capbench.errors import DamagedStreamError
from capbench.pipeline.source import open_source, planar_format

__all__ = ["frame_bytes", "read_frames"]

_GPU_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})
"""Formats whose planes the GPU takes as they are."""


def frame_bytes(frame: Any) -> int:
    """Bytes of a frame's planes, rows padded as the decoder laid them out."""
    return sum(plane.buffer_size for plane in frame.planes)


def read_frames(path: Path, *, on_damage: Callable[[str], None] | None = None) -> Iterator[Any]:
    """Yield each `av.VideoFrame` of the first video stream in one of the planar formats, as long as the stream decodes.

    At damage raises `DamagedStreamError`, or with `on_damage` reports it there and ends. The iterator owns the file:
    close it, or read it to its end.
    """
    reformatter = VideoReformatter()
    good, last_s, first_s = 0, Fraction(0), None
    with open_source(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        try:
            for frame in container.decode(stream):
                if frame.format.name not in _GPU_FORMATS:
                    frame = _converted(reformatter, frame)  # noqa: PLW2901  the same picture in another layout
                time_s = Fraction(frame.pts or 0) * Fraction(frame.time_base)
                first_s = time_s if first_s is None else first_s
                good, last_s = good + 1, time_s - first_s
                yield frame
        except av.FFmpegError as error:
            message = (
                f"{path} is damaged: {good} frames were good, until {float(last_s):.3f} s; then {error.strerror}"
                "; pass --salvage to export what decodes"
            )
            if on_damage is None:
                raise DamagedStreamError(message, good_frames=good, good_until_s=float(last_s)) from error
            on_damage(message)


def _converted(reformatter: VideoReformatter, frame: Any) -> Any:
    """The frame in an 8-bit planar format of the same matrix and range: a change of layout, not of colour."""
    colourspace = frame.colorspace
    planar = reformatter.reformat(
        frame,
        format=planar_format(frame.format.name),
        src_colorspace=colourspace,
        dst_colorspace=colourspace,
        src_color_range=frame.color_range,
        dst_color_range=frame.color_range,
    )
    planar.pts, planar.time_base, planar.duration = frame.pts, frame.time_base, frame.duration
    return planar
