"""Does the picture show what the reference shows, everywhere and as sharply?"""  # noqa: D400

from __future__ import annotations

from fractions import Fraction
from statistics import median

from capbench.quality.checks import limits
from capbench.quality.checks.effect_checks import OWN_LOOK
from capbench.quality.checks.sharpness_check import check_sharpness, is_left_out, typical_detail_error
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
        return [*same, _quality(pictures), _local(pictures), *rest]
    place = _place(pictures)
    if place.status is CheckStatus.FAIL and (place.value or 0.0) >= limits.ELSEWHERE_PX:
        sharpness = Check.unchecked(name="picture.sharpness", reason=place.message)
    else:
        sharpness = check_sharpness(pictures)
    return [
        *same,
        _quality(pictures),
        _outliers(evidence, pictures),
        _local(pictures),
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


def _values(pictures: PictureMeasurements, metric: str) -> dict[int, float]:
    return {frame: value for frame, value in enumerate(pictures.series.get(metric, ())) if value is not None}


def mean_psnr_db(pictures: PictureMeasurements) -> float:
    """Mean PSNR of luma over the frames that were compared, of which there must be one."""
    values = _values(pictures, "psnr_y")
    return sum(values.values()) / len(values)


def _quality(pictures: PictureMeasurements) -> Check:
    mean = mean_psnr_db(pictures)
    values = _values(pictures, "psnr_y")
    frames = len(values)
    lost = _lost_frames(pictures, values)
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


def _lost_frames(pictures: PictureMeasurements, psnr_db: dict[int, float]) -> list[int]:
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
    for frame, match in enumerate(evidence.matches):
        now_s = output[frame].time_s
        if since_s is None or (match is not None and reference[match].moved_codes > limits.CUT_CODES):
            since_s = now_s
        if now_s - since_s < limits.RATE_CONTROL_S:
            found.add(frame)
    return found


def _outliers(evidence: Measurements, pictures: PictureMeasurements) -> Check:
    name = "picture.outliers"
    values = _values(pictures, "psnr_y")
    limit = min(median(values.values()) - limits.PSNR_OUTLIER_DB, limits.PSNR_OUTLIER_FLOOR_DB)
    bad = [frame for frame, value in values.items() if value < limit]
    if bad:
        begins = _begins(evidence) - set(_lost_frames(pictures, values))
        bad = [frame for frame in bad if frame not in begins or not _is_coarse(pictures, frame)]
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


def _local(pictures: PictureMeasurements) -> Check:
    name = "picture.local"
    cells = {frame: cell for frame, cell in enumerate(pictures.worst_cell_codes) if cell is not None}
    limit_of = _cell_limits(pictures)
    coarse_of = _coarse_limits(pictures)
    # What is like the blocks around may be what coarse coding left of one, by however much these differ.
    for frame, strange in enumerate(pictures.worst_strange_cell_codes):
        if frame in cells and limit_of[frame] < cells[frame][0] <= coarse_of[frame]:
            if strange is None or strange[0] <= limit_of[frame]:
                limit_of[frame] = coarse_of[frame]
            else:
                cells[frame] = strange
    # Coarse coding misses a block's mean where it misses its detail; what is off evenly is a fault however coarse.
    for frame, even in enumerate(pictures.worst_even_cell_codes):
        if even is not None and even[0] > limits.CELL_CODES and cells[frame][0] <= limit_of[frame]:
            cells[frame], limit_of[frame] = even, limits.CELL_CODES
    bad = [frame for frame, cell in cells.items() if cell[0] > limit_of[frame]]
    worst = max(bad or cells, key=lambda frame: cells[frame][0])
    size, x, y = cells[worst]
    place = f"by {size:.0f} codes around ({x}, {y}) in frame {worst}"
    if not bad:
        return Check.passed(
            name=name,
            message=f"no part of the picture is wrong; the worst block is off {place}",
            value=size,
            limit=limit_of[worst],
            unit="codes",
        )
    return Check.failed(
        name=name,
        message=f"part of the picture is wrong in {len(bad)} of {len(cells)} frames: off {place}",
        value=size,
        limit=limit_of[worst],
        unit="codes",
        frames=bad,
    )


def _cell_limits(pictures: PictureMeasurements) -> dict[int, float]:
    """For each frame what a block may be off by unevenly: more where its encoder was coarse in all detail."""
    return {
        frame: max(limits.CELL_CODES, min(codes, limits.COARSEST_CELL_CODES))
        for frame, codes in _coarse_limits(pictures).items()
    }


def _coarse_limits(pictures: PictureMeasurements) -> dict[int, float]:
    """The same where nothing strange is in the place of what is off, which no other picture can be."""
    most = limits.COARSER_FRAME * typical_detail_error(pictures)
    return {
        frame: limits.COARSE_CELL_RATIO * min(codes or 0.0, most)
        for frame, codes in enumerate(pictures.detail_error_codes)
    }


def _edges(evidence: Measurements, pictures: PictureMeasurements) -> Check:
    name = "picture.edges"
    if min(evidence.output.size) < limits.SMALLEST_EDGED_PX:
        return Check.not_applicable(name=name, reason="the picture is too small to compare its edges with the rest")
    rows = [edges for edges in pictures.edge_codes if edges is not None]
    typical = {
        side: median(edges[place] for edges in rows) for place, side in enumerate(("top", "bottom", "left", "right"))
    }
    worst = max(typical, key=lambda side: typical[side])
    limit = max(limits.EDGE_CODES, limits.COARSE_EDGE_RATIO * typical_detail_error(pictures))
    return Check.passed_if(
        good=typical[worst] <= limit,
        name=name,
        when_good="the edges are as good as the rest",
        when_bad=f"the {worst} edge is wrong: off by {typical[worst]:.1f} codes more than the rest",
        value=typical[worst],
        limit=limit,
        unit="codes",
    )


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
