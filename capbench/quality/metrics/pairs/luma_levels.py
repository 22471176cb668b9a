"""Which levels of luma were lost? Banding, and bits that a deep file does not have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["coarse_step", "coarse_step_of", "gradient_length", "level_errors"]

_COARSE_SLOPE = -0.2
"""Fall of the errors within a step, less that from step to step, which steps show at least. Without coding noise it is
-1; edges that an encoder softens leave -0.2 to -0.9 of it, and right outputs of all kinds have -0.11 at most."""
_NEARLY_ALL = 0.8
_SAWTOOTH_SHARE = 0.5
"""Share of the variance of the errors within steps that their fall explains: 0.57 and more where steps are eight times
as wide as coding is off, 0.17 at most in right outputs."""
_ENOUGH_SAMPLES = 25
"""Of one level: their mean error is then known to a fifth of the coding noise."""
_FEWEST_STEPS = {2: 6, 4: 6, 8: 6, 16: 6, 32: 4}
"""Number of adjacent steps needed to distinguish variation within steps from variation across them: of the widest ones
no picture has more than seven."""
_WIDEST_STEP = max(_FEWEST_STEPS)
_PLACES_SHARE = 0.6
"""Share of a step's levels that must occur: a picture drawn in R'G'B' leaves codes of luma out."""
_BORDER_SHARE = 0.25
"""How many samples a level near a step's border has, of one in its middle, at least. Where there are fewer, the
reference itself has steps: what lies around each of its levels is noise, which another encoder leaves out."""

Codes = NDArray[np.uint8] | NDArray[np.uint16]


def coarse_step(got: Codes, want: Codes) -> int:
    """Distance in codes of the levels that `got` is left with: 1 where nothing was lost, 4 where 6 bits were kept.

    A value that was brought to steps of n carries an error that falls by one code for each code of `want` within a
    step, and on from step to step not at all, whatever noise a codec adds, and wherever the first step begins. A
    picture that is darker, of other colours or smoother has errors too; they fall over several steps as they do within
    one, or not in all of them.
    """
    return coarse_step_of(*level_errors(got, want))


def level_errors(got: Codes, want: Codes) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each level of `want` how many samples have it, and the sum of what `got` has more there.

    Of as many levels as occur, and the rest of a step; at least 256, so that those of several pictures can be added.
    """
    levels = want.ravel()
    size = max(256, -(-(int(levels.max(initial=0)) + 1) // _WIDEST_STEP) * _WIDEST_STEP)
    counts = np.bincount(levels, minlength=size)
    # The sum of differences is the difference of sums, whole numbers both and exact.
    return counts, np.bincount(levels, weights=got.ravel(), minlength=size) - np.arange(size) * counts


def coarse_step_of(counts: NDArray[np.intp], sums: NDArray[np.float64]) -> int:
    """`coarse_step` of what `level_errors` found."""
    coarse = 1
    for step in _FEWEST_STEPS:
        for first in range(step):
            # Steps that begin at `first`, from the last below the first level on.
            front = (step - first) % step
            back = -(front + len(counts)) % step
            if _is_staircase(
                np.pad(counts, (front, back)).reshape(-1, step), np.pad(sums, (front, back)).reshape(-1, step)
            ):
                coarse = step
                break
    return coarse


def _is_staircase(counts: NDArray[np.intp], sums: NDArray[np.float64]) -> bool:
    """Whether errors fall within steps and not across them; both of shape (steps, places)."""
    step = counts.shape[1]
    is_known = counts >= _ENOUGH_SAMPLES
    start, end = _longest_run(is_known.sum(axis=1) >= max(2, np.ceil(_PLACES_SHARE * step)))
    counts, sums, known = counts[start:end], sums[start:end], is_known[start:end].astype(np.float64)
    if end - start < _FEWEST_STEPS[step] or _has_steps_itself(counts):
        return False
    errors = np.where(known > 0, sums / np.maximum(counts, 1), 0)
    places = np.arange(step)
    number = known.sum(axis=1)
    place, error = (known @ places) / number, errors.sum(axis=1) / number
    away = known * (places - place[:, None])
    rest = errors - known * error[:, None]
    within = (away * rest).sum(axis=1) / (away * away).sum(axis=1)
    # To the step before or behind, whichever falls more: half of a step falls on into its other half.
    across = np.diff(error) / np.diff(np.arange(len(error)) * step + place)
    between = np.minimum(np.append(across, across[-1]), np.insert(across, 0, across[0]))
    # In nearly all of the steps: noise that falls within one of them may well fall within the next.
    if float(np.quantile(within - between, _NEARLY_ALL)) >= _COARSE_SLOPE:
        return False
    slope = (away * rest).sum() / (away * away).sum()
    return float(np.square(rest - slope * away).sum()) <= (1 - _SAWTOOTH_SHARE) * float(np.square(rest).sum())


def _has_steps_itself(counts: NDArray[np.intp]) -> bool:
    """Whether levels gather in the middle of steps, by medians: flat colours are few levels of many samples."""
    border = counts.shape[1] // 4
    if not border:
        return False
    outer = np.concatenate([counts[:, :border], counts[:, -border:]], axis=1)
    inner = counts[:, border:-border]
    return float(np.median(outer, axis=1).sum()) < _BORDER_SHARE * float(np.median(inner, axis=1).sum())


def gradient_length(luma: NDArray[np.uint16], bits: int) -> int:
    """Longest run of 8-bit codes all of whose levels of `bits` bits occur, as they do in a smooth gradient."""
    step = 1 << (bits - 8)
    size = (int(luma.max(initial=0)) // step + 1) * step
    counts = np.bincount(luma.ravel(), minlength=size).reshape(-1, step)
    start, end = _longest_run(counts.min(axis=1) >= _ENOUGH_SAMPLES)
    return end - start


def _longest_run(holds: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], holds.astype(np.int8), [0]]))).reshape(-1, 2)
    start, end = max(edges.tolist(), key=lambda run: run[1] - run[0], default=(0, 0))
    return start, end
