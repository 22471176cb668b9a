"""The same picture in another matrix and range, exactly to rounding, without leaving 4:2:0.

Cb and Cr of one matrix depend only on Cb and Cr of another; Y gains a share of both. That follows from the definition
E'C = (E'B - E'Y) / (2 (1 - KB)) of BT.601, BT.709 and BT.2020 alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec

__all__ = ["Respecifier", "doubled_along", "doubled_chroma"]

Plane = NDArray[np.uint8]


def _rgb_from_codes(spec: ColourSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix M and offset o with R'G'B' = M (codes - o)."""
    spans = (spec.luma_span_codes, spec.chroma_span_codes, spec.chroma_span_codes)
    offsets = np.array([spec.luma_offset_code, 128.0, 128.0])
    return np.array(spec.matrix.rgb_from_differences) / spans, offsets


class Respecifier:
    """Converts planes from one specification to another; chroma stays where it lies."""

    def __init__(self, spec: ColourSpec, wanted: ColourSpec, chroma_place: tuple[float, float]) -> None:
        """`chroma_place`: how far right of and below the middle of two luma samples chroma lies, in luma samples."""
        to_rgb, self._offset = _rgb_from_codes(spec)
        wanted_to_rgb, self._wanted_offset = _rgb_from_codes(wanted)
        # Codes to codes in one step; float32 holds 8-bit codes to 1e-5.
        self._matrix = (np.linalg.inv(wanted_to_rgb) @ to_rgb).astype(np.float32)
        self._place = chroma_place

    def __call__(self, luma: Plane, cb: Plane, cr: Plane) -> tuple[Plane, Plane, Plane]:
        """Planes of the wanted specification, rounded to nearest."""
        y = luma.astype(np.float32) - np.float32(self._offset[0])
        blue, red = cb.astype(np.float32) - 128, cr.astype(np.float32) - 128
        m = self._matrix
        y *= m[0, 0]
        y += doubled_chroma(m[0, 1] * blue + m[0, 2] * red, self._place)
        return (
            _codes(y + np.float32(self._wanted_offset[0])),
            _codes(m[1, 1] * blue + m[1, 2] * red + 128),
            _codes(m[2, 1] * blue + m[2, 2] * red + 128),
        )


def doubled_chroma(plane: NDArray[np.float32], place: tuple[float, float]) -> NDArray[np.float32]:
    """A chroma plane read bilinearly at each luma sample; beyond the border the outermost sample counts on.

    `place` is how far right of and below the middle of two luma samples its samples lie, in luma samples: one at most.
    """
    return doubled_along(doubled_along(plane, place[1], 0), place[0], 1)


def doubled_along(plane: NDArray[np.float32], place: float, axis: int) -> NDArray[np.float32]:
    """The same along rows (axis 0) or columns (axis 1) alone."""
    source = np.swapaxes(plane, 0, axis)
    before, after = np.concatenate([source[:1], source[:-1]]), np.concatenate([source[1:], source[-1:]])
    out = np.empty(
        (2 * plane.shape[0], plane.shape[1]) if axis == 0 else (plane.shape[0], 2 * plane.shape[1]), np.float32
    )
    doubled = np.swapaxes(out, 0, axis)
    for parity, luma in enumerate((-0.5, 0.5)):
        away = np.float32((luma - place) / 2)  # in chroma samples
        other = after if away > 0 else before
        doubled[parity::2] = source if not away else (1 - abs(away)) * source + abs(away) * other
    return out


def _codes(values: NDArray[np.float32]) -> Plane:
    codes: Plane = np.floor(values + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    return codes
