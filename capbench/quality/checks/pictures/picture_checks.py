"""Does the picture show what the reference shows, everywhere and as sharply?"""  # noqa: D400

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from capbench.quality.checks import limits
from capbench.quality.checks.effect_checks import OWN_LOOK
from capbench.quality.checks.pictures.local_check import check_local
from capbench.quality.checks.pictures.outlier_check import check_outliers, lost_frames, luma_psnr_db
from capbench.quality.checks.pictures.sharpness_check import check_sharpness, is_left_out, typical_detail_error
from capbench.quality.measurements import Measurements, PictureMeasurements
from capbench.quality.reading.orientation import SAME_PICTURE_CORRELATION, TURNED_REST, UPRIGHT, UPRIGHT_REST
from capbench.results import Check, CheckStatus

__all__ = ["check_fields", "check_pictures", "how_turned", "mean_psnr_db"]

_NAMES = (
    "picture.same",
    "picture.orientation",
    "picture.quality",
    "picture.outliers",
    "picture.local",
    "picture.edges",
    "picture.place",
    "picture.sharpness",
    "picture.fields",
)


def check_pictures(evidence: Measurements) -> list[Check]:
    """Content, quality, places and sharpness, in a fixed order."""
    pictures = evidence.pictures
    if evidence.look is not None:
        return [Check.not_applicable(name=name, reason=OWN_LOOK) for name in _NAMES]
    if pictures is None or not pictures.sampled:
        why = evidence.no_pictures_reason or "no pair of pictures could be compared"
        checks = [Check.unchecked(name=name, reason=why) for name in _NAMES]
        if evidence.turned is not None:
            message = f"the picture is {evidence.turned} compared with the reference"
            checks[1] = Check.failed(name="picture.orientation", message=message)
        return checks
    if (turned := how_turned(pictures)) is not None:
        message = f"the picture is {turned} compared with the reference"
        limit = SAME_PICTURE_CORRELATION
        return [
            Check.passed(name="picture.same", message="the same pictures in another orientation"),
            Check.failed(name="picture.orientation", message=message, value=_likeness(pictures)[UPRIGHT], limit=limit),
            *(Check.unchecked(name=name, reason=message) for name in _NAMES[2:]),
        ]
    same = _same(pictures)
    if same[0].status is CheckStatus.FAIL:
        # Sharpness and position of a different picture mean nothing; quality and local errors may show why it differs.
        why = "the output shows different pictures from the reference"
        rest = [Check.unchecked(name=name, reason=why) for name in ("picture.outliers", *_NAMES[5:])]
        return [*same, _quality(pictures), check_local(pictures), *rest]
    place = _place(pictures)
    if place.status is CheckStatus.FAIL and (place.value or 0.0) >= limits.ELSEWHERE_PX:
        sharpness = Check.unchecked(name="picture.sharpness", reason=place.message)
    else:
        sharpness = check_sharpness(pictures)
    return [
        *same,
        _quality(pictures),
        check_outliers(evidence, pictures),
        check_local(pictures),
        _edges(evidence, pictures),
        place,
        sharpness,
        check_fields(pictures),
    ]


def _likeness(pictures: PictureMeasurements) -> dict[str, float]:
    """Typical correlation of the pictures as they are and after each turn; empty for flat ones."""
    looks = [pair.turns for pair in pictures.sampled if UPRIGHT in pair.turns]
    return {name: median(look.get(name, -1.0) for look in looks) for name in looks[0]} if looks else {}


def how_turned(pictures: PictureMeasurements) -> str | None:
    """How the pictures are turned or flipped, in words; None where they are upright, other ones or flat."""
    likeness = _likeness(pictures)
    if not likeness:
        return None
    best = max(likeness, key=lambda name: likeness[name])
    # What does not correlate is the coding noise where a picture is upright, and its own asymmetry where it is not:
    # much of a soft picture is the same upside down.
    upright_rest, best_rest = 1 - likeness[UPRIGHT], 1 - likeness[best]
    is_turned = best_rest < TURNED_REST * upright_rest and upright_rest > UPRIGHT_REST
    return best if is_turned and likeness[best] >= SAME_PICTURE_CORRELATION else None


def _same(pictures: PictureMeasurements) -> list[Check]:
    same, turned = "picture.same", "picture.orientation"
    likeness = _likeness(pictures)
    if not likeness:
        why = "the pictures are flat and cannot be told apart"
        return [Check.not_applicable(name=name, reason=why) for name in (same, turned)]
    upright, limit = likeness[UPRIGHT], SAME_PICTURE_CORRELATION
    is_same = Check.passed_if(
        good=upright >= limit,
        name=same,
        when_good="shows the same pictures as the reference",
        when_bad="shows different pictures from the reference: is it the right reference?",
        value=upright,
        limit=limit,
    )
    if upright < limit:
        return [is_same, Check.unchecked(name=turned, reason="the pictures differ in every orientation")]
    alike = [name for name, value in likeness.items() if name != UPRIGHT and 1 - value < UPRIGHT_REST]
    if alike:
        why = f"the reference looks the same {alike[0]}, so its orientation cannot be determined"
        return [is_same, Check.not_applicable(name=turned, reason=why)]
    return [is_same, Check.passed(name=turned, message="upright")]


def mean_psnr_db(pictures: PictureMeasurements) -> float:
    """Mean PSNR of luma over the frames that were compared, of which there must be one."""
    values = luma_psnr_db(pictures)
    return sum(values.values()) / len(values)


