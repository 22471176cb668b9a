"""R'G'B' to Y'CbCr codes and back, for any colour: no further off than rounding can put it, by exact arithmetic.

The bounds are derived: each code is half a code off at most, and the equations say what that is worth on the way back.
Oracle, pipeline and diagnosis are tested with one set of numbers, fractions written here from the printed standards.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from capbench.colour import ChromaSiting, ColourSpec, MatrixCoefficients, Range
from capbench.quality.checks.colour_diagnosis import rgb_of_codes
from capbench.quality.oracle import nv12_to_rgb, rgb_to_nv12
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.colour_conversion import Respecifier
from capbench.quality.reading.frame_samples import FrameSamples

RED_BLUE = {
    MatrixCoefficients.BT601: (Fraction(299, 1000), Fraction(114, 1000)),
    MatrixCoefficients.BT709: (Fraction(2126, 10000), Fraction(722, 10000)),
    MatrixCoefficients.BT2020: (Fraction(2627, 10000), Fraction(593, 10000)),
}
"""KR and KB: BT.601-7 item 2.5.1, BT.709-6 item 3.2, BT.2020-2 table 4."""
BLACK_AND_SPANS = {Range.LIMITED: (16, 219, 224), Range.FULL: (0, 255, 255)}
"""Code of black, codes from black to white, codes of chroma: BT.709-6 item 4.6; H.264 equations E-7 to E-10."""
HALF = Fraction(1, 2)
FLOAT64 = Fraction(1, 10**11)
"""Ten operations on codes of up to 256 round by 256 * 10 * 2**-53 = 3e-13 at most."""
FLOAT32 = Fraction(1, 1000)
"""The same of float32: 256 * 10 * 2**-24 = 1.5e-4."""

Colour = tuple[int, int, int]

ALL_SPECS = [ColourSpec(*choice) for choice in itertools.product(MatrixCoefficients, Range, ChromaSiting)]

_specs = st.sampled_from(ALL_SPECS)
_channel = st.integers(0, 255)
_colours = st.tuples(_channel, _channel, _channel)


def exact_codes(colour: Colour, spec: ColourSpec) -> tuple[Fraction, ...]:
    """Y, Cb, Cr before they are rounded."""
    kr, kb = RED_BLUE[spec.matrix]
    black, luma_span, chroma_span = BLACK_AND_SPANS[spec.range]
    red, green, blue = (Fraction(value, 255) for value in colour)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    differences = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    return (black + luma_span * luma, *(128 + chroma_span * difference for difference in differences))


def exact_rgb(codes: tuple[Fraction | int, ...], spec: ColourSpec) -> tuple[Fraction, ...]:
    """R', G', B' of 0..255."""
    kr, kb = RED_BLUE[spec.matrix]
    black, luma_span, chroma_span = BLACK_AND_SPANS[spec.range]
    luma, cb, cr = Fraction(codes[0] - black) / luma_span, *(Fraction(code - 128) / chroma_span for code in codes[1:])
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    return 255 * red, 255 * (luma - kr * red - kb * blue) / (1 - kr - kb), 255 * blue


def rgb_bounds(spec: ColourSpec) -> tuple[Fraction, ...]:
    """What half a code of Y, Cb and Cr, all in the worst direction, is worth in R', G' and B' of 0..255."""
    origin = exact_rgb((0, 128, 128), spec)
    steps = [exact_rgb(codes, spec) for codes in ((1, 128, 128), (0, 129, 128), (0, 128, 129))]
    return tuple(sum(abs(step[n] - origin[n]) for step in steps) * HALF for n in range(3))


def flat_codes(colour: Colour, spec: ColourSpec) -> tuple[int, int, int]:
    """The oracle's codes of a picture of one colour, alike everywhere."""
    luma, chroma = rgb_to_nv12(np.full((4, 6, 3), colour, np.uint8), spec)
    assert np.unique(luma).size == np.unique(chroma.reshape(-1, 2), axis=0).shape[0] == 1
    return int(luma[0, 0]), int(chroma[0, 0, 0]), int(chroma[0, 0, 1])


