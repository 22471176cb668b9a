"""Is a part of the picture wrong?"""  # noqa: D400

from __future__ import annotations

from capbench.quality.checks import limits
from capbench.quality.checks.sharpness_check import in_a_row, typical_detail_error
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
    bad = [frame for frame, cell in cells.items() if cell[0] > limit_of[frame]]
    colour = [frame for frame in bad if _is_moment_of_colour(pictures, frame, limit_of[frame])]
    lasting = {frame for row in in_a_row(colour) if len(row) >= limits.CHROMA_CELL_FRAMES for frame in row}
    bad = [frame for frame in bad if frame not in colour or frame in lasting]
    for frame in set(colour) - lasting:
        limit_of[frame] = limits.COARSEST_CELL_CODES
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


def _is_moment_of_colour(pictures: PictureMeasurements, frame: int, limit: float) -> bool:
    """Whether a frame is off in the colour of few blocks alone, which is one that is around, in space or time.

    Encoders decide by luma whether a block needs more than its prediction, and small coloured things that move then
    keep their colour of a frame before or behind.
    """
    cell, luma, count = (
        each[frame] if frame < len(each) else None
        for each in (pictures.worst_cell_codes, pictures.worst_luma_cell_codes, pictures.cells_off)
    )
    if cell is None or luma is None or count is None:
        return False
    strange = dict(enumerate(pictures.worst_strange_cell_codes)).get(frame)
    is_around = strange is None or strange[0] <= limit
    is_small = count <= limits.CHROMA_CELLS and cell[0] <= limits.COARSEST_CELL_CODES
    return is_small and is_around and luma[0] <= limit


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
