"""Lags, drift and gaps of sound envelopes with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.metrics.sound_lag import measure_lag, silent_gaps
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


@pytest.mark.parametrize("level", [np.zeros(4000, np.float32), speech(0.5)])
def test_silent_or_short_sounds_have_no_lag(level: NDArray[np.float32]) -> None:
    assert measure_lag(sound(level), sound(level)) is None


def test_a_gap_is_found_where_the_reference_sounds() -> None:
    level = speech(4)
    broken = level.copy()
    broken[1000:1100] = 0

    assert silent_gaps(sound(level), sound(level), 0.0, least_ms=17) == []
    assert np.array(silent_gaps(sound(level), sound(broken), 0.0, least_ms=17)) == pytest.approx(np.array([[1.0, 1.1]]))


@pytest.mark.parametrize("length_ms", [20, 21, 37])
@pytest.mark.parametrize("start_ms", [1000, 1007, 1013])
def test_a_gap_of_20_ms_is_found_wherever_it_begins(length_ms: int, start_ms: int) -> None:
    level = speech(4)
    broken = level.copy()
    broken[start_ms : start_ms + length_ms] = 0

    gaps = silent_gaps(sound(level), sound(broken), 0.0, least_ms=17)

    assert np.array(gaps) * 1e3 == pytest.approx(np.array([[start_ms, start_ms + length_ms]]), abs=3)


def test_an_encoder_that_does_not_fill_its_last_frame_leaves_no_gap() -> None:
    level = speech(4)
    cut, emptied = level[:-20], level.copy()
    emptied[-300:] = 0

    assert silent_gaps(sound(level), sound(cut), 0.0, least_ms=17) == []
    assert len(silent_gaps(sound(level), sound(emptied), 0.0, least_ms=17)) == 1
