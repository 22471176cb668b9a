"""Compares pairs of pictures as they stream past and keeps figures only."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ColourSpec, Range
from capbench.quality.measurements import BlurredPart, DetailLoss, PictureMeasurements, SampledPair
from capbench.quality.metrics.background_meters import BackgroundMeters, Measured, joined
from capbench.quality.metrics.detail_loss import detail_loss
from capbench.quality.metrics.pairs.blurred_parts import blurred_part
from capbench.quality.metrics.pairs.colour_samples import look_at_colours, measure_patches
from capbench.quality.metrics.pairs.cut_codes import cut_code_sums
from capbench.quality.metrics.pairs.field_errors import uneven_cells
from capbench.quality.metrics.pairs.luma_levels import coarse_step, gradient_length, level_errors
from capbench.quality.metrics.pairs.native_pairs import ComparedPair, NativePairs
from capbench.quality.metrics.pairs.pair_records import FrameFigures, PairRecords, WorstPair, pooled
from capbench.quality.metrics.pairs.plane_shift import (
    PlaneShift,
    any_plane_shift,
    far_plane_shift,
    mean_shift,
    shift_apart,
)
from capbench.quality.metrics.pairs.rgb_gamut import as_drawn
from capbench.quality.metrics.pairs.strange_blocks import StrangeBlocks
from capbench.quality.metrics.psnr_ssim import mean_squared_error, psnr_db, ssim
from capbench.quality.metrics.registration import (
    border_errors_codes,
    cell_differences,
    detail_error_codes,
    detail_left,
    errors_beside_border_codes,
    even_border_errors_codes,
    inner_error_codes,
    sharpness,
    worst_cell,
    worst_even_cell,
)
from capbench.quality.reading.frame_samples import level_row_step
from capbench.quality.reading.observed_frame import ObservedPicture
from capbench.quality.reading.orientation import turn_correlations
from capbench.quality.reading.planes import THUMBNAIL_STEP, Planes, planes_of
from capbench.recordings.layout import PATCHES, LayoutRectangle

__all__ = ["KEPT_PAIRS", "OWN_METRICS", "KeptPair", "PictureMeter"]

OWN_METRICS = ("psnr_y", "psnr_cb", "psnr_cr", "ssim_y", "ssim_cb", "ssim_cr")
"""Metrics that are measured here; the last three of sampled frames only."""
_PLAIN_BITS = 8
KEPT_PAIRS = 3
"""Pairs of the lowest luma PSNR that are kept, or shown."""
_BEFORE_PAIRS = 2
"""Pairs before one by which it is told what stands still: those that a part is given."""
_MOST_LOOKS_BEHIND = 2
"""Pairs that wait for a close look; each holds two pictures."""
_CHROMA_STEP_PX = 2
"""Luma pixels from one chroma sample of 4:2:0 to the next."""
_MOST_DETAIL = 0.5
"""Share of the finest detail below which its loss is looked into: it takes as long as all the rest."""
_GOOD_PSNR_DB = 27.0
"""Luma PSNR from which detail is not looked into otherwise: a mean of 24 has better frames too."""
_FAIR_PSNR_DB = 34.0
"""Luma PSNR from which nobody asks how much of the detail a frame has: `limits.PSNR_OUTLIER_FLOOR_DB`."""
_MOVED_PSNR_DB = 33.0
"""PSNR of a plane below which it may have moved by more than a sample: text by 1 has 15, soft chroma by 2 has 30."""
_BORDER_VARIES = 1.5
"""Error of two rows or columns over that of the six beside them, up to which chance makes it."""
_HARDER_EDGE = 6.0
"""Error next to a border, over that of the picture, up to which harder content explains it: what enters at an edge
cannot be predicted, and a still rest is coded ever better. Rows that nobody wrote are off by 50 times as much."""
_OFF_CODES = 24.0
"""Difference from which a block is counted as off: `limits.CELL_CODES`."""
_EDGE_WEIGHTS = np.array([[1.0], [1 / 3], [1 / 3]])
"""Chroma at the border is filtered from repeated samples, by every exporter in its way: up to 10 codes are no fault."""


class KeptPair:
    """A pair that is among the worst: its planes are copies."""

    def __init__(self, psnr_y_db: float, output_frame: int, reference_frame: int, got: Planes, want: Planes) -> None:
        self.psnr_y_db = psnr_y_db
        """PSNR of Y in dB."""
        self.output_frame = output_frame
        """Frame of the output."""
        self.reference_frame = reference_frame
        """Frame of the reference."""
        self.got = got
        """Output."""
        self.want = want
        """Reference."""

    @property
    def as_worst(self) -> WorstPair:
        """Which pair it is, without its planes."""
        return WorstPair(self.psnr_y_db, self.output_frame, self.reference_frame)


class PictureMeter:
    """Fed pairs in output order; `finish` gives the evidence. Memory does not grow but for a few figures a frame."""

    def __init__(
        self,
        spec: ColourSpec,
        *,
        sample_every: int,
        keep_worst: bool,
        meters: BackgroundMeters | None,
        native: NativePairs | None = None,
        no_ssim_reason: str | None = None,
        on_pair: Callable[[ObservedPicture, ObservedPicture], None] | None = None,
        first_frame: int = 0,
        first_pair: int = 0,
    ) -> None:
        """For pictures in codes of `spec`. `sample_every` pairs apart one is looked at closely.

        `keep_worst` holds the three worst pairs in memory.
        `meters` are fed every pair as 8-bit 4:2:0; None where there is no sequence to feed them.
        `native` brings pairs to their own depth and chroma, where those are more; PSNR and SSIM are measured there.
        `no_ssim_reason` says why SSIM must not be measured; None where it may.
        `on_pair` is called with every pair, the output's picture first. `first_frame` is the output frame and
        `first_pair` the number of the pair, neighbours included, that a part begins with.
        """
        self._spec = spec
        self._scaler = VideoReformatter()
        self._records = PairRecords(first_frame, series={name: [] for name in OWN_METRICS})
        self._sample_every = sample_every
        self._meters = meters
        self._native = native
        self._no_ssim_reason = no_ssim_reason
        self._on_pair = on_pair
        self._pair_number = first_pair
        self._strange = StrangeBlocks()
        self._thumbs: deque[NDArray[np.float32]] = deque(maxlen=_BEFORE_PAIRS)
        """The reference's last pictures, as blocks."""
        self._pair_places: list[int | None] = []
        """Of each pair the place of its records; None for a neighbour."""
        self._keeps = keep_worst
        self._worst: list[WorstPair] = []
        self._kept: list[KeptPair] = []
        # Close looks take half of the time, and NumPy lets other threads run meanwhile. One thread keeps their order.
        self._looker = ThreadPoolExecutor(1, "capbench-looks")
        self._looks: deque[Future[None]] = deque()

    @property
    def worst_pairs(self) -> list[KeptPair]:
        """The pairs of lowest luma PSNR, worst first; empty unless they were to be kept."""
        return self._kept

    def skip(self) -> None:
        """An output frame that has no counterpart."""
        for values in self._records.series.values():
            values.append(None)
        self._records.figures.append(FrameFigures())

    def add_neighbour(self, got: ObservedPicture, want: ObservedPicture) -> None:
        """A pair before or behind the part: metrics that look at neighbours are fed it, and nothing is recorded."""
        want, _ = self._push(got, want)
        self._strange.add(None, got.thumb, want.thumb)
        self._pair_places.append(None)
        self._pair_number += 1
        self._thumbs.append(want.thumb)

    def add(self, got: ObservedPicture, want: ObservedPicture, patches: LayoutRectangle | None) -> None:
        """The next output frame and the reference frame that it shows, of one size.

        `patches` is where a recording lies whose colour patches are in sight, in pixels; None where none are.
        """
        place = len(self._records.figures)
        frame = self._records.first_frame + place
        self.skip()
        want, pair = self._push(got, want)
        if self._on_pair is not None:
            self._on_pair(got, want)
        planes, wanted = planes_of(got.frame), planes_of(want.frame)
        values = [psnr_db(mean_squared_error(a, b), pair.peak_code) for a, b in pair.planes]
        for name, value in zip(OWN_METRICS[:3], values, strict=True):
            self._records.series[name][place] = value
        self._records.figures[place] = _figures(got, want, is_fair=values[0] >= _FAIR_PSNR_DB)
        self._strange.add(place, got.thumb, want.thumb)
        if self._pair_number % self._sample_every == 0:
            while len(self._looks) >= _MOST_LOOKS_BEHIND:
                self._looks.popleft().result()
            before = self._thumbs[0] if self._thumbs else None
            self._looks.append(self._looker.submit(self._look_closely, place, got, want, pair, patches, before=before))
        self._pair_places.append(place)
        self._pair_number += 1
        self._thumbs.append(want.thumb)
        self._keep(WorstPair(values[0], frame, want.record.index), planes, wanted)

    def finish(self) -> PictureMeasurements:
        """All that was found; the meter is used up."""
        return pooled([self.records()])

    def records(self) -> PairRecords:
        """All that was recorded, not pooled; the meter is used up."""
        while self._looks:
            self._looks.popleft().result()
        self._strange.finish()
        for place, cell in self._strange.found.items():
            figures = self._records.figures[place]
            self._records.figures[place] = replace(figures, worst_strange_cell_codes=_placed(cell))
        measured = Measured() if self._meters is None else self._meters.finish()
        if self._native is not None:
            measured = joined(measured, self._native.finish())
        series = dict(self._records.series)
        for name, values in measured.series.items():
            of_place = dict(zip(self._pair_places, values, strict=True))
            series[name] = [of_place.get(place) for place in range(len(self._records.figures))]
        no_ssim = {} if self._no_ssim_reason is None else dict.fromkeys(OWN_METRICS[3:], self._no_ssim_reason)
        return replace(
            self._records,
            pairs=sum(place is not None for place in self._pair_places),
            series=series,
            worst=self._worst,
            measured=Measured(how=measured.how, unmeasured=measured.unmeasured | no_ssim),
        )

    def close(self) -> None:
        """End the thread of the close looks; what is not finished is lost."""
        self._looker.shutdown(cancel_futures=True)

    def _push(self, got: ObservedPicture, want: ObservedPicture) -> tuple[ObservedPicture, ComparedPair]:
        """The reference as the output had to take it, and what both are compared in. Sequence meters get the pair."""
        given, want = want, as_drawn(want, got, self._spec, self._scaler)
        if self._meters is not None:
            self._meters.push(got.frame, want.frame)
        if self._native is not None:
            return want, self._native.pair(got, want, is_clamped=given is not want)
        return want, ComparedPair(planes_of(got.frame).all, planes_of(want.frame).all)

    def _look_closely(
        self,
        place: int,
        got: ObservedPicture,
        want: ObservedPicture,
        pair: ComparedPair,
        patches: LayoutRectangle | None,
        *,
        before: NDArray[np.float32] | None,
    ) -> None:
        planes, wanted = planes_of(got.frame), planes_of(want.frame)
        pairs = list(zip(planes.all, wanted.all, strict=True))
        similarity = [None if self._no_ssim_reason else ssim(a, b, pair.peak_code) for a, b in pair.planes]
        for name, value in zip(OWN_METRICS[3:], similarity, strict=True):
            self._records.series[name][place] = value
        bias = [float(a.mean(dtype=np.float64) - b.mean(dtype=np.float64)) for a, b in pairs]
        luma_shift = _shift(*pairs[0])
        cb_shift, cr_shift = (_shift(a, b) for a, b in pairs[1:])
        chroma_shift = mean_shift([found for found in (cb_shift, cr_shift) if found is not None])
        apart = shift_apart(cb_shift, cr_shift)
        self._records.sampled.append(
            SampledPair(
                output_frame=self._records.first_frame + place,
                ssim=(similarity[0], similarity[1], similarity[2]),
                bias_codes=(bias[0], bias[1], bias[2]),
                luma_shift_px=_place_px(luma_shift, 1),
                luma_shift_error_px=_error_px(luma_shift, 1),
                chroma_shift_px=_place_px(chroma_shift, _CHROMA_STEP_PX),
                chroma_shift_error_px=_error_px(chroma_shift, _CHROMA_STEP_PX),
                planes_apart_px=_place_px(apart, _CHROMA_STEP_PX),
                planes_apart_error_px=_error_px(apart, _CHROMA_STEP_PX),
                sharpness=(share := sharpness(*pairs[0])),
                detail_loss=_detail_loss(share, *pairs[0]),
                uneven_cells=uneven_cells(*pairs[0]),
                turns=turn_correlations(got.thumb[..., 0], want.thumb[..., 0]),
                deep_step_codes=None
                if self._native is None or not self._native.has_same_codes
                else _deep_step(got, pair, self._native.form.bits),
                gradient_codes=0 if want.deep_luma is None else gradient_length(want.deep_luma, want.bits),
            )
        )
        # A small picture has too few samples of each level by itself.
        self._records.levels.append(level_errors(*_levels(got, want)))
        self._records.cut_codes.append(self._cut_codes(got, pair))
        self._records.looks.append(look_at_colours(got.thumb, want.thumb, before))
        if patches is not None:
            self._records.patches.append(measure_patches(planes, wanted, patches))
            samples = [patch.sample.within(patches) for patch in PATCHES]
            self._records.patch_areas_px.append(min(sample.width * sample.height for sample in samples))

    def _cut_codes(self, got: ObservedPicture, pair: ComparedPair) -> NDArray[np.float64] | None:
        """Full-range codes of more bits are no multiples of those of 8: none is known to be between two of them."""
        native = self._native
        if native is None or not native.has_same_codes or self._spec.range is Range.FULL:
            return None
        is_cut = got.bits == _PLAIN_BITS < native.form.bits
        return cut_code_sums(pair, native.form.bits, self._spec) if is_cut else None

    def _keep(self, found: WorstPair, got: Planes, want: Planes) -> None:
        insort(self._worst, found)
        del self._worst[KEPT_PAIRS:]
        if not self._keeps or found not in self._worst:
            return
        copies = [Planes(*(plane.copy() for plane in planes.all)) for planes in (got, want)]
        kept = KeptPair(found.psnr_y_db, found.output_frame, found.reference_frame, *copies)
        insort(self._kept, kept, key=lambda each: each.as_worst)
        del self._kept[KEPT_PAIRS:]


