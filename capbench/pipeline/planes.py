"""Samples of an FFmpeg frame as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plane_samples"]


def plane_samples(plane: Any) -> NDArray[np.uint8]:
    """The samples of an 8-bit plane without row padding, shape (height, width), a view."""
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)
    samples: NDArray[np.uint8] = rows[:, : plane.width]
    return samples
