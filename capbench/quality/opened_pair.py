"""Two files opened side by side: how the reference is made comparable, and what measures their pairs of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from capbench.colour import ColourSpec
from capbench.errors import ColourError
from capbench.pipeline.scene import Scene
from capbench.quality.measurements import Misreading
from capbench.quality.metrics.background_meters import BackgroundMeters
from capbench.quality.metrics.frame_pairs import PictureMeter
from capbench.quality.metrics.open_meters import no_hdr_model, offered_for, open_meters, open_native_meters
from capbench.quality.metrics.pairs.native_pairs import NativePairs
from capbench.quality.reading.alignment import Aligner, window_frames
from capbench.quality.reading.frame_samples import coded_rows, level_rows
from capbench.quality.reading.native.native_format import NativeFormat, common_format
from capbench.quality.reading.native.native_normaliser import NativeNormaliser
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.observed_frame import ObservedPicture, frame_digest, observe
from capbench.quality.reading.opened_clip import OpenedClip, open_clip
from capbench.quality.reading.prefetch import LookAhead
from capbench.quality.reading.tags import name_of_code
from capbench.quality.truth.reference_render import GroundTruth
from capbench.quality.truth.scene_layers import SceneLayers
from capbench.quality.truth.tone_mapped_reference import tone_mapped
from capbench.results.metric_registry import MeasuredFrames, OfferedMetric, QualityMetric
from capbench.units import even_length

__all__ = [
    "ClipPair",
    "OpenedPair",
    "PictureChoice",
    "ReferenceSide",
    "beside_reference",
    "even_size",
    "hdr_of_both",
    "open_pair",
    "open_picture_meter",
    "pair_clips",
    "sample_every",
]

_CLOSE_LOOKS = 12
"""Most pairs for the expensive measurements (SSIM, shift, colours), spread over the clip."""
_LARGE_PICTURE_PX = 4 * 10**6
"""From 4K on, half as many: each takes over a second and has four times the samples of 1080p."""
_ASPECT_TOLERANCE = 0.02
"""Relative difference of the aspect ratio up to which a picture counts as scaled and not as another shape: rounding a
small side to even is at most that much from 100 lines up."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipPair:
    """Two files whose first pictures are decoded."""

    want: OpenedClip
    """The reference."""
    got: OpenedClip
    """The output."""
    target: tuple[int, int]
    """Width and height at which they are compared, in pixels."""
    side: ReferenceSide
    """How the reference is made comparable."""

    @property
    def keeps_decoded(self) -> bool:
        """Whether pairs are compared in more than 8-bit 4:2:0, so that pictures are kept as they were decoded."""
        return self.side.native is not None

    @property
    def coded_luma(self) -> Callable[[av.VideoFrame], NDArray[np.uint8] | None] | None:
        """Takes samples as coded from frames of either file; None unless both are scaled alike to square pixels."""
        want, got = self.want, self.got
        are_stretched = got.facts.sample_aspect == want.facts.sample_aspect != 1
        are_alike = self.side.has_same_codes and want.clip.turn == got.clip.turn
        return coded_rows if are_stretched and are_alike else None

    @property
    def output_normaliser(self) -> Normaliser:
        """Makes frames of the output comparable; one for each reading, because it keeps a scaler."""
        got = self.got
        # Pixels that are not square are brought to square ones, as the reference's are.
        stretched = None if got.facts.sample_aspect == 1 else self.target
        return Normaliser(got.spec, got.spec, stretched, got.clip.turn, crop=False)


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPair(ClipPair):
    """Two files that are read side by side."""

    aligner: Aligner
    """Finds the reference frame that an output frame shows."""
    pictures: Iterator[ObservedPicture]
    """Frames of the output."""


@dataclass(frozen=True, slots=True)
class PictureChoice:
    """What is measured of pairs of pictures."""

    metrics: Sequence[QualityMetric] = ()
    """Metrics that the checks do not need anyway."""
    rate: Fraction | None = None
    """Requested rate of the output; None for its own."""
    keep_worst: bool = False
    """Whether the worst pairs are wanted as pictures."""

    def of_worst(self, hdr: str | None) -> list[OfferedMetric]:
        """Metrics that are measured on the worst pairs alone."""
        return offered_for(self.metrics, MeasuredFrames.WORST) if hdr is None else []


