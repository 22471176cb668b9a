"""Colour of a picture: matrix, range, chroma siting, and the tags that carry them.

The pipeline and the tagging of files read this module. The oracle in `capbench.quality` deliberately does not take
its arithmetic from here: two implementations that share a formula share its mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ChromaSiting", "ColourSpec", "MatrixCoefficients", "Range"]


class MatrixCoefficients(StrEnum):
    """Luma coefficients, named by their standard."""

    BT601 = "601"
    BT709 = "709"
    BT2020 = "2020"

    @property
    def kr_kb(self) -> tuple[float, float]:
        """Kr and Kb: ITU-R BT.601-7 item 2.5.1, BT.709-6 item 3.2, BT.2020-2 table 4 (non-constant luminance)."""
        return {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}[self.value]

    @property
    def rgb_from_differences(self) -> tuple[tuple[float, float, float], ...]:
        """Rows for R', G', B'; columns for E'Y of 0..1 and for E'Cb and E'Cr of -0.5..0.5.

        The inverse of E'Y = Kr R' + Kg G' + Kb B', E'Cb = (B' - E'Y) / (2 (1 - Kb)), E'Cr = (R' - E'Y) / (2 (1 - Kr)):
        ITU-R BT.709-6 items 3.2 and 3.3, in the same form in BT.601-7 and BT.2020-2.
        """
        kr, kb = self.kr_kb
        kg = 1 - kr - kb
        return (
            (1.0, 0.0, 2 * (1 - kr)),
            (1.0, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg),
            (1.0, 2 * (1 - kb), 0.0),
        )


class Range(StrEnum):
    """Quantisation range of 8-bit codes."""

    LIMITED = "limited"
    FULL = "full"


class ChromaSiting(StrEnum):
    """Where a 4:2:0 chroma sample lies horizontally; vertically between two luma rows unless a specification says."""

    LEFT = "left"
    """On the left luma column: the H.264 default, chroma_sample_loc_type 0."""
    CENTRE = "centre"
    """Between the two luma columns: MPEG-1 and JPEG, chroma_sample_loc_type 1."""


@dataclass(frozen=True, slots=True)
class ColourSpec:
    """How 8-bit Y'CbCr codes of a picture are to be read."""

    matrix: MatrixCoefficients = MatrixCoefficients.BT709
    range: Range = Range.LIMITED
    siting: ChromaSiting = ChromaSiting.LEFT
    siting_down: float = 0.0
    """How far below the middle of two rows chroma lies, in rows: -0.5 on the upper one, as of BT.2020."""

    @property
    def luma_offset_code(self) -> int:
        """Code of black."""
        return 16 if self.range is Range.LIMITED else 0

    @property
    def luma_span_codes(self) -> int:
        """Codes from black to white."""
        return 219 if self.range is Range.LIMITED else 255

    @property
    def chroma_span_codes(self) -> int:
        """Codes from the smallest to the largest chroma value; neutral is code 128."""
        return 224 if self.range is Range.LIMITED else 255
