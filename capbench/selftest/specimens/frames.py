"""Frames that are lost, repeated, exchanged, empty or mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from capbench.quality.reading.planes import Planes
from capbench.selftest.reencode import Remake, Shot
from capbench.selftest.specimen import register_change

__all__: list[str] = []

_WHERE = 23
"""The frame in which single faults are planted: neither first nor last, nor in a flash."""


def _edited(edit: Callable[[list[Shot]], list[Shot]]) -> Callable[[], Remake]:
    def shots(source: Iterator[Shot]) -> Iterable[Shot]:
        return edit(list(source))

    return lambda: Remake(shots=shots)


def _show(shots: list[Shot], places: dict[int, Planes]) -> list[Shot]:
    return [shot.showing(places.get(index, shot.planes)) for index, shot in enumerate(shots)]


def _filled(luma: int, chroma: int) -> Callable[[list[Shot]], list[Shot]]:
    def edit(shots: list[Shot]) -> list[Shot]:
        old = shots[_WHERE].planes
        empty = Planes(np.full_like(old.luma, luma), np.full_like(old.cb, chroma), np.full_like(old.cr, chroma))
        return _show(shots, {_WHERE: empty})

    return edit


def _without(shots: list[Shot], index: int) -> list[Shot]:
    return shots[:index] + shots[index + 1 :]


register_change(
    name="frame-dropped",
    family="frames",
    defect="one frame in the middle is dropped",
    caught_by=["frames.missing"],
    change=_edited(lambda shots: _without(shots, _WHERE)),
)
register_change(
    name="frame-repeated",
    family="frames",
    defect="one frame is shown twice and the next one never",
    caught_by=["frames.repeated"],
    change=_edited(lambda shots: _show(shots, {_WHERE + 1: shots[_WHERE].planes})),
)
register_change(
    name="pair-swapped",
    family="frames",
    defect="two adjacent frames are swapped",
    caught_by=["frames.order"],
    change=_edited(lambda shots: _show(shots, {_WHERE: shots[_WHERE + 1].planes, _WHERE + 1: shots[_WHERE].planes})),
)
register_change(
    name="black-frame",
    family="frames",
    defect="one frame is black",
    caught_by=["frames.black"],
    change=_edited(_filled(16, 128)),
)
register_change(
    name="frozen",
    family="frames",
    defect="the picture freezes in the middle",
    caught_by=["frames.frozen"],
    change=_edited(lambda shots: _show(shots, dict.fromkeys(range(30, len(shots)), shots[30].planes))),
)
