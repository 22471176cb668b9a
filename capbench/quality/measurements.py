"""Measurements of two files. `capbench.quality.inspection` fills them in, the check modules read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.quality.oracle.display_turn import DisplayTurn
from capbench.quality.reading.clip import ClipFacts
from capbench.quality.reading.observed_frame import FrameRecord
from capbench.quality.reading.sound_envelope import SoundMeasurements
from capbench.quality.reading.tags import FileTags
from capbench.results.appearance.effect_finding import EffectFinding

__all__ = [
    "MOTION_BLUR",
    "BlurredPart",
    "ClipMeasurements",
    "DetailLoss",
    "LayerShare",
    "LookMeasurements",
    "Measurements",
    "Misreading",
    "PictureMeasurements",
    "SampledPair",
]


@dataclass(frozen=True, slots=True)
class ClipMeasurements:
    """One file, decoded to its end or up to damage."""

    facts: ClipFacts
    """What it claims."""
    tags: FileTags
    """Its colour tags."""
    spec: ColourSpec
    """How a player reads its codes."""
    contradicting_spec: ColourSpec | None
    """How a player that asks the container first reads them; None where that is the same."""
    size: tuple[int, int]
    """Width and height upright, in pixels."""
    turn: DisplayTurn
    """What its display matrix asks for."""
    chroma_place: tuple[float, float]
    """How far right of and below the middle of two luma samples chroma lies in the pictures that are compared."""
    bits: int
    """Depth of a decoded sample."""
    frames: tuple[FrameRecord, ...]
    """Every decoded frame, in presentation order."""
    error: str | None
    """Why decoding stopped early; None when it did not."""


@dataclass(frozen=True, slots=True)
class Misreading:
    """Codes that mean something else than tags say: how they have to be read for the error to be undone."""

    output: ColourSpec
    """Matrix and range that the output's codes have."""
    reference: ColourSpec | None = None
    """Those that the exporter took the reference's codes to have; None where it read them by their tags."""


@dataclass(frozen=True, slots=True)
class DetailLoss:
    """What became of the detail that one picture has and the other has not."""

    beside_blur: float | None
    """Share of the squared error, in cells that lost their detail, that remains if the picture is blurred or enlarged
    as fits best: 0.21 at most where that is what happened, whatever the quality of the encoding, and 0.37 at least
    where coarse coding left detail out. None where no cell lost its detail."""
    is_strong: bool
    """Whether a blur of 2.5 samples or more fits best: then nothing of that detail is left."""
    lost_codes: float
    """Root mean square of the error in cells that lost their detail; 0 where none did."""
    added: float
    """Share of the error within blocks of 8x8 samples that is content of the output: what a good quantiser leaves out
    is orthogonal to what it leaves (Gersho and Gray 1992, 6.2), which makes 0. Encoders reach 0.2 without and 0.75
    with no dead zone (MJPEG); content in another place has 0.5, added noise 1."""
    intact: float
    """Share of the cells with detail that have most of it: a blur of the picture leaves none, coding those that were
    cheap, such as edges beside fine texture."""


@dataclass(frozen=True, slots=True)
class BlurredPart:
    """A part of a picture that lost its detail."""

    beside_blur: float
    """Share of its squared error that remains if the reference is blurred or enlarged as fits best."""
    error_codes: float
    """Root mean square of its error."""
    kept_error_codes: float
    """The same of the cells with detail that were coded best, anywhere in the picture."""
    step_px: int
    """1 where it is one of luma, 2 of chroma."""
    x: int
    """Column of its middle, in luma pixels."""
    y: int
    """Row of its middle."""


