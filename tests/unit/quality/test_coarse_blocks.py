"""What a block may be off by: coarse coding of detail is told from what is off evenly or in places."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.checks.colour_checks import _patch_limit
from capbench.quality.checks.limits import (
    ADDED_SHARE,
    BLURRED_PART_RATIO,
    CELL_CODES,
    PSNR_OUTLIER_FLOOR_DB,
    SHARPNESS_SHARE,
)
from capbench.quality.checks.pictures.local_check import check_local
from capbench.quality.measurements import PictureMeasurements
from capbench.quality.metrics import frame_pairs
from capbench.quality.metrics.detail_loss import LOST_SHARE
from capbench.quality.metrics.pairs import blurred_parts, strange_blocks
from capbench.quality.metrics.pairs.strange_blocks import StrangeBlocks
from capbench.quality.metrics.registration import (
    DETAIL_CODES,
    cell_differences,
    detail_error_codes,
    detail_left,
    worst_cell,
    worst_even_cell,
)
from capbench.results import CheckStatus

_SIDE = 8

Planes3 = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def _grey(luma: NDArray[np.float64]) -> Planes3:
    chroma = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, np.uint8)
    return luma.round().clip(0, 255).astype(np.uint8), chroma, chroma


def _thumb(planes: Planes3) -> NDArray[np.float32]:
    """Means of as many blocks as whole ones of 8 samples fit, which are larger where some samples are left over."""
    height, width = planes[0].shape
    rows, columns = height // _SIDE, width // _SIDE
    means = np.empty((rows, columns, 3), np.float32)
    for number, plane in enumerate(planes):
        down = np.linspace(0, plane.shape[0], rows + 1).astype(int)
        across = np.linspace(0, plane.shape[1], columns + 1).astype(int)
        for row in range(rows):
            for column in range(columns):
                block = plane[down[row] : down[row + 1], across[column] : across[column + 1]]
                means[row, column, number] = block.mean()
    return means


def _text_and_ramp(height: int = 96, width: int = 128) -> NDArray[np.float64]:
    """Dark strokes on white in the left half, a soft ramp in the right one."""
    picture = np.full((height, width), 220.0)
    half = width // 2
    picture[:, :half] -= 180 * (np.random.default_rng(7).random((height, half)) < 0.3)
    picture[:, half:] -= np.linspace(0, 120, width - half)
    return picture


def _even(got: Planes3, want: Planes3) -> tuple[float, int, int] | None:
    return worst_even_cell((got, _thumb(got)), (want, _thumb(want)))


def test_the_error_of_detail_is_that_of_the_coding_whatever_is_wrong_in_a_part() -> None:
    want = _text_and_ramp()
    noise = np.random.default_rng(3).normal(0, 10, want.shape)
    fine, coarse = want + noise / 10, want + noise
    wrong = fine.copy()
    wrong[:24, :24] = 255 - wrong[:24, :24]
    wrong[:, 64:] += 30

    found = [detail_error_codes(_grey(got)[0], _grey(want)[0]) for got in (fine, wrong, coarse)]

    assert found == [pytest.approx(1, abs=0.2), pytest.approx(1, abs=0.2), pytest.approx(10, abs=1)]


@pytest.mark.parametrize(("height", "width"), [(96, 128), (90, 126), (720, 1280)])
def test_the_error_of_detail_is_to_the_bit_what_its_definition_says(height: int, width: int) -> None:
    want = _grey(_text_and_ramp(height, width))[0]
    got = _grey(want + np.random.default_rng(5).normal(0, 6, want.shape))[0]
    down, across = height // 8, width // 8
    every = max(1, down * across // 2000)
    wanted, found = (
        plane[: down * 8, : across * 8].reshape(down, 8, across, 8)[::every].astype(np.float32) for plane in (want, got)
    )

    detailed = wanted.std(axis=(1, 3)) > DETAIL_CODES
    expected = np.median((found - wanted).std(axis=(1, 3))[detailed])

    assert detail_error_codes(got, want) == float(expected)


def test_a_picture_without_detail_does_not_say_how_coarse_its_coding_is() -> None:
    flat = np.full((64, 64), 90, np.uint8)

    assert detail_error_codes(flat + np.uint8(30), flat) is None


@pytest.mark.parametrize(("height", "width"), [(96, 128), (90, 126), (100, 138)])
def test_a_soft_area_that_is_off_is_even(height: int, width: int) -> None:
    want = _text_and_ramp(height, width)
    got = want.copy()
    got[:, width // 2 :] += 29

    found = _even(_grey(got), _grey(want))

    assert found is not None
    assert found[0] == pytest.approx(29, abs=1)
    assert found[1] >= width // 2 // _SIDE


@pytest.mark.parametrize(("height", "width"), [(96, 128), (90, 126), (100, 138)])
def test_detail_that_was_lost_and_what_remains_of_what_moved_are_not_even(height: int, width: int) -> None:
    want = _text_and_ramp(height, width)
    got = want.copy()
    got[32:40, 16:24] = got[32:40, 16:24].mean() + 29
    got[40:56, width - 40 : width - 24] += 60

    assert worst_cell(cell_differences(_thumb(_grey(got)), _thumb(_grey(want))))[0] > 24
    assert _even(_grey(got), _grey(want)) is None


def test_colour_that_is_off_over_a_soft_area_is_even_and_counts_half() -> None:
    want = _grey(np.full((64, 64), 100.0))
    red = want[2].copy()
    red[8:, 8:] += 60

    assert _even((want[0], want[1], red), want) == (30.0, 3, 2)


def test_one_block_of_colour_is_what_an_encoder_left() -> None:
    want = _grey(np.full((64, 64), 100.0))
    red = want[2].copy()
    red[8:12, 8:12] += 90

    assert _even((want[0], want[1], red), want) is None


def test_a_picture_smaller_than_a_block_is_neither_even_nor_detailed() -> None:
    tiny = (np.full((4, 6), 10, np.uint8), np.full((2, 3), 128, np.uint8), np.full((2, 3), 128, np.uint8))
    thumb = np.zeros((2, 2, 3), np.float32)

    assert worst_even_cell((tiny, thumb), (tiny, thumb + 30)) == (30.0, 0, 0)
    assert detail_error_codes(tiny[0], tiny[0]) is None


@pytest.mark.parametrize(
    ("worst_codes", "even_codes", "strange_codes", "detail_codes", "is_wrong"),
    [
        (29, None, None, 5.9, False),  # a screen of 320x180 at the default quality
        (50, None, 50, 10.6, False),  # 640x360 at the lowest
        (29, None, None, 0.8, True),  # a shadow in linear light, coded well
        (29, 29, None, 10.6, True),  # the same, coded coarsely
        (29, None, None, None, True),  # nothing says that coding was coarse
        (60, None, 60, 27.0, True),  # a block of another picture
        (99, None, 60, 27.0, True),  # the same beside a small thing that was left out
        (58, None, None, 13.9, False),  # a small thing that a coarse encoder left out
        (58, None, None, 1.5, True),  # the same where detail was coded well
        (250, None, None, 13.9, True),  # more than coding of such detail can be off by
        (23, 23, None, 0.8, False),
    ],
)
def test_how_far_a_block_may_be_off_follows_from_how_detail_was_coded(
    worst_codes: float,
    even_codes: float | None,
    strange_codes: float | None,
    detail_codes: float | None,
    *,
    is_wrong: bool,
) -> None:
    even, strange = (None if codes is None else (codes, 4, 4) for codes in (even_codes, strange_codes))
    pictures = PictureMeasurements(
        worst_cell_codes=[None, (worst_codes, 12, 20)],
        worst_strange_cell_codes=[None, strange],
        worst_even_cell_codes=[None, even],
        detail_error_codes=[None, detail_codes],
    )

    found = check_local(pictures)

    assert found.status is (CheckStatus.FAIL if is_wrong else CheckStatus.PASS)


@pytest.mark.parametrize(
    ("off_codes", "luma_codes", "strange_codes", "cells", "frames", "is_wrong"),
    [
        (30, 2, None, 1, (3,), False),  # the tip of a red line, by AV1 at 47 dB
        (38, 3, None, 5, (3, 4), False),
        (38, 3, None, 5, (3, 4, 5), True),  # for a tenth of a second
        (38, 3, None, 60, (3,), True),  # all of an area
        (38, 3, 30, 5, (3,), True),  # of a colour that is nowhere around
        (38, 30, None, 5, (3,), True),  # and of another brightness
        (60, 3, None, 5, (3,), True),
    ],
)
def test_colour_alone_may_be_left_behind_in_a_few_blocks_for_a_moment(
    off_codes: float,
    luma_codes: float,
    strange_codes: float | None,
    cells: int,
    frames: tuple[int, ...],
    *,
    is_wrong: bool,
) -> None:
    fine = (2.0, 4, 4)
    strange = None if strange_codes is None else (strange_codes, 12, 20)
    pictures = PictureMeasurements(
        worst_cell_codes=[(off_codes, 12, 20) if n in frames else fine for n in range(9)],
        worst_luma_cell_codes=[luma_codes if n in frames else fine[0] for n in range(9)],
        cells_off=[cells if n in frames else 0 for n in range(9)],
        worst_strange_cell_codes=[strange if n in frames else None for n in range(9)],
        worst_even_cell_codes=[None] * 9,
        detail_error_codes=[1.3] * 9,
    )

    found = check_local(pictures)

    assert found.status is (CheckStatus.FAIL if is_wrong else CheckStatus.PASS)
    assert not is_wrong or found.frames == frames


def test_a_frame_that_is_wrong_all_over_does_not_excuse_itself() -> None:
    pictures = PictureMeasurements()
    for worst_codes, detail_codes in [(5.0, 1.0)] * 4 + [(50.0, 40.0)]:
        pictures.worst_cell_codes.append((worst_codes, 4, 4))
        pictures.worst_even_cell_codes.append(None)
        pictures.detail_error_codes.append(detail_codes)

    assert check_local(pictures).frames == (4,)


def _with_thing(column: int | None, codes: float = 200) -> NDArray[np.float32]:
    """Means of blocks of a soft ramp; a thing of one block lies over it."""
    means = np.broadcast_to(np.linspace(60, 90, 16)[None, :, None], (9, 16, 3)).astype(np.float32)
    if column is not None:
        means[4, column] = codes
    return means


@pytest.mark.parametrize(
    ("shown", "is_strange"),
    [
        (None, False),  # left out
        (4, False),  # left behind: where it was a frame ago
        (12, False),  # where it will be in two frames
        (15, True),  # where it never is
    ],
)
def test_a_block_that_shows_what_is_around_is_not_strange(shown: int | None, *, is_strange: bool) -> None:
    wanted = [_with_thing(column) for column in (0, 4, 8, 10, 12, 14)]

    blocks = StrangeBlocks()
    for place, want in enumerate(wanted):
        blocks.add(place, _with_thing(shown) if place == 2 else want, want)
    blocks.finish()

    assert list(blocks.found) == ([2] if is_strange else [])
    if is_strange:
        assert blocks.found[2][1:] == (15, 4)


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_block_of_another_picture_is_strange_in_the_first_frame_and_in_the_last(place: int) -> None:
    blocks = StrangeBlocks()
    for number in range(6):
        blocks.add(number, _with_thing(9, 5) if number == place else _with_thing(9, 75), _with_thing(9, 75))
    blocks.finish()

    assert list(blocks.found) == [place]
    assert blocks.found[place] == pytest.approx((70, 9, 4))


def test_pairs_beside_a_part_are_asked_and_not_judged() -> None:
    whole, part = StrangeBlocks(), StrangeBlocks()
    pairs = [(_with_thing(number - 2), _with_thing(number, 220)) for number in range(2, 12)]
    for number, (got, want) in enumerate(pairs):
        whole.add(number, got, want)
        if 2 <= number < 8:
            part.add(number if 4 <= number < 6 else None, got, want)
    whole.finish()
    part.finish()

    assert part.found == {place: cell for place, cell in whole.found.items() if 4 <= place < 6}


def test_what_is_left_of_detail_is_told_from_what_is_there_instead() -> None:
    want = _text_and_ramp()
    means = want.reshape(12, 8, 16, 8).mean(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1)
    half = (want + means) / 2

    of_means, of_half, other = (
        detail_left(_grey(got)[0], _grey(want)[0]) for got in (means, half, np.roll(want, 3, axis=1))
    )

    assert of_means is not None
    assert of_means == pytest.approx((0, 0), abs=0.01)
    assert of_half is not None
    assert of_half == pytest.approx((0.75, -1), abs=0.05)
    assert other is not None
    assert other[1] > ADDED_SHARE
    assert detail_left(_grey(want)[0], _grey(want)[0]) is None
    assert detail_left(np.full((4, 4), 9, np.uint8), np.zeros((4, 4), np.uint8)) is None


@pytest.mark.parametrize(
    ("area_px", "psnr_db", "limit"),
    [(None, 40, 3), (64, 40, 3), (500, 40, 3), (32, 40, 6), (32, 34, 10), (500, 34, 5), (500, 27, 10)],
)
def test_a_patch_smaller_than_what_is_transformed_may_be_off_by_more(
    area_px: float | None, psnr_db: float, limit: float
) -> None:
    pictures = PictureMeasurements(series={"psnr_y": [psnr_db]}, patch_area_px=area_px)

    assert _patch_limit(pictures) == pytest.approx(limit, rel=0.01)


def test_what_is_measured_reaches_as_far_as_the_limits_ask() -> None:
    """The metrics lie below the checks and cannot import their limits: each has the number once more."""
    assert strange_blocks._FROM_CODES == CELL_CODES
    assert frame_pairs._FAIR_PSNR_DB >= PSNR_OUTLIER_FLOOR_DB
    assert LOST_SHARE == SHARPNESS_SHARE
    assert blurred_parts._LEAST_RATIO <= BLURRED_PART_RATIO
