"""Decode two files side by side, once, and record measurements."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.clip_evidence import clip_evidence, first_s, why_no_times
from capbench.quality.expectation import Expectation
from capbench.quality.measurements import LayerShare, Measurements, Misreading
from capbench.quality.metrics.frame_pairs import KeptPair
from capbench.quality.metrics.offered_meters import with_worst_pairs
from capbench.quality.opened_pair import PictureChoice, even_size, hdr_of_both, open_pair, open_picture_meter
from capbench.quality.parts.parted_meter import PairMeter, PartedMeter, PartRunner
from capbench.quality.reading.alignment import Aligner
from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture
from capbench.quality.reading.sound_envelope import listen_to_both
from capbench.quality.truth.reference_render import GroundTruth
from capbench.recordings.layout import LayoutRectangle
from capbench.results.metric_registry import QualityMetric

__all__ = ["Inspection", "inspect_files", "with_pictures_as_meant"]

_LARGE_PICTURE_PX = 4 * 10**6
"""From 4K on, half as many moments: a frame takes four times as long to render as at 1080p."""
_RENDERED_FRAMES = 6
"""Frames that the oracle renders of a scene, spread over the clip, and the last one: a second each at 1080p."""
_RENDERED_MOMENTS = 8
"""Most frames rendered besides, at which a layer has just appeared or is about to go."""
_SLACK_S = 1e-6  # a decimal fraction of a second is not quite what a float holds


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """Evidence, and the worst pairs of pictures where they were to be kept."""

    evidence: Measurements
    """All figures."""
    worst_pairs: list[KeptPair]
    """Pairs of the lowest luma PSNR, worst first."""
    as_meant: Measurements | None = None
    """The same with pictures compared by what their codes mean instead of by wrong tags; None where that was not
    needed."""


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
    in_parts: PartRunner | None = None,
) -> Inspection:
    """Decode both files once and compare. `on_frame` is called with the number of output frames read so far.

    Of `metrics` those are measured that the checks do not need anyway (PSNR and SSIM always are).

    With a `scene` the pictures are compared with the scene rendered from the reference, at a few frames that the oracle
    renders; without one every frame against the reference's own. `on_rendered` is called with those few: the colour of
    both, the output's picture, and what was rendered. With `in_parts` pairs are measured in parts elsewhere, to the
    same figures; scenes, tone-mapped references and those read by their container are not.
    Raises `SourceError` where a file cannot be opened or has no video frame, and `ColourError` where one is HDR and the
    other SDR. Raises `PartError` where a part could not be measured to the figures of one piece.
    """
    choice = PictureChoice(metrics, expected.rate, keep_worst)
    with ExitStack() as held:
        pair = open_pair(
            reference,
            output,
            expected.tone_map,
            scene,
            held,
            rate=expected.rate,
            digests=in_parts is not None,
            container_first=expected.container_first,
        )
        want, got, side, aligner = pair.want, pair.got, pair.side, pair.aligner
        meter: PairMeter | None = None
        if side.incomparable is None:
            meter = (
                open_picture_meter(pair, choice, held, on_rendered=on_rendered)
                if in_parts is None or side.truth or expected.tone_map or expected.container_first
                else held.enter_context(closing(PartedMeter(pair, choice, in_parts)))
            )
        walk = _Walk(aligner, meter, side.truth, got.facts.expected_frames, on_frame)
        records, matches = walk.through(pair.pictures)
        aligner.finish()
        found = meter.finish() if meter else None
        worst_pairs = meter.worst_pairs if meter else []
        if found:
            found = with_worst_pairs(found, worst_pairs, choice.of_worst(hdr_of_both(want, got)), got.spec)
    reference_clip = clip_evidence(want, aligner.records, like=got if side.truth else None)
    output_clip = clip_evidence(got, records)
    evidence = Measurements(
        reference=reference_clip,
        output=output_clip,
        wanted_size=expected.size or even_size(want.size),
        wanted_bits=expected.bits,
        wanted_rate=expected.rate,
        marked=aligner.marked,
        small_marks=aligner.small_marks,
        aligned_by=aligner.method,
        matches=tuple(matches),
        pictures=found,
        no_pictures_reason=side.incomparable,
        layers=tuple(walk.shares) if side.truth else None,
        sound=listen_to_both(
            reference,
            output,
            reference_origin_s=first_s(reference_clip),
            output_origin_s=first_s(output_clip),
        ),
        no_times_reason=why_no_times(reference_clip, output_clip),
        ends_alike=aligner.ends_alike,
        turned=aligner.turned,
        container_first=expected.container_first,
    )
    return Inspection(evidence, worst_pairs)


def with_pictures_as_meant(
    inspection: Inspection, misreading: Misreading, expected: Expectation, *, scene: Scene | None = None
) -> Inspection:
    """Compare the pictures once more, codes read by what they mean: what differs then is no matter of colour.

    It takes as long as the first time, but for the sound and metrics. `expected` and `scene` as in `inspect_files`,
    which raises the same.
    """
    evidence = inspection.evidence
    reference, output = evidence.reference.facts.path, evidence.output.facts.path
    choice = PictureChoice(rate=expected.rate)
    with ExitStack() as held:
        pair = open_pair(
            reference,
            output,
            expected.tone_map,
            scene,
            held,
            rate=expected.rate,
            misreading=misreading,
            container_first=evidence.container_first,
        )
        if pair.side.incomparable is not None:
            return inspection
        meter = open_picture_meter(pair, choice, held)
        walk = _Walk(pair.aligner, meter, pair.side.truth, pair.got.facts.expected_frames, None)
        walk.through(pair.pictures)
        pair.aligner.finish()
        pictures = meter.finish()
    layers = tuple(walk.shares) if pair.side.truth else None
    return replace(inspection, as_meant=replace(evidence, pictures=pictures, layers=layers))


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """Reads the output once, each frame with the reference frame that it shows."""

    aligner: Aligner
    meter: PairMeter | None
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
        self, meter: PairMeter, truth: GroundTruth, got: ObservedPicture, want: ObservedPicture, time_s: float
    ) -> None:
        rendered = truth.render(want, got, time_s)
        self.shares.extend(rendered.shares)
        meter.add(got, rendered.picture, truth.patches(time_s) if self.aligner.marked else None)


def _chosen(moments: tuple[float, ...], canvas: tuple[int, int]) -> deque[float]:
    """The most informative of them, in order; the first frame is rendered anyway."""
    most = _RENDERED_MOMENTS if canvas[0] * canvas[1] < _LARGE_PICTURE_PX else _RENDERED_MOMENTS // 2
    return deque(sorted([moment for moment in moments if moment > 0][:most]))
