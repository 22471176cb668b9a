"""Clips whose every picture differs from those beside it, for what looks at neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["moving_pictures", "write_clip"]

_FRAMES, _GOP, _SIZE = 200, 24, (128, 96)
Picture = NDArray[np.uint8]


def moving_pictures(size: tuple[int, int] = _SIZE) -> list[Picture]:
    """Moving waves with grain, R'G'B'; each differs from those beside it."""
    width, height = size
    down, across = np.mgrid[0:height, 0:width].astype(np.int64)
    grain = (across * 73 + down * 179) ** 2 % 23
    found = []
    for n in range(_FRAMES):
        waves = np.abs((3 * across + 2 * down + (n * n) // 9) % 160 - 80) + grain
        found.append(np.stack([waves + 40, waves // 2 + 90, 200 - waves], axis=-1).clip(0, 255).astype(np.uint8))
    return found


def write_clip(
    path: Path,
    pictures: Sequence[Picture],
    *,
    crf: int,
    codec: str = "libx264",
    rate: int = 30,
    options: dict[str, str] | None = None,
    shown: Sequence[int] | None = None,
) -> Path:
    """A clip; `shown` are the times of its pictures, in frames."""
    with av.open(str(path), "w") as container:
        chosen = {"crf": str(crf), "preset": "ultrafast"} | (options or {})
        stream = cast("av.VideoStream", container.add_stream(codec, rate=rate, options=chosen))
        stream.width, stream.height, stream.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], "yuv420p"
        stream.gop_size = _GOP
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = (shown[number] if shown else number), Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
