"""Colour constants are the standards'."""

from __future__ import annotations

import pytest

from capbench.colour import ColourSpec, MatrixCoefficients, Range


@pytest.mark.parametrize("matrix", list(MatrixCoefficients))
def test_luma_coefficients_leave_the_larger_part_to_green(matrix: MatrixCoefficients) -> None:
    kr, kb = matrix.kr_kb

    assert 0 < kb < kr < 1 - kr - kb


@pytest.mark.parametrize(
    ("colour_range", "black", "white", "chroma_extreme"), [(Range.LIMITED, 16, 235, 240), (Range.FULL, 0, 255, 255.5)]
)
def test_codes_of_a_range(colour_range: Range, black: int, white: int, chroma_extreme: float) -> None:
    """BT.709-6 item 4.6 for limited range; full range has 255 steps around code 128."""
    colour = ColourSpec(range=colour_range)

    assert colour.luma_offset_code == black
    assert colour.luma_offset_code + colour.luma_span_codes == white
    assert 128 + colour.chroma_span_codes / 2 == chroma_extreme