def pair_clips(
    reference: Path,
    output: Path,
    *,
    tone_map: str | None = None,
    scene: Scene | None = None,
    rate: Fraction | None = None,
    misreading: Misreading | None = None,
    container_first: bool = False,
) -> ClipPair:
    """Open both files and decode the first picture of each; arguments as in `open_pair`. Raises as `inspect_files`."""
    want, got = open_clip(reference), open_clip(output)
    if container_first and want.contradicting_spec is not None:
        want = replace(want, spec=want.contradicting_spec)
    if misreading is not None:
        got = _read_as(got, misreading.output)
        want = want if misreading.reference is None else _read_as(want, misreading.reference)
    if tone_map is not None:
        want = tone_mapped(want, got)
    hdr_of_both(want, got)  # before anything is decoded
    # Chroma at every column, and none at all, has no siting: it is sampled down to where the output says it has it.
    want = replace(want, filtered_to=got.spec.siting)
    if not want.has_own_siting:
        want = replace(want, spec=replace(want.spec, siting=got.spec.siting))
    target = even_size(got.size)
    if scene is None:
        side = beside_reference(want, got, target)
    else:
        side = _beside_scene(want, got, target, scene, frame_s=1 / rate if rate else want.frame_s)
    return ClipPair(want, got, target, side)


def _read_as(clip: OpenedClip, codes: ColourSpec) -> OpenedClip:
    return replace(clip, spec=replace(clip.spec, matrix=codes.matrix, range=codes.range))


def open_pair(
    reference: Path,
    output: Path,
    tone_map: str | None,
    scene: Scene | None,
    held: ExitStack,
    *,
    rate: Fraction | None = None,
    in_8_bits: bool = False,
    digests: bool = False,
    misreading: Misreading | None = None,
    container_first: bool = False,
) -> OpenedPair:
    """Open both files; `held` closes them.

    `rate` is what the output was made at, None for the reference's own. `in_8_bits` keeps no frame as it was decoded,
    `digests` those of decoded frames. `misreading` says how codes are read instead of by their tags, and with
    `container_first` the reference's are read by what its container states. Raises as `inspect_files`.
    """
    pair = pair_clips(
        reference,
        output,
        tone_map=tone_map,
        scene=scene,
        rate=rate,
        misreading=misreading,
        container_first=container_first,
    )
    want, got, target, side = pair.want, pair.got, pair.target, pair.side
    keeps_decoded = pair.keeps_decoded and not in_8_bits
    digest = frame_digest if digests else None
    wanted = observe(
        want.frames,
        side.normaliser,
        frame_s=want.frame_s,
        deep_luma=level_rows,
        coded_luma=pair.coded_luma,
        keeps_decoded=keeps_decoded,
        digest=digest,
    )
    aligner = Aligner(
        held.enter_context(closing(LookAhead(wanted))),
        window_frames(*even_size(want.size), want.native_bytes_per_px if keeps_decoded else 0),
        can_compare=side.truth is None,
        by_order=not (want.has_time_stamps and got.has_time_stamps),
        is_resampled=rate is not None,
        again=None
        if side.truth
        else lambda: observe(
            want.frames_again(),
            beside_reference(want, got, target).normaliser,
            frame_s=want.frame_s,
            keeps_decoded=keeps_decoded,
        ),
    )
    observed = observe(
        got.frames,
        pair.output_normaliser,
        recording=side.truth.recording if side.truth and aligner.marked else None,
        frame_s=got.frame_s,
        coded_luma=pair.coded_luma,
        keeps_decoded=keeps_decoded,
        digest=digest,
    )
    return OpenedPair(want, got, target, side, aligner, held.enter_context(closing(LookAhead(observed))))


def open_picture_meter(
    pair: ClipPair,
    choice: PictureChoice,
    held: ExitStack,
    *,
    on_rendered: Callable[[ColourSpec, ObservedPicture, ObservedPicture], None] | None = None,
    first_frame: int = 0,
    first_pair: int = 0,
    firsts: tuple[av.VideoFrame, av.VideoFrame] | None = None,
    threads: int | None = None,
) -> PictureMeter:
    """What measures the pairs of two comparable files; `held` closes it.

    `on_rendered` is called with pairs whose reference was rendered. Of a part of the output, `first_frame` is the frame
    and `first_pair` the number of the pair, from 0, that come first, with those that are its neighbours; `firsts`
    are the first frames of output and reference. `threads` is the most that libvmaf takes, None for what the
    machine has.
    """
    want, got, target, side = pair.want, pair.got, pair.target, pair.side
    hdr = hdr_of_both(want, got)
    meters, native = None, None
    every = 1 if side.truth else sample_every(got.facts.expected_frames, *target)
    if side.truth is None:
        rate = choice.rate or got.facts.frame_rate
        if side.native is not None:
            deep = open_native_meters(choice.metrics, target, side.native.pixel_format, rate=rate, hdr=hdr)
            native = held.enter_context(closing(_native_pairs(side, side.native, want, got, deep)))
            if firsts is not None:
                native.begin(*firsts, target)
        opened = open_meters(
            choice.metrics,
            got.spec,
            target,
            rate=rate,
            sample_every=every,
            hdr=hdr,
            is_native=native is not None,
            first_pair=first_pair,
            threads=threads,
        )
        meters = held.enter_context(closing(opened))
    meter = PictureMeter(
        got.spec,
        sample_every=every,
        keep_worst=choice.keep_worst or bool(choice.of_worst(hdr)),
        meters=meters,
        native=native,
        no_ssim_reason=None if hdr is None else no_hdr_model("SSIM", hdr),
        on_pair=partial(on_rendered, got.spec) if on_rendered is not None and side.truth else None,
        first_frame=first_frame,
        first_pair=first_pair,
    )
    held.enter_context(closing(meter))
    return meter


