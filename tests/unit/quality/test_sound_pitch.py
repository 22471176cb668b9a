"""How high a sound is against another: tones, speech, glides and noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.metrics.sound_spectra import measure_pitch
from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

PIECES = 6
TIMES = np.arange(PIECES * PIECE_SAMPLES) / SOUND_RATE_HZ


def sound(samples: NDArray[np.float64]) -> Sound:
    stereo = np.stack([samples, samples]).astype(np.float32)
    pieces = {n: stereo[:, n * PIECE_SAMPLES : (n + 1) * PIECE_SAMPLES] for n in range(PIECES)}
    return Sound(
        tracks=1,
        channels=2,
        start_bin=0,
        level=np.ones(1000, np.float32),
        clipped_share=0.0,
        side_share=0.5,
        error=None,
        pieces=pieces,
    )


def content(kind: str, factor: float) -> NDArray[np.float64]:
    """The same events at any pitch."""
    turn: NDArray[np.float64] = 2 * np.pi * factor * TIMES
    if kind == "tone":
        return np.asarray(0.3 * np.sin(440 * turn))
    if kind == "beeps":
        return np.asarray(0.3 * np.sin(880 * turn) * (TIMES % 0.5 < 0.06))
    if kind == "glide":
        return np.asarray(0.3 * np.sin(200 * turn + 2 * np.pi * factor * 200 * TIMES**2))
    voice = np.sum([np.sin(110 * k * turn + k) / k for k in range(1, 20)], axis=0)
    return np.asarray(0.1 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * TIMES)))


@pytest.mark.parametrize("kind", ["tone", "beeps", "glide", "voice"])
@pytest.mark.parametrize("factor", [0.8, 0.92, 0.97, 1.0, 1.03, 1.12, 1.25, 1.5, 2.0])
def test_a_pitch_is_measured(kind: str, factor: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.003, TIMES.shape)

    found = measure_pitch(sound(content(kind, 1.0)), sound(0.5 * content(kind, factor) + noise), 0.0)

    assert found == pytest.approx(factor, rel=0.004)


@pytest.mark.parametrize("kind", ["tone", "beeps", "glide"])
@pytest.mark.parametrize("factor", [0.5, 0.67])
def test_a_pitch_far_below_is_measured(kind: str, factor: float) -> None:
    """Of a voice every other line would be where one was: it is as well another voice."""
    found = measure_pitch(sound(content(kind, 1.0)), sound(content(kind, factor)), 0.0)

    assert found == pytest.approx(factor, rel=0.004)


def test_noise_has_its_own_pitch_or_none() -> None:
    first, second = (np.random.default_rng(seed).normal(0, 0.1, TIMES.shape) for seed in (1, 2))

    assert measure_pitch(sound(first), sound(first), 0.0) == 1.0
    assert measure_pitch(sound(first), sound(second), 0.0) is None


@pytest.mark.parametrize(("factor", "level"), [(0.8, 0.56), (1.5, 0.4)])
def test_a_rush_of_which_half_was_lost_has_its_pitch(factor: float, level: float) -> None:
    """Water, half as high again: spectra correlated by 0.49 there, by 0.1 at most elsewhere, and nothing said so."""
    random = np.random.default_rng(5)
    lines_hz, turns = np.exp(random.uniform(np.log(300), np.log(4000), 120)), random.uniform(0, 2 * np.pi, 120)

    def water(by: float) -> NDArray[np.float64]:
        waves = np.sin(2 * np.pi * by * lines_hz[:, None] * TIMES + turns[:, None])
        return np.asarray(0.02 * waves.sum(axis=0))

    hiss = random.normal(0, level, TIMES.shape)

    assert measure_pitch(sound(water(1.0)), sound(water(factor) + hiss), 0.0) == pytest.approx(factor, rel=0.004)
    assert measure_pitch(sound(water(1.0)), sound(hiss), 0.0) is None


def test_sound_that_lies_elsewhere_or_is_silent_cannot_be_compared() -> None:
    voice = sound(content("voice", 1.0))

    assert measure_pitch(voice, voice, 80.0) is None
    assert measure_pitch(voice, sound(np.zeros(TIMES.shape)), 0.0) is None
