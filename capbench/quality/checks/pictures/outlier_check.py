"""Are some frames far worse than the rest?"""  # noqa: D400

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import takewhile
from statistics import median

from capbench.quality.checks import limits
from capbench.quality.measurements import Measurements, PictureMeasurements
from capbench.quality.reading.observed_frame import FrameRecord
from capbench.results import Check

__all__ = ["check_outliers", "lost_frames", "luma_psnr_db"]

_PEAK_CODE = 255
"""What luma PSNR is relative to, in 8-bit codes."""


def luma_psnr_db(pictures: PictureMeasurements) -> dict[int, float]:
    """Output frame to its PSNR of luma, of those that were compared."""
    return {frame: value for frame, value in enumerate(pictures.series.get("psnr_y", ())) if value is not None}


def lost_frames(pictures: PictureMeasurements, psnr_db: dict[int, float]) -> list[int]:
    """Those that have less than half of the reference's detail, and so few decibels that it is seen."""
    left = dict(enumerate(pictures.detail_left))
    kept = {frame: found[0] for frame in psnr_db if (found := left.get(frame)) is not None}
    return [frame for frame in kept if kept[frame] < limits.KEPT_DETAIL and psnr_db[frame] < limits.PSNR_FLOOR_DB]


def _is_coarse(pictures: PictureMeasurements, frame: int) -> bool:
    """Whether detail is missing in a frame, and nothing else is in its place."""
    left = pictures.detail_left[frame]
    return left is not None and left[1] <= limits.ADDED_SHARE


def _begins(evidence: Measurements) -> set[int]:
    """Output frames so soon after the start, or a cut, that rate control has not found its quantiser yet."""
    output, reference = evidence.output.frames, evidence.reference.frames
    found: set[int] = set()
    since_s: Fraction | None = None
    before: int | None = None
    for frame, match in enumerate(evidence.matches):
        now_s = output[frame].time_s
        if since_s is None or (match is not None and _is_cut(reference, before, match)):
            since_s = now_s
        if now_s - since_s < limits.RATE_CONTROL_S:
            found.add(frame)
        before = match if match is not None else before
    return found


def _is_cut(reference: Sequence[FrameRecord], before: int | None, match: int) -> bool:
    """Whether there is a cut between two frames of the output that follow each other, or at one left out between."""
    first = match if before is None or before >= match else before + 1
    return any(reference[index].moved_codes > limits.CUT_CODES for index in range(first, match + 1))


def _harder(
    evidence: Measurements, pictures: PictureMeasurements, psnr_db: dict[int, float], bad: Sequence[int]
) -> set[int]:
    """Those of the bad frames that are worse than the rest because there is more to code, for longer than a moment.

    Frames before or behind it, or those of them that move as much, are as bad, and it moves more than others do, or has
    most of its detail for all that: the same quantiser is off by the more the more detail and movement there is. What
    is off is off within blocks; of a picture that is brighter than it should be the means are.
    """
    moves = _moves(evidence)
    fast_codes = limits.HARD_CONTENT_MOVES * median(moves.values()) if moves else 0.0
    compared = sorted(psnr_db)
    found: set[int] = set()
    for frame in bad:
        mean_codes, left = pictures.mean_cell_codes[frame], pictures.detail_left[frame]
        off_codes = _PEAK_CODE / 10 ** (psnr_db[frame] / 20)
        if mean_codes is None or left is None or mean_codes > limits.HARD_CONTENT_MEANS * off_codes:
            continue
        moved_codes = moves.get(frame, 0.0)
        if moved_codes <= fast_codes and left[0] < limits.HARD_CONTENT_DETAIL:
            continue
        # What stands still beside a short movement says nothing of what the movement may cost.
        at = bisect_left(compared, frame)
        least_codes = moved_codes / limits.HARD_CONTENT_MOVES
        fast = [other for other in _near(evidence, compared, at) if moves.get(other, 0.0) >= least_codes]
        if _are_as_bad(psnr_db, frame, fast) or _goes_on(evidence, psnr_db, compared, at):
            found.add(frame)
    return found


def _moves(evidence: Measurements) -> dict[int, float]:
    """By how much the reference moves at each output frame that was matched, in codes."""
    frames = evidence.reference.frames
    return {frame: frames[match].moved_codes for frame, match in enumerate(evidence.matches) if match is not None}


def _near(evidence: Measurements, compared: Sequence[int], at: int) -> list[int]:
    """Those of the compared frames that are shown shortly before or behind the one `at` that place."""
    now_s = evidence.output.frames[compared[at]].time_s

    def is_near(frame: int) -> bool:
        return abs(evidence.output.frames[frame].time_s - now_s) <= limits.HARD_CONTENT_S

    # Not all of an hour's frames for each of them.
    before = (compared[place] for place in range(at - 1, -1, -1))
    behind = (compared[place] for place in range(at + 1, len(compared)))
    return [*takewhile(is_near, before), *takewhile(is_near, behind)]


def _are_as_bad(psnr_db: dict[int, float], frame: int, near: Sequence[int]) -> bool:
    """Whether most of the frames near to one are about as bad as it, and a few at least."""
    as_bad = sum(psnr_db[other] <= psnr_db[frame] + limits.PSNR_OUTLIER_DB for other in near)
    return as_bad >= limits.HARD_CONTENT_FRAMES and 2 * as_bad > len(near)


def _goes_on(evidence: Measurements, psnr_db: dict[int, float], compared: Sequence[int], at: int) -> bool:
    """Whether most frames shortly before the one `at` that place, or most shortly behind it, are as bad, and a few."""
    frames, frame = evidence.output.frames, compared[at]
    for side in (range(at - 1, -1, -1), range(at + 1, len(compared))):
        near: list[int] = []
        for place in side:
            other = compared[place]
            is_near = abs(frames[other].time_s - frames[frame].time_s) <= limits.HARD_CONTENT_S
            if not is_near and len(near) >= limits.HARD_CONTENT_FRAMES:
                break
            near.append(other)
        if _are_as_bad(psnr_db, frame, near):
            return True
    return False


def check_outliers(evidence: Measurements, pictures: PictureMeasurements) -> Check:
    """Whether single frames are far worse than the rest, for no reason that their content gives."""
    name = "picture.outliers"
    values = luma_psnr_db(pictures)
    limit = min(median(values.values()) - limits.PSNR_OUTLIER_DB, limits.PSNR_OUTLIER_FLOOR_DB)
    bad = [frame for frame, value in values.items() if value < limit]
    if bad:
        excused = _begins(evidence) | _harder(evidence, pictures, values, bad)
        lost = set(lost_frames(pictures, values))
        bad = [frame for frame in bad if frame in lost or not _is_coarse(pictures, frame) or frame not in excused]
    worst = min(bad or values, key=lambda frame: values[frame])
    if not bad:
        return Check.passed(
            name=name,
            message=f"no frame stands out; the worst is frame {worst} with {values[worst]:.1f} dB",
            value=values[worst],
            limit=limit,
            unit="dB",
        )
    return Check.failed(
        name=name,
        message=f"{len(bad)} frames are far worse than the rest: frame {worst} has {values[worst]:.1f} dB, the median "
        f"is {median(values.values()):.1f} dB",
        value=values[worst],
        limit=limit,
        unit="dB",
        frames=bad,
    )
