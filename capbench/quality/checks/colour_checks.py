"""Are the colours right, and if not, which error explains them?"""  # noqa: D400

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from capbench.quality.checks import limits
from capbench.quality.checks.colour_diagnosis import (
    ColourFault,
    find_block_fault,
    find_colour_fault,
    rgb_of_codes,
)
from capbench.quality.checks.effect_checks import OWN_LOOK
from capbench.quality.checks.pictures.picture_checks import how_turned, mean_psnr_db
from capbench.quality.checks.siting_check import check_siting
from capbench.quality.measurements import Measurements, Misreading, PictureMeasurements
from capbench.recordings.layout import PATCHES
from capbench.results import Check, CheckStatus, PatchError

__all__ = ["check_colour", "colour_differences", "find_misreading", "no_ciede2000_reason", "patch_errors"]

_NAMES = ("colour.meaning", "colour.bias", "colour.patches", "colour.siting", "colour.levels")


def check_colour(evidence: Measurements) -> list[Check]:
    """Meaning, rounding, patches, siting and banding, in a fixed order."""
    pictures = evidence.pictures
    if evidence.look is not None:
        return [
            _patches(evidence, _own_look_patch_limit(evidence))
            if name == "colour.patches"
            else Check.not_applicable(name=name, reason=OWN_LOOK)
            for name in _NAMES
        ]
    if pictures is None or not pictures.sampled:
        why = evidence.no_pictures_reason or "no pair of pictures could be compared"
        return [Check.unchecked(name=name, reason=why) for name in _NAMES]
    if (turned := how_turned(pictures)) is not None:
        return [
            Check.unchecked(name=name, reason=f"the picture is {turned} compared with the reference") for name in _NAMES
        ]
    palette = "a palette of 256 colours shifts every colour, so rounding cannot be measured"
    is_gif = evidence.output.facts.is_gif
    flat, blocks = _faults(evidence, pictures)
    meaning = _meaning(pictures, flat, blocks)
    if evidence.container_first and meaning.status is CheckStatus.PASS:
        read = "; the reference is read by its container, which its bitstream contradicts"
        meaning = meaning.model_copy(update={"message": f"{meaning.message}{read}"})
    return [
        meaning,
        Check.not_applicable(name="colour.bias", reason=palette)
        if is_gif
        else _cut_off(pictures, meaning) or _bias(pictures, flat),
        _patches(evidence, limits.PALETTE_CIEDE2000 if is_gif else _patch_limit(pictures)),
        check_siting(evidence, pictures),
        Check.not_applicable(name="colour.levels", reason=palette) if is_gif else _levels(pictures),
    ]


def find_misreading(evidence: Measurements) -> Misreading | None:
    """How codes have to be read for the colour error to be undone that `colour.meaning` names.

    None where it names none, or one that is not of matrix and range alone.
    """
    pictures = evidence.pictures
    if pictures is None or not pictures.sampled or how_turned(pictures) is not None:
        return None
    fault = _telling(pictures, *_faults(evidence, pictures))
    if fault is None or fault.misreading is None:
        return None
    # What the reference was taken for is found in the output's codes: they are its own only where both mean the same.
    specs = [(side.spec.matrix, side.spec.range) for side in (evidence.reference, evidence.output)]
    return fault.misreading if fault.misreading.reference is None or specs[0] == specs[1] else None


def _faults(evidence: Measurements, pictures: PictureMeasurements) -> tuple[ColourFault, ColourFault]:
    """What flat colours and what blocks of any content tell."""
    output = evidence.output
    is_tagged = not output.facts.holds_rgb
    return (
        find_colour_fault(pictures.colours[:, :3], pictures.colours[:, 3:], output.spec, is_tagged=is_tagged),
        find_block_fault(pictures.blocks[:, :3], pictures.blocks[:, 3:], output.spec, is_tagged=is_tagged),
    )


