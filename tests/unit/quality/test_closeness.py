"""Shifts, sharpness, borders, turns and lost levels, against pictures made with a known amount of each."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift, zoom

from capbench.quality.metrics.pairs.luma_levels import coarse_step, coarse_step_of, level_errors
from capbench.quality.metrics.pairs.plane_shift import PlaneShift, any_plane_shift, far_plane_shift, plane_shift
from capbench.quality.metrics.registration import (
    border_errors_codes,
    cell_differences,
    errors_beside_border_codes,
    inner_error_codes,
    sharpness,
    worst_cell,
)
from capbench.quality.reading.orientation import turn_correlations


def picture(seed: int = 1, size: tuple[int, int] = (96, 128), sigma: float = 1.2) -> NDArray[np.float64]:
    """Band-limited noise that uses most of the codes."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(0, 1, size), sigma)
    scaled: NDArray[np.float64] = 128 + 40 * noise / noise.std()
    return scaled


def codes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return values.round().clip(0, 255).astype(np.uint8)


def place(shift: PlaneShift | None) -> tuple[float, float] | None:
    return None if shift is None else (shift.right, shift.down)


@pytest.mark.parametrize(("right", "down"), [(0.0, 0.0), (0.25, 0.0), (-0.5, 0.25), (0.0, 0.5)])
def test_a_known_shift_is_measured(right: float, down: float) -> None:
    want = picture(sigma=2.5)
    got = shift(want, (down, right), order=3, mode="nearest")

    measured = plane_shift(codes(got), codes(want))

    assert place(measured) == pytest.approx((right, down), abs=0.05)


@pytest.mark.parametrize(("right", "down"), [(2, 0), (-3, 5), (0, 16), (-16, -9)])
def test_a_shift_of_many_samples_is_measured(right: int, down: int) -> None:
    """Least squares alone said 0.5 px of 2, and that only that the picture is blurred."""
    want = picture(size=(180, 240))
    got = np.roll(want, (down, right), axis=(0, 1)) + np.random.default_rng(4).normal(0, 3, want.shape)

    assert place(far_plane_shift(codes(got), codes(want))) == pytest.approx((right, down), abs=0.05)


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -4), (-8, 3)])
def test_small_planes_are_looked_for_up_to_a_quarter_of_their_side(right: int, down: int) -> None:
    """Chroma of 96x64 pixels, 4 px aside and coarsely coded, seemed to be nowhere at all."""
    want = picture(size=(32, 48), sigma=2)
    got = np.roll(want, (down, right), axis=(0, 1)) + np.random.default_rng(4).normal(0, 6, want.shape)

    assert place(any_plane_shift(codes(got), codes(want))) == pytest.approx((right, down), abs=0.15)


def test_noise_and_other_pictures_are_not_moved_far() -> None:
    want = picture(size=(180, 240))
    noisy = want + np.random.default_rng(4).normal(0, 12, want.shape)

    assert place(far_plane_shift(codes(noisy), codes(want))) == pytest.approx((0, 0), abs=0.1)
    assert far_plane_shift(codes(picture(seed=9, size=(180, 240))), codes(want)) is None
    assert place(far_plane_shift(codes(want[:20]), codes(want[:20]))) == pytest.approx((0, 0), abs=0.01)


