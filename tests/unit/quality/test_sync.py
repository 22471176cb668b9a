"""Lags, drift and gaps of sound envelopes with a known answer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.metrics.sound_lag import SoundLag, measure_lag, silent_gaps
from capbench.quality.reading.sound_envelope import BIN_S, Sound


def speech(length_s: float, seed: int = 1) -> NDArray[np.float32]:
    """An envelope that comes and goes as speech does, four times a second."""
    steps = np.random.default_rng(seed).uniform(0.02, 0.5, int(length_s * 4) + 2)
    times = np.arange(0, length_s, BIN_S)
    level: NDArray[np.float32] = np.interp(times, np.arange(len(steps)) / 4, steps).astype(np.float32)
    return level


def sound(level: NDArray[np.float32], start_ms: int = 0, **more: float) -> Sound:
    return Sound(
        tracks=1,
        channels=2,
        start_bin=start_ms,
        level=level,
        clipped_share=0.0,
        side_share=more.get("side_share", 0.1),
        error=None,
    )


IN_PLACE = SoundLag(0.0, None, 1.0)


def bursts(length_s: float) -> NDArray[np.float32]:
    """An envelope of bursts of 150 ms with pauses of 90, 150, 90, 210 ms between them; the first begins at 0.1 s."""
    level = np.zeros(round(length_s / BIN_S), np.float32)
    start = 100
    for pause in itertools.cycle((90, 150, 90, 210)):
        if start >= len(level):
            return level
        level[start : start + 150] = 0.3
        start += 150 + pause
    return level


def faster(level: NDArray[np.float32], tempo: float) -> NDArray[np.float32]:
    """The envelope at another tempo."""
    length_s = len(level) * BIN_S
    times = np.arange(0, length_s / tempo, BIN_S) * tempo
    return np.interp(times, np.arange(0, length_s, BIN_S), level).astype(np.float32)


@pytest.mark.parametrize("lag_ms", [-800, -40, 0, 15, 250, 1500])
def test_a_constant_lag_is_measured_to_a_millisecond(lag_ms: int) -> None:
    lag = measure_lag(sound(speech(8)), sound(speech(8), lag_ms))

    assert lag is not None
    assert lag.start_ms == pytest.approx(lag_ms, abs=1)
    assert lag.drift_ms == pytest.approx(0, abs=1)
    assert lag.is_same_sound


def test_drift_is_told_from_lag() -> None:
    """A sound that runs 0.2% slow: it is measured in two halves of 30 s, whose middles are 15 s apart."""
    level = speech(30)
    slow = np.interp(np.arange(0, 30 * 1.002, BIN_S), np.arange(0, 30, BIN_S) * 1.002, level).astype(np.float32)

    lag = measure_lag(sound(level), sound(slow))

    assert lag is not None
    assert lag.drift_ms == pytest.approx(15 * 0.002 * 1e3, abs=5)


def test_beeps_alike_each_second_take_the_nearest_lag() -> None:
    beeps = np.zeros(6000, np.float32)
    beeps.reshape(6, 1000)[:, :100] = 0.5

    lag = measure_lag(sound(beeps), sound(np.roll(beeps, 60)))

    assert lag is not None
    assert lag.start_ms == pytest.approx(60, abs=1)


def test_another_sound_is_not_the_same() -> None:
    lag = measure_lag(sound(speech(8, seed=1)), sound(speech(8, seed=2)))

    assert lag is not None
    assert not lag.is_same_sound


def test_silent_sounds_have_no_lag() -> None:
    level = np.zeros(4000, np.float32)

    assert measure_lag(sound(level), sound(level)) is None


@pytest.mark.parametrize("length_s", [0.25, 0.5, 0.77])
@pytest.mark.parametrize("lag_ms", [-80, -23, 0, 30])
def test_the_lag_of_a_short_sound_is_measured(length_s: float, lag_ms: int) -> None:
    """Of less than 0.8 s nothing was measured, and a sound of 0.77 s that was 30 ms early passed."""
    level = speech(length_s)

    lag = measure_lag(sound(level), sound(np.pad(level, (0, 450)), lag_ms))

    assert lag is not None
    assert lag.is_same_sound
    assert not lag.by_onset
    assert lag.start_ms == pytest.approx(lag_ms, abs=1)


@pytest.mark.parametrize("padding_ms", [0, 500])
def test_a_click_is_timed_by_its_onset(padding_ms: int) -> None:
    click = np.full(60, 0.3, np.float32)

    lag = measure_lag(sound(click), sound(np.pad(click, (0, padding_ms)), 40))

    assert lag is not None
    assert lag.by_onset
    assert lag.start_ms == pytest.approx(40, abs=1)


def test_a_short_sound_that_runs_fast_has_a_lag_and_no_drift() -> None:
    """Of less than a second the two ends are nearly the same part: no drift of 0 is claimed."""
    level = bursts(0.8)

    lag = measure_lag(sound(level), sound(faster(level, 1.06)))

    assert lag is not None
    assert lag.start_ms < -15
    assert lag.end_ms is None


@pytest.mark.parametrize("kept_s", [0.3, 0.7, 1.6])
def test_a_sound_that_was_cut_short_is_as_late_as_its_rest(kept_s: float) -> None:
    level = speech(2)

    lag = measure_lag(sound(level), sound(level[: round(kept_s / BIN_S)], 12))

    assert lag is not None
    assert lag.start_ms == pytest.approx(12, abs=1.5)


def test_a_gap_in_a_short_sound_is_no_lag() -> None:
    level = bursts(0.8)
    broken = level.copy()
    broken[130:230] = 0

    lag = measure_lag(sound(level), sound(broken))

    assert lag is not None
    assert lag.start_ms == pytest.approx(0, abs=3)
    assert len(silent_gaps(sound(level), sound(broken), lag, least_ms=17)) == 1


def test_a_gap_is_found_where_the_reference_sounds() -> None:
    level = speech(4)
    broken = level.copy()
    broken[1000:1100] = 0

    assert silent_gaps(sound(level), sound(level), IN_PLACE, least_ms=17) == []
    assert np.array(silent_gaps(sound(level), sound(broken), IN_PLACE, least_ms=17)) == pytest.approx(
        np.array([[1.0, 1.1]])
    )


@pytest.mark.parametrize("length_ms", [20, 21, 37])
@pytest.mark.parametrize("start_ms", [1000, 1007, 1013])
def test_a_gap_of_20_ms_is_found_wherever_it_begins(length_ms: int, start_ms: int) -> None:
    level = speech(4)
    broken = level.copy()
    broken[start_ms : start_ms + length_ms] = 0

    gaps = silent_gaps(sound(level), sound(broken), IN_PLACE, least_ms=17)

    assert np.array(gaps) * 1e3 == pytest.approx(np.array([[start_ms, start_ms + length_ms]]), abs=3)


def test_an_encoder_that_does_not_fill_its_last_frame_leaves_no_gap() -> None:
    level = speech(4)
    cut, emptied = level[:-20], level.copy()
    emptied[-300:] = 0

    assert silent_gaps(sound(level), sound(cut), IN_PLACE, least_ms=17) == []
    assert len(silent_gaps(sound(level), sound(emptied), IN_PLACE, least_ms=17)) == 1


@pytest.mark.parametrize("shift_ms", [-80, -40])
def test_a_pause_that_moved_is_no_gap(shift_ms: int) -> None:
    """Where the lag is not known: a shift is named by its own check."""
    level = bursts(3)

    assert silent_gaps(sound(level), sound(level[-shift_ms:]), IN_PLACE, least_ms=17) == []


def test_a_sound_that_runs_fast_has_no_gaps() -> None:
    level = bursts(3)
    fast = faster(level, 1.03)
    lag = measure_lag(sound(level), sound(fast))

    assert lag is not None
    assert silent_gaps(sound(level), sound(fast), lag, least_ms=17) == []
    fast[np.flatnonzero(fast)[600:640]] = 0
    assert len(silent_gaps(sound(level), sound(fast), lag, least_ms=17)) == 1


@pytest.mark.parametrize("place_ms", [640, 700, 750])
def test_a_gap_beside_a_pause_is_found(place_ms: int) -> None:
    """At the start of a burst, within it and at its end: the pause beside it is longer than it was."""
    level = bursts(3)
    broken = level.copy()
    broken[place_ms : place_ms + 40] = 0

    assert len(silent_gaps(sound(level), sound(broken), IN_PLACE, least_ms=17)) == 1


def test_many_bursts_that_are_lost_take_no_long_time() -> None:
    """A day of clicks, of which nothing came out: what is silent is searched once, and not for each click."""
    level = np.tile(np.array([0.3] * 25 + [0.0] * 25, np.float32), 20_000)
    lost = np.zeros_like(level)
    lost[:1000] = level[:1000]

    assert len(silent_gaps(sound(level), sound(lost), IN_PLACE, least_ms=17)) > 19_000


def test_what_nobody_hears_has_no_lag() -> None:
    """Noise at -64 dB of a recorder that heard nothing was 34 ms late, by a codec that moved a frame of it."""
    level = speech(4) / np.float32(1000)

    assert measure_lag(sound(level), sound(level, 300)) is None
    assert measure_lag(sound(level * 100), sound(level * 100, 300)) is not None


@pytest.mark.parametrize("decay_s", [0.2, 0.4, 1.0])
def test_a_sound_that_dies_away_does_not_drift(decay_s: float) -> None:
    """A plucked string is the same, only quieter, at any later time: its end had drifted by 250 ms."""
    times = np.arange(0, 1.8, BIN_S)
    ripple = np.random.default_rng(4).normal(1, 0.02, (2, len(times)))
    want, got = ((0.3 * np.exp(-times / decay_s) * each).astype(np.float32) for each in ripple)
    want[:60] = got[:60] = 0

    lag = measure_lag(sound(want), sound(got, 20))

    assert lag is not None
    assert lag.start_ms == pytest.approx(20, abs=8)
    assert lag.drift_ms is None or abs(lag.drift_ms) < 8
