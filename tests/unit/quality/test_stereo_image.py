"""Left and right of synthetic sounds: kept, exchanged, turned over, late and quiet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.metrics.stereo_image import (
    ChannelOrder,
    StereoImage,
    find_missing_channels,
    measure_channel_order,
    measure_stereo_image,
)
from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

Stereo = NDArray[np.float32]
PIECES = 4


def sound(stereo: Stereo, *, origin_s: float = 0.0) -> Sound:
    pieces = {n: stereo[:, n * PIECE_SAMPLES : (n + 1) * PIECE_SAMPLES] for n in range(PIECES)}
    return Sound(
        tracks=1,
        channels=2,
        start_bin=0,
        level=np.ones(1000, np.float32),
        clipped_share=0.0,
        side_share=0.5,
        error=None,
        origin_s=origin_s,
        pieces=pieces,
    )


def noise(seed: int) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.random.default_rng(seed).normal(0, 0.1, PIECES * PIECE_SAMPLES).astype(np.float32)
    return values


def tone(hertz: float) -> NDArray[np.float32]:
    times = np.arange(PIECES * PIECE_SAMPLES) / SOUND_RATE_HZ
    return (0.2 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


SOURCES = {
    "two sounds": np.stack([noise(1), noise(2)]),
    "two tones": np.stack([tone(440), tone(660)]),
    "left louder": np.stack([noise(1), 0.3 * noise(1)]),
    "mostly middle": np.stack([noise(1) + 0.2 * noise(2), noise(1) - 0.2 * noise(2)]),
}


def image(change: Callable[[Stereo], Stereo], source: Stereo, lag_ms: float = 0.0) -> StereoImage:
    coded = change(source) + np.random.default_rng(9).normal(0, 0.01, source.shape).astype(np.float32)
    found = measure_stereo_image(sound(source), sound(coded), lag_ms, least_share=0.01)
    assert found is not None
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_sides_that_were_kept_are_upright(name: str) -> None:
    found = image(lambda stereo: 0.7 * stereo, SOURCES[name])

    assert found.alike > 0.8
    assert found.polarity is not None
    assert found.polarity > 0.5
    assert found.sides is not None
    assert found.sides > 0.5


@pytest.mark.parametrize("name", SOURCES)
def test_exchanged_sides_turn_their_difference_over(name: str) -> None:
    found = image(lambda stereo: stereo[::-1], SOURCES[name])

    assert found.sides is not None
    assert found.sides < -0.8
    assert found.polarity is None or found.polarity > 0


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("name", SOURCES)
def test_one_turned_side_is_told_however_quiet_it_is(name: str, side: int) -> None:
    signs = np.array([[-1.0], [1.0]] if side == 0 else [[1.0], [-1.0]], np.float32)

    found = image(lambda stereo: stereo * signs, SOURCES[name])

    assert found.polarity is not None
    assert found.polarity < -0.5


def test_both_sides_turned_are_heard_as_before() -> None:
    found = image(lambda stereo: -stereo, SOURCES["two sounds"])

    assert found.polarity is not None
    assert found.polarity > 0.8
    assert found.sides is not None
    assert found.sides > 0.8


def test_a_known_lag_is_allowed_for() -> None:
    late = round(0.03 * SOUND_RATE_HZ)

    found = image(lambda stereo: np.roll(stereo, late, axis=1)[::-1], SOURCES["two sounds"], lag_ms=30.0)

    assert found.sides is not None
    assert found.sides < -0.5


def test_mono_has_no_sides_and_still_a_polarity() -> None:
    mono = np.stack([noise(1), noise(1)])

    kept = measure_stereo_image(sound(mono), sound(0.5 * mono), 0.0, least_share=0.01)
    turned = measure_stereo_image(sound(mono), sound(mono * np.array([[1], [-1]], np.float32)), 0.0, least_share=0.01)

    assert kept is not None
    assert turned is not None
    assert (kept.sides, turned.sides) == (None, None)
    assert kept.polarity == pytest.approx(1)
    assert turned.polarity == pytest.approx(-1)


def test_silence_and_sounds_far_apart_cannot_be_compared() -> None:
    loud = SOURCES["two sounds"]

    assert measure_stereo_image(sound(0 * loud), sound(loud), 0.0, least_share=0.01) is None
    assert measure_stereo_image(sound(loud), sound(loud), 300.0, least_share=0.01) is None
    # The same lag between files whose pictures are as far apart is none.
    assert measure_stereo_image(sound(loud), sound(loud, origin_s=0.3), 300.0, least_share=0.01) is not None


FIVE_ONE = ("FL", "FR", "FC", "LFE", "BL", "BR")


def surround(channels: NDArray[np.float32], names: tuple[str, ...] = FIVE_ONE) -> Sound:
    pieces = {n: channels[:, n * PIECE_SAMPLES : (n + 1) * PIECE_SAMPLES] for n in range(PIECES)}
    return replace(sound(channels[:2]), channels=len(channels), channel_names=names, channel_pieces=pieces)


def film() -> NDArray[np.float32]:
    """Six sounds; the bass is silent, and left and right share half of theirs with the centre."""
    voices = np.stack([noise(number) for number in range(6)])
    voices[:2] += 0.5 * voices[2]
    voices[3] = 0
    return voices


def order(
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]], names: tuple[str, ...] = FIVE_ONE
) -> ChannelOrder:
    coded = change(film()) + np.random.default_rng(9).normal(0, 0.01, film().shape).astype(np.float32)
    found = measure_channel_order(surround(film()), surround(coded, names), 0.0, least_share=0.01)
    assert found is not None
    return found


@pytest.mark.parametrize("gain", [0.4, 1.0, -1.0])
def test_channels_that_were_kept_are_in_order(gain: float) -> None:
    """Turned over all together is heard as it was."""
    assert order(lambda channels: gain * channels) == ChannelOrder((), ())


def test_surround_channels_may_be_called_sides() -> None:
    assert order(lambda channels: channels, (*FIVE_ONE[:4], "SL", "SR")) == ChannelOrder((), ())


@pytest.mark.parametrize(
    ("places", "moved"),
    [
        ([1, 0, 2, 3, 4, 5], (("FL", "FR"), ("FR", "FL"))),
        ([0, 1, 2, 3, 5, 4], (("BL", "BR"), ("BR", "BL"))),
        ([0, 2, 1, 3, 4, 5], (("FR", "FC"), ("FC", "FR"))),  # the order of films: left, centre, right
        ([0, 1, 3, 2, 4, 5], (("LFE", "FC"),)),
    ],
)
def test_channels_that_were_exchanged_are_named(places: list[int], moved: tuple[tuple[str, str], ...]) -> None:
    assert order(lambda channels: channels[places]) == ChannelOrder(moved, ())


@pytest.mark.parametrize("turned", [0, 2, 5])
def test_a_channel_that_swings_the_other_way_is_named(turned: int) -> None:
    def turn(channels: NDArray[np.float32]) -> NDArray[np.float32]:
        channels[turned] *= -1
        return channels

    assert order(turn) == ChannelOrder((), (FIVE_ONE[turned],))


@pytest.mark.parametrize("hertz", [830, 0])
def test_a_channel_that_a_coder_delays_by_itself_is_neither_turned_nor_moved(hertz: float) -> None:
    """Opus codes the centre by itself, 0.6 ms later than the pairs: half a period of 830 Hz."""

    def speaking() -> NDArray[np.float32]:
        channels = 0.3 * film()
        channels[2] = tone(hertz) if hertz else noise(7)
        return channels

    delayed = speaking()
    delayed[2] = np.roll(delayed[2], 29)
    mix = np.array(DOWNMIXES["BS.775"])
    reference, output = (
        replace(surround(each), pieces=sound((mix @ each).astype(np.float32)).pieces) for each in (speaking(), delayed)
    )

    assert measure_channel_order(reference, output, 0.0, least_share=0.01) == ChannelOrder((), ())
    found = measure_stereo_image(reference, output, 0.0, least_share=0.01)
    assert found is not None
    assert found.sides is not None
    assert min(found.alike, found.sides) > 0.9
    assert found.polarity is not None
    assert found.polarity > 0.9


def test_channels_that_are_all_alike_have_no_order() -> None:
    alike = surround(np.stack([noise(1)] * 6))

    assert measure_channel_order(alike, alike, 0.0, least_share=0.01) == ChannelOrder((), ())


def test_other_layouts_and_other_sounds_are_not_ordered() -> None:
    other = surround(np.stack([noise(number) for number in range(10, 16)]))

    assert measure_channel_order(surround(film()), sound(film()[:2]), 0.0, least_share=0.01) is None
    assert measure_channel_order(surround(film()), surround(film()[:4], FIVE_ONE[:4]), 0.0, least_share=0.01) is None
    assert measure_channel_order(surround(film()), other, 0.0, least_share=0.01) is None


HALF = 0.5**0.5
DOWNMIXES = {
    "BS.775": [[1, 0, HALF, 0, HALF, 0], [0, 1, HALF, 0, 0, HALF]],
    "without surround": [[1, 0, HALF, 0, 0, 0], [0, 1, HALF, 0, 0, 0]],
    "Pro Logic II": [[1, 0, HALF, 0, -0.87, -0.5], [0, 1, HALF, 0, 0.5, 0.87]],
}


def mixed(matrix: list[list[float]], lag: int = 0) -> Sound:
    sides = np.roll(0.4 * np.array(matrix) @ film(), lag, axis=1)
    sides += np.random.default_rng(9).normal(0, 0.01, sides.shape)
    return sound(np.asarray(sides, np.float32))


@pytest.mark.parametrize("name", DOWNMIXES)
@pytest.mark.parametrize("lag", [0, 480])
def test_usual_mixes_leave_no_front_channel_out(name: str, lag: int) -> None:
    found = mixed(DOWNMIXES[name], lag)

    assert find_missing_channels(surround(film()), found, lag / SOUND_RATE_HZ * 1e3, least_share=0.01) == ()


@pytest.mark.parametrize("missing", ["FL", "FR", "FC"])
@pytest.mark.parametrize("name", DOWNMIXES)
def test_a_front_channel_that_a_mix_leaves_out_is_named(name: str, missing: str) -> None:
    """A film without its voices is as loud and as wide as one with them, by any other figure."""
    matrix = [
        [0.0 if FIVE_ONE[place] == missing else level for place, level in enumerate(row)] for row in DOWNMIXES[name]
    ]

    assert find_missing_channels(surround(film()), mixed(matrix), 0.0, least_share=0.01) == (missing,)


def test_what_the_other_channels_have_too_cannot_be_missing() -> None:
    alike = np.stack([noise(1)] * 6)

    assert find_missing_channels(surround(alike), sound(alike[:2]), 0.0, least_share=0.01) == ()
