"""The oracle against values that the standards print, and against its own definition at single samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.errors import PictureError
from capbench.quality.oracle import compare_planes, nv12_to_rgb, rgb_to_nv12

ALL_SPECS = [ColourSpec(*choice) for choice in itertools.product(MatrixCoefficients, Range, ChromaSiting)]


@pytest.mark.parametrize(
    ("matrix", "rgb", "code"),
    [
        # 100% bars as they are published for the two standards, 8-bit limited range (Y, Cb, Cr).
        (MatrixCoefficients.BT709, (255, 255, 255), (235, 128, 128)),
        (MatrixCoefficients.BT709, (255, 255, 0), (219, 16, 138)),
        (MatrixCoefficients.BT709, (0, 255, 255), (188, 154, 16)),
        (MatrixCoefficients.BT709, (0, 255, 0), (173, 42, 26)),
        (MatrixCoefficients.BT709, (255, 0, 255), (78, 214, 230)),
        (MatrixCoefficients.BT709, (255, 0, 0), (63, 102, 240)),
        (MatrixCoefficients.BT709, (0, 0, 255), (32, 240, 118)),
        (MatrixCoefficients.BT709, (0, 0, 0), (16, 128, 128)),
        (MatrixCoefficients.BT601, (255, 255, 0), (210, 16, 146)),
        (MatrixCoefficients.BT601, (0, 255, 255), (170, 166, 16)),
        (MatrixCoefficients.BT601, (0, 255, 0), (145, 54, 34)),
        (MatrixCoefficients.BT601, (255, 0, 255), (106, 202, 222)),
        (MatrixCoefficients.BT601, (255, 0, 0), (81, 90, 240)),
        (MatrixCoefficients.BT601, (0, 0, 255), (41, 240, 110)),
    ],
)
def test_published_bars(matrix: MatrixCoefficients, rgb: tuple[int, int, int], code: tuple[int, int, int]) -> None:
    luma, chroma = rgb_to_nv12(np.full((2, 4, 3), rgb, np.uint8), ColourSpec(matrix))

    assert np.all(luma == code[0])
    assert np.all(chroma == code[1:])


def test_full_range_reaches_both_ends_and_clamps() -> None:
    """Cb of blue is 128 + 127.5 = 255.5 in full range: it must clamp to 255, not wrap to 0."""
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[:, 2:] = (0, 0, 255)

    luma, chroma = rgb_to_nv12(picture, ColourSpec(MatrixCoefficients.BT709, Range.FULL, ChromaSiting.CENTRE))

    assert luma[0].tolist() == [0, 0, 18, 18]
    assert chroma[0, :, 0].tolist() == [128, 255]


@pytest.mark.parametrize(("siting", "cr_of_white_red"), [(ChromaSiting.LEFT, 0.25), (ChromaSiting.CENTRE, 0.0)])
def test_siting_decides_which_columns_count(siting: ChromaSiting, cr_of_white_red: float) -> None:
    """White, then red from column 2 on, then column 3 blue: each siting's second sample is known by hand."""
    picture = np.full((2, 6, 3), 255, np.uint8)
    picture[:, 2:] = (255, 0, 0)

    _, chroma = rgb_to_nv12(picture, ColourSpec(siting=siting))

    # Left siting: sample 1 is [1 2 1]/4 of white, red, red = 3/4 red. Centre: all red.
    assert chroma[0, :, 1].tolist() == [128, int(128 + 112 * (1 - cr_of_white_red) + 0.5), 240]


def test_chroma_is_filtered_before_it_is_quantised() -> None:
    """Rows of Cb 128.1 and 128.6 average to 128.35: code 128. Rounded first they are 128 and 129, which gives 129."""
    grey = np.full((2, 2, 3), 0.5)
    grey[0, :, 2] += 0.1 / 112  # one unit of B' is half of Cb's span of 224 codes, whatever Kb is
    grey[1, :, 2] += 0.6 / 112

    _, chroma = rgb_to_nv12(grey, ColourSpec())

    assert chroma[0, 0, 0] == 128


@pytest.mark.parametrize("spec", ALL_SPECS, ids=str)
def test_flat_colours_survive_the_round_trip(spec: ColourSpec) -> None:
    """Quantisation is the only loss for a flat colour: 1.9 codes of R'G'B' at most (BT.2020 Cb weight 1.88, plus Y)."""
    for rgb in itertools.product((30, 128, 220), repeat=3):
        back = nv12_to_rgb(*rgb_to_nv12(np.full((4, 4, 3), rgb, np.uint8), spec), spec)

        assert np.abs(back * 255 - rgb).max() < 1.9


@pytest.mark.parametrize("siting", list(ChromaSiting))
def test_upsampling_places_a_ramp_where_its_siting_says(siting: ChromaSiting) -> None:
    """A linear Cb ramp in chroma columns is the same linear ramp in luma columns, shifted by the siting."""
    chroma = np.full((2, 8, 2), 128, np.uint8)
    chroma[..., 0] = 128 + 4 * np.arange(8)

    rgb = nv12_to_rgb(np.full((4, 16), 120, np.uint8), chroma, ColourSpec(siting=siting), clamp=False)

    cb_codes = (rgb[0, 1:-2, 2] - (120 - 16) / 219) / (2 * (1 - 0.0722)) * 224
    shift = 0.0 if siting is ChromaSiting.LEFT else 0.5
    assert cb_codes == pytest.approx(2 * (np.arange(1, 14) - shift))


def test_agreement_reports_each_plane_and_the_worst() -> None:
    luma, chroma = np.full((2, 4), 100, np.uint8), np.full((1, 2, 2), 128, np.uint8)
    wrong_luma, wrong_chroma = luma.copy(), chroma.copy()
    wrong_luma[0, 0], wrong_chroma[0, 0, 1] = 97, 127

    agreement = compare_planes((wrong_luma, wrong_chroma), (luma, chroma))

    assert (agreement.y.largest_error_codes, agreement.y.share_exact) == (3, 7 / 8)
    assert agreement.y.mean_signed_error_codes == -3 / 8
    assert agreement.cb.share_exact == 1.0
    assert (agreement.largest_error_codes, agreement.share_exact) == (3, 0.5)
    assert agreement.mean_signed_error_codes == -0.5


@pytest.mark.parametrize("shape", [(3, 2, 3), (2, 3, 3), (2, 2, 4), (2, 2), (0, 2, 3)])
def test_sizes_that_nv12_cannot_hold_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PictureError, match="expected"):
        rgb_to_nv12(np.zeros(shape, np.uint8), ColourSpec())


def test_planes_that_disagree_are_refused() -> None:
    with pytest.raises(PictureError, match="disagree"):
        nv12_to_rgb(np.zeros((4, 4), np.uint8), np.zeros((1, 2, 2), np.uint8), ColourSpec())
