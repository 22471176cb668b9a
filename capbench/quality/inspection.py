"""Look at two files side by side, once through, and write down what was seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from capbench.colour import ColourSpec
from capbench.errors import SourceError
from capbench.quality.alignment import Aligner, window_frames
from capbench.quality.clip import Clip, ClipFacts, read_facts
from capbench.quality.evidence import ClipEvidence, Evidence, FrameRecord, PictureEvidence
from capbench.quality.expectation import Expectation
from capbench.quality.observe import Picture, observe
from capbench.quality.picture_meter import KeptPair, PictureMeter
from capbench.quality.pictures import Normaliser
from capbench.quality.sound import SoundEvidence, listen
from capbench.quality.tags import FileTags, read_tags, spec_of
from capbench.recordings.layout import Rectangle

__all__ = ["Inspection", "inspect_files"]

_CLOSE_LOOKS = 16
"""Pairs for the expensive measures (SSIM, shift, colours), spread over the clip."""
_ASPECT_TOLERANCE = 0.02
"""Relative difference of the aspect ratio up to which a picture counts as scaled and not as another shape: rounding a
small side to even is at most that much from 100 lines up."""


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """Evidence, and the worst pairs of pictures where they were to be kept."""

    evidence: Evidence
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
    pixel_format: str
    """FFmpeg's name of the format of the decoded frames."""


def inspect_files(
    reference: Path,
    output: Path,
    expected: Expectation,
    *,
    keep_worst: bool = False,
    on_frame: Callable[[int], None] | None = None,
) -> Inspection:
    """Decode both files once and compare. `on_frame` is called with the number of output frames read so far.

    Raises `SourceError` where a file cannot be opened, has no video or no single frame.
    """
    want, got = _start(reference), _start(output)
    wanted_size = expected.size or _even(want.size)
    if "444" in want.pixel_format:
        # Chroma at every pixel has no siting: it is sampled down to where the output says it has it.
        want = replace(want, spec=replace(want.spec, siting=got.spec.siting))
    target = _even(got.size)
    reason = _incomparable(want.size, target)
    meter: PictureMeter | None = None
    crop = want.facts.sample_aspect == 1 and _near(want.size, target)
    reference_normaliser = Normaliser(
        want.spec,
        got.spec,
        None if reason else target,
        want.clip.rotation_degrees,
        crop=crop,
    )
    output_normaliser = Normaliser(got.spec, got.spec, None, got.clip.rotation_degrees, crop=False)
    aligner = Aligner(observe(want.frames, reference_normaliser), window_frames(*target))
    if reason is None:
        meter = PictureMeter(
            *target,
            sample_every=max(1, got.facts.expected_frames // _CLOSE_LOOKS),
            recording=Rectangle(0, 0, *target) if aligner.marked else None,
            keep_worst=keep_worst,
            every=True,
        )
    records, matches = _walk(observe(got.frames, output_normaliser), aligner, meter, on_frame)
    aligner.finish()
    pictures: PictureEvidence | None = meter.finish() if meter else None
    return Inspection(
        Evidence(
            reference=_clip_evidence(want, aligner.records),
            output=_clip_evidence(got, records),
            wanted_size=wanted_size,
            wanted_rate=expected.rate,
            marked=aligner.marked,
            matches=tuple(matches),
            pictures=pictures,
            no_pictures_reason=reason,
            sound=SoundEvidence(listen(reference), listen(output)),
            truth="the reference's frames",
        ),
        meter.worst_pairs if meter else [],
    )


def _walk(
    pictures: Iterator[Picture],
    aligner: Aligner,
    meter: PictureMeter | None,
    on_frame: Callable[[int], None] | None,
) -> tuple[list[FrameRecord], list[int | None]]:
    records: list[FrameRecord] = []
    matches: list[int | None] = []
    for picture in pictures:
        match = aligner.match(picture)
        records.append(picture.record)
        matches.append(match.index)
        if meter is not None:
            if match.picture is None:
                meter.skip()
            else:
                meter.add(picture, match.picture)
        if on_frame is not None:
            on_frame(len(records))
    return records, matches


def _start(path: Path) -> _Opened:
    facts = read_facts(path)
    clip = Clip(path)
    frames = clip.frames()
    first = next(frames, None)
    if first is None:
        raise SourceError(f"{path}: not one frame decodes ({clip.error or 'the video stream is empty'})")
    size = (max(1, round(first.width * facts.sample_aspect)), first.height)
    if round(clip.rotation_degrees / 90) % 2:
        size = (size[1], size[0])
    tags = read_tags(path)
    return _Opened(
        facts, tags, spec_of(tags.merged, first.height), clip, itertools.chain([first], frames), size, first.format.name
    )


def _clip_evidence(opened: _Opened, records: list[FrameRecord]) -> ClipEvidence:
    return ClipEvidence(
        facts=opened.facts,
        tags=opened.tags,
        spec=opened.spec,
        size=opened.size,
        rotation_degrees=opened.clip.rotation_degrees,
        frames=tuple(records),
        error=opened.clip.error,
    )


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)


def _near(size: tuple[int, int], other: tuple[int, int]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(size, other, strict=True))


def _incomparable(want: tuple[int, int], got: tuple[int, int]) -> str | None:
    aspect = Fraction(*want) / Fraction(*got)
    if abs(float(aspect) - 1) <= _ASPECT_TOLERANCE or _near(want, got):
        return None
    return f"the output is {got[0]}x{got[1]}, which is another shape than the reference's {want[0]}x{want[1]}"
