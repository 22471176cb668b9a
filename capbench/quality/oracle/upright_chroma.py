"""Where chroma lies in a picture that was turned, and sampled down to 4:2:0 where it had more."""

from __future__ import annotations

from dataclasses import dataclass

from capbench.colour import ChromaSiting, ColourSpec
from capbench.quality.oracle.display_turn import DisplayTurn
from capbench.quality.oracle.placement import chroma_place

__all__ = ["upright_chroma_place"]

_MIDDLE = 0.5
"""Of two luma samples, from the first one."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Samples of chroma along columns or rows."""

    luma_samples: int
    """Of the whole picture along it."""
    is_halved: bool
    """Whether there is one sample for two of luma, not one for each."""
    first: float
    """Where the first one lies, in luma samples."""

    def reversed(self) -> _Axis:
        """Seen from the other end. Of an odd number of columns the last one has a chroma sample to itself."""
        last = self.first + 2 * (-(-self.luma_samples // 2) - 1)
        return _Axis(self.luma_samples, self.is_halved, self.luma_samples - 1 - last)


def upright_chroma_place(
    spec: ColourSpec,
    ratio: tuple[int, int],
    size: tuple[int, int],
    turn: DisplayTurn,
    *,
    filtered_to: ChromaSiting,
) -> tuple[float, float]:
    """How far right of and below the middle of two luma samples chroma lies, in luma samples, once it is comparable.

    Of a picture that is coded in `size` (width, height) with chroma where `spec` says and of `ratio` (luma columns and
    rows of a sample), shown by `turn`, and then sampled down to 4:2:0 where it has more: across to where `filtered_to`
    puts it, down to the middle. What was subsampled before turns with the picture.
    """
    place = chroma_place(spec.siting)[0], spec.siting_down
    across, down = (
        _Axis(length, is_halved=side > 1, first=_MIDDLE + at)
        for length, side, at in zip(size, ratio, place, strict=True)
    )
    for _ in range(turn.quarters):  # a quarter turn to the left takes the last column to the top
        across, down = down, across.reversed()
    if turn.is_mirrored:
        across = across.reversed()
    filtered = chroma_place(filtered_to)
    right, below = (
        axis.first - _MIDDLE if axis.is_halved else at for axis, at in zip((across, down), filtered, strict=True)
    )
    return right, below
