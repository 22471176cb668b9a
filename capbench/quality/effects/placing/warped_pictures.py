"""Pictures drawn where the other one lies: an output's recording as it was, a recording as an output should show it.

Both are read bilinearly. `PIL.Image.transform` asks for the middle of a pixel with a coordinate of 0.5, as
`FramePlacement` has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.reading.planes import Planes

__all__ = ["coverage", "onto_canvas", "rectified", "warped"]


def warped(
    plane: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int], *, fill_code: int = 0
) -> NDArray[np.uint8]:
    """A plane read through a matrix (2, 3) that leads from the wanted picture's coordinates to the plane's.

    `size` is the wanted width and height; what lies outside the plane is `fill_code`.
    """
    picture = Image.fromarray(plane)
    data = tuple(float(value) for value in matrix.ravel())
    return np.asarray(
        picture.transform(size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=fill_code)
    )


def rectified(planes: Planes, placement: FramePlacement) -> Planes:
    """The recording as it is in an output, brought back to its own pixels; out of sight it is black.

    Chroma is read as if it lay in the middle of its luma samples: half a sample matters at edges alone.
    """
    width, height = (side // 2 * 2 for side in placement.recording_size)
    halves = _halved(placement.matrix)
    return Planes(
        warped(planes.luma, placement.matrix, (width, height), fill_code=16),
        warped(planes.cb, halves, (width // 2, height // 2), fill_code=128),
        warped(planes.cr, halves, (width // 2, height // 2), fill_code=128),
    )


def onto_canvas(recording: Planes, placement: FramePlacement, canvas: tuple[int, int]) -> Planes:
    """The recording where it lies in an output of that even width and height; `coverage` says where that is."""
    width, height = canvas
    halves = _halved(placement.inverse)
    return Planes(
        warped(recording.luma, placement.inverse, (width, height), fill_code=16),
        warped(recording.cb, halves, (width // 2, height // 2), fill_code=128),
        warped(recording.cr, halves, (width // 2, height // 2), fill_code=128),
    )


def coverage(
    placement: FramePlacement, canvas: tuple[int, int], margin_px: float = 0.0, step: int = 1
) -> NDArray[np.bool_]:
    """Pixels of an output whose middle lies on the recording, and `margin_px` output pixels inside its edges at least.

    A negative margin reaches beyond the edges. Shape (height // step, width // step): of every `step`-th block.
    """
    inverse = placement.inverse
    x = (np.arange(canvas[0] // step) + 0.5) * step
    y = (np.arange(canvas[1] // step) + 0.5) * step
    inside = np.ones((y.size, x.size), bool)
    for axis in (0, 1):
        along = inverse[axis, 0] * x[None, :] + inverse[axis, 1] * y[:, None] + inverse[axis, 2]
        margin = margin_px / placement.scale[axis]
        inside &= (along >= margin) & (along <= placement.recording_size[axis] - margin)
    return inside


def _halved(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same matrix between planes of half the size."""
    return np.concatenate([matrix[:, :2], matrix[:, 2:] / 2], axis=1)
