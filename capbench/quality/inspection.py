"""Look at two files side by side, once through, and write down what was seen."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
from av.video.reformatter import VideoReformatter

from capbench.colour import ColourSpec, Range
from capbench.errors import SourceError
from capbench.pipeline.scene import Scene
from capbench.quality.expectation import Expectation
from capbench.quality.measurements import ClipMeasurements, LayerShare, Measurements
from capbench.quality.metrics.background_meters import BackgroundMeters, Unmeasured
from capbench.quality.metrics.ffmpeg_metrics import FfmpegMeter
from capbench.quality.metrics.frame_pairs import KeptPair, PictureMeter
from capbench.quality.metrics.rgb_gamut import as_drawn
from capbench.quality.metrics.vmaf import open_vmaf
from capbench.quality.metrics.vmaf_tool import find_tool
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.alignment import Aligner, window_frames
from capbench.quality.reading.clip import Clip, ClipFacts, check_size, read_facts
from capbench.quality.reading.frame_samples import has_chroma_at_each_column, level_rows, sample_bits
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture, observe
from capbench.quality.reading.prefetch import LookAhead
from capbench.quality.reading.sound_envelope import SoundMeasurements, listen
from capbench.quality.reading.tags import FileTags, read_tags, spec_of
from capbench.quality.truth.reference_render import GroundTruth
from capbench.quality.truth.scene_layers import SceneLayers
from capbench.recordings.layout import LayoutRectangle
from capbench.units import even_length

__all__ = ["Inspection", "inspect_files", "matched_pairs"]

_CLOSE_LOOKS = 12
"""Most pairs for the expensive measures (SSIM, shift, colours), spread over the clip."""
_LARGE_PICTURE_PX = 4 * 10**6
"""From here on, 4K and up, half as many looks: each takes over a second and has four times the samples of 1080p."""
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


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    facts: ClipFacts
    tags: FileTags
    spec: ColourSpec
    clip: Clip
    frames: Iterator[av.VideoFrame]
    size: tuple[int, int]
    """Upright in square pixels, odd sides kept."""
    bits: int
    """Depth of a decoded sample."""
    has_own_siting: bool
    """Whether its chroma is subsampled across, and so lies somewhere."""
    has_time_stamps: bool
    """Whether the first frame has one."""

    @property
    def frame_s(self) -> Fraction:
        """Time from one frame to the next by the rate that the container claims, 1/30 s where it claims none."""
        return 1 / (self.facts.frame_rate or Fraction(30))


def inspect_files(
    reference: Path,
    output: Path,
    expected: Expectation,
    *,
    scene: Scene | None = None,
    keep_worst: bool = False,
    on_frame: Callable[[int], None] | None = None,
    on_rendered: Callable[[ColourSpec, ObservedPicture, ObservedPicture], None] | None = None,
    with_vmaf: bool = True,
) -> Inspection:
    """Decode both files once and compare. `on_frame` is called with the number of output frames read so far.

    With a `scene` the pictures are held against what the scene makes of the reference, at a few frames that the oracle
    renders; without one every frame against the reference's own. `on_rendered` is called with those few: the colour of
    both, the output's picture, and what was rendered.
    Raises `SourceError` where a file cannot be opened, has no video or no single frame.
    """
    with ExitStack() as held:
        pair = _open_pair(reference, output, scene, held)
        want, got, side, aligner = pair.want, pair.got, pair.side, pair.aligner
        meter = None
        if side.incomparable is None:
            meters = None
            if side.truth is None:
                rate = expected.rate or got.facts.frame_rate
                meters = held.enter_context(closing(_sequence_meters(pair.target, rate, with_vmaf=with_vmaf)))
            looks = 1 if side.truth else _sample_every(got.facts.expected_frames, *pair.target)
            shown = partial(on_rendered, got.spec) if on_rendered is not None and side.truth else None
            meter = PictureMeter(got.spec, sample_every=looks, keep_worst=keep_worst, meters=meters, on_pair=shown)
            held.enter_context(closing(meter))
        walk = _Walk(aligner, meter, side.truth, got.facts.expected_frames, on_frame)
        records, matches = walk.through(pair.pictures)
        aligner.finish()
        found = meter.finish() if meter else None
    reference_clip = _clip_evidence(want, aligner.records, like=got if side.truth else None)
    output_clip = _clip_evidence(got, records)
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
            listen(reference, origin_s=_first_s(reference_clip)), listen(output, origin_s=_first_s(output_clip))
        ),
        no_times_reason=_why_no_times(reference_clip, output_clip),
        ends_alike=aligner.ends_alike,
    )
    return Inspection(evidence, meter.worst_pairs if meter else [])


def matched_pairs(reference: Path, output: Path) -> Generator[tuple[ColourSpec, ObservedPicture, ObservedPicture]]:
    """Each output frame and the reference frame that it shows, in the output's colour and size, one pair at a time.

    Frames without a counterpart are left out; nothing comes where pictures of such sizes cannot be compared.
    Raises `SourceError` as `inspect_files` does.
    """
    with ExitStack() as held:
        pair = _open_pair(reference, output, None, held)
        scaler = VideoReformatter()
        for picture in pair.pictures if pair.side.incomparable is None else ():
            match = pair.aligner.match(picture)
            if match.picture is not None:
                yield pair.got.spec, picture, as_drawn(match.picture, picture, pair.got.spec, scaler)


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two files that are read side by side."""

    want: _Opened
    got: _Opened
    target: tuple[int, int]
    side: _Side
    aligner: Aligner
    pictures: Iterator[ObservedPicture]
    """Of the output."""


