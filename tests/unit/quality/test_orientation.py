"""Which way up a picture is, from how it correlates with each turn of the reference's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.checks.pictures.picture_checks import how_turned
from capbench.quality.measurements import PictureMeasurements
from capbench.quality.reading.orientation import turn_correlations
from tests.unit.quality.empty_pair import EMPTY_PAIR

Thumb = NDArray[np.float32]


def soft(asymmetry: float) -> Thumb:
    """Light in the middle, and a little darker at the bottom and the right."""
    down, across = np.linspace(-1, 1, 45)[:, None], np.linspace(-1, 1, 80)
    thumb: Thumb = (200 - 45 * (down**2 + across**2) - asymmetry * (down + 0.5 * across)).astype(np.float32)
    return thumb


def turned(want: Thumb, got: Thumb) -> str | None:
    pair = replace(EMPTY_PAIR, turns=turn_correlations(got, want))
    return how_turned(PictureMeasurements(sampled=[pair]))


def coded(thumb: Thumb, noise: float = 0.3) -> Thumb:
    random = np.random.default_rng(8)
    return (thumb + random.normal(0, noise, thumb.shape)).astype(np.float32)


@pytest.mark.parametrize("asymmetry", [4.0, 12.0, 40.0])
@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("flipped vertically", np.s_[::-1]),
        ("flipped horizontally", np.s_[:, ::-1]),
        ("rotated by 180°", np.s_[::-1, ::-1]),
    ],
)
def test_a_soft_picture_is_told_from_its_turns(asymmetry: float, words: str, places: tuple[slice, ...]) -> None:
    want = soft(asymmetry)

    assert turned(want, coded(want[places])) == words


@pytest.mark.parametrize("asymmetry", [0.0, 1.0, 12.0, 40.0])
@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_an_upright_picture_is_upright_however_it_was_coded(asymmetry: float, noise: float) -> None:
    want = soft(asymmetry)

    assert turned(want, coded(want, noise)) is None
    assert turned(want, coded((want * 0.86 + 16).astype(np.float32), noise)) is None


def test_another_picture_is_turned_in_no_way() -> None:
    random = np.random.default_rng(9)
    want, got = (random.uniform(20, 220, (45, 80)).astype(np.float32) for _ in range(2))

    assert turned(want, got) is None
