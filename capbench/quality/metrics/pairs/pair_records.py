"""What pairs of pictures gave, frame by frame, and how the records of several parts become one set of figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from capbench.errors import PartError
from capbench.quality.measurements import BlurredPart, PictureMeasurements, SampledPair
from capbench.quality.metrics.background_meters import Measured
from capbench.quality.metrics.pairs.colour_samples import ColourLook, ColourSamples
from capbench.quality.metrics.pairs.luma_levels import coarse_step_of
from capbench.quality.reading.orientation import SAME_PICTURE_CORRELATION, UPRIGHT

__all__ = ["FrameFigures", "PairRecords", "WorstPair", "pooled"]


@dataclass(frozen=True, slots=True)
class FrameFigures:
    """Figures of one output frame; the fields of `PictureMeasurements` of the same name say what they are."""

    worst_cell_codes: tuple[float, int, int] | None = None
    worst_luma_cell_codes: float | None = None
    cells_off: int | None = None
    worst_strange_cell_codes: tuple[float, int, int] | None = None
    worst_even_cell_codes: tuple[float, int, int] | None = None
    mean_cell_codes: float | None = None
    detail_error_codes: float | None = None
    detail_left: tuple[float, float] | None = None
    blurred_parts: tuple[BlurredPart, ...] = ()
    edge_codes: tuple[float, float, float, float] | None = None
    even_edge_codes: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True, order=True)
class WorstPair:
    """A pair that is among the worst of its part; ordered from the worst on."""

    psnr_y_db: float
    """PSNR of Y in dB."""
    output_frame: int
    """Frame of the output."""
    reference_frame: int
    """Frame of the reference."""


@dataclass(frozen=True, slots=True, eq=False)
class PairRecords:
    """All that is recorded of consecutive output frames. Nothing in it is pooled."""

    first_frame: int
    """Output frame of the first record, from 0."""
    pairs: int = 0
    """Frames that had a counterpart."""
    series: dict[str, list[float | None]] = field(default_factory=dict)
    """Metric to its value of each frame; None where the frame was not measured."""
    figures: list[FrameFigures] = field(default_factory=list)
    """One for each frame."""
    sampled: list[SampledPair] = field(default_factory=list)
    """Pairs that were looked at closely, in order."""
    looks: list[ColourLook] = field(default_factory=list)
    """Colours of the same pairs, one for each."""
    levels: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = field(default_factory=list)
    """Of the same pairs, `level_errors` of luma."""
    cut_codes: list[NDArray[np.float64] | None] = field(default_factory=list)
    """Of the same pairs, `cut_code_sums`; None where the output does not have 8 bits of more."""
    patches: list[NDArray[np.float64]] = field(default_factory=list)
    """Colour patches of the same pairs, where a recording has them."""
    patch_areas_px: list[float] = field(default_factory=list)
    """Luma pixels of the smallest of each."""
    worst: list[WorstPair] = field(default_factory=list)
    """The pairs of the lowest luma PSNR, worst first."""
    measured: Measured = field(default_factory=Measured)
    """What was measured of the sequence, without its series, which are in `series`."""


def pooled(parts: Sequence[PairRecords]) -> PictureMeasurements:
    """The figures of all frames, from the records of one part or of several that follow each other.

    Sums are formed in the order of the frames, so that parts give the very numbers of one piece. A metric that a part
    could not measure is unmeasured. Raises `PartError` for parts that do not follow each other, or whose metrics were
    not computed in the same way.
    """
    _check_order(parts)
    with_pairs = [part for part in parts if part.pairs] or list(parts[:1])
    unmeasured: dict[str, str] = {}
    how: dict[str, str] = {}
    for part in with_pairs:
        for name, why in part.measured.unmeasured.items():
            unmeasured.setdefault(name, why)
        for name, words in part.measured.how.items():
            if how.setdefault(name, words) != words:
                raise PartError(f"{name} was measured {how[name]} in one part and {words} in another")
    # In the order of the first part, which is that of reports.
    names = dict.fromkeys(name for part in with_pairs for name in part.series)
    failed = {name for name in unmeasured if not all(name in part.series for part in with_pairs)}
    sampled = [pair for part in parts for pair in part.sampled]
    shown = _that_show_the_same(sampled)
    colours = ColourSamples()
    for look in compress([look for part in parts for look in part.looks], shown):
        colours.add(look)
    levels = np.zeros(256, np.intp), np.zeros(256)
    for counts, sums in compress([each for part in parts for each in part.levels], shown):
        levels = levels[0] + counts, levels[1] + sums
    cut_codes = [
        sums for sums in compress([each for part in parts for each in part.cut_codes], shown) if sums is not None
    ]
    patches = [rows for part in parts for rows in part.patches]
    figures = [each for part in parts for each in part.figures]
    return PictureMeasurements(
        series={
            name: [value for part in parts for value in part.series.get(name, [None] * len(part.figures))]
            for name in names
            if name not in failed
        },
        worst_cell_codes=[each.worst_cell_codes for each in figures],
        worst_luma_cell_codes=[each.worst_luma_cell_codes for each in figures],
        cells_off=[each.cells_off for each in figures],
        worst_strange_cell_codes=[each.worst_strange_cell_codes for each in figures],
        worst_even_cell_codes=[each.worst_even_cell_codes for each in figures],
        mean_cell_codes=[each.mean_cell_codes for each in figures],
        detail_error_codes=[each.detail_error_codes for each in figures],
        detail_left=[each.detail_left for each in figures],
        blurred_parts=[each.blurred_parts for each in figures],
        edge_codes=[each.edge_codes for each in figures],
        even_edge_codes=[each.even_edge_codes for each in figures],
        sampled=sampled,
        colours=colours.rows(),
        still_colours=colours.still_rows(),
        blocks=colours.blocks(),
        coarse_step_codes=coarse_step_of(*levels),
        cut_codes=np.sum(cut_codes, axis=0) if cut_codes else None,
        patches=np.median(np.stack(patches), axis=0) if patches else None,
        patch_area_px=min((area for part in parts for area in part.patch_areas_px), default=None),
        how={name: words for name, words in how.items() if name not in failed},
        unmeasured=unmeasured,
    )


def _that_show_the_same(sampled: Sequence[SampledPair]) -> list[bool]:
    """Whether each pair shows the same picture twice: black, green and others' frames say nothing of colours.

    Where most do not, as of flat pictures and of another reference, all count.
    """
    alike = [pair.turns.get(UPRIGHT, -1.0) >= SAME_PICTURE_CORRELATION for pair in sampled]
    return alike if 2 * sum(alike) > len(alike) else [True] * len(alike)


def _check_order(parts: Sequence[PairRecords]) -> None:
    expected = 0
    for part in parts:
        if part.first_frame != expected:
            raise PartError(f"a part begins at output frame {part.first_frame} where {expected} comes next")
        expected += len(part.figures)
