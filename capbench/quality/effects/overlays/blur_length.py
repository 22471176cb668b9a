"""How long what moves is blurred along its way, as a share of the way from one frame to the next.

A shutter that is open for a share s of a frame makes of a sharp picture W that moves by v pixels a frame the mean of
W(x + u v) over s. That mean is computed for every s from the recording itself, and the one that fits the output best is
taken; what scaling and encoding soften alike in all directions is fitted beside it. Where the mean lies about is free,
so that neither a registration that is off by a fraction of a pixel nor a shutter that opens early counts as blur; and
so is its contrast, within limits, because coarse encodings leave less of what is fine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from capbench.quality.effects.overlays.cursor_picture import CursorPatch, CursorPicture, locate
from capbench.quality.effects.overlays.working_frame import drawn_recording
from capbench.quality.effects.placing.frame_placement import FramePlacement

__all__ = ["BlurEstimate", "MovingFrame", "blur_of_cursor", "blur_of_recording", "corner_speed"]

Field = NDArray[np.float64]

_MOST_SHARE: Final = 1.25
"""Longest exposure that is tried: a shutter is open for one frame at most, and a quarter more shows that it is not."""
_STEPS: Final = 12
"""Moments of a frame: exposures that are tried are 30 degrees apart, and a parabola finds the place between them."""
_LENGTHS: Final = range(round(_MOST_SHARE * _STEPS) + 1)
"""Exposures that are tried, in moments."""
_CENTRES: Final = np.arange(-_STEPS // 2, _STEPS // 2 + 1) / _STEPS
"""Where their middle may lie, in frames: half a frame early or late is a shutter that opens or closes with it."""
_REACH: Final = 14
"""Moments each way: enough for the longest exposure about the farthest middle."""
_LEAST_CONTRAST: Final = 0.7
"""Share of a blurred picture's contrast that coding may leave: of fine text less would be flat."""
_SOFTNESS_PX: Final = (0.0, 0.6, 1.0, 1.5)
"""Standard deviations of what scaling and encoding soften."""
_TILE_PX: Final = 24
_MOST_TILES: Final = 24
"""Of one frame: more change the estimate by less than a step."""
_MIN_SPEED_PX: Final = 2.5
"""Way of a tile from one frame to the next: half of it is more than what any filter softens."""
_SURE_OF_PX: Final = 0.5
"""Length of a blur that filters and coding may hide or imitate whatever the pictures say."""
_MAX_SPEED_PX: Final = 60.0
"""Faster tiles have left their own content, and cost a reach of as many pixels."""
_MIN_SLOPE_CODES: Final = 2.5
"""Mean slope along its way, in codes a pixel, from which a tile shows blur: one edge of 60 codes across it."""
_MAX_MISFIT: Final = 0.6
"""Share of a tile's variance that the best fit may leave: of what lies over the recording it leaves more."""
_FEWEST_TILES: Final = 4
_FEWEST_PATCHES: Final = 3
_CURSOR_SOFTNESS_PX: Final = (0.0, 0.7, 1.2)
"""As for the recording; a cursor at rest is coded more finely than one that moves."""
_FEWEST_PIXELS: Final = 40
"""Of a patch in which the cursor is at any moment, from which they are compared."""
_COVERS: Final = 0.04
"""Opacity from which a pixel is the cursor's at some moment."""


@dataclass(frozen=True, slots=True, eq=False)
class MovingFrame:
    """A frame in which the recording moves."""

    index: int
    """Position in the output, from 0."""
    shown: NDArray[np.uint8]
    """Luma of the output, shape (height, width)."""
    source: NDArray[np.uint8]
    """Luma of the recording's picture that it shows, at the recording's size."""
    now: FramePlacement
    """Where the recording lies in it."""
    around: Mapping[int, FramePlacement]
    """Where it lies in the frames before and after, by how many frames those are away: -1 and 1, and -2 and 2 where
    both are known."""

    def velocity(self) -> Field:
        """Shape (2, 3): output pixels a frame of a point (x, y, 1) of the recording.

        By five points where they are known (Fornberg 1988, table 1): in the middle of an ease of five frames the way
        from the frame before to the next is 6% less than twice what the shutter sees.
        """
        inner = self.around[1].matrix - self.around[-1].matrix
        if 2 not in self.around or -2 not in self.around:
            return inner / 2
        return (8 * inner - (self.around[2].matrix - self.around[-2].matrix)) / 12