def hdr_of_both(want: OpenedClip, got: OpenedClip) -> str | None:
    """`PQ` or `HLG` where the pictures are HDR, None for SDR. Raises `ColourError` where one file is each.

    An output that states no transfer, of an HDR reference, is taken for HDR that lost it: a check names that.
    """
    wanted, found = want.tags.merged, got.tags.merged
    is_lost = wanted.hdr is not None and found.transfer is None and not got.facts.holds_rgb
    if (wanted.hdr is None) == (found.hdr is None) or is_lost:
        return wanted.hdr or found.hdr
    sides = (
        f"{clip.facts.path} is {f'HDR ({tags.hdr})' if tags.hdr else f'SDR ({name_of_code(tags.transfer)})'}"
        for clip, tags in ((want, wanted), (got, found))
    )
    raise ColourError(f"{' and '.join(sides)}: their codes cannot be compared; if one was tone-mapped, pass --tone-map")


def _native_pairs(
    side: ReferenceSide, form: NativeFormat, want: OpenedClip, got: OpenedClip, meters: BackgroundMeters
) -> NativePairs:
    """Pairs in `form`, the reference brought to the output's specification as it is in 8 bits."""
    return NativePairs(
        form,
        got=NativeNormaliser(form, got.spec, got.spec, got.clip.turn, crop=False),
        want=NativeNormaliser(form, want.spec, got.spec, want.clip.turn, crop=side.crops),
        spec=got.spec,
        has_same_codes=side.has_same_codes,
        meters=meters,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceSide:
    """How the reference is made comparable with the output."""

    normaliser: Normaliser
    """Brings its frames to the output's specification and size."""
    truth: GroundTruth | None
    """Renders what is compared, where a scene was drawn; None where the reference's own frames are."""
    incomparable: str | None
    """Why pictures cannot be compared; None where they can."""
    native: NativeFormat | None = None
    """What pairs are compared in where that is more than 8-bit 4:2:0."""
    crops: bool = False
    """Whether a size is reached by cutting or repeating the edge."""
    has_same_codes: bool = False
    """Whether codes of both mean the same but for their depth, at the same places."""


def beside_reference(want: OpenedClip, got: OpenedClip, target: tuple[int, int]) -> ReferenceSide:
    """How a reference whose own frames are compared is brought to the output's specification, and to `target`."""
    reason = _incomparable(want.size, target)
    crop = want.facts.sample_aspect == 1 and _near(want.size, target)
    size = None if reason else target
    normaliser = Normaliser(want.spec, got.spec, size, want.clip.turn, crop=crop)
    same_codes = (want.spec.matrix, want.spec.range, want.size) == (got.spec.matrix, got.spec.range, got.size)
    form = common_format(want.layout, got.layout)
    return ReferenceSide(
        normaliser,
        None,
        reason,
        native=None if form.is_plain or reason is not None else form,
        crops=crop,
        has_same_codes=same_codes and not want.facts.holds_rgb and not got.facts.holds_rgb,
    )


def _beside_scene(
    want: OpenedClip, got: OpenedClip, target: tuple[int, int], scene: Scene, *, frame_s: Fraction
) -> ReferenceSide:
    square = want.facts.sample_aspect == 1
    shown = even_size(want.size) if square else want.size
    truth = GroundTruth(
        scene=scene,
        canvas=target,
        shown=(float(shown[0]), float(shown[1])),
        spec=want.spec,
        chroma_place=want.chroma_place,
        wanted=got.spec,
        layers=SceneLayers(scene, target),
        frame_s=float(frame_s),
    )
    own = replace(want.spec, siting=want.filtered_to)
    return ReferenceSide(Normaliser(want.spec, own, None, want.clip.turn, crop=False), truth, None)


def sample_every(frames: int, width: int, height: int) -> int:
    """Pairs from one sample to the next, so that there are never more samples than intended."""
    looks = _CLOSE_LOOKS if width * height < _LARGE_PICTURE_PX else _CLOSE_LOOKS // 2
    return max(1, -(-frames // looks))


def even_size(size: tuple[int, int]) -> tuple[int, int]:
    """Both sides rounded to even."""
    return even_length(size[0]), even_length(size[1])


def _near(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(size, other, strict=True))


def _incomparable(want: tuple[int, int], got: tuple[int, int]) -> str | None:
    aspect = Fraction(*want) / Fraction(*got)
    if abs(float(aspect) - 1) <= _ASPECT_TOLERANCE or _near(want, got):
        return None
    return f"the output is {got[0]}x{got[1]}, a different aspect ratio from the reference's {want[0]}x{want[1]}"
