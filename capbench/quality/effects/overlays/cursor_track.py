"""Follows the cursor through sampled frames: where it is against where telemetry says, how late, and how large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.overlays.cursor_candidates import CursorCandidate, cursor_candidates
from capbench.quality.effects.overlays.cursor_picture import (
    CursorPatch,
    CursorPicture,
    cut_patch,
    learn_picture,
    locate,
)
from capbench.quality.effects.overlays.working_frame import WorkingFrame

__all__ = ["CursorSighting", "CursorTrack", "Telemetry", "cursor_way", "follow_cursor"]

Field = NDArray[np.float64]
Telemetry = Callable[[float], tuple[float, float]]
"""Fractions across and down the recording at an output time in seconds."""

_LONGEST_LAG_S: Final = 0.5
"""Half a second: a viewer sees a twentieth, and a longer search finds chance."""
_CLUSTER_HEIGHTS: Final = 0.4
"""How far from its neighbours, in heights of the cursor, a candidate may be and still be at the same place of it."""
_FARTHEST_HEIGHTS: Final = 8.0
"""Greatest constant offset from telemetry that is looked for, in heights of the cursor."""
_STANDS_HEIGHTS: Final = 0.3
"""How near to one another, in heights of the cursor, what is at one place must be."""
_STANDS: Final = 0.5
"""Share of frames from which what is at one place of the recording or the canvas is no cursor on its way."""
_MOST_EVIDENCE: Final = 4.0
"""More makes no candidate better: it would only be brighter."""
_MOST_STEP: Final = 4.0
"""Heights of the cursor from which a step counts no more: it may leap while nothing is drawn."""
_PATCH_SIDE: Final = 40
"""Samples along a patch."""
_PATCH_HEIGHTS: Final = 2.2
"""Side of a patch in heights of the cursor: there is room around it, wherever its point lies."""
_PRESENT: Final = 0.5
"""Share of the cursor from which it is taken to be there."""
_ENOUGH_ENERGY_CODES: Final = 90.0
"""Root of the summed squares of what the cursor would change in a patch: a black arrow on black cannot be seen."""
_FEWEST: Final = 3
"""Sightings from which a cursor can be learnt."""
_MOST_LEARNT: Final = 24
"""Patches that a cursor is learnt from: more change nothing, and take time."""
_MIN_EXPLAINED: Final = 0.55
"""Share of what differs in a patch that the learnt cursor explains: of chance differences it explains far less."""


@dataclass(frozen=True, slots=True)
class CursorSighting:
    """The cursor in one sampled frame."""

    index: int
    """Position of the frame in the output, from 0."""
    time_s: float
    """Seconds since the output's first frame."""
    share: float | None
    """How much of it is there, 0 to 1; None where it could not be seen if it were."""
    point: tuple[float, float] | None
    """Where its hotspot lies in the working picture, x and y in pixels; None where it is not there."""

    @property
    def is_lost(self) -> bool:
        """Whether it would be seen, and is not there."""
        return self.share is not None and self.share < _PRESENT


@dataclass(frozen=True, slots=True, eq=False)
class CursorTrack:
    """A cursor that was found. Lengths are working pixels at the recording's smallest magnification."""

    sightings: tuple[CursorSighting, ...]
    """One for each sampled frame."""
    size: tuple[float, float]
    """Width and height of what is opaque."""
    follows: bool
    """Whether it keeps to telemetry but for a lag and an offset; False also where there is no telemetry."""
    lag_s: float | None
    """How long behind telemetry it is; None where nothing moves, or it does not follow."""
    lag_error_s: float | None
    """Standard error of that."""
    offset: tuple[float, float] | None
    """From telemetry to its hotspot, right and down; None where it does not follow."""
    residual: float | None
    """Median distance from telemetry that lag and offset leave."""
    picture: CursorPicture
    """How it looks."""
    patches: tuple[CursorPatch, ...]
    """Its surroundings in the sightings where it is there."""
    patch_numbers: tuple[int, ...]
    """Which sighting each of them is of."""
    explained: float
    """Median share of what differs around it that its picture explains."""
    rivals: float
    """Median number of other small areas that differ in a frame."""


