"""Clips whose codes are given, sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["write_codes"]


def write_codes(
    path: Path,
    pictures: Iterable[Sequence[NDArray[Any]]],
    form: str = "yuv420p",
    codec: str = "ffv1",
    options: Mapping[str, str] | None = None,
) -> Path:
    """A file at 30 fps of these pictures: Y, Cb and Cr of each, of shape (rows, columns), in whole codes of `form`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=dict(options or {}))
        assert isinstance(stream, av.VideoStream)
        kind = np.dtype("<u2" if form.endswith("le") else np.uint8)
        for number, picture in enumerate(pictures):
            height, width = picture[0].shape
            if not number:
                stream.width, stream.height, stream.pix_fmt = width, height, form
            frame = av.VideoFrame(width, height, form)
            for plane, codes in zip(frame.planes, picture, strict=True):
                samples = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
                samples[:, : plane.width] = codes
                plane.update(samples.tobytes())
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
