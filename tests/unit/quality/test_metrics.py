"""PSNR, SSIM and their pooling against scikit-image, FFmpeg's own filters and values by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from capbench.errors import PictureError
from capbench.quality.metrics.ffmpeg_metrics import FFMPEG_METRICS, FfmpegMeter
from capbench.quality.metrics.pooling import frame_values, pool
from capbench.quality.metrics.psnr_ssim import mean_squared_error, psnr_db, ssim
from capbench.quality.reading.planes import Planes, as_frame
from capbench.results.metric_registry import PSNR_CEILING_DB, choose_metrics, columns_of, require_metric

Plane = NDArray[np.uint8]


def noisy_pair(height: int, width: int, amount: int, seed: int = 1) -> tuple[Plane, Plane]:
    """A smooth picture and the same with uniform noise of up to `amount` codes."""
    noise = np.random.default_rng(seed)
    want = (np.add.outer(np.arange(height), 2 * np.arange(width)) % 256).astype(np.uint8)
    got = (want.astype(int) + noise.integers(-amount, amount + 1, want.shape)).clip(0, 255).astype(np.uint8)
    return got, want


@pytest.mark.parametrize("amount", [1, 6, 40])
def test_psnr_is_scikit_images(amount: int) -> None:
    got, want = noisy_pair(150, 98, amount)

    expected = peak_signal_noise_ratio(want, got, data_range=255)  # type: ignore[no-untyped-call]

    assert psnr_db(mean_squared_error(got, want)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("shape", [(90, 160), (139, 200), (11, 11)])
def test_ssim_is_scikit_images(shape: tuple[int, int]) -> None:
    got, want = noisy_pair(*shape, 12)

    expected = structural_similarity(  # type: ignore[no-untyped-call]
        got, want, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )

    assert ssim(got, want) == pytest.approx(expected, abs=1e-5)  # ours is in single precision


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_planes_have_their_own_peak_and_constants(bits: int) -> None:
    """Errors of a few deep codes, in which the constants of another depth would drown or vanish."""
    peak = (1 << bits) - 1
    noise = np.random.default_rng(bits)
    want = np.floor(0.4 * peak + 0.02 * peak * noise.standard_normal((90, 120))).astype(np.uint16)
    got = (want + noise.integers(-3 << (bits - 8), (3 << (bits - 8)) + 1, want.shape)).astype(np.uint16)

    db = peak_signal_noise_ratio(want, got, data_range=peak)  # type: ignore[no-untyped-call]
    index = structural_similarity(  # type: ignore[no-untyped-call]
        got, want, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=peak
    )

    assert psnr_db(mean_squared_error(got, want), peak) == pytest.approx(db, abs=1e-3)
    assert ssim(got, want, peak) == pytest.approx(index, abs=1e-4)
    assert ssim(got, want) != pytest.approx(index, abs=1e-2)


def test_ssim_is_symmetric_and_one_for_identical_planes() -> None:
    got, want = noisy_pair(64, 64, 20)

    assert ssim(got, want) == pytest.approx(ssim(want, got), abs=1e-12)
    assert ssim(want, want) == 1.0


def test_ffmpegs_own_figures_agree() -> None:
    """PSNR within 0.01 dB of ours; its SSIM uses 8x8 blocks, so it only has to be near."""
    pairs = []
    for amount in (2, 9):
        got_y, want_y = noisy_pair(96, 128, amount)
        got_c, want_c = noisy_pair(48, 64, amount, seed=3)
        pairs.append((Planes(got_y, got_c, got_c), Planes(want_y, want_c, want_c)))
    meter = FfmpegMeter(128, 96, rate=None)

    for got, want in pairs:
        meter.push(as_frame(got), as_frame(want))
    found = meter.finish().series

    assert {len(values) for values in found.values()} == {2}
    for number, (got, want) in enumerate(pairs):
        ours = [psnr_db(mean_squared_error(*planes)) for planes in zip(got.all, want.all, strict=True)]
        assert found["ffmpeg_psnr_y"][number] == pytest.approx(ours[0], abs=0.01)
        assert found["ffmpeg_psnr_cb"][number] == pytest.approx(ours[1], abs=0.01)
        assert found["ffmpeg_ssim_y"][number] == pytest.approx(ssim(got.luma, want.luma), abs=0.05)
        assert (found["xpsnr_y"][number] or 0) > 0


def test_identical_planes_have_a_finite_psnr_everywhere() -> None:
    """Infinite values would make every mean infinite."""
    plane = noisy_pair(96, 128, 3)[0]
    planes = Planes(plane, plane[::2, ::2], plane[::2, ::2])
    meter = FfmpegMeter(128, 96, rate=None)

    meter.push(as_frame(planes), as_frame(planes))

    assert psnr_db(mean_squared_error(plane, plane)) == PSNR_CEILING_DB
    assert meter.finish().series["ffmpeg_psnr_y"] == [PSNR_CEILING_DB]


def test_planes_of_other_sizes_are_refused_and_tiny_ones_have_no_ssim() -> None:
    got, want = noisy_pair(16, 16, 3)

    with pytest.raises(PictureError, match="size"):
        mean_squared_error(got[:8], want)
    with pytest.raises(PictureError, match="size"):
        ssim(got[:, :8], want)
    assert ssim(got[:10], want[:10]) is None


def test_a_flat_difference_has_the_ssim_that_netflix_publishes_and_its_psnr() -> None:
    """Black and R'G'B' 10 in codes of limited range, 16 and 25.

    Netflix/vmaf, python/test/feature_extractor_test.py, test_run_ssim_fextractor_flat: 0.908733.
    """
    got, want = (np.full((64, 64), code, np.uint8) for code in (25, 16))

    assert ssim(got, want) == pytest.approx(0.908733, abs=1e-6)
    assert psnr_db(mean_squared_error(got, want)) == pytest.approx(10 * math.log10(255**2 / 81))


def test_pooling_by_hand() -> None:
    summary = pool([40.0, None, 20.0, 30.0], require_metric("psnr"))

    assert summary.mean == 30.0
    assert summary.harmonic_mean == pytest.approx(3 / (1 / 40 + 1 / 20 + 1 / 30))
    assert (summary.worst, summary.worst_frame, summary.frames, summary.unit) == (20.0, 2, 3, "dB")
    assert summary.p5 == pytest.approx(21.0)
    assert summary.p1 == pytest.approx(20.2)


def test_pooling_nothing_and_values_without_a_harmonic_mean() -> None:
    ssim_index = require_metric("ssim")

    assert pool([None, None], ssim_index).mean is None
    assert pool([0.0, 1.0], ssim_index).harmonic_mean is None
    assert pool([0.0, 1.0], ssim_index).mean == 0.5


def test_the_worst_of_a_metric_that_improves_downwards_is_its_largest_value() -> None:
    summary = pool([1.0, None, 5.0, 3.0], require_metric("cambi"))

    assert (summary.mean, summary.harmonic_mean) == (3.0, None)
    assert (summary.worst, summary.worst_frame, summary.unit) == (5.0, 2, "")
    assert summary.p5 == pytest.approx(4.8)
    assert summary.p1 == pytest.approx(4.96)


@pytest.mark.parametrize(
    ("name", "values", "pooled"),
    [
        ("psnr_hvs", [math.inf, 50.0], (PSNR_CEILING_DB, 50.0)),
        ("vmaf", [math.nan, 90.0], (None, 90.0)),
        ("ssim", [-math.inf, 0.5], (-1.0, 0.5)),
        ("cambi", [math.inf, 2.0], (None, 2.0)),
        ("psnr", [math.nan, None], (None, None)),
    ],
)
def test_what_is_no_number_is_not_pooled_and_what_is_infinite_becomes_the_end_of_the_range(
    name: str, values: list[float | None], pooled: tuple[float | None, ...]
) -> None:
    metric = require_metric(name)
    known = [value for value in pooled if value is not None]

    assert frame_values(values, metric) == pooled
    assert pool(values, metric).frames == len(known)
    assert pool(values, metric).mean == (sum(known) / len(known) if known else None)


@pytest.mark.parametrize(("width", "height"), [(16, 16), (2, 2), (44, 46), (64, 8), (46, 46), (64, 32)])
def test_small_pictures_are_measured_by_what_can_measure_them(width: int, height: int) -> None:
    """FFmpeg's xpsnr divides by zero below 2025 pixels, which ends the process; ssim wants two blocks of chroma."""
    luma, chroma = (np.full((height // n, width // n), 90, np.uint8) for n in (1, 2))
    meter = FfmpegMeter(width, height, rate=None)
    for _ in range(3):
        meter.push(as_frame(Planes(luma, chroma, chroma)), as_frame(Planes(luma, chroma, chroma)))

    found = meter.finish()

    assert found.series["ffmpeg_psnr_y"] == [100.0] * 3
    assert ("xpsnr_y" in found.series) is (width * height >= 2025)
    assert ("ffmpeg_ssim_y" in found.series) is (min(width, height) >= 16)
    assert set(found.series) | set(found.unmeasured) == set(columns_of(choose_metrics(list(FFMPEG_METRICS))))


def test_xpsnr_depends_on_the_rate_that_it_is_given() -> None:
    """Above 32 frames a second its model looks at two frames before instead of one."""
    noise = np.random.default_rng(5)
    pairs = []
    for number in range(6):
        want = np.roll(noise.integers(60, 180, (96, 128), dtype=np.uint8), 3 * number, axis=1)
        got = (want + noise.integers(0, 9, want.shape, dtype=np.uint8)).astype(np.uint8)
        pairs.append((got, want))

    def measured(rate: Fraction | None) -> list[float | None]:
        meter = FfmpegMeter(128, 96, rate=rate)
        for planes in pairs:
            meter.push(*(as_frame(Planes(plane, plane[::2, ::2], plane[::2, ::2])) for plane in planes))
        return list(meter.finish().series["xpsnr_y"])

    assert measured(None) == measured(Fraction(25)) == measured(Fraction(30))
    assert measured(Fraction(60)) == measured(Fraction(60000, 1001))
    assert measured(Fraction(60)) != measured(Fraction(30))