@dataclass(frozen=True, slots=True, eq=False)
class SampledPair:
    """Detailed measurements of one pair of pictures."""

    output_frame: int
    """Frame of the output."""
    ssim: tuple[float | None, float | None, float | None]
    """SSIM of Y, Cb, Cr."""
    bias_codes: tuple[float, float, float]
    """Mean of output - reference of Y, Cb, Cr."""
    luma_shift_px: tuple[float, float] | None
    """How far the output's luma lies right of and below the reference's, in luma pixels; None without detail."""
    luma_shift_error_px: tuple[float, float] | None
    """Standard errors of both."""
    chroma_shift_px: tuple[float, float] | None
    """The same of chroma, both planes together, in luma pixels."""
    chroma_shift_error_px: tuple[float, float] | None
    """Standard errors of both."""
    planes_apart_px: tuple[float, float] | None
    """How much farther to the right, and down, Cr is shifted than Cb, in luma pixels; None where one has no place."""
    planes_apart_error_px: tuple[float, float] | None
    """Standard errors of both."""
    sharpness: float | None
    """Share of the reference's finest luma detail that the output has; None without detail."""
    detail_loss: DetailLoss | None
    """What became of the detail that the output has not; None where it has most of it, and of tiny pictures."""
    uneven_cells: tuple[int, int]
    """Cells of 16x16 luma pixels of which the even rows alone are off, and of which the odd rows alone are: where
    fields of two moments are woven into one picture, something moves there."""
    turns: dict[str, float]
    """Correlation of block means with the reference's after each turn or flip; empty for flat pictures."""
    gradient_codes: int
    """Longest run of 8-bit luma codes in the reference each of which stands for all the levels that a deeper sample has
    within it: what 8 bits would lose. 0 where the reference has no more."""
    deep_step_codes: int | None
    """Distance of the luma levels that are left, in codes of the output's own depth, where that is more than 8 bits and
    codes of both mean the same; None elsewhere."""


MOTION_BLUR = "motion blur"
"""`LayerShare.layer` of what motion blur changes of the whole picture."""


@dataclass(frozen=True, slots=True)
class LayerShare:
    """How much of a layer of the scene, or of its motion blur, is in one output frame."""

    output_frame: int
    """Frame of the output."""
    layer: str
    """The layer in words."""
    share: float
    """1 where it is as it should be, 0 where it is missing or elsewhere, between where it is too faint."""
    presence: float
    """How much of it should be seen: 1, or less while it fades."""

    @property
    def opacity_error(self) -> float:
        """How much more of it is seen than should be."""
        return (self.share - 1) * self.presence


@dataclass(frozen=True, slots=True, eq=False)
class PictureMeasurements:
    """All pairs of pictures that were compared."""

    series: dict[str, list[float | None]] = field(default_factory=dict)
    """Metric to its value for each output frame; None where the frame was not measured."""
    worst_cell_codes: list[tuple[float, int, int] | None] = field(default_factory=list)
    """For each output frame the largest block difference in luma codes, chroma counting half, and the block's centre in
    luma pixels."""
    worst_luma_cell_codes: list[float | None] = field(default_factory=list)
    """For each output frame the largest block difference of luma alone, in codes."""
    cells_off: list[int | None] = field(default_factory=list)
    """For each output frame how many blocks are off by more than 24 codes, chroma counting half."""
    worst_strange_cell_codes: list[tuple[float, int, int] | None] = field(default_factory=list)
    """The same of blocks that are like nothing around their place in the reference, nor there two frames before or
    behind, by more than 24 codes: what coding leaves out of a block is what distinguishes it from those. None where a
    frame has no such block, too."""
    worst_even_cell_codes: list[tuple[float, int, int] | None] = field(default_factory=list)
    """The same of blocks that are off by one amount all over, with those around them, and by more than 16 codes; None
    where a frame has no such block, too."""
    mean_cell_codes: list[float | None] = field(default_factory=list)
    """For each output frame the mean of the luma differences of its blocks, without sign."""
    detail_error_codes: list[float | None] = field(default_factory=list)
    """For each output frame the standard deviation of the luma differences within a typical block that has detail; None
    where too few have, too."""
    detail_left: list[tuple[float, float] | None] = field(default_factory=list)
    """For each output frame of less than 34 dB two shares: of the reference's luma detail the one that it has, which is
    1 less the squared error within blocks over the variance there, and `DetailLoss.added`. None for better frames, too.
    """
    blurred_parts: list[tuple[BlurredPart, ...]] = field(default_factory=list)
    """For each output frame, of each plane, the part whose error a blur explains best, if any lost its detail."""
    edge_codes: list[tuple[float, float, float, float] | None] = field(default_factory=list)
    """For each output frame the mean absolute difference of the top, bottom, left and right border, less the one of the
    whole picture, or of what lies next to that border if that is more, in luma codes, chroma counting a third."""
    even_edge_codes: list[tuple[float, float, float, float] | None] = field(default_factory=list)
    """The same of what most of a border is off by in one direction, in luma codes, where the reference is flat."""
    sampled: list[SampledPair] = field(default_factory=list)
    """Detailed measurements of a few pairs, spread over the clip."""
    colours: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 6)))
    """Flat colours found in the pairs: reference Y, Cb, Cr and the output's Y, Cb, Cr in codes, one row a colour."""
    still_colours: NDArray[np.float64] | None = None
    """The same of the pictures in which those colours stood still, row by row: not a number where they never did; None
    for all of them."""
    blocks: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 6)))
    """Blocks of 8x8 pixels of any content from the sampled pairs: the same six columns."""
    coarse_step_codes: int = 1
    """Distance of the luma levels that are left in all sampled pairs, in 8-bit codes: 1 where none was lost."""
    cut_codes: NDArray[np.float64] | None = None
    """Where the output has 8 bits of a reference's more, in limited codes that mean the same: for each plane and each
    group of four levels the samples, and sums of their error and of what rounding and cutting off would make of it, in
    8-bit codes; shape (3, 64, 4)."""
    patches: NDArray[np.float64] | None = None
    """Colour patches in the order of `capbench.recordings.layout.PATCHES`: the same six columns; None without marks."""
    patch_area_px: float | None = None
    """Luma pixels over which the smallest colour patch was measured; None without marks."""
    how: dict[str, str] = field(default_factory=dict)
    """Metric to how it was measured, where its name does not say."""
    unmeasured: dict[str, str] = field(default_factory=dict)
    """Metric to the reason why it was not measured."""