def _open_pair(reference: Path, output: Path, scene: Scene | None, held: ExitStack) -> _Pair:
    """Open both files; `held` closes them."""
    want, got = _start(reference), _start(output)
    if not want.has_own_siting:
        # Chroma at every column, and none at all, has no siting: it is sampled down to where the output says it has it.
        want = replace(want, spec=replace(want.spec, siting=got.spec.siting))
    target = _even(got.size)
    side = _beside_scene(want, got, target, scene) if scene is not None else _beside_reference(want, got, target)
    # Pixels that are not square are brought to square ones, as the reference's are.
    stretched = None if got.facts.sample_aspect == 1 else target
    output_normaliser = Normaliser(got.spec, got.spec, stretched, got.clip.rotation_degrees, crop=False)
    aligner = Aligner(
        held.enter_context(
            closing(LookAhead(observe(want.frames, side.normaliser, frame_s=want.frame_s, deep_luma=level_rows)))
        ),
        window_frames(*_even(want.size)),
        can_compare=side.truth is None,
        by_order=not (want.has_time_stamps and got.has_time_stamps),
        again=None
        if side.truth
        else lambda: observe(
            Clip(reference).frames(), _beside_reference(want, got, target).normaliser, frame_s=want.frame_s
        ),
    )
    observed = observe(
        got.frames,
        output_normaliser,
        recording=side.truth.recording if side.truth and aligner.marked else None,
        frame_s=got.frame_s,
        deep_luma=level_rows if side.is_as_deep else None,
    )
    return _Pair(want, got, target, side, aligner, held.enter_context(closing(LookAhead(observed))))


def _sequence_meters(size: tuple[int, int], rate: Fraction | None, *, with_vmaf: bool) -> BackgroundMeters:
    vmaf = open_vmaf(find_tool, *size) if with_vmaf else Unmeasured({"vmaf": "it was not asked for"})
    return BackgroundMeters([FfmpegMeter(*size, rate=rate), vmaf])


def _first_s(clip: ClipMeasurements) -> float:
    return float(clip.frames[0].time_s) if clip.frames and clip.frames[0].has_time_stamp else 0.0


