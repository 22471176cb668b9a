"""Finds a recording in an output picture without any idea of where it lies: correlation at every place, scale by scale.

What is correlated are local contrasts, which neither a background nor a shadow nor a tint changes, normalised by the
energy of both where they overlap (normalised cross-correlation by FFT; Lewis 1995, with masks as in Padfield 2012).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter, zoom

from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.placing.luma_pyramid import LumaPyramid

__all__ = ["NEAR", "WIDE", "find_recording"]

_STEP: Final = 1.05
"""From one scale that is tried to the next: half of it moves the edge of the picture by 2% of its width, two of the
samples that are compared, which the blur of contrasts spans."""
_WIDTHS: Final = ((3.0, 160), (10.5, 96))
"""Up to which magnification, over the fitted size, an output of how many samples across is searched: a recording that
is enlarged further is as many times larger."""
_SMALLEST: Final = 0.2
"""Of the size that fits into the output: smaller ones have no marks that could be read."""
_FINE, _WIDE_BLUR = 0.8, 3.0
_SOFT_CODES: Final = 6.0
"""A contrast of that many codes counts half as much as any larger one: one bright window must not decide."""
_LEAST_OVERLAP: Final = 0.25
"""Of the output's contrast that must lie on the recording, or of the recording's in the output."""
_LEAST_SCORE: Final = 0.22
"""Correlation from which a place is worth registering: chance reaches 0.15 over all places."""
_MOST_PLACES: Final = 4

_HIGHEST: Final = 4
"""Times as high as that an output is searched at most: upright telephones show 2.2, and what is higher says so of its
pixels and would take minutes a frame."""
WIDE: Final = (_SMALLEST, _WIDTHS[-1][0])
"""Every scale that is looked for, over that which fits into the output."""
NEAR: Final = (0.78, 1.28)
"""Scales about one that is known from the frame before: a zoom that takes a fifth of a second changes by a quarter a
frame."""

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    score: float
    scale: float
    centre: tuple[float, float]


def find_recording(
    output: LumaPyramid, recording: LumaPyramid, scales: tuple[float, float] = WIDE
) -> tuple[FramePlacement, ...]:
    """The likeliest places, best first, each good to some percent; empty where none is likely.

    `scales` are the smallest and the largest to look for, over the scale at which the recording fits into the output.
    """
    fitted = min(output.size[0] / recording.size[0], output.size[1] / recording.size[1])
    best: list[_Place] = []
    for width, group in _groups(scales):
        shrink = max(output.size[0] / min(width, output.size[0]), output.size[1] / (_HIGHEST * width))
        picture = _contrast(_resized(output, 1 / shrink))
        searched = _Searched(picture)
        for scale in group:
            share = fitted * scale / shrink
            template = _contrast(_resized(recording, share))
            if min(template.shape) < 8:
                continue
            score, x, y = searched.best_place(template)
            best.append(_Place(score, fitted * scale, (x * shrink, y * shrink)))
    best.sort(reverse=True)
    return tuple(_placement(place, recording.size) for place in _distinct(best) if place.score >= _LEAST_SCORE)


def _groups(scales: tuple[float, float]) -> Iterator[tuple[int, Sequence[float]]]:
    count = max(2, round(math.log(scales[1] / scales[0]) / math.log(_STEP)) + 1)
    tried = np.geomspace(*scales, count)
    low = 0.0
    for high, width in _WIDTHS:
        group = [float(scale) for scale in tried if low <= scale < high]
        if group:
            yield width, group
        low = high


def _distinct(places: Sequence[_Place]) -> list[_Place]:
    """The best few, without those that are next to a better one."""
    kept: list[_Place] = []
    for place in places:
        if all(abs(math.log(place.scale / other.scale)) > 1.5 * math.log(_STEP) for other in kept):
            kept.append(place)
        if len(kept) == _MOST_PLACES:
            break
    return kept


def _placement(place: _Place, recording: tuple[int, int]) -> FramePlacement:
    return FramePlacement(
        recording_size=recording,
        scale=(place.scale, place.scale),
        rotation_degrees=0.0,
        centre=place.centre,
        uncertainty_px=math.inf,
        agreeing=0.0,
    )


def _resized(plane: LumaPyramid, share: float) -> Field:
    """The plane at `share` of its size: means of blocks first, then the rest bilinearly."""
    # A picture of few rows or columns, as a file may say of its pixels, keeps one of them.
    factor = max(1, min(int(1 / share), *plane.size))
    reduced = plane.reduced(factor)
    shape = [max(1, round(side * share)) for side in (plane.size[1], plane.size[0])]
    resized: Field = zoom(
        reduced, (shape[0] / reduced.shape[0], shape[1] / reduced.shape[1]), order=1, grid_mode=True, mode="nearest"
    )
    return resized


def _contrast(values: Field) -> Field:
    """Local contrast of either sign, soft beyond `_SOFT_CODES`."""
    contrast = gaussian_filter(values, _FINE) - gaussian_filter(values, _WIDE_BLUR)
    return (contrast / (np.abs(contrast) + _SOFT_CODES)).astype(np.float32)


class _Searched:
    """An output's contrast, with the transforms of it that all templates share."""

    def __init__(self, picture: Field) -> None:
        self._picture = picture
        self._transforms: dict[tuple[int, int], tuple[NDArray[np.complex64], ...]] = {}
        self._energy = float((picture**2).sum())

    def best_place(self, template: Field) -> tuple[float, float, float]:
        """Score of the best place of a template, and where its middle lies then, in samples."""
        rows, columns = self._picture.shape
        shape = (
            next_fast_len(rows + template.shape[0] - 1, real=True),
            next_fast_len(columns + template.shape[1] - 1, real=True),
        )
        of_picture, of_energy, of_window = self._transformed(shape)
        turned = template[::-1, ::-1]
        of_template = rfft2(turned, shape)
        product = irfft2(of_picture * of_template, shape)
        under = irfft2(of_energy * rfft2(np.ones_like(turned), shape), shape)
        within = irfft2(of_window * rfft2(turned**2, shape), shape)
        own = float((template**2).sum())
        enough = (under > _LEAST_OVERLAP * self._energy) | (within > _LEAST_OVERLAP * own)
        # Where hardly anything overlaps a score of 1 is chance.
        some = (under > 0.02 * self._energy) & (within > 0.01 * own)
        score = np.where(enough & some, product / np.sqrt(np.maximum(under * within, 1e-6)), -1)
        score = score[: rows + template.shape[0] - 1, : columns + template.shape[1] - 1]
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        x = float(column) - (template.shape[1] - 1) + template.shape[1] / 2
        y = float(row) - (template.shape[0] - 1) + template.shape[0] / 2
        return float(score[row, column]), x, y

    def _transformed(self, shape: tuple[int, int]) -> tuple[NDArray[np.complex64], ...]:
        if shape not in self._transforms:
            planes = (self._picture, self._picture**2, np.ones_like(self._picture))
            self._transforms[shape] = tuple(rfft2(plane, shape) for plane in planes)
        return self._transforms[shape]