def _figures(got: ObservedPicture, want: ObservedPicture, *, is_fair: bool) -> FrameFigures:
    planes, wanted = planes_of(got.frame), planes_of(want.frame)
    even = worst_even_cell((planes.all, got.thumb), (wanted.all, want.thumb))
    inner = [inner_error_codes(a, b) for a, b in zip(planes.all, wanted.all, strict=True)]
    typical = np.maximum(np.abs(got.thumb - want.thumb).mean(axis=(0, 1)), inner)
    borders = [border_errors_codes(a, b) for a, b in zip(planes.all, wanted.all, strict=True)]
    beside = [errors_beside_border_codes(a, b) for a, b in zip(planes.all, wanted.all, strict=True)]
    # What a border shares with the rest of its block is coding, within what coding varies by over a picture.
    usual = np.maximum(typical[:, None], np.minimum(beside, _HARDER_EDGE * typical[:, None]))
    border = ((np.array(borders) - _BORDER_VARIES * usual) * _EDGE_WEIGHTS).max(axis=0).tolist()
    cells, luma_cells = cell_differences(got.thumb, want.thumb), np.abs(got.thumb[..., 0] - want.thumb[..., 0])
    return FrameFigures(
        worst_cell_codes=_placed(worst_cell(cells)),
        worst_luma_cell_codes=float(luma_cells.max()),
        cells_off=int((cells > _OFF_CODES).sum()),
        worst_even_cell_codes=None if even is None else _placed(even),
        mean_cell_codes=float(luma_cells.mean()),
        detail_error_codes=detail_error_codes(planes.luma, wanted.luma),
        detail_left=None if is_fair else detail_left(planes.luma, wanted.luma),
        blurred_parts=_blurred_parts(planes, wanted),
        even_edge_codes=even_border_errors_codes(planes.luma, wanted.luma),
        edge_codes=(border[0], border[1], border[2], border[3]),
    )


