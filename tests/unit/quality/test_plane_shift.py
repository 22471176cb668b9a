"""How well a shift is known: the stated error against the error that is made, in planes with much and little colour."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from capbench.quality.metrics.pairs.plane_shift import (
    PlaneShift,
    any_plane_shift,
    mean_shift,
    plane_shift,
    shift_apart,
)

Plane = NDArray[np.float64]


def codes(values: Plane) -> NDArray[np.uint8]:
    return values.round().clip(0, 255).astype(np.uint8)


def texture(seed: int, contrast: float, size: tuple[int, int] = (96, 160), *, sigma: float = 2.5) -> Plane:
    noise = gaussian_filter(np.random.default_rng(seed).normal(0, 1, size), sigma)
    return np.asarray(128 + contrast * noise / noise.std(), np.float64)


def coding_error(seed: int, strength: float, block: int, size: tuple[int, int] = (96, 160)) -> Plane:
    """As an encoder's: a soft pattern of its own in each block, and alike all over it."""
    random = np.random.default_rng(seed + 1000)
    rows, columns = -(-size[0] // block), -(-size[1] // block)
    slopes = random.normal(0, strength / block, (2, rows, columns)).repeat(block, axis=1).repeat(block, axis=2)
    means = random.normal(0, strength / 2, (rows, columns)).repeat(block, axis=0).repeat(block, axis=1)
    down, across = np.mgrid[: rows * block, : columns * block] % block - (block - 1) / 2
    made: Plane = (means + slopes[0] * down + slopes[1] * across)[: size[0], : size[1]]
    return made


@pytest.mark.parametrize("block", [4, 8, 16])
@pytest.mark.parametrize("contrast", [3.0, 20.0])
def test_the_stated_error_is_the_error_that_is_made(block: int, contrast: float) -> None:
    """Samples of a block err alike: counted one by one they would promise ten times what they know."""
    ratios = []
    for seed in range(24):
        want = texture(seed, contrast)
        found = plane_shift(codes(want + coding_error(seed, 1.5, block)), codes(want))
        assert found is not None
        ratios += [found.right / found.right_error, found.down / found.down_error]

    # Of 48 errors as large as stated the root mean square is within 0.2 of 1 nearly always.
    assert 0.6 < float(np.sqrt(np.mean(np.square(ratios)))) < 1.5
    assert max(map(abs, ratios)) < 5


def test_faint_colour_is_placed_less_well_than_strong_colour() -> None:
    errors = []
    for contrast in (2.5, 10.0, 40.0):
        want = texture(1, contrast)
        found = plane_shift(codes(want + coding_error(1, 1.5, 8)), codes(want))
        assert found is not None
        errors.append(found.right_error)

    assert errors[0] > 3 * errors[1] > 9 * errors[2]


@pytest.mark.parametrize("right", [0.0, 0.25])
def test_strong_colour_in_one_corner_is_enough(right: float) -> None:
    """It has little of the whole plane's gradient, and is as sharp as ever where it is."""
    want = np.full((135, 240), 128.0)
    want[:30, :40] += np.outer(np.hanning(30), np.hanning(40)) * (texture(2, 60, (30, 40)) - 128)
    got = shift(want, (0, right), order=3, mode="nearest")
    noise = np.random.default_rng(3).normal(0, 0.7, want.shape)

    found = plane_shift(codes(got + noise), codes(want))

    assert found is not None
    assert found.right == pytest.approx(right, abs=0.03)
    assert 3 * found.right_error < 0.125


@pytest.mark.parametrize("kept", [0.9, 0.7, 0.55])
def test_a_shift_is_found_in_what_coding_left_of_the_colours(kept: float) -> None:
    """And not where nearly nothing is left: the planes then differ by the detail, and seemed to be in one place."""
    want = texture(5, 20, sigma=1.4)
    got = 128 + kept * (shift(want, (0, 0.25), order=3, mode="nearest") - 128)

    found = plane_shift(codes(got), codes(want))

    assert found is not None
    assert found.right == pytest.approx(0.25, abs=0.04)
    assert plane_shift(codes(128 + 0.15 * (got - 128)), codes(want)) is None


def test_one_coloured_spot_says_where_it_is_and_not_how_surely() -> None:
    want = np.full((135, 240), 128.0)
    want[60:66, 100:106] = 200

    assert plane_shift(codes(want), codes(want)) is None


@pytest.mark.parametrize("slope", [0.05, 0.3, 1.7])
def test_a_slope_has_no_place(slope: float) -> None:
    """Rounded to stairs it seemed to: a constant of 0.3 codes moved those by samples, and with the utmost precision."""
    down, across = np.mgrid[:96, :160]
    ramp = 10 + slope * (0.8 * across + 0.2 * down)

    assert plane_shift(codes(ramp + 0.3), codes(ramp)) is None


def test_a_mean_of_planes_goes_by_what_is_known() -> None:
    sure, unsure = PlaneShift(0.25, 0.0, 0.02, 0.02), PlaneShift(-0.4, 0.9, 0.5, 0.5)

    mean = mean_shift([sure, unsure])

    assert mean is not None
    assert mean.right == pytest.approx(0.25, abs=0.01)
    assert mean.right_error == pytest.approx(0.02, abs=0.002)
    assert mean_shift([sure]) == sure
    assert mean_shift([]) is None


def test_bars_tell_of_one_direction() -> None:
    """Bars of colour from top to bottom had no place at all, and chroma half a pixel aside passed."""
    random = np.random.default_rng(1)
    bars, columns = np.repeat(random.integers(40, 210, 20), 8).astype(float), np.arange(160)
    want = np.tile(bars, (90, 1))
    got = np.tile(np.interp(columns - 0.25, columns, bars), (90, 1)) + random.normal(0, 0.7, want.shape)
    both = [plane.round().clip(0, 255).astype(np.uint8) for plane in (got, want)]

    across = plane_shift(*both)
    down = plane_shift(*(np.ascontiguousarray(plane.T) for plane in both))

    assert across is not None
    assert down is not None
    assert across.right == pytest.approx(0.25, abs=0.05)
    assert (across.down, across.right_error < 0.05, across.down_error > 1e3) == (0, True, True)
    assert (down.down, down.right) == pytest.approx((across.right, 0), abs=1e-9)


def test_slopes_have_no_place() -> None:
    """Red, green and blue that grow from left to right: quantisation biases each otherwise, as a shift would."""
    slope = np.arange(320) * 0.8
    want = np.repeat([slope * share for share in (0.35, 1.2, 0.5)], 60, axis=0) + 10
    bias = np.repeat([0.9, -1.0, 0.6], 60)[:, None]
    both = [plane.round().clip(0, 255).astype(np.uint8) for plane in (want + bias, want)]

    shift = plane_shift(*both)

    assert shift is None or abs(shift.right) < 3 * shift.right_error


@pytest.mark.parametrize("right", [0, 1, 4, -6])
def test_soft_faint_colour_is_placed_however_far_it_was_moved(right: int) -> None:
    """Least squares see samples next to each other: four samples aside, at 40 dB, such a plane had no place at all."""
    want = codes(texture(8, 4, (128, 192), sigma=3))
    got = codes(np.roll(texture(8, 4, (128, 192), sigma=3), right, axis=1) + coding_error(8, 0.4, 8, (128, 192)))

    found = any_plane_shift(got, want)

    assert found is not None
    assert found.right == pytest.approx(right, abs=0.15)
    assert found.down == pytest.approx(0, abs=0.15)


def test_what_has_no_place_is_not_looked_for_far_away() -> None:
    soft = codes(texture(2, 0.6, (128, 192), sigma=12))

    assert any_plane_shift(np.roll(soft, 5, axis=1), soft) is None


def test_bars_that_were_moved_far_have_no_place_along_themselves() -> None:
    bars = np.tile(codes(texture(9, 30, (1, 192), sigma=2)), (128, 1))

    found = any_plane_shift(np.roll(bars, 5, axis=1), bars)

    assert found is not None
    assert found.right == pytest.approx(5, abs=0.05)
    assert found.down_error > 100


def test_planes_lie_apart_by_the_difference_of_their_shifts() -> None:
    first, second = PlaneShift(0.5, 0.0, 0.03, 0.01), PlaneShift(2.5, -1.0, 0.04, 0.01)

    apart = shift_apart(first, second)

    assert apart is not None
    assert (apart.right, apart.down, apart.right_error) == pytest.approx((2.0, -1.0, 0.05))
    assert shift_apart(None, second) is shift_apart(first, None) is None


@pytest.mark.parametrize("moved", [-0.5, -0.25, 0.25, 0.5])
@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.5])
def test_fine_edges_are_placed_as_well_as_soft_ones(moved: float, sigma: float) -> None:
    """Chroma of thin letters, of 4:2:0 in the middle against 4:4:4 on the left, lay 0.83 px apart instead of 0.5."""
    want = texture(7, 30.0, sigma=sigma)
    got = np.fft.irfft2(np.fft.rfft2(want) * np.exp(-2j * np.pi * moved * np.fft.rfftfreq(want.shape[1])), want.shape)

    found = plane_shift(codes(got), codes(want))

    assert found is not None
    assert found.right == pytest.approx(moved, abs=0.05)
    assert found.down == pytest.approx(0, abs=0.03)


def test_fine_edges_that_lost_their_finest_detail_are_placed_too() -> None:
    want = texture(8, 30.0, sigma=0.8)
    got = shift(gaussian_filter(want, 0.8), (0, 0.5), mode="nearest")

    found = plane_shift(codes(got), codes(want))

    assert found is not None
    assert found.right == pytest.approx(0.5, abs=0.06)
