"""Samples that are written to or read from the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.quality.reading.planes import Planes
from capbench.selftest.reencode import Remake, Shot, remake
from capbench.selftest.selftest_report import Mutates
from capbench.selftest.specimen import Pair, register_change, register_pair, source_clip

__all__: list[str] = []

Plane = NDArray[np.uint8]


def _each(change: Callable[[Planes], Planes]) -> Callable[[Iterator[Shot]], Iterable[Shot]]:
    def shots(source: Iterator[Shot]) -> Iterator[Shot]:
        for shot in source:
            yield shot.showing(change(shot.planes))

    return shots


def _resized(plane: Plane, width: int, height: int) -> Plane:
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))


def _from_half_size(planes: Planes) -> Planes:
    out = []
    for plane in planes.all:
        height, width = plane.shape
        out.append(_resized(_resized(plane, width // 2, height // 2), width, height))
    return Planes(*out)


def _half_pixel_off(planes: Planes) -> Planes:
    """A texture sampled at the corner of a pixel instead of its middle."""
    moved = []
    for plane in planes.all:
        wide = plane.astype(np.uint16)
        moved.append(((wide + np.roll(wide, 1, axis=1) + 1) // 2).astype(np.uint8))
    return Planes(*moved)


register_change(
    name="two-rows-lost",
    family="layout",
    defect="the picture is two rows lower than it should be",
    caught_by=["picture.size"],
    change=lambda: Remake(shots=_each(lambda planes: planes.cropped(planes.luma.shape[1], planes.luma.shape[0] - 2))),
)
register_change(
    name="upscaled",
    family="layout",
    defect="the picture was rendered at half size and enlarged",
    caught_by=["picture.sharpness"],
    change=lambda: Remake(shots=_each(_from_half_size)),
)
register_change(
    name="half-pixel-off",
    family="layout",
    defect="the texture is sampled half a pixel to the left",
    caught_by=["picture.place"],
    change=lambda: Remake(shots=_each(_half_pixel_off)),
)


def _rotated(folder: Path, degrees: int) -> Pair:
    reference = remake(source_clip(), folder / f"rotated-{degrees}.mp4", Remake(rotation_degrees=degrees))
    return Pair(reference, remake(reference, folder / f"rotation-{degrees}-ignored.mp4", Remake()))


@register_pair(
    name="rotation-ignored",
    family="layout",
    defect="the source's display rotation of 90° is ignored",
    caught_by=["picture.size"],
    mutates=Mutates.MUXING,
)
def _quarter_turn(folder: Path) -> Pair:
    return _rotated(folder, 90)


@register_pair(
    name="half-turn-ignored",
    family="layout",
    defect="the source's display rotation of 180° is ignored",
    caught_by=["picture.orientation"],
    mutates=Mutates.MUXING,
)
def _half_turn(folder: Path) -> Pair:
    return _rotated(folder, 180)


def _soft(planes: Planes) -> Planes:
    """Light in the middle, dark at the borders, and a little darker at the bottom than at the top: no edges."""
    height, width = planes.luma.shape
    down, across = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    luma = 200 - 90 * (down**2 + across**2) / 2 - 14 * down
    grey = np.full_like(planes.cb, 128)
    return Planes(np.floor(luma + 0.5).astype(np.uint8), grey, grey)


@register_pair(
    name="upside-down-without-edges",
    family="layout",
    defect="a soft picture is flipped vertically, which changes little of it",
    caught_by=["picture.orientation"],
    mutates=Mutates.CONTENT,
)
def _soft_upside_down(folder: Path) -> Pair:
    reference = remake(source_clip(), folder / "soft.mp4", Remake(shots=_each(_soft)))
    turned = _each(lambda planes: Planes(*(plane[::-1].copy() for plane in planes.all)))
    return Pair(reference, remake(reference, folder / "soft-upside-down.mp4", Remake(shots=turned)))