def _blurred_parts(got: Planes, want: Planes) -> tuple[BlurredPart, ...]:
    found = (
        blurred_part(plane, wanted, step)
        for plane, wanted, step in zip(got.all, want.all, (1, _CHROMA_STEP_PX, _CHROMA_STEP_PX), strict=True)
    )
    return tuple(part for part in found if part is not None)


def _levels(got: ObservedPicture, want: ObservedPicture) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Luma of both in which levels are counted: as it was coded, where both pictures were scaled alike."""
    coded, wanted = got.coded_luma, want.coded_luma
    if coded is not None and wanted is not None and coded.shape == wanted.shape:
        return coded, wanted
    lumas = planes_of(got.frame).luma, planes_of(want.frame).luma
    step = level_row_step(lumas[0].size)
    return lumas[0][::step], lumas[1][::step]


def _shift(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> PlaneShift | None:
    is_far = psnr_db(mean_squared_error(got, want)) < _MOVED_PSNR_DB
    return far_plane_shift(got, want) if is_far else any_plane_shift(got, want)


def _place_px(shift: PlaneShift | None, step_px: int) -> tuple[float, float] | None:
    return None if shift is None else (step_px * shift.right, step_px * shift.down)


def _error_px(shift: PlaneShift | None, step_px: int) -> tuple[float, float] | None:
    return None if shift is None else (step_px * shift.right_error, step_px * shift.down_error)


def _detail_loss(share: float | None, got: NDArray[np.uint8], want: NDArray[np.uint8]) -> DetailLoss | None:
    """Of luma, where little enough of the finest detail is left, or the error is large enough, to ask why."""
    is_suspicious = share is not None and share < _MOST_DETAIL
    if not is_suspicious and psnr_db(mean_squared_error(got, want)) > _GOOD_PSNR_DB:
        return None
    return detail_loss(got, want)


def _placed(cell: tuple[float, int, int]) -> tuple[float, int, int]:
    """A block's size, and its centre in luma pixels for its column and row."""
    size, column, row = cell
    return size, column * THUMBNAIL_STEP + THUMBNAIL_STEP // 2, row * THUMBNAIL_STEP + THUMBNAIL_STEP // 2


def _deep_step(got: ObservedPicture, pair: ComparedPair, bits: int) -> int | None:
    """Of an output of more than 8 bits, in its own codes: the pair may be compared in deeper ones, of `bits`."""
    if got.bits <= _PLAIN_BITS:
        return None
    more = max(0, bits - got.bits)
    # Not rounded: steps of deeper codes then begin where steps of these do.
    step = level_row_step(pair.planes[0][0].size)
    found, wanted = (np.right_shift(luma[::step], np.uint8(more)).astype(np.uint16) for luma in pair.planes[0])
    return coarse_step(found, wanted)
