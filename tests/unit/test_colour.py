"""Colour constants are the standards'."""

from __future__ import annotations

import numpy as np
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


@pytest.mark.parametrize("matrix", list(MatrixCoefficients))
def test_decoding_undoes_the_equations_of_the_standard(matrix: MatrixCoefficients) -> None:
    """BT.709-6 items 3.2 and 3.3, written out."""
    kr, kb = matrix.kr_kb
    for red, green, blue in np.random.default_rng(5).uniform(0, 1, (20, 3)):
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        differences = (luma, (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr)))

        assert np.array(matrix.rgb_from_differences) @ differences == pytest.approx((red, green, blue), abs=1e-12)


def test_the_decoding_matrix_of_709_has_the_numbers_in_use() -> None:
    """1.5748, 0.1873, 0.4681 and 1.8556 are printed wherever BT.709 is explained."""
    rows = MatrixCoefficients.BT709.rgb_from_differences

    assert np.round(rows, 4).tolist() == [[1, 0, 1.5748], [1, -0.1873, -0.4681], [1, 1.8556, 0]]