def _telling(pictures: PictureMeasurements, flat: ColourFault, blocks: ColourFault) -> ColourFault | None:
    """The one of both that `colour.meaning` goes by; None for pictures that are too small for either."""
    are_flat = len(pictures.colours) >= limits.FEWEST_COLOURS
    if not are_flat and len(pictures.blocks) < limits.FEWEST_BLOCKS:
        return None
    # Flat colours are exact and few: a screen of greys has none that another saturation would change.
    flat_is_right = flat.name is None and flat.error_codes <= _error_limit(pictures)
    return flat if are_flat and not (flat_is_right and blocks.name) else blocks


def _error_limit(pictures: PictureMeasurements) -> float:
    """By how much colours may be off for no known reason: a coarse coder misses their means as it misses detail."""
    errors = [error for error in pictures.detail_error_codes if error is not None]
    coarse = limits.COARSE_COLOUR_RATIO * float(np.median(errors)) if errors else 0.0
    return min(max(limits.COLOUR_ERROR_CODES, coarse), limits.COARSEST_COLOUR_CODES)


def _meaning(pictures: PictureMeasurements, flat: ColourFault, blocks: ColourFault) -> Check:
    name = "colour.meaning"
    fault = _telling(pictures, flat, blocks)
    if fault is None:
        return Check.not_applicable(name=name, reason="the pictures are too small to diagnose colour errors")
    error, limit = fault.error_codes, _error_limit(pictures)
    if fault.name is not None:
        return Check.failed(
            name=name,
            message=f"{fault.name}: colours are off by {fault.error_codes:.1f} codes, and by "
            f"{fault.remaining_codes:.1f} with this error undone",
            value=error,
            limit=limit,
            unit="codes",
        )
    if fault is blocks:
        return Check.passed(
            name=name,
            message="few colours are flat; the blocks show no known error",
            value=error,
            unit="codes",
        )
    if error <= limit:
        return Check.passed(
            name=name,
            message=f"{len(pictures.colours)} flat colours are right when read by the output's tags",
            value=error,
            limit=limit,
            unit="codes",
        )
    return Check.failed(
        name=name,
        message=f"colours are off by {fault.error_codes:.1f} codes, and no known error explains it",
        value=error,
        limit=limit,
        unit="codes",
    )


def _bias(pictures: PictureMeasurements, fault: ColourFault) -> Check:
    """Rounding, after undoing the error that `colour.meaning` names."""
    name = "colour.bias"
    if len(pictures.colours) < limits.FEWEST_BIAS_COLOURS:
        return Check.not_applicable(name=name, reason="the pictures have too few flat colours to measure rounding")
    still = pictures.colours if pictures.still_colours is None else pictures.still_colours
    known = ~np.isnan(still[:, 0])
    if int(known.sum()) < limits.FEWEST_BIAS_COLOURS:
        return Check.not_applicable(name=name, reason="too few flat colours stand still: in a fade they are coded late")
    if float(np.ptp(still[known, 1:3], axis=0).max()) < limits.GREY_SPREAD_CODES:
        return Check.not_applicable(
            name=name,
            reason="the pictures are grey: a single chroma value does not show how others are rounded",
        )
    if fault.name is None and fault.error_codes > _error_limit(pictures):
        return Check.unchecked(name=name, reason="colours are wrong for an unknown reason, see colour.meaning")
    # What stands still has nearly the mean of its colour, and is as far from it in what is assumed.
    assumed = fault.assumed[known] + still[known, :3] - pictures.colours[known, :3]
    errors = np.clip(still[known, 3:] - assumed, -4, 4)
    bias = np.mean(errors, axis=0)
    mean, largest = float(bias.mean()), float(np.abs(bias).max())
    # Coarse coding moves each colour by chance: a bias is what that does not explain. Luma does not tell how coarsely
    # chroma was coded.
    chance = limits.COARSE_BIAS_FACTOR * np.clip(np.std(errors, axis=0) - limits.FINE_SCATTER_CODES, 0, None)
    words = ", ".join(f"{plane} {value:+.2f}" for plane, value in zip(("Y", "Cb", "Cr"), bias, strict=True))
    limit = limits.BIAS_CODES
    undone = "" if fault.name is None else ", after undoing the error that colour.meaning names"
    # One component alone says little: chroma of greys is a whole number, which truncation leaves or lowers by one.
    if np.all(bias < -limit / 2) and mean < -limit - chance.mean() and largest < 1:
        return Check.failed(
            name=name,
            message=f"truncated instead of rounded: bias {words} codes{undone}",
            value=mean,
            limit=-limit,
            unit="codes",
        )
    if float((np.abs(bias) - chance).max()) > 2 * limit:
        return Check.failed(
            name=name,
            message=f"colours are biased: {words} codes{undone}",
            value=largest,
            limit=2 * limit,
            unit="codes",
        )
    return Check.passed(
        name=name, message=f"rounded to nearest: bias {words} codes", value=largest, limit=limit, unit="codes"
    )


