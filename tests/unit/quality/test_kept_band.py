"""Level and width where a coder kept a sound: what it left out above its band is no other level."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.metrics.sound_spectra import KeptBand, measure_kept_band
from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

Stereo = NDArray[np.float64]


def sound(stereo: Stereo) -> Sound:
    pieces = {
        n: stereo[:, n * PIECE_SAMPLES : (n + 1) * PIECE_SAMPLES].astype(np.float32)
        for n in range(stereo.shape[1] // PIECE_SAMPLES)
    }
    return Sound(1, 2, 0, np.ones(1000, np.float32), 0.0, 0.5, None, pieces=pieces)


def noise(seed: int) -> Stereo:
    return np.random.default_rng(seed).normal(0, 0.1, (2, 4 * PIECE_SAMPLES))


def below(stereo: Stereo, highest_hz: float) -> Stereo:
    spectrum = np.fft.rfft(stereo)
    spectrum[:, np.fft.rfftfreq(stereo.shape[1], 1 / SOUND_RATE_HZ) > highest_hz] = 0
    return np.fft.irfft(spectrum, stereo.shape[1])


def measured(wanted: Stereo, found: Stereo, lag_ms: float = 0.0) -> KeptBand:
    kept = measure_kept_band(sound(wanted), sound(found), lag_ms)
    assert kept is not None
    return kept


@pytest.mark.parametrize("highest_hz", [20_000, 16_000, 11_000, 4_000])
@pytest.mark.parametrize("gain_db", [0.0, -4.0, 3.0])
def test_what_lies_above_a_codec_s_band_does_not_count(highest_hz: float, gain_db: float) -> None:
    """White noise at half the rate has half of its energy; what is quieter in its band is quieter."""
    kept = measured(noise(1), 10 ** (gain_db / 20) * below(noise(1), highest_hz))

    assert kept.energy_db == pytest.approx(gain_db, abs=0.5)
    assert kept.level_db == pytest.approx(gain_db, abs=0.5)


@pytest.mark.parametrize("lag", [0, 480, -960])
def test_what_coding_adds_or_loses_is_no_other_level(lag: int) -> None:
    """A coarse quantiser makes zeros of four lines in ten, and noise elsewhere."""
    wanted = noise(1)
    spectrum = np.fft.rfft(wanted)
    spectrum[:, np.random.default_rng(3).random(spectrum.shape[1]) < 0.4] = 0

    for found in (wanted + 0.8 * noise(2), np.fft.irfft(spectrum, wanted.shape[1])):
        kept = measured(wanted, np.roll(found, lag, axis=1), lag / SOUND_RATE_HZ * 1e3)
        assert abs(kept.energy_db) > 1.8
        assert abs(kept.level_db) < abs(kept.energy_db) / 3 + 0.3


def test_a_tone_that_nobody_hears_hides_no_difference_of_sides() -> None:
    """At 19.5 kHz, alike on both sides; it is left out, and faint noise that always differed is all there is."""
    times = np.arange(4 * PIECE_SAMPLES) / SOUND_RATE_HZ
    faint = 0.1 * noise(4)
    kept = measured(0.2 * np.sin(2 * np.pi * 19_500 * times) + faint, below(faint, 16_000))

    assert kept.reference_side_share == pytest.approx(kept.output_side_share, abs=0.05)
    assert kept.reference_side_share > 0.5


def test_where_nothing_of_a_sound_was_kept_little_of_it_is_compared() -> None:
    """Hiss above 9 kHz behind 32 kbit/s: what is left is the rounding noise below, as loud as ever."""
    rounding = 1e-4 * noise(5)
    hiss = noise(1) - below(noise(1), 9_000)
    kept = measured(hiss + rounding, rounding)

    assert kept.energy_db == pytest.approx(0, abs=0.1)
    assert kept.share < 1e-6
    assert measured(noise(1), below(noise(1), 16_000)).share == pytest.approx(2 / 3, abs=0.02)


def test_sides_are_known_by_what_no_coder_joins() -> None:
    """Speech below 3.5 kHz that differs, and hiss above 9 kHz of which one noise was made for both channels."""
    low, hiss = below(noise(1), 3_000), noise(2) - below(noise(2), 9_000)
    joined = np.repeat(hiss[:1], 2, axis=0)
    kept = measured(low + hiss, low + joined)

    assert kept.low_share == pytest.approx(3 / 18, abs=0.02)
    assert kept.output_side_share < 0.2
    assert kept.low_output_side_share == pytest.approx(kept.low_reference_side_share, abs=0.01)
    mixed = np.repeat((low + hiss).mean(axis=0, keepdims=True), 2, axis=0)
    assert measured(low + hiss, mixed).low_output_side_share < 0.01


def test_sounds_far_apart_are_not_compared() -> None:
    assert measure_kept_band(sound(noise(1)), sound(noise(1)), 300.0) is None