@dataclass(frozen=True, slots=True)
class BlurEstimate:
    """Blur of one thing that moves."""

    share: float
    """Part of a frame for which the shutter is open."""
    error: float
    """Standard error of that."""
    length_px: float
    """Length of the blur in output pixels where it is longest."""
    speed_px: float
    """Way from one frame to the next there, in output pixels."""
    gain: float
    """How much better the blur explains the pictures than none does: 0 not at all, 1 wholly."""
    frames: tuple[int, ...]
    """Positions in the output of the frames that it was estimated from."""


def corner_speed(before: FramePlacement, after: FramePlacement, canvas: tuple[int, int]) -> float:
    """Way of the fastest part of the recording that is in sight, in output pixels."""
    change = after.matrix - before.matrix
    low = np.array([after.fractions(0, 0), after.fractions(*canvas)]).clip(0, 1)
    width, height = after.recording_size
    corners = [(x * width, y * height, 1.0) for x in low[:, 0] for y in low[:, 1]]
    return float(max(np.hypot(*(change @ corner)) for corner in corners))


def blur_of_recording(frames: Iterable[MovingFrame]) -> BlurEstimate | None:
    """From frames in which the recording moves; None where none of them tells."""
    found = [each for frame in frames if (each := _of_frame(frame)) is not None]
    if not found:
        return None
    return _joined(found)


@dataclass(frozen=True, slots=True)
class _FrameBlur:
    index: int
    share: float
    gain: float
    speed_px: float


def _of_frame(frame: MovingFrame) -> _FrameBlur | None:
    height, width = frame.shown.shape
    drawn, inside = drawn_recording(frame.source, frame.now, frame.now.matrix, (width, height))
    sharp = drawn.astype(np.float64)
    tiles = _tiles(frame, sharp, inside)
    if len(tiles) < _FEWEST_TILES:
        return None
    misfits = np.full((len(_SOFTNESS_PX), len(_CENTRES), len(_LENGTHS)), np.inf)
    for number, sigma in enumerate(_SOFTNESS_PX):
        picture = ndimage.gaussian_filter(sharp, sigma) if sigma else sharp
        misfits[number] = _misfit([_tile_misfits(frame.shown, picture, x, y, v) for x, y, v in tiles])
    fit = _best(misfits)
    return None if fit is None else _FrameBlur(frame.index, *fit, float(np.median([np.hypot(*v) for _, _, v in tiles])))


def _best(misfits: Field) -> tuple[float, float] | None:
    """Share and gain where softness, middle and share together leave least; None where nothing leaves little.

    Shape (softnesses, centres, shares), of one picture's variance.
    """
    by_share = misfits.min(axis=(0, 1))
    least = float(by_share.min())
    if least > _MAX_MISFIT:
        return None
    return _bottom(by_share), (float(by_share[0]) - least) / max(float(by_share[0]), 1e-9)


def _bottom(by_share: Field) -> float:
    """The share that leaves least, by the parabola through the three best."""
    shares = _shares()
    number = int(by_share.argmin())
    if not 0 < number < len(shares) - 1:
        return float(shares[number])
    places = slice(number - 1, number + 2)
    bend, slope, _ = np.polyfit(shares[places] - shares[number], by_share[places], 2)
    low, high = (float(each) for each in (shares[number - 1], shares[number + 1]))
    return float(np.clip(shares[number] - slope / (2 * bend), low, high)) if bend > 0 else float(shares[number])


def _misfit(tiles: Sequence[Field]) -> Field:
    """Mean over tiles of what is left of each one's variance, those left out that nothing explains."""
    stack = np.stack(tiles)
    best = stack.min(axis=(1, 2))
    kept = best <= max(_MAX_MISFIT, float(np.median(best)))
    mean: Field = stack[kept].mean(axis=0)
    return mean