def _why_no_times(reference: ClipMeasurements, output: ClipMeasurements) -> str | None:
    for name, clip in (("reference", reference), ("output", output)):
        if not all(frame.has_time_stamp for frame in clip.frames):
            return f"the {name} has no time stamps"
    if any(after.time_s <= before.time_s for before, after in itertools.pairwise(reference.frames)):
        return "the reference's own time stamps do not increase"
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """How the reference is brought beside the output."""

    normaliser: Normaliser
    truth: GroundTruth | None
    incomparable: str | None
    is_as_deep: bool = False
    """Whether both have codes of more than 8 bits that mean the same, at the same places."""


def _beside_reference(want: _Opened, got: _Opened, target: tuple[int, int]) -> _Side:
    reason = _incomparable(want.size, target)
    crop = want.facts.sample_aspect == 1 and _near(want.size, target)
    size = None if reason else target
    normaliser = Normaliser(want.spec, got.spec, size, want.clip.rotation_degrees, crop=crop)
    same_codes = (want.spec.matrix, want.spec.range, want.size) == (got.spec.matrix, got.spec.range, got.size)
    are_deep = want.bits == got.bits > 8 and not want.facts.holds_rgb and same_codes
    # Only where neither is turned: a quarter of the rows of one is a quarter of the columns of the other.
    is_upright = want.clip.rotation_degrees == got.clip.rotation_degrees == 0
    return _Side(normaliser, None, reason, is_as_deep=are_deep and is_upright and reason is None)


def _beside_scene(want: _Opened, got: _Opened, target: tuple[int, int], scene: Scene) -> _Side:
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
    )
    return _Side(Normaliser(want.spec, want.spec, None, want.clip.rotation_degrees, crop=False), truth, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """Through the output once, each frame beside the reference frame that it shows."""

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
    """The most telling of them, in order; the first frame is rendered anyway."""
    most = _RENDERED_MOMENTS if canvas[0] * canvas[1] < _LARGE_PICTURE_PX else _RENDERED_MOMENTS // 2
    return deque(sorted([moment for moment in moments if moment > 0][:most]))


def _start(path: Path) -> _Opened:
    facts = read_facts(path)
    clip = Clip(path)
    frames = clip.frames()
    first = next(frames, None)
    if first is None:
        raise SourceError(f"{path}: not one frame decodes ({clip.error or 'the video stream is empty'})")
    square = facts.sample_aspect == 1
    size = (first.width if square else even_length(first.width * facts.sample_aspect), first.height)
    check_size(path, size, facts.sample_aspect)
    if round(clip.rotation_degrees / 90) % 2:
        size = (size[1], size[0])
    tags = read_tags(path)
    spec = spec_of(tags.merged, first.height)
    if facts.holds_rgb:
        spec = replace(spec, range=Range.LIMITED)  # what they are brought to, whatever their own range
    return _Opened(
        facts,
        tags,
        spec,
        clip,
        itertools.chain([first], frames),
        size,
        bits=sample_bits(first.format),
        has_own_siting=not has_chroma_at_each_column(first.format),
        has_time_stamps=first.pts is not None,
    )


def _clip_evidence(opened: _Opened, records: list[FrameRecord], *, like: _Opened | None = None) -> ClipMeasurements:
    """What was seen of a file; its pictures are compared as if made `like` another, where a scene was drawn from it."""
    return ClipMeasurements(
        facts=opened.facts,
        tags=opened.tags,
        spec=like.spec if like else opened.spec,
        size=like.size if like else opened.size,
        rotation_degrees=0 if like else opened.clip.rotation_degrees,
        bits=opened.bits,
        frames=tuple(records),
        error=opened.clip.error,
    )


def _sample_every(frames: int, width: int, height: int) -> int:
    """Pairs from one close look to the next, so that there are never more than intended."""
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
    return f"the output is {got[0]}x{got[1]}, which is another shape than the reference's {want[0]}x{want[1]}"