def _quality(pictures: PictureMeasurements) -> Check:
    mean = mean_psnr_db(pictures)
    values = luma_psnr_db(pictures)
    frames = len(values)
    lost = lost_frames(pictures, values)
    if len(lost) > limits.LOST_FRAMES * frames:
        worst = min(lost, key=lambda frame: values[frame])
        return Check.failed(
            name="picture.quality",
            message=f"{len(lost)} of {frames} frames have less than half of the detail, such as frame {worst} with "
            f"{values[worst]:.1f} dB: damaged, or too coarse to show the picture",
            value=values[worst],
            limit=limits.PSNR_FLOOR_DB,
            unit="dB",
            frames=lost,
        )
    if mean < limits.PSNR_FLOOR_DB and is_left_out(pictures):
        return Check.not_applicable(
            name="picture.quality",
            reason=f"average luma PSNR {mean:.1f} dB, all of it detail that coarse coding left out: how much may be "
            "missing is a question of the size and bit rate",
        )
    return Check.passed_if(
        good=mean >= limits.PSNR_FLOOR_DB,
        name="picture.quality",
        when_good=f"average luma PSNR {mean:.1f} dB over {frames} frames",
        when_bad=f"average luma PSNR {mean:.1f} dB: damaged rather than compressed",
        value=mean,
        limit=limits.PSNR_FLOOR_DB,
        unit="dB",
    )


def _edges(evidence: Measurements, pictures: PictureMeasurements) -> Check:
    name = "picture.edges"
    if min(evidence.output.size) < limits.SMALLEST_EDGED_PX:
        return Check.not_applicable(name=name, reason="the picture is too small to compare its edges with the rest")
    coarse = max(limits.EDGE_CODES, limits.COARSE_EDGE_RATIO * typical_detail_error(pictures))
    # Coarse coding is off by more, but in both directions: what is off in one way is a fault however coarse.
    sides = [*_sides(pictures.edge_codes, coarse), *_sides(pictures.even_edge_codes, limits.EDGE_CODES)]
    worst, side, limit = max(sides, key=lambda each: each[0] / each[2])
    return Check.passed_if(
        good=worst <= limit,
        name=name,
        when_good="the edges are as good as the rest",
        when_bad=f"the {side} edge is wrong: off by {worst:.1f} codes more than the rest",
        value=worst,
        limit=limit,
        unit="codes",
    )


def _sides(
    edges: Sequence[tuple[float, float, float, float] | None], limit: float
) -> Iterator[tuple[float, str, float]]:
    """What each border of the median frame is off by, which one it is, and the limit."""
    rows = [row for row in edges if row is not None]
    for place, side in enumerate(("top", "bottom", "left", "right")):
        if rows:
            yield median(row[place] for row in rows), side, limit


def _place(pictures: PictureMeasurements) -> Check:
    name = "picture.place"
    shifts = [pair.luma_shift_px for pair in pictures.sampled if pair.luma_shift_px is not None]
    if not shifts:
        return Check.not_applicable(name=name, reason="the pictures have too few edges to measure a shift")
    right, down = median(dx for dx, _ in shifts), median(dy for _, dy in shifts)
    errors = [pair.luma_shift_error_px for pair in pictures.sampled if pair.luma_shift_error_px is not None]
    # Each direction by its own error: bars say nothing of the one in which they run.
    worst, limit = max(
        (
            (abs(shift), max(limits.LUMA_SHIFT_PX, limits.SHIFT_ERRORS * median(error)))
            for shift, error in zip((right, down), zip(*errors, strict=True), strict=True)
        ),
        key=lambda each: each[0] / each[1],
    )
    return Check.passed_if(
        good=worst <= limit,
        name=name,
        when_good="the picture is not shifted",
        when_bad=f"the picture is shifted by {abs(right):.2f} px to the {'right' if right > 0 else 'left'} and "
        f"{abs(down):.2f} px {'down' if down > 0 else 'up'}",
        value=worst,
        limit=limit,
        unit="px",
    )


def check_fields(pictures: PictureMeasurements) -> Check:
    """Rows of two moments, woven into one picture: one field is off by what moved in between, the other is not."""
    name = "picture.fields"
    uneven = {
        pair.output_frame: pair.uneven_cells
        for pair in pictures.sampled
        # Within a picture it is the same field: what is off in one here and in the other there is chance.
        if min(pair.uneven_cells) <= limits.OTHER_FIELD_SHARE * max(pair.uneven_cells)
    }
    cells = sum(max(0, max(each) - limits.FIELD_CELLS_OF_CODING) for each in uneven.values())
    limit = limits.FIELD_CELLS
    if cells < limit:
        return Check.passed(
            name=name, message="even and odd rows show the same moment", value=cells, limit=limit, unit="cells"
        )
    bad = [frame for frame, each in uneven.items() if max(each) > limits.FIELD_CELLS_OF_CODING]
    worst = max(bad, key=lambda frame: max(uneven[frame]))
    return Check.failed(
        name=name,
        message=f"fields of two moments are in one picture, as in interlaced video: in {len(bad)} of "
        f"{len(pictures.sampled)} frames looked at, such as frame {worst}, every other row is wrong where something "
        "moves",
        value=cells,
        limit=limit,
        unit="cells",
        frames=bad,
    )
