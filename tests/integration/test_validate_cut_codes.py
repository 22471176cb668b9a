"""Bits that an 8-bit export has not kept are rounded off, not cut off; no picture here has a flat colour."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.validate import validate
from capbench.results import Check, CheckStatus
from tests.coded_clips import write_codes

WIDTH, HEIGHT, FRAMES = 160, 96, 4
Codes = NDArray[np.float64]
Picture = list[Codes]
BAYER = np.tile([[0.125, 0.625], [0.875, 0.375]], (HEIGHT // 2, WIDTH // 2))


def soft_shapes(number: int) -> Picture:
    """Y, Cb and Cr of 4:2:0 in 8-bit codes, with the quarters that ten bits have, drawn within R'G'B'."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    luma = 120 + 40 * np.sin(x / 9 + number / 3) * np.cos(y / 7) + 20 * np.sin(x * y / 900)
    blue, red = 128 + 30 * np.sin(x / 13 + y / 11), 128 + 30 * np.cos(x / 17 - y / 9)
    return [np.floor(4 * plane + 0.5) / 4 for plane in (luma, blue[::2, ::2], red[::2, ::2])]


def one_colour(_: int) -> Picture:
    """A screen whose codes lie between those of eight bits."""
    return [np.full((HEIGHT // down, WIDTH // down), code) for down, code in ((1, 103.5), (2, 87.75), (2, 140.75))]


def bias_of(
    folder: Path, drawn: Callable[[int], Picture], reduced: Callable[[Codes], Codes], options: dict[str, str]
) -> Check:
    """What `colour.bias` says of an export in eight bits."""
    pictures = [drawn(number) for number in range(FRAMES)]
    ten = [[4 * plane for plane in each] for each in pictures]
    reference = write_codes(folder / "ten.mkv", ten, "yuv420p10le")
    eight = [[reduced(plane) for plane in each] for each in pictures]
    output = write_codes(folder / "eight.mkv", eight, codec="libx264", options=options)
    return next(check for check in validate(reference, output, with_vmaf=False).checks if check.name == "colour.bias")


def rounded(plane: Codes) -> Codes:
    """As an exporter should."""
    return np.floor(plane + 0.5)


def dithered(plane: Codes) -> Codes:
    """As FFmpeg's scaler does."""
    codes: Codes = np.floor(plane + BAYER[: plane.shape[0], : plane.shape[1]])
    return codes


@pytest.mark.parametrize(
    ("reduced", "quantiser", "status"),
    [
        (np.floor, "10", CheckStatus.FAIL),
        (np.floor, "20", CheckStatus.FAIL),
        *itertools.product([rounded, dithered], ["10", "20", "34"], [CheckStatus.NOT_APPLICABLE]),
    ],
)
def test_bits_that_are_cut_off_are_told_from_rounded_ones(
    tmp_path: Path, reduced: Callable[[Codes], Codes], quantiser: str, status: CheckStatus
) -> None:
    """GStreamer and MLT cut two bits off; `colour.bias` asked for flat colours, of which drawings have few."""
    found = bias_of(tmp_path, soft_shapes, reduced, {"qp": quantiser, "preset": "veryfast"})

    assert found.status is status, found.message
    assert ("truncated" in found.message) is (status is CheckStatus.FAIL)


def test_luma_alone_that_is_darker_was_not_cut_off(tmp_path: Path) -> None:
    """A way through R'G'B' makes it so."""
    found = bias_of(
        tmp_path,
        soft_shapes,
        lambda plane: np.floor(plane) if len(plane) == HEIGHT else rounded(plane),
        {"qp": "10", "preset": "veryfast"},
    )

    assert found.status is CheckStatus.NOT_APPLICABLE


def test_a_single_colour_does_not_tell_how_codes_are_rounded(tmp_path: Path) -> None:
    """Rounding takes one anywhere, and by way of R'G'B' even further."""
    found = bias_of(tmp_path, one_colour, np.floor, {"qp": "10", "preset": "veryfast"})

    assert found.status is CheckStatus.NOT_APPLICABLE
