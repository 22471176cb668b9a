"""Three planes of more than 8 bits or more chroma than 4:2:0, and the change of their specification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, Range
from capbench.quality.reading.colour_conversion import doubled_along
from capbench.quality.reading.native.native_format import NativeFormat

__all__ = ["NativePlanes", "code_scale", "enlarged_chroma", "reduced_chroma", "respecified_planes", "rounded"]

Field = NDArray[np.float32]
"""Codes that are not rounded yet."""
Plane = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class NativePlanes:
    """Y', Cb, Cr in codes of `form`; luma (height, width), chroma smaller by its ratio. Views, valid while held."""

    luma: Plane
    """Y codes."""
    cb: Plane
    """Cb codes."""
    cr: Plane
    """Cr codes."""
    form: NativeFormat
    """Depth and chroma."""

    @property
    def all(self) -> tuple[Plane, Plane, Plane]:
        """Luma, Cb, Cr."""
        return self.luma, self.cb, self.cr

    def as_frame(self) -> av.VideoFrame:
        """A frame that holds a copy and says nothing of its colour."""
        height, width = self.luma.shape
        frame = av.VideoFrame(width, height, self.form.pixel_format)
        for source, plane in zip(self.all, frame.planes, strict=True):
            samples = np.frombuffer(memoryview(plane), source.dtype).reshape(-1, plane.line_size // source.itemsize)
            samples[: plane.height, : plane.width] = source
        return frame


def code_scale(bits: int, wanted_bits: int, extent: Range) -> float:
    """What a code of one depth is multiplied by to be one of another (ITU-T H.273, equations 21 to 30).

    Limited codes are shifted; full-range codes are stretched from one largest code to the other.
    """
    if extent is Range.LIMITED:
        return 2.0 ** (wanted_bits - bits)
    return ((1 << wanted_bits) - 1) / ((1 << bits) - 1)


def reduced_chroma(plane: Field, have: tuple[int, int], want: tuple[int, int], siting: ChromaSiting) -> Field:
    """A chroma plane brought from one ratio to another, by luma columns and rows of a sample.

    Colour at each column is filtered to where `siting` puts it; between rows it is their mean. What has less than is
    wanted (4:1:1 and 4:1:0) is read bilinearly.
    """
    return _columns(_rows(plane, have[1], want[1]), have[0], want[0], siting)


def _rows(plane: Field, have: int, want: int) -> Field:
    if have == want:
        return plane
    if have < want:
        even = plane[: len(plane) // 2 * 2]
        return np.asarray((even[0::2] + even[1::2]) / 2, np.float32)
    above, below = np.concatenate([plane[:1], plane[:-1]]), np.concatenate([plane[1:], plane[-1:]])
    doubled = np.empty((2 * len(plane), plane.shape[1]), np.float32)
    doubled[0::2], doubled[1::2] = (3 * plane + above) / 4, (3 * plane + below) / 4
    return doubled


def _columns(plane: Field, have: int, want: int, siting: ChromaSiting) -> Field:
    if have == want:
        return plane
    if have > want:
        after = np.concatenate([plane[:, 1:], plane[:, -1:]], axis=1)
        doubled = np.empty((len(plane), 2 * plane.shape[1]), np.float32)
        doubled[:, 0::2], doubled[:, 1::2] = plane, (plane + after) / 2
        return doubled
    even = plane[:, : plane.shape[1] // 2 * 2]
    if siting is ChromaSiting.CENTRE:
        return np.asarray((even[:, 0::2] + even[:, 1::2]) / 2, np.float32)
    before = np.concatenate([even[:, :1], even[:, 1:-1:2]], axis=1)
    return np.asarray((before + 2 * even[:, 0::2] + even[:, 1::2]) / 4, np.float32)


def enlarged_chroma(plane: Field, ratio: tuple[int, int], place: tuple[float, float]) -> Field:
    """A chroma plane read bilinearly at each luma sample; beyond the border the outermost sample counts on.

    `place` is how far right of and below the middle of two luma samples its samples lie, in luma samples, in directions
    in which there are fewer.
    """
    rows = doubled_along(plane, place[1], 0) if ratio[1] == 2 else plane
    return doubled_along(rows, place[0], 1) if ratio[0] == 2 else rows


def respecified_planes(
    planes: tuple[Field, Field, Field],
    form: NativeFormat,
    spec: ColourSpec,
    wanted: ColourSpec,
    chroma_place: tuple[float, float],
) -> tuple[Field, Field, Field]:
    """Codes of `form` that mean in `wanted` what they meant in `spec`, chroma at its `chroma_place`.

    Cb and Cr of one matrix depend only on Cb and Cr of another, and Y gains a share of both: see `colour_conversion`.
    """
    to_rgb, offset = _rgb_from_codes(spec, form.bits)
    wanted_to_rgb, wanted_offset = _rgb_from_codes(wanted, form.bits)
    m = (np.linalg.inv(wanted_to_rgb) @ to_rgb).astype(np.float32)
    neutral = np.float32(1 << (form.bits - 1))
    luma, blue, red = planes[0] - np.float32(offset), planes[1] - neutral, planes[2] - neutral
    return (
        m[0, 0] * luma
        + enlarged_chroma(m[0, 1] * blue + m[0, 2] * red, form.ratio, chroma_place)
        + np.float32(wanted_offset),
        m[1, 1] * blue + m[1, 2] * red + neutral,
        m[2, 1] * blue + m[2, 2] * red + neutral,
    )


def _rgb_from_codes(spec: ColourSpec, bits: int) -> tuple[NDArray[np.float64], float]:
    """Matrix from codes, their offsets taken off, to R'G'B'; and the code of black."""
    scale = code_scale(8, bits, spec.range)
    spans = np.array([spec.luma_span_codes, spec.chroma_span_codes, spec.chroma_span_codes]) * scale
    return np.array(spec.matrix.rgb_from_differences) / spans, spec.luma_offset_code * scale


def rounded(planes: Sequence[Field], form: NativeFormat) -> NativePlanes:
    """Codes rounded to nearest, half up."""
    kind = np.uint8 if form.bits == 8 else np.uint16
    luma, cb, cr = (np.floor(plane + np.float32(0.5)).clip(0, form.peak_code).astype(kind) for plane in planes)
    return NativePlanes(luma, cb, cr, form)
