"""Whether chroma lies where the output says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ChromaSiting
from capbench.quality.checks import limits
from capbench.quality.checks.pictures.picture_checks import mean_psnr_db
from capbench.quality.checks.pictures.sharpness_check import is_left_out
from capbench.quality.measurements import Measurements, PictureMeasurements
from capbench.quality.reading.tags import is_sited
from capbench.results import Check

__all__ = ["check_siting"]

Place = NDArray[np.float64]
"""Right and down, in luma pixels."""

_NAME = "colour.siting"
_CENTRE_PX = 0.5
"""How far right of left-sited chroma centred chroma lies, in luma pixels."""
_NOWHERE_PX = 100.0
"""Error from which nothing shows a shift at all."""
_MAD_TO_SIGMA = 1.4826
"""Standard deviation of normal values over their median absolute deviation."""


@dataclass(frozen=True, slots=True)
class _Displacement:
    """How far chroma lies beside its place in pixels of the output as it is coded, not turned, whatever their aspect.

    And what that may be off by: three standard errors.
    """

    right: float
    down: float
    right_error: float
    down_error: float


def check_siting(evidence: Measurements, pictures: PictureMeasurements) -> Check:
    """Chroma must lie where the output's tags put it; the reference's lies where its own put it."""
    if evidence.output.facts.holds_rgb:
        return _not_applicable("the output is R'G'B' and has no chroma samples")
    wanted_width, wanted_height = evidence.reference.size
    width, height = evidence.output.size
    if abs(width - wanted_width) > 1 or abs(height - wanted_height) > 1:
        return _not_applicable("the picture was scaled, and chroma siting cannot be told from the scaling filter")
    if mean_psnr_db(pictures) < limits.PSNR_FLOOR_DB and is_left_out(pictures):
        return _not_applicable("coarse coding left too few coloured edges to measure chroma siting")
    if (apart := _apart(evidence, pictures)) is not None:
        return apart
    found = _displacement(evidence, pictures)
    if found is None:
        return _not_applicable("the pictures have too few coloured edges to measure chroma siting")
    return _down(found) or _right(evidence, found)


def _not_applicable(reason: str) -> Check:
    return Check.not_applicable(name=_NAME, reason=reason)


def _down(found: _Displacement) -> Check | None:
    """A fault where chroma lies too high or too low, by more than the limit within half of what it is known to.

    What moves leaves its chroma behind where coding is coarse, by 0.4 px of snow that falls, besides half a pixel that
    is no fault.
    """
    limit = limits.CHROMA_SHIFT_DOWN_PX + max(_slack(found.down_error), found.down_error / 2)
    if abs(found.down) <= limit:
        return None
    return Check.failed(
        name=_NAME,
        message=f"chroma is {abs(found.down):.1f} px too {'low' if found.down > 0 else 'high'}",
        value=found.down,
        limit=limit,
        unit="px",
    )


def _right(evidence: Measurements, found: _Displacement) -> Check:
    right, tagged = found.right, evidence.output.spec.siting
    limit = limits.CHROMA_SHIFT_PX + _slack(found.right_error)
    states_none = not is_sited(evidence.output.facts.codec, evidence.output.tags)
    centre_limit = limits.CHROMA_SHIFT_PX + found.right_error
    is_centred = states_none and abs(right + _CENTRE_PX) <= centre_limit
    if found.right_error > _NOWHERE_PX:
        return _not_applicable("coloured edges run from left to right alone, which does not show where chroma lies")
    # Half way between two places, within what is known, it may lie in either.
    is_between = abs(right) - limit <= found.right_error / 2 and abs(right) > limits.CHROMA_SHIFT_PX
    if (limit > limits.CHROMA_SHIFT_PX and abs(right) <= limit) or (is_between and not is_centred):
        return _not_applicable(
            f"coloured edges are too few, or too faint beside the coding noise: chroma is placed to "
            f"{found.right_error:.2f} px, and sitings are {_CENTRE_PX} px apart"
        )
    if is_centred:
        return Check.passed(
            name=_NAME,
            message="chroma is sited centre, and the file does not state it",
            value=right + _CENTRE_PX,
            limit=centre_limit,
            unit="px",
        )
    if abs(right) <= limit:
        return Check.passed(
            name=_NAME, message=f"chroma is sited as tagged ({tagged.value})", value=right, limit=limit, unit="px"
        )
    off = f"{abs(right):.2f} px too far {'right' if right > 0 else 'left'}"
    message = f"chroma is {off}"
    if abs(right) < 1 and (right < 0) == (tagged is ChromaSiting.LEFT):
        other = ChromaSiting.CENTRE if tagged is ChromaSiting.LEFT else ChromaSiting.LEFT
        message = f"chroma sited {other.value}, tagged {tagged.value} ({_CENTRE_PX} px): measured {off}"
    return Check.failed(name=_NAME, message=message, value=right, limit=limit, unit="px")


def _slack(error_px: float) -> float:
    """What is not known to half of what sitings differ by is a fault only where it is off by that much more."""
    return 0.0 if error_px <= limits.CHROMA_SHIFT_PX else error_px


def _apart(evidence: Measurements, pictures: PictureMeasurements) -> Check | None:
    """A fault where one plane was moved and the other was not: weighted by what is known, the mean may not show it."""
    shown = [
        (np.array(pair.planes_apart_px), np.array(pair.planes_apart_error_px))
        for pair in pictures.sampled
        if pair.planes_apart_px is not None and pair.planes_apart_error_px is not None
    ]
    if len(shown) < min(limits.FEWEST_PLACED, len(pictures.sampled)):
        return None
    found = _as_coded(evidence, *_typical([place for place, _ in shown], [error for _, error in shown]))
    limit_right, limit_down = (limits.PLANES_APART_PX + error for error in (found.right_error, found.down_error))
    over_right, over_down = abs(found.right) / limit_right, abs(found.down) / limit_down
    if max(over_right, over_down) <= 1:
        return None
    if over_right >= over_down:
        value, limit, way = found.right, limit_right, "right" if found.right > 0 else "left"
    else:
        value, limit, way = found.down, limit_down, "below" if found.down > 0 else "above"
    where = way if way in {"below", "above"} else f"{way} of"
    return Check.failed(
        name=_NAME, message=f"Cr is {abs(value):.1f} px {where} Cb", value=value, limit=limit, unit="px"
    )


def _displacement(evidence: Measurements, pictures: PictureMeasurements) -> _Displacement | None:
    """Of typical pictures, relative to luma: a shift of the whole picture is no fault of siting. None without edges."""
    places, errors = [], []
    for pair in pictures.sampled:
        if pair.chroma_shift_px is None or pair.chroma_shift_error_px is None:
            continue
        place, variance = np.array(pair.chroma_shift_px), np.square(pair.chroma_shift_error_px)
        if pair.luma_shift_px is not None and pair.luma_shift_error_px is not None:
            luma, luma_error = np.array(pair.luma_shift_px), np.array(pair.luma_shift_error_px)
            is_moved = np.abs(luma) > limits.SHIFT_ERRORS * luma_error
            place = place - np.where(is_moved, luma, 0)
            variance = variance + np.where(is_moved, np.square(luma_error), 0)
        places.append(place)
        errors.append(np.sqrt(variance))
    # What one or two pictures show, where others show nothing, may be their coding.
    if len(places) < max(1, min(limits.FEWEST_PLACED, len(pictures.sampled))):
        return None
    typical, known_to = _typical(places, errors)
    reference, output = (side.chroma_place for side in (evidence.reference, evidence.output))
    # A sample that stands for a place further right shows the content of there: the plane looks moved left.
    return _as_coded(evidence, typical - (np.array(reference) - np.array(output)), known_to)


def _typical(places: list[Place], errors: list[Place]) -> tuple[Place, Place]:
    """Of several pictures, and what that may be off by: three standard errors."""
    typical = np.median(places, axis=0)
    # Pictures of one clip err alike where they show the same, so that many are known no better than one. Where they
    # disagree, as where moving things leave their chroma behind, that is an error too.
    spread = _MAD_TO_SIGMA * np.median(np.abs(places - typical), axis=0) / np.sqrt(len(places))
    return typical, limits.SHIFT_ERRORS * np.maximum(np.median(errors, axis=0), spread)


def _as_coded(evidence: Measurements, place: Place, known_to: Place) -> _Displacement:
    """Pictures were compared upright and in square pixels, of which one that is coded may be two."""
    turn = evidence.output.turn
    if turn.is_mirrored:
        place = np.array((-place[0], place[1]))
    for _ in range(turn.quarters):  # undoes a quarter turn to the left
        place, known_to = np.array((-place[1], place[0])), known_to[::-1]
    sides = np.array((float(evidence.output.facts.sample_aspect), 1.0))
    return _Displacement(*(place / sides).tolist(), *(known_to / sides).tolist())
