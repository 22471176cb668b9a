"""The oracle of tone mapping by values that can be checked by hand, and the tables that stand for it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.bitstream.light_metadata import ContentLight, LightMetadata, MasteringDisplay
from capbench.colour import ColourSpec, MatrixCoefficients
from capbench.pipeline.compositor.tone_map_pass import gamut_matrix
from capbench.pipeline.compositor.tone_map_pass import pq_of_light as pq_of_the_pipeline
from capbench.pipeline.decode.hdr.hdr_source import choose_peak
from capbench.quality.oracle.tone_mapping import (
    GAMUT_TO_BT709,
    HdrCodes,
    eetf,
    light_of_hlg,
    light_of_pq,
    pq_of_light,
    sdr_rgb,
)
from capbench.quality.truth.tone_mapped_reference import source_peak_cd_m2

DISPLAY = MasteringDisplay(None, None, 4000.0, 0.005)
WIDE = ColourSpec(MatrixCoefficients.BT2020)


def array(*values: float) -> NDArray[np.float64]:
    return np.array(values)


@pytest.mark.parametrize(
    ("cd_m2", "code"),
    # Report ITU-R BT.2390, table of PQ codes: 10 bits limited of 0.1, 1, 10, 100, 1000, 4000, 10000.
    [(0, 64), (0.1, 119), (1, 195), (10, 327), (100, 509), (1000, 723), (4000, 855), (10000, 940)],
)
def test_pq_has_the_published_codes(cd_m2: float, code: int) -> None:
    assert round(64 + 876 * float(pq_of_light(array(cd_m2))[0])) == code
    assert float(light_of_pq(pq_of_light(array(cd_m2)))[0]) == pytest.approx(cd_m2, abs=1e-9)
    assert pq_of_the_pipeline(cd_m2) == pytest.approx(float(pq_of_light(array(cd_m2))[0]), abs=1e-12)


def test_hlg_of_75_percent_is_reference_white() -> None:
    """203 cd/m2 on a display of 1000 (Report ITU-R BT.2408, 2.2); the full signal is its peak."""
    assert light_of_hlg(array(0.75, 0.75, 0.75))[0] == pytest.approx(203, abs=1)
    assert light_of_hlg(array(1, 1, 1))[0] == pytest.approx(1000, rel=1e-6)


@pytest.mark.parametrize("peak", [200.0, 1000.0, 4000.0, 10000.0])
def test_the_eetf_keeps_the_dark_and_ends_at_white(peak: float) -> None:
    codes = np.linspace(0, 1, 2001)
    mapped = eetf(codes, peak_cd_m2=peak)
    source, white = (float(pq_of_light(array(cd_m2))[0]) for cd_m2 in (peak, 100))
    knee = (1.5 * white / source - 0.5) * source

    assert np.allclose(mapped[codes < knee], codes[codes < knee])
    assert mapped[-1] == pytest.approx(white)
    assert float(eetf(array(source), peak_cd_m2=peak)[0]) == pytest.approx(white)
    assert all(after >= before for before, after in pairwise(mapped))


def test_what_is_no_brighter_than_sdr_stays_as_it_is() -> None:
    codes = np.linspace(0, 0.5, 100)

    assert np.allclose(eetf(codes, peak_cd_m2=100), np.minimum(codes, pq_of_light(array(100))[0]))


def test_the_gamut_matrices_are_those_of_the_chromaticities() -> None:
    """BT.2087-0 gives BT.2020's inverse to four digits; the pipeline's are derived, the oracle's typed in."""
    for primaries, matrix in GAMUT_TO_BT709.items():
        assert np.allclose(gamut_matrix(primaries), matrix, atol=2e-7), primaries
        assert np.allclose(np.array(matrix).sum(axis=1), 1, atol=1e-6)


def test_grey_stays_grey_and_white_is_white() -> None:
    luma = np.array([[64, 300], [509, 723]], np.uint16)
    neutral = np.full((2, 2), 512, np.uint16)

    rgb = sdr_rgb(HdrCodes((luma, neutral, neutral), 10, WIDE, "PQ", "BT.2020", 1000))

    assert np.allclose(rgb, rgb[..., :1], atol=1e-6)
    assert rgb[0, 0, 0] == 0
    assert rgb[1, 1, 0] == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize(
    ("transfer", "light", "peak", "origin"),
    [
        ("PQ", LightMetadata(), 1000, "default"),
        ("PQ", LightMetadata(DISPLAY), 4000, "mastering display"),
        ("PQ", LightMetadata(DISPLAY, ContentLight(1500, 9)), 1500, "MaxCLL"),
        (
            "PQ",
            LightMetadata(DISPLAY, ContentLight(0, 9)),
            4000,
            "mastering display",
        ),
        ("PQ", LightMetadata(None, ContentLight(60000, 1)), 10000, "MaxCLL"),
        ("PQ", LightMetadata(None, ContentLight(3, 1)), 100, "MaxCLL"),
        ("HLG", LightMetadata(None, ContentLight(4000, 1)), 1000, "MaxCLL"),
        ("HLG", LightMetadata(), 1000, "default"),
    ],
)
def test_exporter_and_truth_choose_the_same_peak(transfer: str, light: LightMetadata, peak: float, origin: str) -> None:
    chosen = choose_peak(transfer, light)

    assert (chosen.cd_m2, chosen.origin) == (peak, origin)
    assert source_peak_cd_m2(transfer, light) == peak
