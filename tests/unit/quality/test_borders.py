"""Borders that nobody wrote, also where coding is coarse; and what coding makes of borders."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from capbench.quality.checks.limits import EDGE_CODES
from capbench.quality.checks.pictures.picture_checks import check_pictures
from capbench.quality.measurements import Measurements, PictureMeasurements
from capbench.quality.metrics.registration import even_border_errors_codes
from capbench.quality.reading.orientation import UPRIGHT
from capbench.results import Check, CheckStatus
from tests.unit.quality.empty_pair import EMPTY_PAIR

Luma = NDArray[np.uint8]


def _wires(seed: int = 0) -> Luma:
    """Bright lines on a dark ground of code 50."""
    luma = np.full((96, 160), 50, np.uint8)
    random = np.random.default_rng(seed)
    for _ in range(12):
        row, column = random.integers(20, 76), random.integers(20, 140)
        luma[row, 20:140] = 190
        luma[20:76, column] = 190
    return luma


def _padded(luma: Luma) -> Luma:
    padded = np.full_like(luma, 16)
    padded[4:-4, 4:-4] = luma[4:-4, 4:-4]
    return padded


def _coarse(luma: Luma) -> Luma:
    noise = 8 * gaussian_filter(np.random.default_rng(3).normal(0, 3, luma.shape), 1.5)
    coarse: Luma = (gaussian_filter(luma.astype(float), 1.5) + noise).round().clip(16, 235).astype(np.uint8)
    return coarse


def _with_line(luma: Luma) -> Luma:
    lined = luma.copy()
    lined[0] = 190
    return lined


def test_a_border_that_nobody_wrote_is_off_in_one_direction() -> None:
    wires = _wires()

    assert even_border_errors_codes(_padded(wires), wires) == (34, 34, 34, 34)
    assert min(even_border_errors_codes(_coarse(_padded(wires)), wires)) > 4 * EDGE_CODES


@pytest.mark.parametrize("luma", [_wires(), _with_line(_wires())], ids=["plain", "a line along the border"])
def test_coarse_coding_is_off_in_both_directions(luma: Luma) -> None:
    assert max(even_border_errors_codes(_coarse(luma), luma)) < EDGE_CODES / 2


def test_a_picture_that_is_brighter_all_over_has_no_wrong_border() -> None:
    wires = _wires()

    assert even_border_errors_codes(wires + np.uint8(9), wires) == (0, 0, 0, 0)
    assert even_border_errors_codes(wires[:30], wires[:30] + np.uint8(9)) == (0, 0, 0, 0)


def _edges(even_codes: float) -> Check:
    """Of a picture whose detail was coded so coarsely that a border may be off by 19 codes in both directions."""
    pictures = PictureMeasurements(
        series={"psnr_y": [26.0]},
        worst_cell_codes=[(9.0, 4, 4)],
        worst_even_cell_codes=[None],
        mean_cell_codes=[2.0],
        detail_error_codes=[24.0],
        detail_left=[(0.8, 0.0)],
        blurred_parts=[()],
        edge_codes=[(8.3, 2.0, 1.0, 0.0)],
        even_edge_codes=[(even_codes, 0.0, 0.0, 0.0)],
        sampled=[dataclasses.replace(EMPTY_PAIR, turns={UPRIGHT: 0.9})],
    )

    class _Evidence:
        look = None
        turned = None

        class output:  # noqa: N801
            size = (160, 96)

    evidence = _Evidence()
    evidence.pictures = pictures  # type: ignore[attr-defined]
    return next(check for check in check_pictures(cast("Measurements", evidence)) if check.name == "picture.edges")


def test_what_is_off_in_one_direction_is_a_fault_however_coarse_coding_is() -> None:
    assert _edges(1.0).status is CheckStatus.PASS

    found = _edges(8.3)

    assert found.status is CheckStatus.FAIL
    assert "top" in found.message
    assert (found.value, found.limit) == (8.3, EDGE_CODES)