def _cut_off(pictures: PictureMeasurements, meaning: Check) -> Check | None:
    """Bits that were cut off instead of rounded, by levels of any content; None where nothing shows that they were.

    Each level has another part of a code to lose, so that their means tell what became of it however few colours are
    flat. Coding moves them as well, one level otherwise than the next, and so does rounding to R'G'B' on the way: the
    scatter of the levels, and what that rounding makes of so many, is the uncertainty.
    """
    if pictures.cut_codes is None or meaning.status is CheckStatus.FAIL:
        return None
    shares, errors, words = [], [], []
    for plane, sums in zip(("Y", "Cb", "Cr"), pictures.cut_codes, strict=True):
        known = sums[sums[:, 0] >= limits.FEWEST_CUT_SAMPLES]
        weights = np.sqrt(known[:, 0]) / max(1.0, float(np.sqrt(known[:, 0]).sum()))
        off, rounded, cut = known[:, 1:].T / known[:, 0]
        loss = float(weights @ (cut - rounded))
        squares = float(weights @ weights)
        if limits.FEWEST_CUT_GROUPS * squares <= 1 and -loss >= limits.LEAST_CUT_CODES:
            shares.append(share := float(weights @ (off - rounded)) / loss)
            rest = off - rounded - share * (cut - rounded)
            by_way_of_rgb = limits.RGB_ROUNDING_CODES**2 * squares
            errors.append(float(np.sqrt(np.square(weights * rest).sum() + by_way_of_rgb)) / -loss)
            words.append(f"{plane} {share:.0%}")
        elif plane == "Y":
            return None
    if len(shares) < 2:  # luma alone may be darker for other reasons
        return None
    share = float(np.mean(shares)) - 2 * float(np.sqrt(np.square(errors).sum())) / len(shares)
    if share <= limits.CUT_OFF_SHARE or min(shares) <= limits.CUT_OFF_SHARE_OF_EACH:
        return None
    return Check.failed(
        name="colour.bias",
        message="truncated instead of rounded: of what cutting bits off makes of codes, the output shows "
        f"{', '.join(words)}",
        value=share,
        limit=limits.CUT_OFF_SHARE,
        unit="share",
    )


