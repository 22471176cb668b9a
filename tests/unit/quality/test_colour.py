"""Naming colour mistakes, and the conversions that it stands on."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.quality.checks.colour_diagnosis import ColourFault, find_block_fault, find_colour_fault, rgb_of_codes
from capbench.quality.measurements import Misreading
from capbench.quality.oracle import nv12_to_rgb, rgb_to_nv12
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.colour_conversion import Respecifier

TAGGED = ColourSpec()
RGB = np.array(list(itertools.product((0, 90, 170, 255), repeat=3)), np.uint8)
SPECS = [ColourSpec(matrix, extent) for matrix, extent in itertools.product(MatrixCoefficients, Range)]


def codes_of(rgb: NDArray[np.generic], spec: ColourSpec) -> NDArray[np.float64]:
    """Y, Cb, Cr codes of flat colours by the oracle."""
    flat = np.repeat(np.repeat(np.asarray(rgb)[None], 2, axis=0), 2, axis=1)
    luma, chroma = rgb_to_nv12(flat, ColourSpec(spec.matrix, spec.range, ChromaSiting.CENTRE))
    return np.concatenate([luma[0, ::2, None], chroma[0]], axis=1).astype(np.float64)


def test_right_colours_with_coding_noise_are_no_fault() -> None:
    right = codes_of(RGB, TAGGED)
    noisy = right + np.random.default_rng(1).normal(0, 0.6, right.shape)

    fault = find_colour_fault(right, noisy, TAGGED)

    assert fault.name is None
    assert fault.error_codes < 0.7


@pytest.mark.parametrize(
    ("made", "tagged", "name"),
    [
        (ColourSpec(MatrixCoefficients.BT601), TAGGED, "pixels are BT.601 but tagged BT.709"),
        (
            ColourSpec(MatrixCoefficients.BT709),
            ColourSpec(MatrixCoefficients.BT601),
            "pixels are BT.709 but tagged BT.601",
        ),
        (ColourSpec(MatrixCoefficients.BT2020), TAGGED, "pixels are BT.2020 but tagged BT.709"),
        (TAGGED, ColourSpec(range=Range.FULL), "limited range tagged full"),
        (ColourSpec(range=Range.FULL), TAGGED, "full range tagged limited"),
        (
            ColourSpec(MatrixCoefficients.BT601, Range.FULL),
            TAGGED,
            "pixels are BT.601 but tagged BT.709 and full range tagged limited",
        ),
    ],
)
def test_wrong_matrix_and_range_are_named(made: ColourSpec, tagged: ColourSpec, name: str) -> None:
    noise = np.random.default_rng(2).normal(0, 0.3, (len(RGB), 3))

    fault = find_colour_fault(codes_of(RGB, tagged), codes_of(RGB, made) + noise, tagged)

    assert fault.name == name
    assert fault.remaining_codes < 0.7


@pytest.mark.parametrize(
    ("read_as", "name"),
    [
        (ColourSpec(MatrixCoefficients.BT601), "as if BT.709 had been read as BT.601"),
        (ColourSpec(MatrixCoefficients.BT2020), "as if BT.709 had been read as BT.2020"),
        (ColourSpec(range=Range.FULL), "as if limited range had been read as full range"),
        (
            ColourSpec(MatrixCoefficients.BT601, Range.FULL),
            "as if BT.709 in limited range had been read as BT.601 in full range",
        ),
    ],
)
def test_wrong_reading_is_told_from_wrong_writing(read_as: ColourSpec, name: str) -> None:
    """A player, or what makes a GIF, shows R'G'B' of codes that it takes for others."""
    muted = 40 + RGB // 2  # nothing is clipped
    right = codes_of(muted, TAGGED)
    shown = rgb_of_codes(right, read_as).clip(0, 1)

    assert find_colour_fault(right, codes_of(shown, TAGGED), TAGGED).name == name


