"""Codes outside R'G'B', such as whiter than white: rendering clamps them, copying keeps them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.oracle.reference_nv12 import LUMA_WEIGHTS, QUANTISATION
from capbench.quality.reading.colour_conversion import doubled_chroma
from capbench.quality.reading.native.native_planes import (
    NativePlanes,
    code_scale,
    enlarged_chroma,
    reduced_chroma,
    rounded,
)
from capbench.quality.reading.observed_frame import ObservedPicture
from capbench.quality.reading.planes import Planes, as_frame, planes_of, thumbnail

__all__ = ["as_drawn", "clamped_native"]

_BEYOND = 0.03
"""Distance outside 0..1 that counts: coding noise and rounding of three codes may be 0.02."""
_CLAMPED_SHARE = 0.001
"""Share of blocks that must be out of gamut in the reference and not in the output: one block in a thousand, below
which no mean moves."""
_EVERY = 2
"""Blocks looked at, each way."""

Field = NDArray[np.float32]


def as_drawn(
    want: ObservedPicture, got: ObservedPicture, spec: ColourSpec, scaler: VideoReformatter
) -> ObservedPicture:
    """The reference's picture as the output's exporter had to take it: clamped to R'G'B' where the output's is.

    Both are in codes of `spec`. An output that keeps such codes is compared with the reference as it is.
    """
    if want.thumb.shape != got.thumb.shape:
        return want
    beyond = _share_beyond(want.thumb, spec)
    if beyond < _CLAMPED_SHARE or beyond - _share_beyond(got.thumb, spec) < beyond / 2:
        return want
    frame = as_frame(_clamped(planes_of(want.frame), spec))
    return replace(want, frame=frame, thumb=thumbnail(frame, scaler), coded_luma=None)


def _share_beyond(thumb: Field, spec: ColourSpec) -> float:
    y, cb, cr = np.moveaxis(thumb[::_EVERY, ::_EVERY], -1, 0)
    rgb = _rgb(y, cb, cr, spec)
    return float(np.mean(((rgb < -_BEYOND) | (rgb > 1 + _BEYOND)).any(axis=0)))


def _rgb(y: Field, cb: Field, cr: Field, spec: ColourSpec) -> Field:
    kr, kg, kb = LUMA_WEIGHTS[spec.matrix]
    black, luma_span, chroma_span = QUANTISATION[spec.range]
    luma, blue, red = (y - black) / luma_span, (cb - 128) / chroma_span, (cr - 128) / chroma_span
    red, blue = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    rgb: Field = np.stack([red, (luma - kr * red - kb * blue) / kg, blue]).astype(np.float32)
    return rgb


def _clamped(planes: Planes, spec: ColourSpec) -> Planes:
    """Through R'G'B' of 0..1 at each luma sample and back, chroma filtered to where it was."""
    kr, kg, kb = LUMA_WEIGHTS[spec.matrix]
    black, luma_span, chroma_span = QUANTISATION[spec.range]
    place = chroma_place(spec.siting)
    cb, cr = (doubled_chroma(plane.astype(np.float32), place) for plane in (planes.cb, planes.cr))
    red, green, blue = _rgb(planes.luma.astype(np.float32), cb, cr, spec).clip(0, 1)
    luma = kr * red + kg * green + kb * blue
    differences = ((blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr)))
    halved = (_codes(128 + chroma_span * _halved(plane, spec.siting)) for plane in differences)
    return Planes(_codes(black + luma_span * luma), *halved)


def clamped_native(planes: NativePlanes, spec: ColourSpec) -> NativePlanes:
    """The same of planes at their own depth and in their own chroma."""
    form = planes.form
    scale = np.float32(code_scale(8, form.bits, spec.range))
    neutral = np.float32(1 << (form.bits - 1))
    kr, kg, kb = LUMA_WEIGHTS[spec.matrix]
    black, luma_span, chroma_span = (np.float32(number) for number in QUANTISATION[spec.range])
    cb, cr = (
        enlarged_chroma(
            (plane.astype(np.float32) - neutral) / scale + np.float32(128), form.ratio, chroma_place(spec.siting)
        )
        for plane in (planes.cb, planes.cr)
    )
    red, green, blue = _rgb(planes.luma.astype(np.float32) / scale, cb, cr, spec).clip(0, 1)
    luma = np.asarray(kr * red + kg * green + kb * blue, np.float32)
    differences = ((blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr)))
    chroma = (
        reduced_chroma(np.asarray(neutral + scale * chroma_span * part, np.float32), (1, 1), form.ratio, spec.siting)
        for part in differences
    )
    return rounded((scale * (black + luma_span * luma), *chroma), form)


def _halved(plane: Field, siting: ChromaSiting) -> Field:
    rows = plane[0::2] + plane[1::2]
    even, odd = rows[:, 0::2], rows[:, 1::2]
    if siting is ChromaSiting.CENTRE:
        means = (even + odd) / 4
    else:
        means = (np.concatenate([even[:, :1], odd[:, :-1]], axis=1) + 2 * even + odd) / 8
    return means.astype(np.float32)


def _codes(values: Field) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.floor(values + 0.5).clip(0, 255).astype(np.uint8)
    return codes