def cursor_way(frame: WorkingFrame, telemetry: Telemetry, start_s: float, end_s: float) -> Field:
    """The way of a cursor over the recording as it lies in a frame, x and y in working pixels."""
    way: Field = frame.point(*telemetry(end_s)) - frame.point(*telemetry(start_s))
    return way


@dataclass(frozen=True, slots=True)
class _Vote:
    lag_s: float
    offset: Field
    frames: int


def follow_cursor(
    frames: list[WorkingFrame],
    height_px: float,
    telemetry: Telemetry | None,
    *,
    hotspot: tuple[float, float] = (0.0, 0.0),
    frame_s: float = 1 / 30,
    unlike: Sequence[float] = (),
    hides: Callable[[float, float, float], bool] | None = None,
) -> CursorTrack | None:
    """The cursor in sampled frames; None where there is none.

    `height_px` is its height, about, in working pixels at the smallest magnification, `hotspot` the point of it that
    lies at the position, in fractions of its size, `unlike` the times at which it looks otherwise: those of clicks.
    `hides` says of x, y and a time whether something lies over that place then.
    """
    candidates = cursor_candidates(frames, height_px, hides)
    if sum(bool(each) for each in candidates) < _FEWEST:
        return None
    smallest = min(frame.scale for frame in frames)
    amounts = [frame.scale / smallest for frame in frames]
    vote = (
        None
        if telemetry is None
        else _vote(frames, amounts, candidates, telemetry, height_px=height_px, frame_s=frame_s)
    )
    seen = sum(bool(each) for each in candidates)
    follows = vote is not None and vote.frames >= max(_FEWEST, 0.5 * seen)
    magnification = _PATCH_HEIGHTS * height_px / _PATCH_SIDE

    def patch_at(number: int, middle: Field) -> CursorPatch:
        return cut_patch(frames[number], middle, magnification * amounts[number], _PATCH_SIDE)

    middles: list[Field | None]
    if follows and vote is not None and telemetry is not None:
        middles = [
            frame.point(*telemetry(frame.time_s - vote.lag_s)) + vote.offset * amount
            for frame, amount in zip(frames, amounts, strict=True)
        ]
    else:
        candidates = _moving(frames, candidates, height_px)
        middles = _chained(candidates, height_px)
    learnt_from = [
        number
        for number, middle in enumerate(middles)
        if middle is not None
        and _is_seen_near(candidates[number], middle, height_px * amounts[number])
        and not any(-0.15 <= frames[number].time_s - at <= 0.55 for at in unlike)
    ]
    if len(learnt_from) < _FEWEST:
        return None
    chosen = learnt_from[:: max(1, len(learnt_from) // _MOST_LEARNT)]
    picture, _ = learn_picture([patch_at(number, _known(middles[number])) for number in chosen])
    box = picture.box()
    if box is None:
        return None
    tip = np.array([box[0] + hotspot[0] * (box[2] - box[0]), box[1] + hotspot[1] * (box[3] - box[1])])
    sightings, patches = [], []
    explained = []
    frame_of: list[int] = []
    for number, (frame, middle) in enumerate(zip(frames, middles, strict=True)):
        places = _places(middle, candidates[number] if follows or telemetry is not None else [])
        found = _look(picture, [patch_at(number, place) for place in places])
        if found is None:
            sightings.append(CursorSighting(frame.index, frame.time_s, None if middle is None else 0.0, None))
            continue
        patch, shift, share, energy, fit = found
        is_there = share >= _PRESENT
        if (
            not is_there
            and middle is not None
            and hides is not None
            and hides(float(middle[0]), float(middle[1]), frame.time_s)
        ):
            energy = 0.0
        point = patch.middle + (shift + tip) * patch.magnification
        sightings.append(
            CursorSighting(
                frame.index,
                frame.time_s,
                share if energy >= _ENOUGH_ENERGY_CODES else None,
                (float(point[0]), float(point[1])) if is_there and energy >= _ENOUGH_ENERGY_CODES else None,
            )
        )
        if is_there:
            patches.append(patch)
            frame_of.append(number)
            explained.append(fit)
    if len(patches) < _FEWEST or float(np.median(explained)) < _MIN_EXPLAINED:
        return None
    size = ((box[2] - box[0]) * magnification, (box[3] - box[1]) * magnification)
    lag = None
    if telemetry is not None:
        lag = _fit(frames, amounts, sightings, telemetry, frame_s)
        follows = follows and lag is not None
    return CursorTrack(
        tuple(sightings),
        size,
        follows,
        lag.lag_s if lag is not None and follows else None,
        lag.error_s if lag is not None and follows else None,
        lag.offset if lag is not None and follows else None,
        lag.residual if lag is not None else None,
        picture,
        tuple(patches),
        tuple(frame_of),
        float(np.median(explained)),
        float(np.median([max(0, len(each) - 1) for each in candidates])),
    )


def _moving(
    frames: list[WorkingFrame], candidates: list[list[CursorCandidate]], height_px: float
) -> list[list[CursorCandidate]]:
    """Without what most frames have at one place of the recording, or of the canvas."""
    if not any(candidates):
        return candidates
    owners = np.array([number for number, some in enumerate(candidates) for _ in some])
    places = np.array([(each.x, each.y) for some in candidates for each in some])
    inverses = [np.linalg.inv(frame.matrix[:, :2]) for frame in frames]
    fractions = np.array(
        [inverses[owner] @ (place - frames[owner].matrix[:, 2]) for owner, place in zip(owners, places, strict=True)]
    )
    smallest = min(frames, key=lambda frame: frame.scale)
    at_rest = fractions @ smallest.matrix[:, :2].T
    stands = np.zeros(len(owners), bool)
    for values in (places, at_rest):
        close = np.hypot(*(values[:, None] - values[None]).transpose(2, 0, 1)) < _STANDS_HEIGHTS * height_px
        counts = np.array([len(set(owners[row])) for row in close])
        stands |= counts > _STANDS * len(frames)
    kept: list[list[CursorCandidate]] = [[] for _ in frames]
    flat = [each for some in candidates for each in some]
    for owner, each, is_standing in zip(owners, flat, stands, strict=True):
        if not is_standing:
            kept[owner].append(each)
    return kept


def _chained(candidates: list[list[CursorCandidate]], height_px: float) -> list[Field | None]:
    """The way through the candidates that is strong and short; None in a frame that has none."""
    numbers = [number for number, some in enumerate(candidates) if some]
    if not numbers:
        return [None] * len(candidates)
    totals = [np.array([min(each.evidence, _MOST_EVIDENCE) for each in candidates[numbers[0]]])]
    sources: list[NDArray[np.intp]] = []
    for before, now in pairwise(numbers):
        ends, starts = (np.array([(each.x, each.y) for each in candidates[number]]) for number in (now, before))
        steps = np.hypot(*(ends[:, None] - starts[None]).transpose(2, 0, 1)) / height_px
        scores = totals[-1][None] - np.minimum(steps, _MOST_STEP)
        sources.append(scores.argmax(axis=1))
        totals.append(scores.max(axis=1) + [min(each.evidence, _MOST_EVIDENCE) for each in candidates[now]])
    place = int(totals[-1].argmax())
    middles: list[Field | None] = [None] * len(candidates)
    for position in range(len(numbers) - 1, -1, -1):
        found = candidates[numbers[position]][place]
        middles[numbers[position]] = np.array([found.x, found.y])
        if position:
            place = int(sources[position - 1][place])
    return middles


def _known(middle: Field | None) -> Field:
    assert middle is not None, "only frames with a middle are learnt from"
    return middle


def _is_seen_near(candidates: Sequence[CursorCandidate], middle: Field, height_px: float) -> bool:
    return any(np.hypot(each.x - middle[0], each.y - middle[1]) < 0.8 * height_px for each in candidates)


def _places(middle: Field | None, candidates: Sequence[CursorCandidate]) -> list[Field]:
    """Where the cursor may be in a frame: where it should be, and wherever something small differs."""
    return [*([] if middle is None else [middle]), *(np.array([each.x, each.y]) for each in candidates[:3])]


def _look(
    picture: CursorPicture, patches: Sequence[CursorPatch]
) -> tuple[CursorPatch, Field, float, float, float] | None:
    """The patch that the cursor fits best: with its shift, share, energy and the share of the difference explained."""
    best = None
    for patch in patches:
        shift, share = locate(picture, patch)
        expected = (picture.over(patch.recording, shift) - patch.recording) * patch.inside
        energy = float(np.sqrt((expected**2).sum()))
        total = float((patch.difference**2).sum())
        fit = 1 - float(((patch.difference - expected) ** 2).sum()) / total if total > 0 else 0.0
        if best is None or fit > best[4] + 0.02:  # of equal ones the place where it should be
            best = (patch, shift, share, energy, fit)
    return best


def _vote(
    frames: list[WorkingFrame],
    amounts: list[float],
    candidates: list[list[CursorCandidate]],
    telemetry: Telemetry,
    *,
    height_px: float,
    frame_s: float,
) -> _Vote | None:
    """The lag and the constant offset that most frames have a candidate at."""
    radius, farthest = _CLUSTER_HEIGHTS * height_px, _FARTHEST_HEIGHTS * height_px
    numbers = np.array([number for number, each in enumerate(candidates) for _ in each])
    places = np.array([(each.x, each.y) for some in candidates for each in some])
    scales = np.array(amounts)[numbers][:, None]
    best: _Vote | None = None
    most = int(np.ceil(_LONGEST_LAG_S / frame_s))
    for late in sorted(range(-most, most + 1), key=abs):
        expected = np.array([frame.point(*telemetry(frame.time_s - late * frame_s)) for frame in frames])[numbers]
        offsets = (places - expected) / scales
        near = np.hypot(*offsets.T) <= farthest
        if not near.any():
            continue
        own, of_frame = offsets[near], numbers[near]
        close = np.hypot(*(own[:, None] - own[None]).transpose(2, 0, 1)) <= radius
        # A frame with two candidates in a cluster counts once.
        per_frame = np.zeros((len(own), len(frames)), bool)
        for column, frame in enumerate(of_frame):
            per_frame[:, frame] |= close[:, column]
        counts = per_frame.sum(axis=1)
        # Among equals the one whose offset is smallest: telemetry is right until shown otherwise.
        winner = max(range(len(own)), key=lambda each: (counts[each], -np.hypot(*own[each])))
        if best is None or counts[winner] > best.frames:
            best = _Vote(late * frame_s, np.median(own[close[winner]], axis=0), int(counts[winner]))
    return best


@dataclass(frozen=True, slots=True)
class _Lag:
    lag_s: float | None
    error_s: float | None
    offset: tuple[float, float]
    residual: float


def _fit(
    frames: list[WorkingFrame],
    amounts: list[float],
    sightings: Sequence[CursorSighting],
    telemetry: Telemetry,
    frame_s: float,
) -> _Lag | None:
    """Lag and offset by least absolute distances, to a twentieth of a frame."""
    used = [number for number, each in enumerate(sightings) if each.point is not None]
    if len(used) < _FEWEST:
        return None
    points = np.array([sightings[number].point for number in used])
    scales = np.array([amounts[number] for number in used])[:, None]

    def left(lag_s: float) -> Field:
        expected = np.array([frames[number].point(*telemetry(frames[number].time_s - lag_s)) for number in used])
        offsets: Field = (points - expected) / scales
        return offsets

    def distances(offsets: Field) -> Field:
        away: Field = np.hypot(*(offsets - np.median(offsets, axis=0)).T)
        return away

    most = int(np.ceil(_LONGEST_LAG_S / frame_s))
    coarse = sorted(np.arange(-most, most + 1) * frame_s, key=abs)
    best_s = min(coarse, key=lambda lag_s: round(float(distances(left(lag_s)).mean()), 3))
    fine = best_s + np.arange(-20, 21) / 20 * frame_s
    best_s = float(min(sorted(fine, key=abs), key=lambda lag_s: round(float(distances(left(lag_s)).mean()), 3)))
    offsets = left(best_s)
    middle = np.median(offsets, axis=0)
    residual = float(np.median(distances(offsets)))
    moved = (left(best_s + frame_s / 2) - left(best_s - frame_s / 2)) / frame_s
    moved = moved - moved.mean(axis=0)
    speed = float(np.sqrt((moved**2).sum(axis=1).mean()))
    # Where nothing moves any lag fits.
    tells = speed * frame_s > 0.3
    return _Lag(
        best_s if tells else None,
        (1.5 * residual + 0.05) / speed / np.sqrt(len(used)) if tells else None,
        (float(middle[0]), float(middle[1])),
        residual,
    )
