"""A file whose first picture is decoded: what it claims, how its codes are read, and how large it is shown."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from capbench.colour import ChromaSiting, ColourSpec, Range
from capbench.errors import SourceError
from capbench.pipeline.decode.open_source import check_size
from capbench.quality.oracle.upright_chroma import upright_chroma_place
from capbench.quality.reading.clip import Clip, ClipFacts, read_facts
from capbench.quality.reading.frame_samples import chroma_ratio, has_chroma_at_each_column, sample_bits
from capbench.quality.reading.native.native_format import SampleLayout, layout_of
from capbench.quality.reading.tags import FileTags, read_tags, spec_of
from capbench.units import even_length

__all__ = ["OpenedClip", "open_clip", "upright_size"]

_SMALLEST_PX = 2
"""A chroma sample of 4:2:0 stands for so many columns and rows."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenedClip:
    """One file on its way. `frames` can be read once."""

    facts: ClipFacts
    """What it claims."""
    tags: FileTags
    """Its colour tags."""
    spec: ColourSpec
    """How a player reads its codes."""
    contradicting_spec: ColourSpec | None
    """How a player that asks the container first reads them; None where that is the same."""
    clip: Clip
    """What decodes it."""
    frames: Iterator[av.VideoFrame]
    """Its pictures, from the first on."""
    frames_again: Callable[[], Iterator[av.VideoFrame]]
    """Reads them once more."""
    size: tuple[int, int]
    """Upright in square pixels, odd sides kept."""
    bits: int
    """Depth of a decoded sample."""
    layout: SampleLayout
    """Depth and chroma as they are compared."""
    has_own_siting: bool
    """Whether its chroma is subsampled across, and so lies somewhere."""
    has_time_stamps: bool
    """Whether the first frame has one."""
    coded_size: tuple[int, int]
    """Of the first picture as it is decoded, not turned."""
    chroma_ratio: tuple[int, int]
    """Columns and rows of that picture for one sample of its chroma."""
    filtered_to: ChromaSiting
    """Where chroma is put that is at each column of the upright picture, once it is sampled down to be compared."""

    @property
    def chroma_place(self) -> tuple[float, float]:
        """How far right of and below the middle of two luma samples chroma lies in the pictures that are compared."""
        return upright_chroma_place(
            self.spec,
            self.chroma_ratio,
            self.coded_size,
            self.clip.turn,
            filtered_to=self.filtered_to,
        )

    @property
    def native_bytes_per_px(self) -> int:
        """Bytes of a pixel of a decoded frame, rounded up."""
        samples = 3 if self.layout.ratio in ((1, 1), None) else 2
        return samples * (1 if self.layout.bits == 8 else 2)

    @property
    def frame_s(self) -> Fraction:
        """Time from one frame to the next by the rate that the container claims, 1/30 s where it claims none."""
        return 1 / (self.facts.frame_rate or Fraction(30))


def open_clip(path: Path) -> OpenedClip:
    """Decode the first picture. Raises `SourceError` where there is none, or where it is too large or too small."""
    facts = read_facts(path)
    clip = Clip(path)
    frames = clip.frames()
    first = next(frames, None)
    if first is None:
        raise SourceError(f"{path}: no frame decodes ({_why_none(clip, facts)})")
    if min(first.width, first.height) < _SMALLEST_PX:
        raise SourceError(
            f"{path}: a picture of {first.width}x{first.height} pixels cannot be compared, only one of 2x2 and more; "
            "scale it up first"
        )
    square = facts.sample_aspect == 1
    size = (first.width if square else even_length(first.width * facts.sample_aspect), first.height)
    check_size(path, *size, sample_aspect=facts.sample_aspect)
    if clip.turn.swaps_sides:
        size = (size[1], size[0])
    tags = read_tags(path)
    spec = spec_of(tags.merged, first.height)
    other = None if facts.holds_rgb else tags.contradicting_spec(first.height)
    if facts.holds_rgb:
        spec = replace(spec, range=Range.LIMITED)  # what they are brought to, whatever their own range
    return OpenedClip(
        facts,
        tags,
        spec,
        other,
        clip,
        itertools.chain([first], frames),
        lambda: Clip(path).frames(),
        size,
        bits=sample_bits(first.format),
        layout=layout_of(first, clip.turn),
        has_own_siting=not has_chroma_at_each_column(first.format),
        has_time_stamps=first.pts is not None,
        coded_size=(first.width, first.height),
        chroma_ratio=chroma_ratio(first),
        filtered_to=spec.siting,
    )


def _why_none(clip: Clip, facts: ClipFacts) -> str:
    if clip.error is not None:
        return clip.error
    if facts.claimed_frames and "mp4" in facts.container.split(","):
        return f"its edit list shows none of the {facts.claimed_frames} that it stores"
    return "the video stream is empty"


def upright_size(path: Path) -> tuple[Fraction, Fraction]:
    """Size in square pixels as a viewer sees it: rotation and pixel aspect applied. Raises `SourceError`."""
    clip = Clip(path)
    facts = read_facts(path)
    first = next(clip.frames(), None)
    if first is None:
        raise SourceError(f"{path}: no frame decodes ({_why_none(clip, facts)})")
    size = (first.width * facts.sample_aspect, Fraction(first.height))
    check_size(path, round(size[0]), round(size[1]), sample_aspect=facts.sample_aspect)
    return size[::-1] if clip.turn.swaps_sides else size