@given(colour=_colours, spec=_specs)
@example(colour=(0, 0, 255), spec=ColourSpec(range=Range.FULL))  # Cb is 255.5: the last code is half a code off
def test_every_code_is_a_nearest_one(colour: Colour, spec: ColourSpec) -> None:
    for code, exact in zip(flat_codes(colour, spec), exact_codes(colour, spec), strict=True):
        assert abs(code - exact) <= HALF + FLOAT64


@given(colour=_colours, spec=_specs)
def test_a_colour_comes_back_as_near_as_its_codes_say(colour: Colour, spec: ColourSpec) -> None:
    luma, chroma = rgb_to_nv12(np.full((4, 6, 3), colour, np.uint8), spec)

    unclamped = nv12_to_rgb(luma, chroma, spec, clamp=False) * 255
    back = nv12_to_rgb(luma, chroma, spec) * 255

    # Only rounding is lost, and clamping never leads away from a colour that can be shown.
    for shown in (unclamped, back):
        assert np.all(np.abs(shown - colour) <= np.array(rgb_bounds(spec), float) + float(FLOAT64))


@pytest.mark.parametrize("spec", [spec for spec in ALL_SPECS if spec.siting is ChromaSiting.CENTRE], ids=str)
def test_the_bound_is_no_larger_than_it_must_be(spec: ColourSpec) -> None:
    """Of many colours some come close to it in each component, so that it would notice half a code more."""
    colours = np.random.default_rng(3).integers(0, 256, (1, 40_000, 3)).astype(np.uint8)
    pairs = np.repeat(np.repeat(colours, 2, axis=0), 2, axis=1)
    luma, chroma = rgb_to_nv12(pairs, spec)
    codes = np.concatenate([luma[0, ::2, None], chroma[0]], axis=1).astype(np.float64)

    errors = np.abs(rgb_of_codes(codes, spec) * 255 - colours[0])

    largest = errors.max(axis=0) / np.array(rgb_bounds(spec), float)
    assert np.all(largest > 0.9)
    assert np.all(largest <= 1)


@given(codes=st.tuples(_channel, _channel, _channel), spec=_specs)
def test_codes_are_read_as_the_standards_say(codes: Colour, spec: ColourSpec) -> None:
    """All codes, also those that no colour has: by the diagnosis of faults, and by the oracle."""
    exact = np.array(exact_rgb(codes, spec), float)

    diagnosed = rgb_of_codes(np.array(codes, np.float64), spec) * 255
    planes = np.full((2, 2), codes[0], np.uint8), np.full((1, 1, 2), codes[1:], np.uint8)

    # Codes far outside are worth up to 600, so sums of them round a little more than codes do.
    assert diagnosed == pytest.approx(exact, abs=float(FLOAT64))
    assert nv12_to_rgb(*planes, spec, clamp=False)[0, 0] * 255 == pytest.approx(exact, abs=float(FLOAT64))


@st.composite
def _shaded(draw: st.DrawFn) -> tuple[NDArray[np.float64], Colour]:
    """A picture of one hue whose brightness changes from pixel to pixel, and the hue: B' - Y' and R' - Y' are alike."""
    height, width = 2 * draw(st.integers(1, 4)), 2 * draw(st.integers(1, 4))
    tint = draw(st.tuples(*[st.integers(0, 120)] * 3))
    grey = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(0, 136, (height, width, 1))
    return (grey + np.array(tint)) / 255.0, tint


@settings(deadline=None)
@given(picture=_shaded(), spec=_specs)
def test_brightness_may_change_at_every_pixel(picture: tuple[NDArray[np.float64], Colour], spec: ColourSpec) -> None:
    """Where chroma is the same all over, halving and doubling it loses nothing, at the borders neither."""
    rgb, tint = picture

    luma, chroma = rgb_to_nv12(rgb, spec)
    back = nv12_to_rgb(luma, chroma, spec, clamp=False)

    assert np.all(np.abs(back - rgb) * 255 <= np.array(rgb_bounds(spec), float) + float(FLOAT64))
    # Ties of a half round by what summation left of them, so neighbours may fall on both sides.
    for component, exact in zip((0, 1), exact_codes(tint, spec)[1:], strict=True):
        assert np.all(np.abs(chroma[..., component] - float(exact)) <= 0.5 + float(FLOAT64))