@pytest.mark.parametrize(
    ("mistake", "name"),
    [
        (lambda codes: codes[:, [0, 2, 1]], "Cb and Cr swapped"),
        (lambda codes: codes * [1, 0, 0], "chroma is all zero: the picture is green"),
        (
            lambda codes: np.column_stack([codes[:, 0], np.full((len(codes), 2), 128)]),
            "chroma lost: the picture is grey",
        ),
    ],
)
def test_mistakes_of_the_chroma_plane_are_named(
    mistake: Callable[[NDArray[np.float64]], NDArray[np.float64]], name: str
) -> None:
    right = codes_of(RGB, TAGGED)

    assert find_colour_fault(right, mistake(right), TAGGED).name == name


@pytest.mark.parametrize(("exponent", "way"), [(1 / 2.2, "brighter"), (2.2, "darker")])
def test_a_gamma_error_is_named(exponent: float, way: str) -> None:
    wrong = codes_of((RGB / 255) ** exponent, TAGGED)

    name = find_colour_fault(codes_of(RGB, TAGGED), wrong, TAGGED).name

    assert name is not None
    assert name.startswith(f"gamma error: the picture is {way}")


def test_red_and_blue_swapped_is_named() -> None:
    assert (
        find_colour_fault(codes_of(RGB, TAGGED), codes_of(RGB[:, ::-1], TAGGED), TAGGED).name == "red and blue swapped"
    )


def test_a_fault_that_no_mistake_explains_is_still_a_fault() -> None:
    right = codes_of(RGB, TAGGED)
    wrong = right + np.random.default_rng(3).normal(0, 12, right.shape)

    fault = find_colour_fault(right, wrong, TAGGED)

    assert fault.name is None
    assert fault.error_codes > 5


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_codes_become_the_oracles_rgb(spec: ColourSpec) -> None:
    codes = codes_of(RGB, spec)
    flat = codes.astype(np.uint8)
    luma = np.repeat(np.repeat(flat[None, :, 0], 2, axis=0), 2, axis=1)
    centred = ColourSpec(spec.matrix, spec.range, ChromaSiting.CENTRE)
    # One colour at a time: chroma of neighbours would be interpolated.
    oracle = [
        nv12_to_rgb(luma[:, 2 * n : 2 * n + 2], flat[None, n : n + 1, 1:], centred)[0, 0] for n in range(len(RGB))
    ]

    assert rgb_of_codes(codes, spec).clip(0, 1) == pytest.approx(np.array(oracle), abs=1e-12)


@pytest.mark.parametrize(("spec", "wanted"), list(itertools.permutations(SPECS, 2))[::5], ids=str)
def test_respecifying_is_the_oracles_conversion(spec: ColourSpec, wanted: ColourSpec) -> None:
    """Both start from one smooth R'G'B' picture: they differ by the rounding of the first conversion only."""
    ramp = np.linspace(0.2, 0.8, 32)
    rgb = np.stack([*np.meshgrid(ramp, ramp), np.full((32, 32), 0.5)], axis=-1)
    luma, chroma = rgb_to_nv12(rgb, spec)
    expected_luma, expected_chroma = rgb_to_nv12(rgb, wanted)

    got = Respecifier(spec, wanted, chroma_place(spec.siting))(luma, chroma[..., 0], chroma[..., 1])

    error = [got[0] - expected_luma.astype(int), got[1] - expected_chroma[..., 0].astype(int)]
    assert max(int(np.abs(part).max()) for part in error) <= 2
    assert max(abs(float(part.mean())) for part in error) < 0.15


Codes = NDArray[np.float64]


def scenery() -> Codes:
    """Blocks of a picture in which no two are alike."""
    random = np.random.default_rng(7)
    return np.stack([random.uniform(40, 200, 3000), *random.normal(128, 18, (2, 3000))], axis=1)


def scaled(codes: Codes, luma: float, chroma: float) -> Codes:
    return np.asarray(128 + (codes - 128) * np.array([luma, chroma, chroma]))


