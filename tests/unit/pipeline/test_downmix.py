"""Sound of any layout, rate and format as 48 kHz stereo that cannot clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.errors import SourceError
from capbench.pipeline.decode.downmix import LEAST_RATE_HZ, StereoConverter, within_a_minute

RATE_HZ = 48_000
LAYOUTS = [
    *("mono", "stereo", "2.1", "3.0", "3.0(back)", "3.1", "4.0", "4.1", "quad", "quad(side)", "5.0", "5.0(side)"),
    *("5.1", "5.1(side)", "6.0", "6.0(front)", "hexagonal", "6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)"),
    *("7.1", "7.1(wide)", "7.1(wide-side)", "octagonal", "5.1.2", "5.1.4", "7.1.4", "downmix", "binaural"),
]
HALF_POWER = 0.5**0.5
LEVEL_TOLERANCE = 1e-5
"""Floats of 24 bits, added up and divided once."""


def sound(channels: NDArray[np.float32], layout: str, rate_hz: int = RATE_HZ) -> av.AudioFrame:
    """A frame of packed floats; `channels` has shape (channels, samples)."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels.T).reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate = rate_hz
    return frame


def converted(*frames: av.AudioFrame, converter: StereoConverter | None = None) -> NDArray[np.float32]:
    """All samples, shape (2, samples), of frames that follow each other."""
    converter = converter or StereoConverter(Path("clip.mp4"))
    pieces, time_s = [], Fraction(0)
    for frame in frames:
        pieces += list(converter.convert(frame, time_s))
        time_s += Fraction(frame.samples, frame.sample_rate)
    pieces += list(converter.flush())
    assert all(
        (piece.sample_rate, piece.format.name, piece.layout.name) == (48000, "fltp", "stereo") for piece in pieces
    )
    return np.concatenate([piece.to_ndarray() for piece in pieces], axis=1)


def levels(layout: str) -> dict[str, tuple[float, float]]:
    """What each channel adds to left and right."""
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    found = {}
    for number, name in enumerate(names):
        channels = np.zeros((len(names), 1024), np.float32)
        channels[number] = 1
        left, right = converted(sound(channels, layout))[:, 512]
        found[name] = (float(left), float(right))
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_channels_at_full_scale_in_phase_do_not_clip(layout: str) -> None:
    channels = np.ones((av.AudioLayout(layout).nb_channels, 4096), np.float32)

    stereo = converted(sound(channels, layout))

    assert np.abs(stereo).max() <= 1 + LEVEL_TOLERANCE
    assert np.abs(stereo).max() > 0.7


def test_5_1_is_mixed_down_by_bs_775() -> None:
    """ITU-R BS.775-3, annex 4, table 2, 3/2 to 2/0, divided by the sum of the levels; LFE is left out."""
    whole = 1 / (1 + 2 * HALF_POWER)
    part = HALF_POWER * whole

    found = levels("5.1")

    expected = {
        "FL": (whole, 0.0),
        "FR": (0.0, whole),
        "FC": (part, part),
        "LFE": (0.0, 0.0),
        "BL": (part, 0.0),
        "BR": (0.0, part),
    }
    assert list(found) == list(expected)
    for name, level in expected.items():
        assert found[name] == pytest.approx(level, abs=LEVEL_TOLERANCE)


@pytest.mark.parametrize(
    ("layout", "sum_of_levels"),
    [
        ("stereo", 1.0),
        ("2.1", 1.0),
        ("3.0", 1 + HALF_POWER),
        ("quad", 1 + HALF_POWER),
        ("4.0", 1 + HALF_POWER + 0.5),  # the one surround channel of 3/1 goes to both sides, 3 dB lower again
        ("5.0", 1 + 2 * HALF_POWER),
        ("5.1(side)", 1 + 2 * HALF_POWER),
        ("6.1", 1 + 2 * HALF_POWER + 0.5),
        ("7.1", 1 + 3 * HALF_POWER),
    ],
)
def test_front_channels_are_scaled_by_the_sum_of_the_levels(layout: str, sum_of_levels: float) -> None:
    assert levels(layout)["FL"] == pytest.approx((1 / sum_of_levels, 0.0), abs=LEVEL_TOLERANCE)


def test_mono_is_heard_on_both_sides_at_half_power() -> None:
    assert levels("mono")["FC"] == pytest.approx((HALF_POWER, HALF_POWER), abs=LEVEL_TOLERANCE)


def test_what_changes_on_the_way_is_converted() -> None:
    """Rate, layout and sample format: each second of it stays a second."""
    mono = np.full((1, 44_100), 0.5, np.float32)
    integers = av.AudioFrame.from_ndarray(np.full((2, RATE_HZ), 8192, np.int16), format="s16p", layout="stereo")
    integers.sample_rate = RATE_HZ

    stereo = converted(
        sound(mono, "mono", 44_100), integers, sound(np.full((6, 32_000), 0.25, np.float32), "5.1", 32_000)
    )

    assert stereo.shape[1] == pytest.approx(3 * RATE_HZ, abs=64)  # a resampler owes some samples
    for second, level in enumerate((0.5 * HALF_POWER, 0.25, 0.25)):
        assert stereo[:, second * RATE_HZ + 24_000] == pytest.approx(level, abs=1e-3)


@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8])
def test_channels_without_names_are_taken_for_the_usual_ones(channels: int) -> None:
    unnamed = sound(np.ones((channels, 1024), np.float32), f"{channels} channels")

    assert np.abs(converted(unnamed)).max() == pytest.approx(1, abs=LEVEL_TOLERANCE)


def test_channels_that_nobody_knows_are_refused_in_one_line() -> None:
    with pytest.raises(SourceError, match=r"clip\.mp4 has sound of 11 channels") as caught:
        converted(sound(np.ones((11, 1024), np.float32), "11 channels"))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate_hz", [1, 100, LEAST_RATE_HZ - 1])
def test_a_rate_that_makes_hours_of_a_second_is_refused(rate_hz: int) -> None:
    """A header of one sample a second: half a second of PCM became six hours, which take minutes to encode."""
    with pytest.raises(SourceError, match=f"sound of {rate_hz} samples a second"):
        converted(sound(np.zeros((2, 1024), np.float32), "stereo", rate_hz))


def test_the_lowest_rate_is_converted() -> None:
    assert converted(sound(np.zeros((2, 400), np.float32), "stereo", LEAST_RATE_HZ)).shape[1] == 4800


@pytest.mark.parametrize("sample_format", ["u8", "s16", "s32p", "flt", "dblp"])
def test_a_frame_of_minutes_is_converted_in_pieces(sample_format: str) -> None:
    """PCM has frames of any length, and at 48 kHz those of 4000 are 96 times as large."""
    count = 150 * LEAST_RATE_HZ
    values = np.arange(2 * count).reshape(2, count) % 100
    planar = sample_format.endswith("p")
    dtype = {"u8": np.uint8, "s16": np.int16, "s32p": np.int32, "flt": np.float32, "dblp": np.float64}[sample_format]
    packed = values if planar else values.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed, dtype), format=sample_format, layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = LEAST_RATE_HZ, 77, Fraction(1, LEAST_RATE_HZ)

    pieces = list(within_a_minute(frame))

    assert [piece.samples for piece in pieces] == [240_000, 240_000, 120_000]
    assert [piece.pts for piece in pieces] == [77, 240_077, 480_077]
    assert {piece.sample_rate for piece in pieces} == {LEAST_RATE_HZ}
    assert np.array_equal(np.concatenate([piece.to_ndarray() for piece in pieces], axis=1), packed)
