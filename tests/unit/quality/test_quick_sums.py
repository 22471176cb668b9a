"""What is summed up in bands, sorted or done through a spectrum for speed agrees with the plain definition."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import correlate
from scipy.stats import theilslopes

from capbench.quality.metrics import sound_lag
from capbench.quality.metrics.flash_sync import measure_flash_sync
from capbench.quality.metrics.pairs.colour_samples import ColourSamples, look_at_colours
from capbench.quality.metrics.pairs.luma_levels import coarse_step
from capbench.quality.metrics.pairs.plane_shift import plane_shift
from capbench.quality.metrics.registration import sharpness
from capbench.quality.reading.observed_frame import FrameRecord
from capbench.quality.reading.sound_envelope import BIN_S, Sound

_SIZES = [(200, 300), (130, 90), (66, 64), (65, 40), (64, 40), (20, 30)]
"""Rows and columns: several bands, with a last one of any height, and less than one."""


def _planes(
    shape: tuple[int, int], seed: int = 3, *, moved: float = 0.3
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    chance = np.random.default_rng(seed)
    want = np.clip(gaussian_filter(chance.normal(size=shape), 1.5) * 400 + 128, 0, 255)
    got = np.clip(np.roll(want, 1, axis=1) * moved + want * (1 - moved) + chance.normal(size=shape), 0, 255)
    return got.astype(np.uint8), want.astype(np.uint8)


def _time(index: int) -> Fraction:
    return Fraction(index, 30)


def _plain_shift(got: NDArray[np.uint8], want: NDArray[np.uint8]) -> NDArray[np.float64]:
    first, second = want.astype(np.float64), got.astype(np.float64)
    mean = (first + second) / 2
    gx = (mean[1:-1, 2:] - mean[1:-1, :-2]) / 2
    gy = (mean[2:, 1:-1] - mean[:-2, 1:-1]) / 2
    has_edge = np.hypot(gx, gy) >= 1
    terms = np.stack([part[has_edge] for part in (gx, gy, np.ones_like(gx))], axis=1)
    solved = np.linalg.lstsq(terms, (first - second)[1:-1, 1:-1][has_edge], rcond=None)[0]
    gradients = [np.stack([np.gradient(plane, axis=1), np.gradient(plane, axis=0)]) for plane in (first, second)]
    edges = [each[:, 1:-1, 1:-1][:, has_edge] for each in gradients]
    kept = float((edges[0] * edges[1]).sum() / (edges[0] ** 2).sum())
    return np.asarray(solved[:2] * (1 + kept) ** 2 / (4 * kept), np.float64)


@pytest.mark.parametrize("shape", _SIZES)
def test_a_shift_is_that_of_least_squares_where_there_are_edges(shape: tuple[int, int]) -> None:
    """Of less than a tenth of a sample; a larger one is measured again."""
    got, want = _planes(shape, moved=0.05)

    found = plane_shift(got, want)

    assert found is not None
    assert (found.right, found.down) == pytest.approx(tuple(_plain_shift(got, want)), abs=1e-4)


@pytest.mark.parametrize("shape", _SIZES[:-1])
def test_sharpness_is_the_regression_of_laplacians_where_there_is_detail(shape: tuple[int, int]) -> None:
    """Detail in whole cells of 8x8 samples of the inside, and nothing elsewhere."""
    got, want = _planes(shape)
    inside = np.s_[1 + 9 : 1 + 31, 1 + 9 : 1 + 31]
    lines = []
    for plane in (got, want):
        whole = np.full(shape, 100.0)
        whole[inside] = plane[inside]
        plane[:] = whole
        around = whole[:-2, 1:-1] + whole[2:, 1:-1] + whole[1:-1, :-2] + whole[1:-1, 2:]
        lines.append((around - 4 * whole[1:-1, 1:-1]).ravel())

    assert sharpness(got, want) == pytest.approx(lines[0] @ lines[1] / (lines[1] @ lines[1]), rel=1e-6)


def test_planes_without_an_inside_have_neither() -> None:
    tiny = np.zeros((2, 2), np.uint8)

    assert plane_shift(tiny, tiny) is None
    assert sharpness(tiny, tiny) is None


@pytest.mark.parametrize("step", [1, 2, 4, 8, 16])
def test_the_step_of_a_coarse_plane_is_found_at_8_and_10_bits(step: int) -> None:
    chance = np.random.default_rng(1)
    want = chance.integers(0, 256, (400, 400), np.uint8)
    deep = chance.integers(0, 1024, (400, 400), np.uint16)

    assert coarse_step(want // step * step, want) == step
    assert coarse_step(deep // step * step, deep) == step


def test_colours_are_means_of_their_flat_blocks() -> None:
    rows, columns = np.mgrid[:6, :8]
    grid = np.stack([20 + 24 * rows, 20 + 24 * columns, 20 + 24 * (rows + columns)], axis=-1)
    colours = np.repeat(np.repeat(grid, 8, axis=0), 8, axis=1).astype(np.float32)
    samples = ColourSamples()

    samples.add(look_at_colours(colours + np.float32(1), colours))
    found = samples.rows()

    assert {tuple(row[:3]) for row in found.tolist()} <= {tuple(row) for row in colours.reshape(-1, 3).tolist()}
    assert len(found) == 48
    assert np.allclose(found[:, 3:] - found[:, :3], 1)


def _flashes(moments: list[float], late: list[float]) -> tuple[list[FrameRecord], Sound]:
    frames = []
    for index in range(round(moments[-1] * 30) + 30):
        is_on = any(round(moment * 30) <= index < round(moment * 30) + 3 for moment in moments)
        codes = (0.0, 0.0, 0.0)
        frames.append(FrameRecord(index, _time(index), index, True, codes, 0.0, 0.0, 1.0 if is_on else 0.0))
    level = np.zeros(round((moments[-1] + 1) / BIN_S), np.float32)
    for moment, by in zip(moments, late, strict=True):
        level[round((moment + by) / BIN_S) : round((moment + by + 0.1) / BIN_S)] = 0.35
    return frames, Sound(1, 1, start_bin=0, level=level, clipped_share=0, side_share=0, error=None)


def test_drift_is_theil_and_sens() -> None:
    moments, late = [0.5, 1.5, 2.5, 3.5, 4.5], [0.01, 0.012, 0.2, 0.017, 0.018]
    frames, sound = _flashes(moments, late)

    found = measure_flash_sync(frames, [frame.index for frame in frames], frames, sound)

    fit = theilslopes(late, moments)
    assert found is not None
    assert found.flashes == 5
    assert found.start_ms == pytest.approx(1e3 * (fit.intercept + fit.slope * 0.5), abs=0.01)
    assert found.end_ms == pytest.approx(1e3 * (fit.intercept + fit.slope * 4.5), abs=0.01)


@pytest.mark.parametrize(("first", "second"), [(100, 30), (97, 97), (5, 5)])
def test_correlation_is_that_of_scipy(first: int, second: int) -> None:
    chance = np.random.default_rng(5)
    a, b = chance.normal(size=first), chance.normal(size=second)

    found = sound_lag._correlate(a, b)

    assert np.allclose(found, correlate(a, b, mode="full", method="direct"))
    assert np.allclose(found[second - 1 : first], correlate(a, b, mode="valid", method="direct"))


def test_blocks_of_a_long_clip_are_bounded_and_spread_over_all_of_it() -> None:
    samples = ColourSamples()
    for number in range(1000):
        picture = np.full((2, 2, 3), float(number), np.float32)
        samples.add(look_at_colours(picture, picture))

    shown = np.unique(samples.blocks()[:, 0])

    assert 128 <= shown.size <= 257
    assert shown[0] == 0
    assert shown[-1] > 990
    assert np.unique(np.diff(shown)).size == 1