@dataclass(frozen=True, slots=True)
class LookMeasurements:
    """An output whose look is its exporter's own: its effects instead of its pixels."""

    findings: tuple[EffectFinding, ...]
    """One for each effect."""
    lost_frames: tuple[int, ...]
    """Output frames in which the recording was not found."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """Everything that the checks read."""

    reference: ClipMeasurements
    """The reference file."""
    output: ClipMeasurements
    """The file under test."""
    wanted_size: tuple[int, int]
    """Width and height that the output should have, in pixels."""
    wanted_bits: int | None
    """Requested depth of the output; None for the reference's."""
    wanted_rate: Fraction | None
    """Requested rate of the output; None for the reference's own time stamps."""
    marked: bool
    """Whether the reference's frames carry burnt-in numbers."""
    small_marks: str | None
    """Why frames are not matched by these numbers: cells too small; None where they are, or there are none."""
    aligned_by: str
    """How frames were matched, in words: burnt-in number, content or time stamp."""
    matches: tuple[int | None, ...]
    """For each output frame the reference frame that it shows; None where none fits."""
    pictures: PictureMeasurements | None
    """The compared pairs; None where pictures of such sizes cannot be compared."""
    no_pictures_reason: str | None
    """Why `pictures` is None."""
    layers: tuple[LayerShare, ...] | None
    """Layers of the scene in the frames that were rendered; None where no scene was."""
    sound: SoundMeasurements
    """Measurements of the sound."""
    no_times_reason: str | None = None
    """Why the pictures of both files have no times that could be compared; None where they have."""
    ends_alike: bool = False
    """Whether the output's last picture is the reference's last as much as the one that it was matched with."""
    turned: str | None = None
    """How the output's pictures are turned or flipped, by content, in words; None where they are upright, or numbers
    match them."""
    look: LookMeasurements | None = None
    """What was found of the output's look; None where its pictures are compared."""
    container_first: bool = False
    """Whether the reference was read by what its container states, which its bitstream contradicts."""

    @property
    def hdr(self) -> str | None:
        """`PQ` or `HLG` where the reference's pictures, or the output's, are HDR; None for SDR."""
        return self.reference.tags.merged.hdr or self.output.tags.merged.hdr