def test_levels_lost_in_small_pictures_are_found_in_all_of_them_together() -> None:
    """36 rows of 320 samples have too few of most levels."""
    wanted = [codes(picture(seed, size=(20, 160), sigma=2.5) * 1.1 - 14) for seed in range(12)]
    counts, sums = level_errors(wanted[0] // 16 * 16 + 8, wanted[0])
    assert coarse_step_of(counts, sums) == 1

    for want in wanted[1:]:
        more, errors = level_errors(want // 16 * 16 + 8, want)
        counts, sums = counts + more, sums + errors

    assert coarse_step_of(counts, sums) == 16


def test_a_flat_picture_has_no_place_and_bars_have_one_across_alone() -> None:
    stripes = np.tile((np.arange(64) // 8 % 2 * 200).astype(np.uint8), (64, 1))

    assert plane_shift(codes(np.full((64, 64), 90.0)), codes(np.full((64, 64), 90.0))) is None
    along = plane_shift(stripes, stripes)
    assert along is not None
    assert along.right_error < 0.1
    assert along.down_error > len(stripes)  # beyond anything that could be told


def test_edges_fainter_than_the_noise_between_both_have_no_place() -> None:
    """Coarse coding of a picture without strong colours: what is left of its edges would be taken for a shift."""
    want = 90 + (picture(sigma=2.5) - 90) * 0.2
    noise = np.random.default_rng(3).normal(0, 6, want.shape)

    assert plane_shift(codes(want), codes(want)) is not None
    assert plane_shift(codes(want + noise), codes(want)) is None


def test_sharpness_falls_with_blur_and_ignores_noise() -> None:
    want = codes(picture(sigma=0.6))
    want[:32] = 90
    small = zoom(want.astype(float), 0.5, order=3)
    noise = np.random.default_rng(2).normal(0, 6, want.shape)

    assert sharpness(want, want) == 1.0
    assert sharpness(codes(zoom(small, 2, order=3)), want) == pytest.approx(0.1, abs=0.15)
    assert sharpness(codes(want + noise), want) == pytest.approx(1.0, abs=0.05)
    assert sharpness(want, np.full_like(want, 7)) is None


@pytest.mark.parametrize("grain_codes", [2, 4])
def test_grain_that_an_encoder_leaves_out_is_no_blur(grain_codes: float) -> None:
    """Of a film with grain of 4 codes CRF 23 leaves a fifth of the finest detail, and every edge."""
    down, across = np.mgrid[:180, :320]
    clean = 60.0 + across / 4
    clean[40:120, 60:160] = 200
    clean[130:170, 200:300] = 30
    grain = np.random.default_rng(4).normal(0, grain_codes, clean.shape) * (1 + down / 180)
    want = codes(clean + grain)

    kept = sharpness(codes(clean + 0.1 * grain), want)
    half = sharpness(codes(zoom(zoom(clean + grain, 0.5, order=3), 2, order=3)), want)

    assert kept is not None
    assert kept > 0.7
    assert half is not None
    assert half < 0.3


def test_grain_alone_tells_nothing_of_sharpness() -> None:
    want = codes(90 + np.random.default_rng(4).normal(0, 8, (180, 320)))

    assert sharpness(np.full_like(want, 90), want) is None


@pytest.mark.parametrize("step", [1, 2, 4, 8, 16, 32])
def test_lost_levels_are_counted_under_coding_noise(step: int) -> None:
    want = codes(picture())
    coarse = want // step * step + (step // 2)
    got = codes(coarse + np.random.default_rng(3).normal(0, 1.0, want.shape))

    assert coarse_step(got, want) == step


@pytest.mark.parametrize("step", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("first", [0.3, 0.5, 0.8])
def test_steps_are_found_wherever_the_first_one_begins(step: int, first: float) -> None:
    """An exporter that rounds to fewer bits has its steps half a step aside of one that truncates."""
    want = codes(picture(sigma=2.5, size=(288, 352)))
    aside = int(first * step)
    coarse = (want + aside) // step * step - aside + step // 2

    assert coarse_step(codes(coarse + np.random.default_rng(3).normal(0, 0.12 * step, want.shape)), want) == step


def test_steps_of_32_are_found_where_codes_of_the_reference_do_not_occur() -> None:
    """Levels of full range that were stretched from limited range: every seventh code is empty. Missed before."""
    want = codes((picture(sigma=2.5, size=(288, 352)) // 1 - 16) * 255 / 219)

    assert np.bincount(want.ravel(), minlength=256)[60:200].min() == 0
    assert coarse_step(want // 32 * 32 + 16, want) == 32
    assert coarse_step(want, want) == 1


@pytest.mark.parametrize("apart", [8, 16, 24, 32])
@pytest.mark.parametrize("noise", [0.06, 0.12, 0.18])
def test_bars_of_grey_whose_noise_was_left_out_are_no_banding(apart: int, noise: float) -> None:
    """The reference has steps itself, and around each level the noise of its own encoder."""
    bars = np.repeat(np.arange(20, 236, apart), 352 * 288 // len(np.arange(20, 236, apart)))
    want = codes(bars + np.random.default_rng(6).normal(0, noise * apart, bars.shape))

    assert coarse_step(codes(bars.astype(float)), want) == 1


def test_a_wrong_bottom_edge_stands_out() -> None:
    want = codes(picture())
    got = want.copy()
    got[-2:] = 0

    top, bottom, left, right = border_errors_codes(got, want)

    assert (top, bottom > 50) == (0.0, True)
    assert max(left, right) < bottom / 4


def test_the_border_is_compared_with_samples_and_not_with_means() -> None:
    """Grain that was left out is off by 5.5 codes at each sample, and by nothing in the mean of a cell."""
    want = codes(90 + np.random.default_rng(4).normal(0, 7, (180, 320)))
    got = np.full_like(want, 90)

    assert max(border_errors_codes(got, want)) - inner_error_codes(got, want) < 0.5
    got[:, -2:] = 0
    assert max(border_errors_codes(got, want)) - inner_error_codes(got, want) > 80


def test_a_line_along_the_border_that_coding_softened_is_no_wrong_border() -> None:
    """The dark column of a recorded film, 59 codes below the next: at CRF 40 32 of these are left."""
    want = codes(picture())
    want[:, 0] = 107
    want[:, 1] = 166
    soft, unwritten = want.copy(), want.copy()
    soft[:, 0], soft[:, 1] = 121, 153
    unwritten[:, 0] = 166

    assert border_errors_codes(soft, want)[2] < 1
    assert border_errors_codes(unwritten, want)[2] > 25


@pytest.mark.parametrize(
    ("turn", "name"),
    [
        (lambda p: p, "as it is"),
        (lambda p: np.rot90(p, 2), "rotated by 180°"),
        (lambda p: p[:, ::-1], "flipped horizontally"),
        (lambda p: p[::-1], "flipped vertically"),
    ],
)
def test_turns_are_recognised(turn: object, name: str) -> None:
    want = picture(sigma=4).astype(np.float32)

    found = turn_correlations(turn(want), want)  # type: ignore[operator]

    assert max(found, key=lambda key: found[key]) == name
    assert found[name] == pytest.approx(1.0)
    assert turn_correlations(np.zeros_like(want), want) == {}


def test_the_worst_block_is_placed_and_chroma_counts_half() -> None:
    want = np.zeros((4, 6, 3), np.float32)
    got = want.copy()
    got[1, 2, 0], got[3, 4, 1] = 30, 50

    assert worst_cell(cell_differences(got, want)) == (30.0, 2, 1)


@pytest.mark.parametrize(("rows", "is_fault"), [(2, True), (8, False)])
def test_what_enters_at_an_edge_is_harder_to_code_than_the_rest(rows: int, *, is_fault: bool) -> None:
    """Cells that come in from below: x265 at CRF 34 was off by 15 codes there, and by 5 elsewhere."""
    random = np.random.default_rng(7)
    want = random.integers(60, 180, (96, 160)).astype(np.uint8)
    noise = random.integers(-9, 10, want.shape)
    noise[-rows:] *= 4
    got = (want + noise).astype(np.uint8)

    bottom = border_errors_codes(got, want)[1]

    assert bottom > 2.5 * inner_error_codes(got, want)
    assert (bottom > 2 * errors_beside_border_codes(got, want)[1]) is is_fault
