"""Blur, coarse coding and foreign content, told apart by what is missing and what is there instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter, zoom

from capbench.quality.checks import limits
from capbench.quality.checks.pictures.sharpness_check import check_sharpness, is_left_out
from capbench.quality.measurements import DetailLoss, PictureMeasurements
from capbench.quality.metrics.detail_loss import detail_loss
from capbench.results import CheckStatus
from tests.unit.quality.empty_pair import EMPTY_PAIR

_HEIGHT, _WIDTH = 128, 192
Luma = NDArray[np.uint8]
Field = NDArray[np.float64]


def _text() -> Luma:
    page = Image.new("L", (_WIDTH, _HEIGHT), 235)
    draw = ImageDraw.Draw(page)
    for row, top in enumerate(range(2, _HEIGHT, 13)):
        draw.text((3 + 5 * row, top), "def export(source): render(source)", fill=30, font=ImageFont.load_default(11))
    return np.asarray(page)


def _foliage() -> Luma:
    random = np.random.default_rng(5)
    leaves = gaussian_filter(random.normal(0, 1, (_HEIGHT, _WIDTH)), 1.2)
    shade = gaussian_filter(random.normal(0, 1, (_HEIGHT, _WIDTH)), 14)
    # Sharp in the middle and out of focus elsewhere, as a photograph is.
    focus = np.exp(-((np.linspace(-2, 2, _WIDTH)) ** 2))[None]
    return _codes(120 + 160 * leaves * focus + 300 * shade)


def _codes(values: Field) -> Luma:
    codes: Luma = values.round().clip(0, 255).astype(np.uint8)
    return codes


def _quantised(luma: Luma, step: float) -> Luma:
    """As a coder of 8x8 blocks does: transformed, and rounded down to whole steps from a dead zone on."""
    blocks = luma.astype(np.float64).reshape(_HEIGHT // 8, 8, _WIDTH // 8, 8)
    coefficients = dctn(blocks, axes=(1, 3), norm="ortho")
    levels = np.sign(coefficients) * np.floor(np.abs(coefficients) / step + 1 / 3)
    return _codes(idctn(levels * step, axes=(1, 3), norm="ortho").reshape(_HEIGHT, _WIDTH))


def _blurred(luma: Luma, sigma: float) -> Luma:
    return _codes(gaussian_filter(luma.astype(np.float64), sigma))


def _enlarged(luma: Luma, order: Literal[0, 1, 3]) -> Luma:
    half = luma.astype(np.float64).reshape(_HEIGHT // 2, 2, _WIDTH // 2, 2).mean(axis=(1, 3))
    return _codes(zoom(half, 2, order=order, grid_mode=True, mode="nearest"))


def _is_coding(loss: DetailLoss | None) -> bool:
    assert loss is not None
    pair = replace(EMPTY_PAIR, detail_loss=loss)
    return is_left_out(PictureMeasurements(sampled=[pair]))


@pytest.mark.parametrize("luma", [_text(), _foliage()], ids=["text", "foliage"])
@pytest.mark.parametrize("step", [60.0, 100.0, 160.0])
def test_coarse_coding_leaves_detail_out(luma: Luma, step: float) -> None:
    assert _is_coding(detail_loss(_quantised(luma, step), luma))


@pytest.mark.parametrize("luma", [_text(), _foliage()], ids=["text", "foliage"])
@pytest.mark.parametrize(("sigma", "step"), [(1.0, 4.0), (1.6, 4.0), (1.6, 60.0), (3.0, 4.0), (3.0, 60.0)])
def test_a_blur_is_one_however_it_was_coded(luma: Luma, sigma: float, step: float) -> None:
    assert not _is_coding(detail_loss(_quantised(_blurred(luma, sigma), step), luma))


@pytest.mark.parametrize(
    ("beside_blur", "is_strong", "lost_codes", "intact", "is_coding"),
    [
        (0.22, False, 20.0, 0.2, True),  # VP9 of GStreamer: noise made smooth beside bars whose edges are sharp
        (0.38, False, 20.0, 0.15, True),  # x265 at CRF 38
        (0.22, False, 6.2, 0.0, False),  # half size, enlarged, of grain at CRF 23: no edge is sharp any more
        (0.03, False, 25.0, 0.75, False),  # half of a page blurred
        (0.37, False, 20.0, 0.0, True),
        (0.23, False, 18.6, 0.0, True),  # thin lines by x264 at CRF 38
        (0.07, False, 18.0, 0.0, False),  # enlarged from half
        (0.13, True, 21.5, 0.02, True),  # stars by x264 at CRF 38
        (0.05, True, 22.4, 0.0, False),  # stars blurred by 3 pixels, at CRF 36
    ],
)
def test_what_a_blur_leaves_says_whether_it_was_coded(
    beside_blur: float, lost_codes: float, intact: float, *, is_strong: bool, is_coding: bool
) -> None:
    loss = DetailLoss(beside_blur, is_strong=is_strong, lost_codes=lost_codes, added=0.02, intact=intact)

    assert _is_coding(loss) is is_coding


@pytest.mark.parametrize(
    ("beside_blur", "added"),
    [
        (0.52, 0.6),  # a soft picture whose finest detail is the noise of its own coding, as of Theora
        (0.13, 0.0),  # grain of a soft portrait, which x264 smoothed: a blur explains that as well
    ],
)
def test_too_little_to_be_seen_is_no_blur(beside_blur: float, added: float) -> None:
    loss = DetailLoss(beside_blur, is_strong=False, lost_codes=1.8, added=added, intact=0.0)

    for codes, status in ((1.8, CheckStatus.NOT_APPLICABLE), (6.0, CheckStatus.FAIL)):
        pair = replace(EMPTY_PAIR, sharpness=0.16, detail_loss=replace(loss, lost_codes=codes))
        assert check_sharpness(PictureMeasurements(series={"psnr_y": [30.0]}, sampled=[pair])).status is status


def test_frames_that_lost_nothing_do_not_make_a_blur_unseen() -> None:
    blurred = DetailLoss(0.03, is_strong=True, lost_codes=20.0, added=0.0, intact=0.0)
    kept = DetailLoss(None, is_strong=False, lost_codes=0.0, added=0.0, intact=1.0)
    sampled = [replace(EMPTY_PAIR, sharpness=0.02, detail_loss=loss) for loss in (kept, kept, kept, blurred, blurred)]

    assert check_sharpness(PictureMeasurements(sampled=sampled)).status is CheckStatus.FAIL


@pytest.mark.parametrize(("psnr_db", "status"), [(36.9, CheckStatus.NOT_APPLICABLE), (26.0, CheckStatus.FAIL)])
def test_sparks_that_a_good_coding_moved_are_not_blurred(psnr_db: float, status: CheckStatus) -> None:
    """Fireworks by x264 at CRF 30: no blur explains it, and some of the error is sparks elsewhere."""
    loss = DetailLoss(0.58, is_strong=False, lost_codes=14.0, added=0.31, intact=0.05)
    pair = replace(EMPTY_PAIR, sharpness=0.3, detail_loss=loss)

    assert check_sharpness(PictureMeasurements(series={"psnr_y": [psnr_db]}, sampled=[pair])).status is status


@pytest.mark.parametrize("sigma", [0.9, 1.6, 3.0])
def test_a_blur_leaves_no_edge_intact_and_coding_does(sigma: float) -> None:
    blurred, coded = (detail_loss(luma, _text()) for luma in (_blurred(_text(), sigma), _quantised(_text(), 60)))

    assert blurred is not None
    assert coded is not None
    assert blurred.intact < limits.INTACT_SHARE < coded.intact


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_picture_that_was_enlarged_is_not_coarse(order: Literal[0, 1, 3]) -> None:
    assert not _is_coding(detail_loss(_enlarged(_text(), order), _text()))


def test_a_blur_of_most_of_the_picture_is_one() -> None:
    text, part = _text(), _text().copy()
    part[:, : _WIDTH * 4 // 5] = _blurred(text, 2)[:, : _WIDTH * 4 // 5]

    assert not _is_coding(detail_loss(_quantised(part, 40), text))


@pytest.mark.parametrize("pixels", [1, 2, 5])
def test_content_elsewhere_is_added(pixels: int) -> None:
    loss = detail_loss(np.roll(_text(), pixels, axis=1), _text())

    assert loss is not None
    assert loss.added > limits.ADDED_SHARE


def test_noise_is_added() -> None:
    noisy = _codes(_foliage() + np.random.default_rng(2).normal(0, 20, (_HEIGHT, _WIDTH)))

    loss = detail_loss(noisy, _foliage())

    assert loss is not None
    assert loss.added > 0.8


def test_the_same_picture_lost_nothing() -> None:
    loss = detail_loss(_text(), _text())

    assert loss == DetailLoss(None, is_strong=False, lost_codes=0.0, added=0.0, intact=1.0)


@pytest.mark.parametrize("shape", [(4, 4), (9, 400), (400, 3)])
def test_tiny_pictures_are_not_judged(shape: tuple[int, int]) -> None:
    assert detail_loss(np.zeros(shape, np.uint8), np.full(shape, 9, np.uint8)) is None
