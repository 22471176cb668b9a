"""What an unknown cursor looks like, learnt from the frames it is in, and where exactly it lies in each of them.

A cursor of colour C and opacity A over a recording R shows R (1 - A) + A C. Over many places of the recording, A and
A C of each pixel follow from a regression; with them the place in each frame follows by least squares (Lucas and
Kanade, 1981). Both are repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from capbench.quality.effects.overlays.working_frame import WorkingFrame

__all__ = ["CursorPatch", "CursorPicture", "cut_patch", "learn_picture", "locate"]

Field = NDArray[np.float64]

_ROUNDS: Final = 4
_STEPS: Final = 4
"""Of least squares for one place: it moves by less than 0.01 pixels then."""
_PRIOR_CODES: Final = 12.0
"""Spread of the recording below which a pixel's opacity is guessed rather than measured, in luma codes."""
_DIFFERS_CODES: Final = 14.0
"""Mean difference from which a pixel is guessed to be covered."""
_OPAQUE: Final = 0.5
"""Opacity at the cursor's edge: half of such a pixel is covered."""


@dataclass(frozen=True, slots=True, eq=False)
class CursorPatch:
    """The surroundings of one candidate, sampled in units of the cursor: a zoom that magnifies it changes nothing."""

    shown: Field
    """Luma of the output, shape (side, side)."""
    recording: Field
    """Luma of the recording there, same shape."""
    middle: Field
    """Where the patch's middle lies in the working picture, x and y."""
    magnification: float
    """Working pixels for one of the patch."""
    inside: Field
    """1 where the recording lies, 0 elsewhere, same shape as the others: nothing is known there."""

    @property
    def difference(self) -> Field:
        """What the cursor changes."""
        return self.shown - self.recording


@dataclass(frozen=True, slots=True, eq=False)
class CursorPicture:
    """A learnt cursor, shape (side, side) each."""

    opacity: Field
    """0..1."""
    colour: Field
    """Luma codes multiplied by the opacity."""

    def over(self, recording: Field, shift: Field | None = None) -> Field:
        """What a patch shows that holds the cursor, shifted right and down by pixels of the patch."""
        opacity, colour = (self.opacity, self.colour) if shift is None else self.shifted(shift)
        return recording * (1 - opacity) + colour

    def shifted(self, shift: Field) -> tuple[Field, Field]:
        """Opacity and colour moved right and down."""
        by = (float(shift[1]), float(shift[0]))
        return ndimage.shift(self.opacity, by, order=1), ndimage.shift(self.colour, by, order=1)

    def softened(self, sigma: float) -> CursorPicture:
        """The cursor behind a Gaussian filter of that standard deviation in pixels of the patch."""
        if sigma == 0:
            return self
        return CursorPicture(ndimage.gaussian_filter(self.opacity, sigma), ndimage.gaussian_filter(self.colour, sigma))

    def box(self) -> tuple[float, float, float, float] | None:
        """Left, top, right and bottom of what is opaque, in pixels from the patch's middle; None where nothing is."""
        middle = self.opacity.shape[0] / 2
        solid = ndimage.label(self.opacity > _OPAQUE)[0]
        if not solid.any():
            return None
        largest = np.argmax(np.bincount(solid.ravel())[1:]) + 1
        # What is not connected with it is noise of the recording.
        near = ndimage.binary_dilation(solid == largest, iterations=2)
        opacity = np.where(near, self.opacity, 0)
        left, right = _extent(opacity.max(axis=0))
        top, bottom = _extent(opacity.max(axis=1))
        return left - middle, top - middle, right - middle, bottom - middle


def cut_patch(frame: WorkingFrame, middle: Field, magnification: float, side: int) -> CursorPatch:
    """`side` x `side` samples around a place of the working picture."""
    offsets = (np.arange(side) + 0.5 - side / 2) * magnification
    grid = np.meshgrid(middle[1] + offsets - 0.5, middle[0] + offsets - 0.5, indexing="ij")
    shown, recording = (
        ndimage.map_coordinates(plane, grid, np.float64, order=1, mode="nearest")
        for plane in (frame.shown, frame.recording)
    )
    inside = ndimage.map_coordinates(frame.inside.astype(np.float32), grid, order=0, mode="constant") > 0
    return CursorPatch(
        np.where(inside, shown, recording), recording, np.asarray(middle, float), magnification, inside.astype(float)
    )