def _tiles(frame: MovingFrame, sharp: Field, inside: NDArray[np.bool_]) -> list[tuple[int, int, Field]]:
    """Left, top and velocity of tiles that move fast enough and have edges across their way."""
    down, right = np.gradient(sharp, axis=0), np.gradient(sharp, axis=1)
    velocity, inverse = frame.velocity(), frame.now.inverse
    height, width = sharp.shape
    found = []
    for top in range(0, height - _TILE_PX + 1, _TILE_PX):
        for left in range(0, width - _TILE_PX + 1, _TILE_PX):
            middle = inverse @ (left + _TILE_PX / 2, top + _TILE_PX / 2, 1.0)
            way = velocity @ (*middle, 1.0)
            speed = float(np.hypot(*way))
            if not _MIN_SPEED_PX <= speed <= _MAX_SPEED_PX:
                continue
            reach = int(np.ceil(speed * _MOST_SHARE)) + 2
            rows, columns = slice(top - reach, top + _TILE_PX + reach), slice(left - reach, left + _TILE_PX + reach)
            if min(rows.start, columns.start) < 0 or rows.stop > height or columns.stop > width:
                continue
            if not inside[rows, columns].all():
                continue
            place = np.s_[top : top + _TILE_PX, left : left + _TILE_PX]
            slope = float(np.abs(right[place] * float(way[0]) + down[place] * float(way[1])).mean()) / speed
            if slope >= _MIN_SLOPE_CODES:
                found.append((slope * min(speed, 12.0), left, top, way))
    found.sort(key=lambda each: -each[0])
    return [(left, top, way) for _, left, top, way in found[:_MOST_TILES]]


def _tile_misfits(shown: NDArray[np.uint8], sharp: Field, left: int, top: int, way: Field) -> Field:
    """Share of the tile's variance that each exposure leaves, shape (centres, shares)."""
    own = shown[top : top + _TILE_PX, left : left + _TILE_PX].astype(np.float64)
    rows, columns = np.mgrid[top : top + _TILE_PX, left : left + _TILE_PX].astype(np.float64)
    moments = np.arange(-_REACH, _REACH + 1)[:, None, None] / _STEPS
    # What is at p at one moment was at p - u v before.
    places = [rows + moments * way[1], columns + moments * way[0]]
    return _exposures(ndimage.map_coordinates(sharp, places, order=1), own)


