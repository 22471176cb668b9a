"""Colours that are converted, rounded, filtered or tagged wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, Matrix, Range
from capbench.quality.oracle import nv12_to_rgb, rgb_to_nv12
from capbench.quality.pictures import Planes
from capbench.quality.respecify import Respecifier
from capbench.selftest.remake import Remake, Shot, Tags, remake
from capbench.selftest.specimen import Pair, register_change, register_pair, source_clip

__all__: list[str] = []

_TRUE = ColourSpec()
Rgb = NDArray[np.float64]


def each(change: Callable[[Planes], Planes]) -> Callable[[Iterator[Shot]], Iterable[Shot]]:
    """Change every picture in the same way."""

    def shots(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in source:
            yield shot.showing(change(shot.planes))

    return shots


def _converted(spec: ColourSpec) -> Callable[[Planes], Planes]:
    respecify = Respecifier(_TRUE, spec)
    return lambda planes: Planes(*respecify(*planes.all))


def through_rgb(change: Callable[[Rgb], Rgb], spec: ColourSpec = _TRUE) -> Callable[[Planes], Planes]:
    """Decode to R'G'B' rounded to 8 bits as a render target is, change, convert as `spec`."""

    def convert(planes: Planes) -> Planes:
        rgb = np.round(nv12_to_rgb(planes.luma, planes.chroma, _TRUE) * 255) / 255
        luma, chroma = rgb_to_nv12(change(rgb).clip(0, 1), spec)
        return Planes(luma, chroma[..., 0], chroma[..., 1])

    return convert


def _truncated(planes: Planes) -> Planes:
    """What floor(x) instead of floor(x + 0.5) gives: the oracle's rounding, undone by half a code beforehand."""
    rgb = np.round(nv12_to_rgb(planes.luma, planes.chroma, _TRUE) * 255) / 255
    kr, kb = 0.2126, 0.0722
    luma = kr * rgb[..., 0] + (1 - kr - kb) * rgb[..., 1] + kb * rgb[..., 2]
    cb, cr = (rgb[..., 2] - luma) / (2 * (1 - kb)), (rgb[..., 0] - luma) / (2 * (1 - kr))

    def sampled(plane: Rgb) -> Rgb:
        rows = (plane[0::2] + plane[1::2]) / 2
        before = np.concatenate([rows[:, :1], rows[:, 1:-1:2]], axis=1)
        mean: Rgb = (before + 2 * rows[:, 0::2] + rows[:, 1::2]) / 4
        return mean

    return Planes(
        np.floor(16 + 219 * luma).astype(np.uint8),
        np.floor(128 + 224 * sampled(cb)).clip(0, 255).astype(np.uint8),
        np.floor(128 + 224 * sampled(cr)).clip(0, 255).astype(np.uint8),
    )


def _six_bits(planes: Planes) -> Planes:
    return Planes(*((plane & 0xFC | 2).astype(np.uint8) for plane in planes.all))


def _unchanged(rgb: Rgb) -> Rgb:
    return rgb


register_change(
    "wrong-matrix", "colour", "pixels are converted with BT.601 and tagged BT.709",
    caught_by=["colour.meaning"],
    change=lambda: Remake(shots=each(_converted(ColourSpec(Matrix.BT601)))),
)  # fmt: skip
register_change(
    "wrong-matrix-2020", "colour", "pixels are converted with BT.2020 and tagged BT.709",
    caught_by=["colour.meaning"],
    change=lambda: Remake(shots=each(_converted(ColourSpec(Matrix.BT2020)))),
)  # fmt: skip
register_change(
    "wrong-range", "colour", "pixels use the full range and are tagged limited",
    caught_by=["colour.meaning"],
    change=lambda: Remake(shots=each(_converted(ColourSpec(range=Range.FULL)))),
)  # fmt: skip
register_change(
    "range-tag-wrong", "colour", "pixels use the limited range and are tagged full",
    caught_by=["colour.meaning"],
    change=lambda: Remake(tags=Tags(full_range=True)),
)  # fmt: skip
register_change(
    "matrix-tag-wrong", "colour", "pixels are BT.709 and tagged BT.601",
    caught_by=["colour.meaning"],
    change=lambda: Remake(tags=Tags(matrix=6, primaries=6, transfer=6)),
)  # fmt: skip
register_change(
    "tags-missing", "colour", "the file says nothing about its colour",
    caught_by=["tags.present"],
    change=lambda: Remake(tags=Tags(2, 2, 2, None)),
)  # fmt: skip
register_change(
    "truncation", "colour", "the conversion truncates instead of rounding: white becomes Cr 127",
    caught_by=["colour.bias"],
    change=lambda: Remake(shots=each(_truncated)),
)  # fmt: skip
register_change(
    "siting", "colour", "chroma is averaged 2x2, which is centre-sited, and tagged left",
    caught_by=["colour.siting"],
    change=lambda: Remake(shots=each(through_rgb(_unchanged, replace(_TRUE, siting=ChromaSiting.CENTRE)))),
)  # fmt: skip
register_change(
    "siting-tag-wrong", "colour", "chroma is left-sited and tagged centre",
    caught_by=["colour.siting"],
    change=lambda: Remake(tags=Tags(chroma_location="center")),
)  # fmt: skip
register_change(
    "chroma-swapped", "colour", "Cb and Cr are exchanged (NV21 taken for NV12)",
    caught_by=["colour.meaning"],
    change=lambda: Remake(shots=each(lambda planes: Planes(planes.luma, planes.cr, planes.cb))),
)  # fmt: skip
register_change(
    "red-blue-swapped", "colour", "BGRA is read as RGBA",
    caught_by=["colour.meaning"],
    change=lambda: Remake(shots=each(through_rgb(lambda rgb: rgb[..., ::-1]))),
)  # fmt: skip
register_change(
    "gamma", "colour", "a gamma-encoded texture is encoded once more (an sRGB view where a plain one belongs)",
    caught_by=["colour.meaning"],
    change=lambda: Remake(shots=each(through_rgb(lambda rgb: rgb ** (1 / 2.2)))),
)  # fmt: skip
register_change(
    "banding", "colour", "six bits a component survive",
    caught_by=["colour.levels"],
    change=lambda: Remake(shots=each(_six_bits)),
)  # fmt: skip
register_change(
    "chroma-lost", "colour", "the chroma plane is neutral throughout",
    caught_by=["colour.meaning"],
    change=lambda: Remake(
        shots=each(lambda p: Planes(p.luma, np.full_like(p.cb, 128), np.full_like(p.cr, 128)))
    ),
)  # fmt: skip


@register_pair(
    "alpha-premultiplied-twice", "colour", "a translucent panel's colour is multiplied by its alpha twice",
    caught_by=["picture.local"],
)  # fmt: skip
def _alpha_twice(folder: Path) -> Pair:
    def with_panel(weight: float) -> Callable[[Planes], Planes]:
        def draw(rgb: Rgb) -> Rgb:
            height, width = rgb.shape[:2]
            panel = np.s_[height // 3 : height // 2, width // 3 : width // 3 * 2]
            drawn = rgb.copy()
            drawn[panel] = rgb[panel] * (1 - 0.6) + np.array([0.9, 0.9, 0.85]) * weight
            return drawn

        return through_rgb(draw)

    source = source_clip()
    reference = remake(source, folder / "alpha-reference.mp4", Remake(shots=each(with_panel(0.6)), qp=8))
    return Pair(reference, remake(source, folder / "alpha-twice.mp4", Remake(shots=each(with_panel(0.6 * 0.6)))))
