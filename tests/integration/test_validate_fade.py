"""Colours of a fade tell how late they are coded, and those that stand still how they are rounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.validate import validate
from capbench.results import CheckStatus
from tests.coded_clips import write_codes

SIDE, ACROSS, DOWN, STILL, FRAMES = 40, 5, 4, 12, 36
Codes = NDArray[np.float64]


def brightness(number: float) -> float:
    """Whole at first, then less in each picture."""
    return 1 - 0.022 * max(0, number - STILL)


def fields(number: float) -> list[Codes]:
    """Y, Cb and Cr of 4:2:0: twenty flat colours, which fade to dark."""
    rows, columns = np.mgrid[0:DOWN, 0:ACROSS].astype(float)
    light = brightness(number)
    colours = (
        16 + light * (60 + 22 * columns + 11 * rows),
        128 + light * 9 * (columns - 2),
        128 - light * 14 * (rows - 1),
    )
    return [
        np.kron(colour, np.ones((side, side)))
        for colour, side in zip(colours, (SIDE, SIDE // 2, SIDE // 2), strict=True)
    ]


@pytest.mark.parametrize(
    ("late", "lost", "status"),
    [(0.0, 0.0, CheckStatus.PASS), (0.6, 0.0, CheckStatus.PASS), (0.6, 0.5, CheckStatus.FAIL)],
    ids=["rounded", "late in the fade", "late, and truncated"],
)
def test_a_fade_that_is_coded_late_is_no_bias(tmp_path: Path, late: float, lost: float, status: CheckStatus) -> None:
    """x264 at CRF 30 keeps what it predicted: its fades to black are 0.8 codes too bright at 54 dB."""
    reference = write_codes(
        tmp_path / "reference.mkv", [[np.floor(plane + 0.5) for plane in fields(n)] for n in range(FRAMES)]
    )
    lattice = np.indices((DOWN * SIDE, ACROSS * SIDE)).sum(axis=0) % 2 * 2 * lost
    output = write_codes(
        tmp_path / "output.mkv",
        [
            [np.floor(plane + 0.5) - lattice[: plane.shape[0], : plane.shape[1]] for plane in fields(n - late)]
            for n in range(FRAMES)
        ],
    )

    checks = {check.name: check for check in validate(reference, output, with_vmaf=False).checks}

    assert checks["colour.bias"].status is status, checks["colour.bias"].message


def test_a_clip_that_only_fades_is_known_by_its_first_picture(tmp_path: Path) -> None:
    """All others are late, rounded or not."""
    pictures = [[np.floor(plane + 0.5) for plane in fields(n + STILL + 1)] for n in range(FRAMES - STILL)]
    late = [[np.floor(plane + 0.5) for plane in fields(n + STILL + 0.4)] for n in range(FRAMES - STILL)]
    late[0] = pictures[0]  # which nothing foretells

    report = validate(
        write_codes(tmp_path / "reference.mkv", pictures), write_codes(tmp_path / "output.mkv", late), with_vmaf=False
    )

    bias = next(check for check in report.checks if check.name == "colour.bias")
    assert bias.status is CheckStatus.PASS, bias.message
