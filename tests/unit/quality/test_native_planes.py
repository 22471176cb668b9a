"""Frames brought to one planar format at their own depth: each change against float64 of its own."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.quality.metrics.pairs.rgb_gamut import clamped_native
from capbench.quality.oracle.display_turn import UNTURNED, DisplayTurn
from capbench.quality.reading.native.native_format import NativeFormat, SampleLayout, common_format, layout_of
from capbench.quality.reading.native.native_normaliser import NativeNormaliser
from capbench.quality.reading.native.native_planes import NativePlanes

WEIGHTS = {"601": (0.299, 0.587, 0.114), "709": (0.2126, 0.7152, 0.0722), "2020": (0.2627, 0.6780, 0.0593)}
LIMITED = ColourSpec()
SIZE = (48, 32)


def frame_of(form: str, size: tuple[int, int] = SIZE, seed: int = 3) -> av.VideoFrame:
    """Noise inside limited range."""
    frame = av.VideoFrame(*size, form)
    noise = np.random.default_rng(seed)
    bits = frame.format.components[0].bits
    kind = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
    for plane in frame.planes:
        codes = noise.integers(100 << (bits - 8), 150 << (bits - 8), (plane.height, plane.line_size // kind.itemsize))
        plane.update(codes.astype(kind).tobytes())
    return frame


def planes_of(frame: av.VideoFrame) -> list[NDArray[np.float64]]:
    kind = np.dtype(np.uint8) if frame.format.components[0].bits == 8 else np.dtype("<u2")
    return [
        np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width].astype(np.float64)
        for plane in frame.planes
    ]


def normalised(
    frame: av.VideoFrame,
    form: NativeFormat,
    spec: ColourSpec = LIMITED,
    wanted: ColourSpec = LIMITED,
    *,
    turn: int = 0,
    size: tuple[int, int] = SIZE,
) -> NativePlanes:
    return NativeNormaliser(form, spec, wanted, DisplayTurn(turn), crop=True)(frame, size)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((8, (2, 2)), (8, (2, 2)), "yuv420p"),
        ((10, (2, 2)), (8, (2, 2)), "yuv420p10le"),
        ((10, (1, 1)), (12, (2, 1)), "yuv422p12le"),
        ((8, (1, 1)), (8, (1, 1)), "yuv444p"),
        ((10, None), (8, (1, 1)), "yuv444p10le"),
        ((8, None), (8, None), "yuv420p"),
        ((8, (4, 1)), (8, (4, 1)), "yuv420p"),
        ((11, (1, 2)), (8, (2, 1)), "yuv420p12le"),
    ],
)
def test_the_common_format_has_the_depth_of_one_and_the_chroma_of_both(
    first: tuple[int, tuple[int, int] | None], second: tuple[int, tuple[int, int] | None], expected: str
) -> None:
    form = common_format(SampleLayout(*first), SampleLayout(*second))

    assert form.pixel_format == expected
    assert form.is_plain == (expected == "yuv420p")


def test_the_layout_is_that_of_the_upright_picture() -> None:
    assert layout_of(frame_of("yuv422p10le"), DisplayTurn(90)).ratio == (1, 2)
    assert layout_of(frame_of("yuv422p10le"), DisplayTurn(180)).ratio == (2, 1)
    assert layout_of(av.VideoFrame(16, 16, "gbrp10le"), UNTURNED) == SampleLayout(10, (1, 1))
    assert layout_of(av.VideoFrame(16, 16, "rgb24"), UNTURNED) == SampleLayout(8, (2, 2))


@pytest.mark.parametrize("form", ["yuv420p10le", "yuv422p", "yuv444p16le"])
def test_what_fits_is_taken_as_it_is(form: str) -> None:
    frame = frame_of(form)
    layout = layout_of(frame, UNTURNED)

    found = normalised(frame, common_format(layout, layout))

    assert all(np.array_equal(got, want) for got, want in zip(found.all, planes_of(frame), strict=True))


def test_samples_that_are_interleaved_are_taken_apart() -> None:
    planar = frame_of("yuv420p10le")
    interleaved = planar.reformat(format="p010le")

    found = normalised(interleaved, NativeFormat(10, (2, 2)))

    assert all(np.array_equal(got, want) for got, want in zip(found.all, planes_of(planar), strict=True))


@pytest.mark.parametrize(("extent", "factor"), [(Range.LIMITED, 4.0), (Range.FULL, 1023 / 255)])
def test_eight_bits_are_raised_by_their_range(extent: Range, factor: float) -> None:
    frame, spec = frame_of("yuv444p"), ColourSpec(range=extent)
    luma, cb, cr = planes_of(frame)

    found = normalised(frame, NativeFormat(10, (1, 1)), spec, spec)

    assert np.array_equal(found.luma, np.floor(luma * factor + 0.5))
    for got, want in ((found.cb, cb), (found.cr, cr)):
        assert np.array_equal(got, np.floor((want - 128) * factor + 512.5))


@pytest.mark.parametrize("siting", ChromaSiting)
def test_chroma_is_filtered_to_where_the_output_has_it(siting: ChromaSiting) -> None:
    frame, spec = frame_of("yuv444p10le"), ColourSpec(siting=siting)
    _, cb, _ = planes_of(frame)
    rows = (cb[0::2] + cb[1::2]) / 2
    even, odd = rows[:, 0::2], rows[:, 1::2]
    before = np.concatenate([even[:, :1], odd[:, :-1]], axis=1)
    want = (even + odd) / 2 if siting is ChromaSiting.CENTRE else (before + 2 * even + odd) / 4

    found = normalised(frame, NativeFormat(10, (2, 2)), spec, spec)

    assert np.array_equal(found.cb, np.floor(want + 0.5))


@pytest.mark.parametrize("bits", [10, 16])
def test_another_matrix_and_range_is_the_same_colour(bits: int) -> None:
    frame = frame_of(f"yuv444p{bits}le")
    spec = ColourSpec(MatrixCoefficients.BT2020, Range.LIMITED)
    wanted = ColourSpec(MatrixCoefficients.BT709, Range.FULL)
    y, cb, cr = planes_of(frame)
    step, top = 2.0 ** (bits - 8), 2.0**bits - 1
    kr, kg, kb = WEIGHTS["2020"]
    luma, blue, red = (y - 16 * step) / (219 * step), (cb - 128 * step) / (224 * step), (cr - 128 * step) / (224 * step)
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / kg
    kr, kg, kb = WEIGHTS["709"]
    luma = kr * r + kg * g + kb * b
    want = (luma * top, (b - luma) / (2 * (1 - kb)) * top + 128 * step, (r - luma) / (2 * (1 - kr)) * top + 128 * step)

    found = normalised(frame, NativeFormat(bits, (1, 1)), spec, wanted)

    for got, exact in zip(found.all, want, strict=True):
        assert np.abs(got - exact).max() <= 0.51 + step / 2**14  # float32 holds 16 bits to a hundredth of a code


def test_a_turned_picture_is_turned_with_its_chroma() -> None:
    frame = frame_of("yuv440p10le", (32, 48))

    found = normalised(frame, NativeFormat(10, (2, 1)), turn=90, size=(48, 32))

    for got, want in zip(found.all, planes_of(frame), strict=True):
        assert np.array_equal(got, np.rot90(want))


def test_odd_sides_are_cut_and_short_ones_repeated() -> None:
    frame = frame_of("yuv444p10le", (47, 31))
    luma = planes_of(frame)[0][:30, :46]

    found = normalised(frame, NativeFormat(10, (1, 1)), size=(48, 32))

    assert np.array_equal(found.luma, np.pad(luma, ((0, 2), (0, 2)), mode="edge"))
    assert found.cb.shape == (32, 48)


def test_deep_rgb_is_brought_to_the_matrix_exactly() -> None:
    frame = frame_of("gbrp12le")
    green, blue, red = (plane / 4095 for plane in planes_of(frame))
    kr, kg, kb = WEIGHTS["709"]
    luma = kr * red + kg * green + kb * blue

    found = normalised(frame, NativeFormat(12, (1, 1)))

    assert np.abs(found.luma - 16 * (16 + 219 * luma)).max() <= 0.51
    assert np.abs(found.cr - 16 * (128 + 224 * (red - luma) / (2 * (1 - kr)))).max() <= 0.51


def test_grey_has_neutral_chroma() -> None:
    found = normalised(frame_of("gray10le"), NativeFormat(10, (2, 2)))

    assert np.all(found.cb == 512)


def test_codes_beyond_rgb_are_clamped_at_their_depth() -> None:
    form = NativeFormat(10, (1, 1))
    luma = np.array([[1000, 500], [40, 600]], np.uint16)
    neutral = np.full((2, 2), 512, np.uint16)

    found = clamped_native(NativePlanes(luma, neutral, neutral, form), LIMITED)

    assert found.luma.tolist() == [[940, 500], [64, 600]]
    assert np.all(found.cb == 512)
