"""Pictures that disagree with themselves are refused; colour constants are the standards'."""

from __future__ import annotations

import numpy as np
import pytest

from capbench.colour import ColourSpec, Matrix, Range
from capbench.errors import PictureError
from capbench.frames import Nv12Picture


def _planes(luma: tuple[int, ...], chroma: tuple[int, ...], dtype: type = np.uint8) -> Nv12Picture:
    return Nv12Picture(np.zeros(luma, dtype), np.zeros(chroma, dtype))


def test_a_picture_knows_its_size() -> None:
    picture = _planes((4, 6), (2, 3, 2))

    assert (picture.width, picture.height) == (6, 4)


@pytest.mark.parametrize(
    ("luma", "chroma", "dtype"),
    [
        ((4, 6), (2, 3, 2), np.uint16),
        ((4, 6, 1), (2, 3, 2), np.uint8),
        ((3, 6), (1, 3, 2), np.uint8),
        ((4, 5), (2, 2, 2), np.uint8),
        ((4, 6), (2, 6), np.uint8),
        ((4, 6), (2, 2, 2), np.uint8),
    ],
)
def test_planes_that_disagree_are_refused_with_their_shapes(
    luma: tuple[int, ...], chroma: tuple[int, ...], dtype: type
) -> None:
    with pytest.raises(PictureError, match=r"self\.luma"):
        _planes(luma, chroma, dtype)


@pytest.mark.parametrize("matrix", list(Matrix))
def test_luma_coefficients_leave_the_larger_part_to_green(matrix: Matrix) -> None:
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
