"""Measure the pairs of one part, whose alignment is known, without reading the files from their start."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import av
from av.video.reformatter import VideoReformatter

from capbench.errors import PartError
from capbench.quality.metrics.frame_pairs import KeptPair
from capbench.quality.metrics.pairs.pair_records import PairRecords, WorstPair
from capbench.quality.metrics.pairs.rgb_gamut import as_drawn
from capbench.quality.opened_pair import ClipPair, PictureChoice, open_picture_meter, pair_clips
from capbench.quality.parts.find_frames import FrameStamp, find_frames
from capbench.quality.parts.part_plan import PairedFrame, PartPlan
from capbench.quality.reading.frame_samples import level_rows
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.observed_frame import ObservedPicture, observe
from capbench.quality.reading.opened_clip import OpenedClip
from capbench.quality.reading.planes import Planes, planes_of
from capbench.quality.reading.prefetch import LookAhead
from capbench.recordings.layout import LayoutRectangle
from capbench.results.metric_registry import choose_metrics

__all__ = ["keep_pairs", "measure_part"]


def measure_part(reference: Path, output: Path, plan: PartPlan) -> PairRecords:
    """What the frames of one part give, to the last digit what they give where the whole file is measured.

    Raises `SourceError` for files that cannot be read, `PartError` for files that are not those of the plan.
    """
    clips = pair_clips(reference, output)
    if clips.side.incomparable is not None:
        raise PartError(f"{output}: {clips.side.incomparable}")
    choice = PictureChoice(choose_metrics(plan.metrics), plan.rate)
    first_pair = plan.first_pair - len(plan.before)
    around = [*plan.before, *plan.frames, *plan.behind]
    with ExitStack() as held:
        firsts = next(clips.got.frames), next(clips.want.frames)
        meter = open_picture_meter(
            clips,
            choice,
            held,
            first_frame=plan.first_frame,
            first_pair=first_pair,
            firsts=firsts,
            threads=plan.threads,
        )
        pairs = held.enter_context(closing(_pictures(clips, firsts, [each for each in around if each.is_pair])))
        for _ in plan.before:
            meter.add_neighbour(*next(pairs))
        for frame in plan.frames:
            if not frame.is_pair:
                meter.skip()
                continue
            got, want = next(pairs)
            whole = LayoutRectangle(0, 0, got.frame.width, got.frame.height)
            meter.add(got, want, whole if plan.marked else None)
        for _ in plan.behind:
            meter.add_neighbour(*next(pairs))
        return meter.records()


def keep_pairs(clips: ClipPair, frames: Sequence[tuple[WorstPair, PairedFrame]]) -> list[KeptPair]:
    """The pictures of a few pairs, as the meter of a whole file keeps them. Raises as `measure_part`."""
    first_pictures = clips.got.frames_again(), clips.want.frames_again()
    firsts = next(first_pictures[0]), next(first_pictures[1])
    in_order = sorted(frames, key=lambda each: each[0].output_frame)
    scaler, kept = VideoReformatter(), {}
    with closing(_pictures(clips, firsts, [frame for _, frame in in_order])) as pairs:
        for (worst, _), (got, want) in zip(in_order, pairs, strict=True):
            drawn = as_drawn(want, got, clips.got.spec, scaler)
            copies = [Planes(*(plane.copy() for plane in planes_of(frame).all)) for frame in (got.frame, drawn.frame)]
            kept[worst] = KeptPair(worst.psnr_y_db, worst.output_frame, worst.reference_frame, *copies)
    return [kept[worst] for worst in sorted(kept)]


def _pictures(
    clips: ClipPair, firsts: tuple[av.VideoFrame, av.VideoFrame], frames: Sequence[PairedFrame]
) -> Generator[tuple[ObservedPicture, ObservedPicture]]:
    """Each of these pairs: the output's picture, and the reference's in its colour and size."""
    outputs = [frame.output for frame in frames if frame.output is not None]
    references = [frame.reference for frame in frames if frame.reference is not None]
    last_use = {stamp.index: number for number, stamp in enumerate(references)}
    wanted = sorted({stamp.index: stamp for stamp in references}.values(), key=lambda stamp: stamp.index)
    with ExitStack() as held:
        # A file's own tags are those of its first frame; what differs from them later is read by its own.
        normalise = clips.output_normaliser
        for normaliser, first in zip((normalise, clips.side.normaliser), firsts, strict=True):
            normaliser(first)
        got = held.enter_context(closing(LookAhead(_observed(clips, clips.got, outputs, normalise))))
        want = held.enter_context(closing(LookAhead(_observed(clips, clips.want, wanted, clips.side.normaliser))))
        kept: dict[int, ObservedPicture] = {}
        for number, (picture, stamp) in enumerate(zip(got, references, strict=True)):
            while stamp.index not in kept:
                read = next(want)
                kept[read.record.index] = read
            yield picture, kept[stamp.index]
            # Output frames come in order, so that what the aligner could hold is all that is ever kept here.
            for index in [index for index in kept if last_use[index] <= number]:
                del kept[index]


def _observed(
    clips: ClipPair, clip: OpenedClip, stamps: Sequence[FrameStamp], normalise: Normaliser
) -> Iterator[ObservedPicture]:
    pictures = observe(
        find_frames(clip.facts.path, stamps),
        normalise,
        recording=lambda _time_s: None,  # marks were read where the frames were matched
        frame_s=clip.frame_s,
        deep_luma=level_rows if clip is clips.want else None,
        coded_luma=clips.coded_luma,
        keeps_decoded=clips.keeps_decoded,
    )
    for stamp, picture in zip(stamps, pictures, strict=True):
        yield replace(picture, record=replace(picture.record, index=stamp.index))
