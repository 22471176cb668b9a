"""How long what moves is blurred along its way, as a share of the way from one frame to the next.

A shutter that is open for a share s of a frame makes of a sharp picture W that moves by v pixels a frame the mean of
W(x + u v) over s. That mean is computed for every s from the recording itself, and the one that fits the output best is
taken; what scaling and encoding soften alike in all directions is fitted beside it. Where the mean lies about is free,
so that neither a registration that is off by a fraction of a pixel nor a shutter that opens early counts as blur.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
_SHARES: Final = np.arange(0, _MOST_SHARE + 1e-9, 1 / _STEPS)
"""Exposures that are tried, in frames."""
_CENTRES: Final = np.arange(-_STEPS // 2, _STEPS // 2 + 1) / _STEPS
"""Where their middle may lie, in frames: half a frame early or late is a shutter that opens or closes with it."""
_REACH: Final = 14
"""Moments each way: enough for the longest exposure about the farthest middle."""
_SOFTNESS_PX: Final = (0.0, 0.6, 1.0, 1.5)
"""Standard deviations of what scaling and encoding soften."""
_TILE_PX: Final = 24
_MOST_TILES: Final = 24
"""Of one frame: more change the estimate by less than a step."""
_MIN_SPEED_PX: Final = 2.5
"""Way of a tile from one frame to the next: half of it is more than what any filter softens."""
_MAX_SPEED_PX: Final = 60.0
"""Faster tiles have left their own content, and cost a reach of as many pixels."""
_MIN_SLOPE_CODES: Final = 2.5
"""Mean slope along its way, in codes a pixel, from which a tile shows blur: one edge of 60 codes across it."""
_MAX_MISFIT: Final = 0.6
"""Share of a tile's variance that the best fit may leave: of what lies over the recording it leaves more."""
_FEWEST_TILES: Final = 4
_FEWEST_PATCHES: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class MovingFrame:
    """A frame in which the recording moves."""

    index: int
    """Position in the output, from 0."""
    shown: NDArray[np.uint8]
    """Luma of the output, shape (height, width)."""
    source: NDArray[np.uint8]
    """Luma of the recording's picture that it shows, at the recording's size."""
    before: FramePlacement
    """Where the recording lies in the frame before."""
    now: FramePlacement
    """Where it lies in this one."""
    after: FramePlacement
    """Where it lies in the next."""
    span: int
    """Frames from `before` to `after`."""

    def velocity(self) -> Field:
        """Shape (2, 3): output pixels a frame of a point (x, y, 1) of the recording."""
        return (self.after.matrix - self.before.matrix) / self.span


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


def corner_speed(before: FramePlacement, after: FramePlacement, span: int, canvas: tuple[int, int]) -> float:
    """Way of the fastest part of the recording that is in sight, in output pixels a frame."""
    change = after.matrix - before.matrix
    low = np.array([after.fractions(0, 0), after.fractions(*canvas)]).clip(0, 1)
    width, height = after.recording_size
    corners = [(x * width, y * height, 1.0) for x in low[:, 0] for y in low[:, 1]]
    return float(max(np.hypot(*(change @ corner)) for corner in corners)) / span


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
    misfits = np.full((len(_SOFTNESS_PX), len(_CENTRES), len(_SHARES)), np.inf)
    for number, sigma in enumerate(_SOFTNESS_PX):
        picture = ndimage.gaussian_filter(sharp, sigma) if sigma else sharp
        misfits[number] = _misfit([_tile_misfits(frame.shown, picture, x, y, v) for x, y, v in tiles])
    fit = _best(misfits)
    return None if fit is None else _FrameBlur(frame.index, *fit, float(np.median([np.hypot(*v) for _, _, v in tiles])))