def turned(codes: Codes, degrees: float) -> Codes:
    chroma = (codes[:, 1] - 128 + 1j * (codes[:, 2] - 128)) * np.exp(1j * np.radians(degrees))
    return np.stack([codes[:, 0], 128 + chroma.real, 128 + chroma.imag], axis=1)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda codes: scaled(codes, 1, 0.75), "saturation is 7"),
        (lambda codes: scaled(codes, 1, 1.25), "saturation is 12"),
        (lambda codes: turned(codes, 12), "hue is rotated by +12°"),
        (lambda codes: codes + np.array([4, 0, 0]), "luma is 4.0 codes brighter"),
        (lambda codes: codes - np.array([4, 0, 0]), "luma is 4.0 codes darker"),
        (lambda codes: scaled(codes, 1.1, 1), "contrast is 110%"),
    ],
)
def test_colour_controls_are_named_without_flat_colours(change: Callable[[Codes], Codes], name: str) -> None:
    wanted = scenery()
    noise = np.random.default_rng(8).normal(0, 1.5, wanted.shape)

    fault = find_block_fault(wanted, change(wanted) + noise, TAGGED)

    assert fault.name is not None
    assert name in fault.name


@pytest.mark.parametrize("noise_codes", [1.0, 2.0, 3.0])
def test_a_wrong_matrix_is_named_under_the_noise_of_blocks(noise_codes: float) -> None:
    """Noise of single blocks hid that the same mistake is in all of them."""
    rgb = np.random.default_rng(6).integers(20, 236, (3000, 3)).astype(np.uint8)
    wanted, found = (codes_of(rgb, spec) for spec in (TAGGED, ColourSpec(MatrixCoefficients.BT601)))
    noise = np.random.default_rng(7).normal(0, noise_codes, wanted.shape)

    assert find_block_fault(wanted, found + noise, TAGGED).name == "pixels are BT.601 but tagged BT.709"
    assert find_block_fault(wanted, wanted + noise, TAGGED).name is None


@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize("noise_codes", [0.5, 2.0])
def test_a_wrong_matrix_is_named_where_few_blocks_have_colour(share: float, noise_codes: float) -> None:
    """In the mean of all blocks, most of them grey, it was less than any limit."""
    random = np.random.default_rng(10)
    rgb = np.repeat(random.integers(40, 216, (4000, 1)), 3, axis=1)
    coloured = random.integers(20, 236, (round(4000 * share), 3))
    rgb[: len(coloured)] = coloured
    wanted, found = (codes_of(rgb.astype(np.uint8), spec) for spec in (TAGGED, ColourSpec(MatrixCoefficients.BT601)))
    noise = random.normal(0, noise_codes, wanted.shape)

    fault = find_block_fault(wanted, found + noise, TAGGED)

    assert fault.name == "pixels are BT.601 but tagged BT.709"
    assert fault.misreading == Misreading(ColourSpec(MatrixCoefficients.BT601))
    assert find_block_fault(wanted, wanted + noise, TAGGED).name is None


@pytest.mark.parametrize("diagnosed", [find_block_fault, find_colour_fault])
@pytest.mark.parametrize("change", [(0.95, 1.0), (1.0, 0.9)])
def test_a_control_that_hardly_changes_codes_is_not_named(
    diagnosed: Callable[..., ColourFault], change: tuple[float, float]
) -> None:
    """Luma that was a third of a code too dark was called a contrast of 96%: that of four dark colours."""
    random = np.random.default_rng(12)
    dull = 128 + (scenery() - 128) * np.array([0.25, 0.3, 0.3])
    rest = random.normal(0, 0.05, dull.shape)

    assert diagnosed(dull, scaled(dull, *change) + rest, TAGGED).name is None
    assert diagnosed(scenery(), scaled(scenery(), *change) + rest, TAGGED).name is not None


def test_lost_detail_is_no_loss_of_saturation() -> None:
    """A coder that smooths leaves the mean of neighbours: a regression on the reference has a slope of 0.5."""
    random = np.random.default_rng(9)
    smooth = scenery()
    wanted = smooth + random.normal(0, 18, smooth.shape) * np.array([0, 1, 1])

    fault = find_block_fault(wanted, smooth + random.normal(0, 1, smooth.shape), TAGGED)

    assert fault.name is None


def test_other_pictures_have_no_colour_control_set_otherwise() -> None:
    wanted = scenery()

    assert find_block_fault(wanted, np.random.default_rng(3).permutation(wanted), TAGGED).name is None
    assert find_block_fault(wanted[:50], wanted[:50] + 9, TAGGED).name is None