def _exposures(moments: Field, own: Field) -> Field:
    """Misfit of the mean of moments to a picture for every middle and share, as a share of the picture's variance.

    The squared error of a weighted mean g W m is own own - 2 g W (m own) + g g W (m m) W, so no mean is ever formed; g
    is its contrast. Shape (centres, shares); `moments` are as many pictures of `own`'s shape.
    """
    flat = moments.reshape(len(moments), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    centred = (own - own.mean()).ravel()
    weights = _weights()
    squared = ((weights @ (flat @ flat.T)) * weights).sum(axis=1)
    together = weights @ (flat @ centred)
    contrast = (together / np.maximum(squared, 1e-9)).clip(_LEAST_CONTRAST, 1)
    errors = centred @ centred - 2 * contrast * together + contrast**2 * squared
    # 5 codes: a flat tile tells nothing.
    misfits: Field = errors.reshape(len(_CENTRES), len(_LENGTHS)) / (centred.size * max(float(own.var()), 25.0))
    return misfits


@cache
def _weights() -> Field:
    """Weight of each moment in each exposure, shape (centres * shares, moments).

    What lies between two moments is taken for a straight line: of a moment at an exposure's end its half counts, and
    where the end lies half way to the next one, seven eighths and an eighth of that.
    """
    weights = np.zeros((len(_CENTRES), len(_LENGTHS), 2 * _REACH + 1))
    for row, centre in enumerate(np.round(_CENTRES * _STEPS).astype(int) + _REACH):
        for column, steps in enumerate(_LENGTHS):
            half = steps // 2
            own = weights[row, column]
            own[centre - half : centre + half + 1] = 1
            if steps % 2:
                own[[centre - half - 1, centre + half + 1]] = 1 / 8
                own[centre - half] -= 1 / 8
                own[centre + half] -= 1 / 8
            elif steps:
                own[[centre - half, centre + half]] /= 2
            own /= own.sum()
    return weights.reshape(-1, 2 * _REACH + 1)


@cache
def _shares() -> Field:
    """The exposures in frames: a mean of few moments is as long as the exposure of the same variance, n² / 12."""
    moments = np.arange(-_REACH, _REACH + 1)
    middle = _weights().reshape(len(_CENTRES), len(_LENGTHS), -1)[len(_CENTRES) // 2]
    shares: Field = np.sqrt(12 * (middle * moments**2).sum(axis=1)) / _STEPS
    return shares


def blur_of_cursor(
    picture: CursorPicture, patches: Sequence[CursorPatch], ways: Sequence[Field], indices: Sequence[int]
) -> BlurEstimate | None:
    """From patches of a cursor that moves by `ways`, in output pixels a frame; None where they do not tell.

    `picture` is the cursor at rest; `indices` are the positions of the patches in the output. A patch is small: what
    all of them leave together is least where the exposure is right, and its error is what leaving one of them out
    changes (the jackknife; Tukey 1958).
    """
    curves, speeds, used = [], [], []
    for patch, way, index in zip(patches, ways, indices, strict=True):
        speed = float(np.hypot(*way))
        step = way / patch.magnification
        if not _MIN_SPEED_PX <= speed <= _MAX_SPEED_PX or np.abs(step).max() > picture.opacity.shape[0] / 4:
            continue
        misfits = _patch_misfits(picture, patch, step)
        if misfits.min() <= _MAX_MISFIT:
            curves.append(misfits.min(axis=(0, 1)))
            speeds.append(speed)
            used.append(index)
    if len(curves) < _FEWEST_PATCHES:
        return None
    weights = np.array(speeds)
    joint = np.average(curves, axis=0, weights=weights)
    share = _bottom(joint)
    left_out = [
        _bottom(np.average(np.delete(curves, each, axis=0), axis=0, weights=np.delete(weights, each)))
        for each in range(len(curves))
    ]
    count, fastest = len(curves), max(speeds)
    error = float(np.sqrt((count - 1) / count * ((np.array(left_out) - np.mean(left_out)) ** 2).sum()))
    return BlurEstimate(
        share,
        float(np.hypot(error, _SURE_OF_PX / np.median(weights))),
        share * fastest,
        fastest,
        float((joint[0] - joint.min()) / max(float(joint[0]), 1e-9)),
        tuple(sorted(used)),
    )


def _patch_misfits(picture: CursorPicture, patch: CursorPatch, step: Field) -> Field:
    """What each exposure leaves of the variance where the cursor is at any moment, shape (softnesses, centres, shares).

    `step` is its way from one frame to the next in pixels of the patch.
    """
    shift, _ = locate(picture, patch)
    shifts = [shift + number / _STEPS * step for number in range(-_REACH, _REACH + 1)]
    touched = np.max([picture.shifted(each)[0] for each in shifts[::2]], axis=0) > _COVERS
    touched &= patch.inside > 0
    if touched.sum() < _FEWEST_PIXELS:
        return np.full((1, len(_CENTRES), len(_LENGTHS)), np.inf)
    found = []
    for sigma_px in _CURSOR_SOFTNESS_PX:
        soft = picture.softened(sigma_px / patch.magnification)
        moments = np.stack([soft.over(patch.recording, each)[touched] for each in shifts])
        found.append(_exposures(moments, patch.shown[touched]))
    return np.stack(found)


def _joined(found: Sequence[_FrameBlur]) -> BlurEstimate:
    """The median over frames, weighted by speed: what moves faster shows its blur better."""
    order = sorted(found, key=lambda each: each.share)
    weights = np.cumsum([each.speed_px for each in order])
    share = order[int(np.searchsorted(weights, weights[-1] / 2))].share
    spread = float(np.median([abs(each.share - share) for each in found]))
    fastest, typical_px = max(each.speed_px for each in found), np.median([each.speed_px for each in found])
    return BlurEstimate(
        share,
        # 1.48 times the median deviation is the standard deviation of a normal distribution.
        float(np.hypot(1.48 * spread / np.sqrt(len(found)), _SURE_OF_PX / typical_px)),
        share * fastest,
        fastest,
        float(np.median([each.gain for each in found])),
        tuple(sorted(each.index for each in found)),
    )