def _best(misfits: Field) -> tuple[float, float] | None:
    """Share and gain where softness, middle and share together leave least."""
    least = float(misfits.min())
    without = float(misfits[:, :, 0].min())
    if least > _MAX_MISFIT:
        return None
    by_share = misfits.min(axis=(0, 1))
    number = int(by_share.argmin())
    share = float(_SHARES[number])
    if 0 < number < len(_SHARES) - 1:  # the vertex of a parabola through the three best
        left, middle, right = by_share[number - 1 : number + 2]
        bend = left - 2 * middle + right
        share += float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) * float(_SHARES[1]) if bend > 0 else 0.0
    return share, (without - least) / max(without, 1e-9)


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

    The squared error of a weighted mean W m is own own - 2 W (m own) + W (m m) W, so no mean is ever formed.
    """
    flat = moments.reshape(len(moments), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    centred = (own - own.mean()).ravel()
    weights = _weights()
    squared = ((weights @ (flat @ flat.T)) * weights).sum(axis=1)
    errors = centred @ centred - 2 * weights @ (flat @ centred) + squared
    # 5 codes: a flat tile tells nothing.
    misfits: Field = errors.reshape(len(_CENTRES), len(_SHARES)) / (centred.size * max(float(own.var()), 25.0))
    return misfits


@cache
def _weights() -> Field:
    """Weight of each moment in each exposure, shape (centres * shares, moments)."""
    weights = np.zeros((len(_CENTRES), len(_SHARES), 2 * _REACH + 1))
    for row, centre in enumerate(np.round(_CENTRES * _STEPS).astype(int) + _REACH):
        for column, steps in enumerate(np.round(_SHARES * _STEPS).astype(int)):
            if steps % 2:
                weights[row, column, centre - steps // 2 : centre + steps // 2 + 1] = 1 / steps
            elif steps:
                # The moments at both ends count half: the exposure is exactly as long as it says.
                weights[row, column, centre - steps // 2 : centre + steps // 2 + 1] = 1 / steps
                weights[row, column, [centre - steps // 2, centre + steps // 2]] /= 2
            else:
                weights[row, column, centre] = 1
    return weights.reshape(-1, 2 * _REACH + 1)


def blur_of_cursor(
    picture: CursorPicture, patches: Sequence[CursorPatch], ways: Sequence[Field], indices: Sequence[int]
) -> BlurEstimate | None:
    """From patches of a cursor that moves by `ways`, in output pixels a frame; None where they do not tell.

    `picture` is the cursor at rest; `indices` are the positions of the patches in the output.
    """
    found = []
    for patch, way, index in zip(patches, ways, indices, strict=True):
        speed = float(np.hypot(*way))
        step = way / patch.magnification
        if not _MIN_SPEED_PX <= speed <= _MAX_SPEED_PX or np.abs(step).max() > picture.opacity.shape[0] / 4:
            continue
        shift, _ = locate(picture, patch)
        moments = np.stack(
            [picture.over(patch.recording, shift + number / _STEPS * step) for number in range(-_REACH, _REACH + 1)]
        )
        fit = _best(_exposures(moments, patch.shown)[None])
        if fit is not None:
            found.append(_FrameBlur(index, *fit, speed))
    return _joined(found) if len(found) >= _FEWEST_PATCHES else None


def _joined(found: Sequence[_FrameBlur]) -> BlurEstimate:
    """The median over frames, weighted by speed: what moves faster shows its blur better."""
    order = sorted(found, key=lambda each: each.share)
    weights = np.cumsum([each.speed_px for each in order])
    share = order[int(np.searchsorted(weights, weights[-1] / 2))].share
    spread = float(np.median([abs(each.share - share) for each in found]))
    fastest = max(each.speed_px for each in found)
    return BlurEstimate(
        share,
        # 1.48 times the median deviation is the standard deviation of a normal distribution.
        max(1.48 * spread, float(_SHARES[1]) / 2) / float(np.sqrt(len(found))),
        share * fastest,
        fastest,
        float(np.median([each.gain for each in found])),
        tuple(sorted(each.index for each in found)),
    )