@given(colour=_colours, spec=_specs, wanted=_specs)
def test_another_specification_and_back_keeps_codes_as_near_as_rounding_says(
    colour: Colour, spec: ColourSpec, wanted: ColourSpec
) -> None:
    """The conversion between matrices and ranges that comparisons stand on: there, and back to the same codes."""
    wanted = ColourSpec(wanted.matrix, wanted.range, spec.siting)
    codes = flat_codes(colour, spec)
    planes = np.full((4, 6), codes[0], np.uint8), *(np.full((2, 3), code, np.uint8) for code in codes[1:])

    there = Respecifier(spec, wanted, chroma_place(spec.siting))(*planes)
    back = Respecifier(wanted, spec, chroma_place(spec.siting))(*there)

    # Rounded codes of a colour may lie a little outside what the wanted range can hold: those are clamped.
    middle = exact_codes_of_rgb(exact_rgb(codes, spec), wanted)
    for plane, exact in zip(there, middle, strict=True):
        assert np.all(np.abs(plane - float(min(max(exact, Fraction(0)), Fraction(255)))) <= 0.5 + float(FLOAT32))
    outside = max(max(0 - value, value - 255, Fraction(0)) for value in middle)
    for plane, code, share in zip(back, codes, gains(wanted, spec), strict=True):
        bound = share * (HALF + outside + FLOAT32) + HALF + FLOAT32
        assert np.all(np.abs(plane.astype(int) - code) <= float(bound))


def exact_codes_of_rgb(rgb: tuple[Fraction, ...], spec: ColourSpec) -> tuple[Fraction, ...]:
    """Y, Cb, Cr of R'G'B' of 0..255 that need not be whole."""
    origin = exact_codes((0, 0, 0), spec)
    units = [exact_codes(unit, spec) for unit in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    return tuple(
        origin[n] + sum(value * (unit[n] - origin[n]) for value, unit in zip(rgb, units, strict=True)) for n in range(3)
    )


def gains(spec: ColourSpec, wanted: ColourSpec) -> tuple[Fraction, ...]:
    """By how much Y, Cb and Cr of `wanted` move where every code of `spec` moves by 1 in the worst direction."""
    origin = exact_codes_of_rgb(exact_rgb((0, 128, 128), spec), wanted)
    moved = [
        exact_codes_of_rgb(exact_rgb(codes, spec), wanted) for codes in ((1, 128, 128), (0, 129, 128), (0, 128, 129))
    ]
    return tuple(sum((abs(step[n] - origin[n]) for step in moved), Fraction(0)) for n in range(3))


@given(
    colour=_colours,
    spec=_specs,
    bits=st.sampled_from([10, 12, 16]),
    ratio=st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1)]),
)
def test_deep_codes_become_those_of_eight_bits(
    colour: Colour, spec: ColourSpec, bits: int, ratio: tuple[int, int]
) -> None:
    """Rounded twice, to their own depth and to 8 bits. H.273: limited codes are shifted, full ones fill their range."""
    per_code = Fraction(1 << bits - 8) if spec.range is Range.LIMITED else Fraction((1 << bits) - 1, 255)
    neutral = 1 << bits - 1
    luma, *differences = exact_codes(colour, spec)
    exact = luma * per_code, *(neutral + (difference - 128) * per_code for difference in differences)
    deep = [min(int(code + HALF), (1 << bits) - 1) for code in exact]
    chroma_shape = 4 // ratio[1], 8 // ratio[0]
    samples = FrameSamples(
        np.full((4, 8), deep[0], np.uint16),
        (np.full(chroma_shape, deep[1], np.uint16), np.full(chroma_shape, deep[2], np.uint16)),
        ratio,
        bits,
    )

    planes = samples.as_planes(spec.range, spec.siting).all

    for plane, wanted in zip(planes, (luma, *differences), strict=True):
        assert np.all(np.abs(plane - float(wanted)) <= float(HALF + HALF / per_code + FLOAT64))
