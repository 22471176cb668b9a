"""The intended differences of the output from the reference."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capbench.results.appearance.expected_look import ExpectedLook

__all__ = ["Expectation"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """None everywhere: the output should be the reference, encoded again."""

    size: tuple[int, int] | None = None
    """Width and height in pixels; None for the reference's upright size, cropped or padded to even by one."""
    rate: Fraction | None = None
    """Constant frame rate that the output was made at; None for the reference's own time stamps."""
    bits: int | None = None
    """Bits of a sample; None for the reference's depth."""
    tone_map: str | None = None
    """How SDR was made of an HDR reference: `bt2390`; None where HDR stays HDR."""
    look: ExpectedLook | None = None
    """What was asked of an output whose look is its exporter's own: its effects are judged instead of its pixels; None
    where it should look like the reference."""
    container_first: bool = False
    """Whether the reference is read by what its container states of its colours where its bitstream contradicts it."""
