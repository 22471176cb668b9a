"""Samples of an FFmpeg frame as arrays."""

from __future__ import annotations

import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

__all__ = ["copy_rows", "plane_rows", "plane_samples"]


def plane_rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """Bytes of a plane with its row padding, shape (height, line_size), a view of one contiguous piece of memory."""
    return np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height].reshape(
        plane.height, plane.line_size
    )


def plane_samples(plane: VideoPlane, sample_bytes: int = 1) -> NDArray[np.uint8]:
    """Bytes of a plane without row padding, shape (height, width * sample_bytes), a view.

    `sample_bytes` is 1 for a plane of 8-bit samples, 2 for the chroma of NV12, 4 for RGBA.
    """
    return plane_rows(plane)[:, : plane.width * sample_bytes]


def copy_rows(source: NDArray[np.uint8], target: NDArray[np.uint8], row_bytes: int) -> None:
    """Copy rows that may be padded differently, shape (height, stride); of each the first `row_bytes` count.

    Where the strides agree it is one copy of the whole memory, padding included.
    """
    if source.shape == target.shape:
        target[:] = source
    else:
        target[:, :row_bytes] = source[:, :row_bytes]
