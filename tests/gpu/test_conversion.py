"""The conversion shader against the float64 oracle."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.pipeline.gpu.device import GpuContext
from capbench.quality.oracle import compare_planes, rgb_to_nv12
from tests.gpu.conversion import convert_on_gpu, picture_of

EVERY_COLOUR = [ColourSpec(*spec) for spec in itertools.product(MatrixCoefficients, Range, ChromaSiting)]
SMALL_SIZES = [(2, 2), (4, 2), (6, 2), (2, 6), (10, 4), (66, 34), (480, 270)]
LARGE_SIZES = [(1366, 768), (1920, 1080), (3840, 2160)]

# What the design demands. One code: float32 and float64 may fall on either side of a half. The rest bounds how often.
LARGEST_ERROR_CODES = 1
SMALLEST_SHARE_EXACT = 0.999
LARGEST_BIAS_CODES = 0.01


def assert_agrees(gpu: GpuContext, kind: str, size: tuple[int, int], colour: ColourSpec) -> None:
    rgb = picture_of(kind, *size)
    agreement = compare_planes(convert_on_gpu(gpu, rgb, colour), rgb_to_nv12(rgb, colour))
    for plane in (agreement.y, agreement.cb, agreement.cr):
        assert plane.largest_error_codes <= LARGEST_ERROR_CODES
        assert plane.share_exact >= SMALLEST_SHARE_EXACT
        assert abs(plane.mean_signed_error_codes) < LARGEST_BIAS_CODES


@pytest.mark.parametrize("colour", EVERY_COLOUR, ids=str)
@pytest.mark.parametrize("kind", ["random", "gradient", "saturated"])
def test_shader_agrees_with_the_oracle_for_every_colour(gpu: GpuContext, kind: str, colour: ColourSpec) -> None:
    assert_agrees(gpu, kind, (480, 270), colour)


@pytest.mark.parametrize("siting", ChromaSiting)
@pytest.mark.parametrize("size", SMALL_SIZES, ids=str)
def test_shader_agrees_at_odd_strides_and_edges(gpu: GpuContext, size: tuple[int, int], siting: ChromaSiting) -> None:
    """Widths that are no multiple of 4 end in half a word; the first and last column have a neighbour less."""
    assert_agrees(gpu, "random", size, ColourSpec(siting=siting))


@pytest.mark.parametrize("size", LARGE_SIZES, ids=str)
def test_shader_agrees_at_video_sizes(gpu: GpuContext, size: tuple[int, int]) -> None:
    assert_agrees(gpu, "random", size, ColourSpec())


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((255, 255, 255), (235, 128, 128)),  # truncation would say 127
        ((0, 255, 0), (173, 42, 26)),  # BT.601 would say 145
        ((255, 0, 0), (63, 102, 240)),
        ((0, 0, 255), (32, 240, 118)),
        ((0, 0, 0), (16, 128, 128)),
    ],
    ids=["white", "green", "red", "blue", "black"],
)
def test_primaries_have_the_codes_of_the_standard(
    gpu: GpuContext, rgb: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    """BT.709-6, 8-bit limited range, by hand: no oracle of ours in between."""
    picture = np.tile(np.array(rgb, np.uint8), (4, 8, 1))

    luma, chroma = convert_on_gpu(gpu, picture, ColourSpec())

    assert set(luma.flat) == {expected[0]}
    assert set(chroma[..., 0].flat) == {expected[1]}
    assert set(chroma[..., 1].flat) == {expected[2]}


def test_left_siting_reads_the_column_before_the_block(gpu: GpuContext) -> None:
    """A red column 3 reaches the chroma sample at column 4 with weight 1/4; a 2x2 mean would not see it there."""
    picture = np.zeros((2, 8, 3), np.uint8)
    picture[:, 3] = (255, 0, 0)

    _, left = convert_on_gpu(gpu, picture, ColourSpec())
    _, centre = convert_on_gpu(gpu, picture, ColourSpec(siting=ChromaSiting.CENTRE))

    assert left[0, :, 1].tolist() == [128, 156, 156, 128]  # 128 + 224 / 2 / 4
    assert centre[0, :, 1].tolist() == [128, 184, 128, 128]  # 128 + 224 / 2 / 2
