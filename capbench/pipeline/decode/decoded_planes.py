"""Samples of an FFmpeg frame as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plane_samples"]


def plane_samples(plane: Any, sample_bytes: int = 1) -> NDArray[np.uint8]:
    """Bytes of a plane without row padding, shape (height, width * sample_bytes), a view.

    `sample_bytes` is 1 for a plane of 8-bit samples, 2 for the chroma of NV12, 4 for RGBA.
    """
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)
    samples: NDArray[np.uint8] = rows[:, : plane.width * sample_bytes]
    return samples