def learn_picture(patches: Sequence[CursorPatch]) -> tuple[CursorPicture, list[Field]]:
    """The cursor that patches have in common, and its shift from the middle of each, in pixels of the patch."""
    shifts = [np.zeros(2) for _ in patches]
    picture = _regression(patches, shifts)
    for _ in range(_ROUNDS):
        shifts = [locate(picture, patch, start)[0] for patch, start in zip(patches, shifts, strict=True)]
        mean = np.median(shifts, axis=0)  # otherwise the picture itself would drift
        shifts = [shift - mean for shift in shifts]
        picture = _regression(patches, shifts)
    return picture, shifts


def locate(picture: CursorPicture, patch: CursorPatch, start: Field | None = None) -> tuple[Field, float]:
    """Shift of the cursor from the middle of a patch, and its share.

    The share is the regression of what is there on what the cursor changes: 1 where it is, 0 where it is not.
    """
    side = picture.opacity.shape[0]
    shift = np.zeros(2) if start is None else start.astype(float)
    limit = side / 3
    slopes = [np.gradient(field) for field in (picture.opacity, picture.colour)]
    for _ in range(_STEPS):
        by = (float(shift[1]), float(shift[0]))
        error = (patch.shown - picture.over(patch.recording, shift)) * patch.inside
        down, across = (
            -ndimage.shift(slopes[1][axis], by, order=1) + patch.recording * ndimage.shift(slopes[0][axis], by, order=1)
            for axis in (0, 1)
        )
        system = np.stack([across.ravel(), down.ravel()], axis=1) * patch.inside.reshape(-1, 1)
        normal = system.T @ system + np.eye(2) * 1e-3 * side**2
        step = np.linalg.solve(normal, system.T @ error.ravel())
        shift = np.clip(shift + np.clip(step, -2, 2), -limit, limit)
    expected = (picture.over(patch.recording, shift) - patch.recording) * patch.inside
    energy = float((expected**2).sum())
    share = float((patch.difference * expected).sum()) / energy if energy > 0 else 0.0
    return shift, share


def _regression(patches: Sequence[CursorPatch], shifts: Sequence[Field]) -> CursorPicture:
    under, change = (
        np.stack(
            [
                ndimage.shift(field, (-float(shift[1]), -float(shift[0])), order=1, mode="nearest")
                for field, shift in zip(fields, shifts, strict=True)
            ]
        )
        for fields in ([patch.recording for patch in patches], [patch.difference for patch in patches])
    )
    weight = _weights(change)[:, None, None]
    total = weight.sum()
    mean_under, mean_change = (under * weight).sum(axis=0) / total, (change * weight).sum(axis=0) / total
    spread = (weight * (under - mean_under) ** 2).sum(axis=0) / total
    together = (weight * (under - mean_under) * (change - mean_change)).sum(axis=0) / total
    differs = (np.abs(change) * weight).sum(axis=0) / total
    guess = np.clip(differs / _DIFFERS_CODES - 0.5, 0, 1)
    opacity = np.clip((_PRIOR_CODES**2 * guess - together) / (spread + _PRIOR_CODES**2), 0, 1)
    opacity = np.where(opacity < 0.04, 0, opacity)  # what noise alone gives
    return CursorPicture(opacity, np.where(opacity > 0, mean_change + opacity * mean_under, 0))


def _weights(change: Field) -> Field:
    """Less for a patch that is unlike the others: the cursor is not in it, or something else is."""
    if len(change) < 3:
        return np.ones(len(change))
    typical = np.median(change, axis=0)
    error = np.sqrt(((change - typical) ** 2).mean(axis=(1, 2)))
    weights: Field = 1 / (1 + (error / (np.median(error) + 1e-6)) ** 4)
    return weights


def _extent(profile: Field) -> tuple[float, float]:
    """Where a profile crosses the edge's opacity, before its first and behind its last sample above it."""
    above = np.nonzero(profile > _OPAQUE)[0]
    padded = np.concatenate([[0.0], profile, [0.0]])
    first, last = int(above[0]) + 1, int(above[-1]) + 1
    # A pixel's share of opacity is the share of it that is covered.
    return first - 1 - float(np.clip(padded[first - 1], 0, 1)) + (1 - min(1.0, padded[first])), last + float(
        np.clip(padded[last + 1], 0, 1)
    ) - (1 - min(1.0, padded[last]))
