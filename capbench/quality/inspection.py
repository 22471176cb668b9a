"""Decode two files side by side, once, and record measurements."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from capbench.colour import ColourSpec
from capbench.errors import ColourError
from capbench.pipeline.scene import Scene
from capbench.quality.clip_evidence import clip_evidence, first_s, why_no_times
from capbench.quality.expectation import Expectation
from capbench.quality.measurements import LayerShare, Measurements
from capbench.quality.metrics.background_meters import BackgroundMeters
from capbench.quality.metrics.frame_pairs import KeptPair, PictureMeter
from capbench.quality.metrics.offered_meters import with_worst_pairs
from capbench.quality.metrics.open_meters import no_hdr_model, offered_for, open_meters, open_native_meters
from capbench.quality.metrics.pairs.native_pairs import NativePairs
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.alignment import Aligner, window_frames
from capbench.quality.reading.frame_samples import level_rows
from capbench.quality.reading.native.native_format import NativeFormat, common_format
from capbench.quality.reading.native.native_normaliser import NativeNormaliser
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture, observe
from capbench.quality.reading.opened_clip import OpenedClip, open_clip
from capbench.quality.reading.prefetch import LookAhead
from capbench.quality.reading.sound_envelope import SoundMeasurements, listen
from capbench.quality.reading.tags import name_of_code
from capbench.quality.truth.reference_render import GroundTruth
from capbench.quality.truth.scene_layers import SceneLayers
from capbench.quality.truth.tone_mapped_reference import tone_mapped
from capbench.recordings.layout import LayoutRectangle
from capbench.results.metric_registry import MeasuredFrames, QualityMetric
from capbench.units import even_length

__all__ = [
    "Inspection",
    "OpenedPair",
    "hdr_of_both",
    "inspect_files",
    "open_pair",
]

_CLOSE_LOOKS = 12
"""Most pairs for the expensive measurements (SSIM, shift, colours), spread over the clip."""
_LARGE_PICTURE_PX = 4 * 10**6
"""From 4K on, half as many: each takes over a second and has four times the samples of 1080p."""
_RENDERED_FRAMES = 6
"""Frames that the oracle renders of a scene, spread over the clip, and the last one: a second each at 1080p."""
_RENDERED_MOMENTS = 8
"""Most frames rendered besides, at which a layer has just appeared or is about to go."""
_SLACK_S = 1e-6  # a decimal fraction of a second is not quite what a float holds
_ASPECT_TOLERANCE = 0.02
"""Relative difference of the aspect ratio up to which a picture counts as scaled and not as another shape: rounding a
small side to even is at most that much from 100 lines up."""


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """Evidence, and the worst pairs of pictures where they were to be kept."""

    evidence: Measurements
    """All figures."""
    worst_pairs: list[KeptPair]
    """Pairs of the lowest luma PSNR, worst first."""


def inspect_files(
    reference: Path,
    output: Path,
    expected: Expectation,
    *,
    scene: Scene | None = None,
    keep_worst: bool = False,
    on_frame: Callable[[int], None] | None = None,
    on_rendered: Callable[[ColourSpec, ObservedPicture, ObservedPicture], None] | None = None,
    metrics: Sequence[QualityMetric] = (),
) -> Inspection:
    """Decode both files once and compare. `on_frame` is called with the number of output frames read so far.

    Of `metrics` those are measured that the checks do not need anyway (PSNR and SSIM always are).

    With a `scene` the pictures are compared with the scene rendered from the reference, at a few frames that the oracle
    renders; without one every frame against the reference's own. `on_rendered` is called with those few: the colour of
    both, the output's picture, and what was rendered.
    Raises `SourceError` where a file cannot be opened or has no video frame, and `ColourError` where one is HDR and the
    other SDR.
    """
    with ExitStack() as held:
        pair = open_pair(reference, output, expected.tone_map, scene, held, rate=expected.rate)
        want, got, target, side, aligner = pair.want, pair.got, pair.target, pair.side, pair.aligner
        hdr = hdr_of_both(want, got)
        of_worst = offered_for(metrics, MeasuredFrames.WORST) if hdr is None else []
        meter = None
        if side.incomparable is None:
            meters, native = None, None
            every = 1 if side.truth else _sample_every(got.facts.expected_frames, *target)
            if side.truth is None:
                rate = expected.rate or got.facts.frame_rate
                if side.native is not None:
                    deep = open_native_meters(metrics, target, side.native.pixel_format, rate=rate, hdr=hdr)
                    native = held.enter_context(closing(_native_pairs(side, side.native, want, got, deep)))
                opened = open_meters(
                    metrics, got.spec, target, rate=rate, sample_every=every, hdr=hdr, is_native=native is not None
                )
                meters = held.enter_context(closing(opened))
            meter = PictureMeter(
                got.spec,
                sample_every=every,
                keep_worst=keep_worst or bool(of_worst),
                meters=meters,
                native=native,
                no_ssim_reason=None if hdr is None else no_hdr_model("SSIM", hdr),
                on_pair=partial(on_rendered, got.spec) if on_rendered is not None and side.truth else None,
            )
            held.enter_context(closing(meter))
        walk = _Walk(aligner, meter, side.truth, got.facts.expected_frames, on_frame)
        records, matches = walk.through(pair.pictures)
        aligner.finish()
        found = meter.finish() if meter else None
        if meter and found:
            found = with_worst_pairs(found, meter.worst_pairs, of_worst, got.spec)
    reference_clip = clip_evidence(want, aligner.records, like=got if side.truth else None)
    output_clip = clip_evidence(got, records)
    evidence = Measurements(
        reference=reference_clip,
        output=output_clip,
        wanted_size=expected.size or _even(want.size),
        wanted_bits=expected.bits,
        wanted_rate=expected.rate,
        marked=aligner.marked,
        aligned_by=aligner.method,
        matches=tuple(matches),
        pictures=found,
        no_pictures_reason=side.incomparable,
        layers=tuple(walk.shares) if side.truth else None,
        sound=SoundMeasurements(
            listen(reference, origin_s=first_s(reference_clip)), listen(output, origin_s=first_s(output_clip))
        ),
        no_times_reason=why_no_times(reference_clip, output_clip),
        ends_alike=aligner.ends_alike,
    )
    return Inspection(evidence, meter.worst_pairs if meter else [])


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPair:
    """Two files that are read side by side."""

    want: OpenedClip
    """The reference."""
    got: OpenedClip
    """The output."""
    target: tuple[int, int]
    """Width and height at which they are compared, in pixels."""
    side: _Side
    """How the reference is made comparable."""
    aligner: Aligner
    """Finds the reference frame that an output frame shows."""
    pictures: Iterator[ObservedPicture]
    """Frames of the output."""


def open_pair(
    reference: Path,
    output: Path,
    tone_map: str | None,
    scene: Scene | None,
    held: ExitStack,
    *,
    rate: Fraction | None = None,
    in_8_bits: bool = False,
) -> OpenedPair:
    """Open both files; `held` closes them.

    `rate` is what the output was made at, None for the reference's own. `in_8_bits` keeps no frame as it was decoded.
    Raises as `inspect_files`.
    """
    want, got = open_clip(reference), open_clip(output)
    if tone_map is not None:
        want = tone_mapped(want, got)
    hdr_of_both(want, got)  # before anything is decoded
    if not want.has_own_siting:
        # Chroma at every column, and none at all, has no siting: it is sampled down to where the output says it has it.
        want = replace(want, spec=replace(want.spec, siting=got.spec.siting))
    target = _even(got.size)
    if scene is None:
        side = _beside_reference(want, got, target)
    else:
        side = _beside_scene(want, got, target, scene, frame_s=1 / rate if rate else want.frame_s)
    keeps_decoded = side.native is not None and not in_8_bits
    # Pixels that are not square are brought to square ones, as the reference's are.
    stretched = None if got.facts.sample_aspect == 1 else target
    output_normaliser = Normaliser(got.spec, got.spec, stretched, got.clip.rotation_degrees, crop=False)
    wanted = observe(
        want.frames, side.normaliser, frame_s=want.frame_s, deep_luma=level_rows, keeps_decoded=keeps_decoded
    )
    aligner = Aligner(
        held.enter_context(closing(LookAhead(wanted))),
        window_frames(*_even(want.size), want.native_bytes_per_px if keeps_decoded else 0),
        can_compare=side.truth is None,
        by_order=not (want.has_time_stamps and got.has_time_stamps),
        again=None
        if side.truth
        else lambda: observe(
            want.frames_again(),
            _beside_reference(want, got, target).normaliser,
            frame_s=want.frame_s,
            keeps_decoded=keeps_decoded,
        ),
    )
    observed = observe(
        got.frames,
        output_normaliser,
        recording=side.truth.recording if side.truth and aligner.marked else None,
        frame_s=got.frame_s,
        keeps_decoded=keeps_decoded,
    )
    return OpenedPair(want, got, target, side, aligner, held.enter_context(closing(LookAhead(observed))))


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
    side: _Side, form: NativeFormat, want: OpenedClip, got: OpenedClip, meters: BackgroundMeters
) -> NativePairs:
    """Pairs in `form`, the reference brought to the output's specification as it is in 8 bits."""
    return NativePairs(
        form,
        got=NativeNormaliser(form, got.spec, got.spec, got.clip.rotation_degrees, crop=False),
        want=NativeNormaliser(form, want.spec, got.spec, want.clip.rotation_degrees, crop=side.crops),
        spec=got.spec,
        has_same_codes=side.has_same_codes,
        meters=meters,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """How the reference is made comparable with the output."""

    normaliser: Normaliser
    truth: GroundTruth | None
    incomparable: str | None
    native: NativeFormat | None = None
    """What pairs are compared in where that is more than 8-bit 4:2:0."""
    crops: bool = False
    """Whether a size is reached by cutting or repeating the edge."""
    has_same_codes: bool = False
    """Whether codes of both mean the same but for their depth, at the same places."""


def _beside_reference(want: OpenedClip, got: OpenedClip, target: tuple[int, int]) -> _Side:
    reason = _incomparable(want.size, target)
    crop = want.facts.sample_aspect == 1 and _near(want.size, target)
    size = None if reason else target
    normaliser = Normaliser(want.spec, got.spec, size, want.clip.rotation_degrees, crop=crop)
    same_codes = (want.spec.matrix, want.spec.range, want.size) == (got.spec.matrix, got.spec.range, got.size)
    form = common_format(want.layout, got.layout)
    return _Side(
        normaliser,
        None,
        reason,
        native=None if form.is_plain or reason is not None else form,
        crops=crop,
        has_same_codes=same_codes and not want.facts.holds_rgb and not got.facts.holds_rgb,
    )


def _beside_scene(
    want: OpenedClip, got: OpenedClip, target: tuple[int, int], scene: Scene, *, frame_s: Fraction
) -> _Side:
    square = want.facts.sample_aspect == 1
    shown = _even(want.size) if square else want.size
    truth = GroundTruth(
        scene=scene,
        canvas=target,
        shown=(float(shown[0]), float(shown[1])),
        spec=want.spec,
        chroma_place=chroma_place(want.spec.siting, want.clip.rotation_degrees),
        wanted=got.spec,
        layers=SceneLayers(scene, target),
        frame_s=float(frame_s),
    )
    return _Side(Normaliser(want.spec, want.spec, None, want.clip.rotation_degrees, crop=False), truth, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """Reads the output once, each frame with the reference frame that it shows."""

    aligner: Aligner
    meter: PictureMeter | None
    truth: GroundTruth | None
    expected_frames: int
    """Of the output, about."""
    on_frame: Callable[[int], None] | None
    shares: list[LayerShare] = field(default_factory=list)
    """Grows with the frames that are rendered."""

    def through(self, pictures: Iterator[ObservedPicture]) -> tuple[list[FrameRecord], list[int | None]]:
        records: list[FrameRecord] = []
        matches: list[int | None] = []
        render_every, last = max(1, self.expected_frames // _RENDERED_FRAMES), self.expected_frames - 1
        moments = _chosen(self.truth.layers.moments(), self.truth.canvas) if self.truth else deque()
        for picture in pictures:
            match = self.aligner.match(picture)
            records.append(picture.record)
            matches.append(match.index)
            time_s = float(picture.record.time_s - records[0].time_s)
            is_moment = False
            while moments and moments[0] <= time_s + _SLACK_S:
                is_moment = True
                moments.popleft()
            if self.meter is not None:
                if match.picture is None:
                    self.meter.skip()
                elif self.truth is None:
                    whole = LayoutRectangle(0, 0, picture.frame.width, picture.frame.height)
                    self.meter.add(picture, match.picture, whole if self.aligner.marked else None)
                elif is_moment or picture.record.index % render_every == 0 or picture.record.index == last:
                    self._measure_rendered(self.meter, self.truth, picture, match.picture, time_s)
                else:
                    self.meter.skip()
            if self.on_frame is not None:
                self.on_frame(len(records))
        return records, matches

    def _measure_rendered(
        self, meter: PictureMeter, truth: GroundTruth, got: ObservedPicture, want: ObservedPicture, time_s: float
    ) -> None:
        rendered = truth.render(want, got, time_s)
        self.shares.extend(rendered.shares)
        meter.add(got, rendered.picture, truth.patches(time_s) if self.aligner.marked else None)


def _chosen(moments: tuple[float, ...], canvas: tuple[int, int]) -> deque[float]:
    """The most informative of them, in order; the first frame is rendered anyway."""
    most = _RENDERED_MOMENTS if canvas[0] * canvas[1] < _LARGE_PICTURE_PX else _RENDERED_MOMENTS // 2
    return deque(sorted([moment for moment in moments if moment > 0][:most]))


def _sample_every(frames: int, width: int, height: int) -> int:
    """Pairs from one sample to the next, so that there are never more samples than intended."""
    looks = _CLOSE_LOOKS if width * height < _LARGE_PICTURE_PX else _CLOSE_LOOKS // 2
    return max(1, -(-frames // looks))


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return even_length(size[0]), even_length(size[1])


def _near(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(size, other, strict=True))


def _incomparable(want: tuple[int, int], got: tuple[int, int]) -> str | None:
    aspect = Fraction(*want) / Fraction(*got)
    if abs(float(aspect) - 1) <= _ASPECT_TOLERANCE or _near(want, got):
        return None
    return f"the output is {got[0]}x{got[1]}, a different aspect ratio from the reference's {want[0]}x{want[1]}"
