"""Is a part of the picture wrong?"""  # noqa: D400

from __future__ import annotations

from capbench.quality.checks import limits
from capbench.quality.checks.pictures.sharpness_check import in_a_row, typical_detail_error
from capbench.quality.measurements import PictureMeasurements
from capbench.results import Check

__all__ = ["check_local"]


def check_local(pictures: PictureMeasurements) -> Check:
    """Whether means of blocks are wrong by more than coding makes of the detail that is there."""
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
    for frame in _moments_of_colour(pictures, limit_of):
        limit_of[frame] = max(limit_of[frame], limits.COARSEST_CELL_CODES)
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


def _moments_of_colour(pictures: PictureMeasurements, limit_of: dict[int, float]) -> list[int]:
    """Frames of which few blocks have another colour, and the frames before or behind not for longer than a moment."""
    evenly = {frame for frame, even in enumerate(pictures.worst_even_cell_codes) if even is not None}
    found = [frame for frame in limit_of if frame not in evenly and _is_off_in_colour(pictures, frame, limit_of[frame])]
    lasting = min(limits.CHROMA_CELL_FRAMES, len(limit_of))
    return [frame for row in in_a_row(found) if len(row) < lasting for frame in row]


def _is_off_in_colour(pictures: PictureMeasurements, frame: int, limit: float) -> bool:
    """Whether a frame is off in the colour of few blocks alone, which is one that is around, in space or time.

    Encoders decide by luma whether a block needs more than its prediction, and small coloured things that move then
    keep their colour of a frame before or behind.
    """
    cells, lumas, counts = pictures.worst_cell_codes, pictures.worst_luma_cell_codes, pictures.cells_off
    if frame >= min(len(lumas), len(counts)):  # without these figures nothing is excused
        return False
    cell, luma, off = cells[frame], lumas[frame], counts[frame]
    is_strange = frame < len(pictures.worst_strange_cell_codes) and pictures.worst_strange_cell_codes[frame] is not None
    if cell is None or luma is None or off is None or is_strange:
        return False
    return cell[0] > limit >= luma and off <= limits.CHROMA_CELLS


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
