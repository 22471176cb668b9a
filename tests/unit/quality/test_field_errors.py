"""Fields of two moments in one picture, against pictures that were woven of two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from capbench.quality.checks.pictures.picture_checks import check_fields
from capbench.quality.measurements import PictureMeasurements
from capbench.quality.metrics.pairs.field_errors import uneven_cells
from capbench.results import CheckStatus
from tests.unit.quality.empty_pair import EMPTY_PAIR

_SIZE = (240, 320)
_CELLS = 15 * 20


def moment(number: int) -> NDArray[np.uint8]:
    """A texture that moves to the right by three pixels."""
    noise = gaussian_filter(np.random.default_rng(2).normal(0, 1, _SIZE), 2)
    return codes(128 + 30 * np.roll(noise / noise.std(), 3 * number, axis=1))


def codes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return values.round().clip(0, 255).astype(np.uint8)


def coded(picture: NDArray[np.uint8], error_codes: float) -> NDArray[np.uint8]:
    return codes(picture + np.random.default_rng(3).normal(0, error_codes, picture.shape))


def woven(*, late: int) -> NDArray[np.uint8]:
    """The second moment, and in every other row, from `late` on, still the first."""
    picture = moment(1)
    picture[late::2] = moment(0)[late::2]
    return picture


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("error_codes", [0.0, 2.0, 5.0])
def test_a_late_field_is_off_and_the_other_is_not(late: int, error_codes: float) -> None:
    cells = uneven_cells(coded(woven(late=late), error_codes), moment(1))

    assert cells[late] > 0.7 * _CELLS
    assert cells[1 - late] == 0


@pytest.mark.parametrize("late", [0, 1])
def test_what_moves_down_in_a_small_coarse_picture_is_late_though_nothing_combs(late: int) -> None:
    """A map of 64x64 that scrolls by two rows, at 31 dB: rows of the other moment alternate no more than its own."""
    texture = gaussian_filter(np.random.default_rng(4).normal(0, 1, (68, 64)), (1.0, 3.0), mode="wrap")
    earlier, want = (codes(128 + 30 * (texture / texture.std())[top : top + 64]) for top in (0, 2))
    got = want.copy()
    got[late::2] = earlier[late::2]

    cells = uneven_cells(coded(got, 7), want)

    assert cells[late] == 16
    assert cells[1 - late] == 0
    assert sum(uneven_cells(coded(want, 12), want)) == 0


def test_a_small_part_that_moves_is_enough() -> None:
    """A cursor on a page that stands still."""
    want = np.full(_SIZE, 200, np.uint8)
    want[100:120, 52:66] = 30
    got = want.copy()
    got[100:120:2, 40:54], got[100:120:2, 54:66] = 30, 200

    even, odd = uneven_cells(coded(got, 2), want)

    assert even >= 3
    assert odd == 0


@pytest.mark.parametrize("error_codes", [0.0, 2.0, 15.0, 40.0])
def test_coding_is_off_by_as_much_in_both(error_codes: float) -> None:
    assert uneven_cells(coded(moment(1), error_codes), moment(1)) == (0, 0)


def test_a_whole_picture_of_another_moment_is_off_in_both() -> None:
    assert sum(uneven_cells(moment(0), moment(1))) < 0.05 * _CELLS


@pytest.mark.parametrize("row", [0, 1])
def test_lines_of_one_row_that_were_left_out_are_no_field(row: int) -> None:
    """The grid of a table, whose lines all lie in even or all in odd rows."""
    want = np.full(_SIZE, 230, np.uint8)
    want[row::20] = 120

    assert uneven_cells(np.full(_SIZE, 228, np.uint8), want) == (0, 0)
    assert uneven_cells(codes(230 + 0.4 * (want.astype(float) - 230)), want) == (0, 0)


def test_an_interlaced_reference_that_was_made_progressive_is_right() -> None:
    """One field is kept and the rows of the other are drawn between its own."""
    want = woven(late=1)
    kept = want[::2].astype(float)
    got = want.copy()
    got[1:-1:2] = codes((kept[:-1] + kept[1:]) / 2)

    assert uneven_cells(got, want) == (0, 0)
    assert uneven_cells(coded(want, 1.5), want) == (0, 0)


@pytest.mark.parametrize("shape", [(2, 8), (16, 14), (17, 33)])
def test_small_pictures_have_few_cells_or_none(shape: tuple[int, int]) -> None:
    want = np.full(shape, 90, np.uint8)

    assert uneven_cells(want, want) == (0, 0)


@pytest.mark.parametrize(("cells", "status"), [(2, CheckStatus.PASS), (4, CheckStatus.FAIL)])
def test_what_coarse_coding_leaves_of_a_page_that_stands_still_is_no_field(cells: int, status: CheckStatus) -> None:
    """Captions at CRF 38: the same two cells in each of ten pictures."""
    pictures = PictureMeasurements(
        series={"psnr_y": [30.0] * 10},
        sampled=[replace(EMPTY_PAIR, output_frame=frame, uneven_cells=(0, cells)) for frame in range(10)],
    )

    assert check_fields(pictures).status is status
