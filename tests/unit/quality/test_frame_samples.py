"""Planes of any depth and subsampling brought to 8-bit 4:2:0, against values worked out by hand."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.quality.metrics.pairs.luma_levels import coarse_step, gradient_length
from capbench.quality.oracle.display_turn import UNTURNED
from capbench.quality.reading.frame_samples import has_chroma_at_each_column, level_rows, read_samples
from capbench.quality.reading.normalise import Normaliser
from capbench.quality.reading.planes import planes_of

WIDTH, HEIGHT = 16, 8


def frame(form: str, *planes: NDArray[np.uint16]) -> av.VideoFrame:
    made = av.VideoFrame(WIDTH, HEIGHT, form)
    for plane, values in zip(made.planes, planes, strict=True):
        words = values.astype(np.uint8 if sum(c.bits for c in made.format.components[:1]) == 8 else np.uint16)
        padded = np.zeros((plane.height, plane.line_size // words.itemsize), words.dtype)
        padded[:, : plane.width] = words
        plane.update(padded.tobytes())
    return made


def full(value: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint16]:
    return np.full((height, width), value, np.uint16)


def planes(
    made: av.VideoFrame, extent: Range = Range.LIMITED, siting: ChromaSiting = ChromaSiting.LEFT
) -> list[NDArray[np.uint8]]:
    spec = ColourSpec(MatrixCoefficients.BT709, extent, siting)
    return list(planes_of(Normaliser(spec, spec, None, UNTURNED, crop=False)(made)).all)


@pytest.mark.parametrize(("code", "wanted"), [(64, 16), (65, 16), (66, 17), (940, 235), (1023, 255)])
def test_limited_codes_of_ten_bits_are_four_times_those_of_eight(code: int, wanted: int) -> None:
    luma, cb, _ = planes(frame("yuv420p10le", full(code), full(512, 4, 8), full(512, 4, 8)))

    assert (luma == wanted).all()
    assert (cb == 128).all()


@pytest.mark.parametrize(("code", "wanted"), [(0, 0), (512, 128), (1023, 255), (1019, 254)])
def test_full_codes_are_stretched(code: int, wanted: int) -> None:
    luma, cb, _ = planes(frame("yuv420p10le", full(code), full(512, 4, 8), full(512, 4, 8)), Range.FULL)

    assert (luma == wanted).all()
    assert (cb == 128).all()


@pytest.mark.parametrize(("form", "code"), [("gray", 90), ("gray10le", 360), ("gray12le", 1440)])
def test_grey_keeps_its_codes_and_has_neutral_chroma(form: str, code: int) -> None:
    """What swscale takes for full range."""
    luma, cb, cr = planes(frame(form, full(code)))

    assert (luma == 90).all()
    assert (cb == 128).all()
    assert (cr == 128).all()


@pytest.mark.parametrize("form", ["yuv444p", "yuv440p"])
@pytest.mark.parametrize(("siting", "edge"), [(ChromaSiting.LEFT, 125), (ChromaSiting.CENTRE, 100)])
def test_chroma_at_each_column_is_filtered_to_where_it_is_wanted(form: str, siting: ChromaSiting, edge: int) -> None:
    rows = HEIGHT if form == "yuv444p" else HEIGHT // 2
    step = np.tile(np.where(np.arange(WIDTH) < 8, 200, 100), (rows, 1)).astype(np.uint16)

    _, cb, _ = planes(frame(form, full(90), step, step), siting=siting)

    assert cb[0].tolist() == [200, 200, 200, 200, edge, 100, 100, 100]
    assert has_chroma_at_each_column(av.VideoFormat(form, WIDTH, HEIGHT))


def test_a_quarter_of_the_columns_is_doubled_where_it_lies() -> None:
    steps = np.tile(np.array([100, 100, 200, 200], np.uint16), (HEIGHT, 1))

    _, cb, _ = planes(frame("yuv411p", full(90), steps, steps))

    assert cb[0].tolist() == [100, 100, 100, 150, 200, 200, 200, 200]


@pytest.mark.parametrize("form", ["nv12", "p010le", "yuyv422", "yuv420p10be", "ya8"])
def test_formats_that_are_not_planar_are_taken_apart(form: str) -> None:
    plain = frame("yuv420p", full(90), full(100, 4, 8), full(150, 4, 8))
    made = VideoReformatter().reformat(plain, format=form, src_color_range=1, dst_color_range=1)

    luma, cb, cr = planes(made)

    if form != "ya8":  # swscale has stretched its luma before it came here
        assert (int(luma[0, 0]), int(cb[0, 0]), int(cr[0, 0])) == (90, 100, 150)
    assert luma.shape == (HEIGHT, WIDTH)


def test_levels_are_those_of_every_fourth_row_and_only_of_deep_samples() -> None:
    deep = frame("yuv420p10le", full(361), full(512, 4, 8), full(512, 4, 8))
    rows = level_rows(deep)

    assert rows is not None
    assert rows.shape == (2, WIDTH)
    assert (rows == 361).all()
    assert level_rows(frame("yuv420p", full(90), full(100, 4, 8), full(150, 4, 8))) is None
    assert read_samples(deep, VideoReformatter()).bits == 10


def gradient(bits: int = 8) -> NDArray[np.uint16]:
    top = 200 << (bits - 8)
    return np.tile(np.linspace(40 << (bits - 8), top, 4096).astype(np.uint16), (64, 1))


@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_lost_levels_are_found_under_coding_noise(step: int) -> None:
    want = gradient()
    noise = np.random.default_rng(2).normal(0, 0.7, want.shape).round().astype(np.int16)

    assert coarse_step((want // step * step + noise).clip(0, 255).astype(np.uint16), want) == step


@pytest.mark.parametrize("gain", [0.4, 0.6, 0.86, 1.16])
def test_colours_that_are_wrong_for_another_reason_are_no_banding(gain: float) -> None:
    want = gradient()

    assert coarse_step((want * gain + 10).clip(0, 255).astype(np.uint16), want) == 1


def test_a_smoothed_flat_colour_is_no_banding() -> None:
    """A codec that leaves the noise of one colour out moves each of its levels towards the middle."""
    noise = np.random.default_rng(3).normal(0, 1.5, (128, 512)).round().astype(np.int16)

    assert coarse_step(np.full(noise.shape, 102, np.uint16), (102 + noise).astype(np.uint16)) == 1


def test_a_gradient_uses_its_depth_and_a_noisy_flat_colour_does_not() -> None:
    noise = np.random.default_rng(4).normal(0, 4, (128, 512)).round().astype(np.int16)

    assert gradient_length(gradient(10), 10) > 100
    assert gradient_length((1632 + noise).astype(np.uint16), 12) <= 2