def colour_differences(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIEDE2000 (CIE 142-2001) of colours in sRGB of 0..1, shape (n, 3), D65; shape (n,)."""
    with warnings.catch_warnings():
        # skimage warns of colours outside CIELAB's gamut, which clamped ones are not but for rounding
        warnings.simplefilter("ignore", UserWarning)
        distances: NDArray[np.float64] = deltaE_ciede2000(rgb2lab(wanted), rgb2lab(found))  # type: ignore[no-untyped-call]
    return distances


def patch_errors(evidence: Measurements) -> tuple[PatchError, ...]:
    """Every colour patch decoded by the output's tags; empty without patches."""
    if evidence.pictures is None or evidence.pictures.patches is None:
        return ()
    codes = evidence.pictures.patches
    # Both sides are in the output's codes: the reference was brought there by its own tags.
    wanted, found = (rgb_of_codes(part, evidence.output.spec).clip(0, 1) for part in (codes[:, :3], codes[:, 3:]))
    distances: list[float | None] = [None] * len(PATCHES)
    if evidence.hdr is None:
        distances = [float(distance) for distance in colour_differences(wanted, found)]
    return tuple(
        PatchError(
            name=patch.name,
            expected=tuple(float(value) for value in a * 255),
            got=tuple(float(value) for value in b * 255),
            error_codes=float(np.abs(a - b).max() * 255),
            ciede2000=distance,
        )
        for patch, a, b, distance in zip(PATCHES, wanted, found, distances, strict=True)
    )


def _patch_limit(pictures: PictureMeasurements) -> float:
    mean_db = mean_psnr_db(pictures)
    limit = limits.COARSE_PATCH_CIEDE2000 if mean_db < limits.COARSE_PSNR_DB else limits.PATCH_CIEDE2000
    limit *= max(1.0, 10 ** ((limits.COARSEST_PATCH_PSNR_DB - mean_db) / 20))
    return limit * max(1.0, limits.PATCH_AREA_PX / (pictures.patch_area_px or limits.PATCH_AREA_PX))


def _own_look_patch_limit(evidence: Measurements) -> float:
    """That of a coarse encoding, because an output whose pixels are not compared has no PSNR that tells how coarse."""
    area_px = limits.PATCH_AREA_PX if evidence.pictures is None else evidence.pictures.patch_area_px
    limit = limits.PALETTE_CIEDE2000 if evidence.output.facts.is_gif else limits.COARSE_PATCH_CIEDE2000
    return limit * max(1.0, limits.PATCH_AREA_PX / (area_px or limits.PATCH_AREA_PX))


def no_ciede2000_reason(hdr: str) -> str:
    """Why colours of `PQ` or `HLG` have no CIEDE2000."""
    return f"CIEDE2000 is defined for surfaces under a white of about 100 cd/m2, and these are codes of {hdr}"


def _patches(evidence: Measurements, limit: float) -> Check:
    name = "colour.patches"
    if evidence.hdr is not None:
        return Check.not_applicable(name=name, reason=no_ciede2000_reason(evidence.hdr))
    errors = {patch: patch.ciede2000 for patch in patch_errors(evidence)}
    if not errors and evidence.look is not None:
        return Check.not_applicable(name=name, reason="no frame of the output shows all colour patches")
    if not errors:
        return Check.not_applicable(name=name, reason="the reference has no colour patches")
    distances = {patch: distance for patch, distance in errors.items() if distance is not None}
    worst = max(distances, key=lambda patch: distances[patch])
    wrong = [patch for patch, distance in distances.items() if distance > limit]
    expected, got = (", ".join(f"{value:.0f}" for value in rgb) for rgb in (worst.expected, worst.got))
    detail = f"{worst.name} is R'G'B' {got} instead of {expected}, CIEDE2000 {distances[worst]:.1f}"
    return Check.passed_if(
        good=not wrong,
        name=name,
        when_good=f"all {len(errors)} patches are right; worst: {detail}",
        when_bad=f"{len(wrong)} of {len(errors)} patches are off; worst: {detail}",
        value=distances[worst],
        limit=limit,
        unit="CIEDE2000",
    )


def _levels(pictures: PictureMeasurements) -> Check:
    name = "colour.levels"
    step = pictures.coarse_step_codes
    return Check.passed_if(
        good=step == 1,
        name=name,
        when_good="no luma levels were lost",
        when_bad=f"banding: luma has steps of {step} codes, as with {8 - step.bit_length() + 1} bits",
        value=step,
        limit=1,
        unit="codes",
    )
