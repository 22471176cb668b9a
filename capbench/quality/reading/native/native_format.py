"""The samples that two files are compared in: as deep as the deeper one, with as much chroma as both have."""

from __future__ import annotations

from dataclasses import dataclass

import av

from capbench.quality.oracle.display_turn import DisplayTurn
from capbench.quality.reading.frame_samples import sample_bits

__all__ = ["NativeFormat", "SampleLayout", "common_format", "layout_of"]

_HALF_BOTH_WAYS = (2, 2)
_SUBSAMPLINGS = {(1, 1): "444", (2, 1): "422", _HALF_BOTH_WAYS: "420"}
"""Chroma that is compared as it is, by luma columns and rows of one chroma sample. Other layouts (4:1:1, 4:1:0, 4:4:0)
are brought to 4:2:0."""
_DEPTHS = (8, 9, 10, 12, 14, 16)
"""Depths that FFmpeg has a planar format for."""


@dataclass(frozen=True, slots=True)
class SampleLayout:
    """Depth and chroma of a file's decoded pictures."""

    bits: int
    """Depth of a sample, 8 to 16."""
    ratio: tuple[int, int] | None
    """Luma columns and rows of one chroma sample, the picture upright; None for grey, which has no chroma."""


@dataclass(frozen=True, slots=True)
class NativeFormat:
    """Planar Y'CbCr that both files are brought to."""

    bits: int
    """Depth of a sample."""
    ratio: tuple[int, int]
    """Luma columns and rows of one chroma sample: (1, 1), (2, 1) or (2, 2)."""

    @property
    def peak_code(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    @property
    def is_plain(self) -> bool:
        """Whether it is 8-bit 4:2:0, which every other measure is made in."""
        return self.bits == 8 and self.ratio == _HALF_BOTH_WAYS

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name."""
        return f"yuv{_SUBSAMPLINGS[self.ratio]}p{'' if self.bits == 8 else f'{self.bits}le'}"

    def __str__(self) -> str:
        """For people: `10 bits, 4:2:2`."""
        return f"{self.bits} bits, {':'.join(_SUBSAMPLINGS[self.ratio])}"


def layout_of(frame: av.VideoFrame, turn: DisplayTurn) -> SampleLayout:
    """Layout of a decoded frame as a viewer sees it.

    R'G'B' of 8 bits counts as 4:2:0: GIF and PNG of a video that never had more. Deeper R'G'B' counts as 4:4:4.
    """
    form = frame.format
    bits = min(sample_bits(form), _DEPTHS[-1])
    if form.is_rgb or form.has_palette:
        return SampleLayout(bits, _HALF_BOTH_WAYS if bits == 8 else (1, 1))
    if len(form.components) < 3:
        return SampleLayout(bits, None)
    chroma = form.components[1]
    ratio = round(frame.width / max(1, chroma.width)), round(frame.height / max(1, chroma.height))
    return SampleLayout(bits, ratio[::-1] if turn.swaps_sides else ratio)


def common_format(first: SampleLayout, second: SampleLayout) -> NativeFormat:
    """What both are compared in: the greater depth, for a difference of depth is one; the chroma that both have."""
    bits = max(first.bits, second.bits)
    ratios = [layout.ratio for layout in (first, second) if layout.ratio is not None] or [_HALF_BOTH_WAYS]
    ratio = max(across for across, _ in ratios), max(down for _, down in ratios)
    return NativeFormat(
        next(depth for depth in _DEPTHS if depth >= bits), ratio if ratio in _SUBSAMPLINGS else _HALF_BOTH_WAYS
    )
