"""Kinds of sound for drawn clips. Each can be recognised in time: none is a steady tone.

All of them sound from 0.1 to 0.4 s, since that is where the study plants its gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["TUNES", "draw_sound"]

_Samples = NDArray[np.float64]
"""One channel; full scale is 1."""
_Tune = Callable[[np.random.Generator, _Samples, float], _Samples]
"""Makes a channel at the times given, in seconds, up to a highest frequency in Hz."""


def _band(random: np.random.Generator, time_s: _Samples, low_hz: float, high_hz: float) -> _Samples:
    """Noise of a band, by its spectrum, with a root mean square of 1."""
    rate_hz = (len(time_s) - 1) / max(1e-6, time_s[-1] - time_s[0])
    spectrum = np.fft.rfft(random.standard_normal(len(time_s)))
    frequency = np.fft.rfftfreq(len(time_s), 1 / rate_hz)
    spectrum[(frequency < low_hz) | (frequency > high_hz)] = 0
    band = np.fft.irfft(spectrum, len(time_s))
    return band / max(1e-9, float(np.sqrt((band**2).mean())))


def _starts(random: np.random.Generator, end_s: float, shortest_s: float, longest_s: float) -> list[float]:
    """When events begin: the first at 0.05 s, then at uneven distances."""
    starts = [0.05]
    while starts[-1] < end_s:
        starts.append(starts[-1] + float(random.uniform(shortest_s, longest_s)))
    return starts


def _speech(random: np.random.Generator, time_s: _Samples, highest_hz: float) -> _Samples:
    """Syllables: a buzz of a voice that glides, shaped by two formants, with hisses between."""
    out = np.zeros_like(time_s)
    pitch_hz = float(random.uniform(90, 220))
    for start in _starts(random, float(time_s[-1]), 0.16, 0.3):
        length = float(random.uniform(0.12, 0.24))
        age = time_s - start
        shape = np.where((age >= 0) & (age < length), np.sin(np.pi * np.clip(age / length, 0, 1)) ** 0.5, 0)
        glide = 2 * np.pi * pitch_hz * (age + float(random.uniform(-0.4, 0.4)) * age**2)
        formants = float(random.uniform(300, 800)), float(random.uniform(900, 2400))
        for harmonic in range(1, 24):
            at_hz = harmonic * pitch_hz
            if at_hz < highest_hz:
                strength = sum(np.exp(-(((at_hz - formant) / 220) ** 2)) for formant in formants) + 0.04
                out += shape * strength * np.sin(harmonic * glide)
        hiss = np.where((age > length) & (age < length + 0.05), 0.5, 0)
        out += hiss * _band(random, time_s, min(2000, highest_hz / 2), min(6000, highest_hz))
    return 0.4 * out / max(1e-9, float(np.abs(out).max()))


def _music(random: np.random.Generator, time_s: _Samples, highest_hz: float) -> _Samples:
    """Chords that are struck and die away."""
    out = np.zeros_like(time_s)
    for start in _starts(random, float(time_s[-1]), 0.2, 0.45):
        age = time_s - start
        root_hz = 110 * 2 ** (int(random.integers(0, 24)) / 12)
        shape = np.where(age >= 0, np.minimum(1, np.maximum(age, 0) / 0.004) * np.exp(-np.maximum(age, 0) / 0.25), 0)
        for step in (0, (3, 4)[int(random.integers(0, 2))], 7, 12):
            tone_hz = root_hz * 2 ** (step / 12)
            for overtone in (1, 2, 3):
                if overtone * tone_hz < highest_hz:
                    out += shape * np.sin(2 * np.pi * overtone * tone_hz * age) / overtone**1.5
    return 0.45 * out / max(1e-9, float(np.abs(out).max()))


def _clicks(random: np.random.Generator, time_s: _Samples, highest_hz: float) -> _Samples:
    """Short hard knocks at uneven distances, over a soft rustle."""
    out = 0.03 * _band(random, time_s, 200, min(3000, highest_hz))
    for start in _starts(random, float(time_s[-1]), 0.03, 0.12):
        age = time_s - start
        tone_hz = float(random.uniform(500, min(4000, highest_hz)))
        shape = np.where(age >= 0, np.exp(-np.maximum(age, 0) / 0.012), 0)
        out += float(random.uniform(0.25, 0.5)) * shape * np.sin(2 * np.pi * tone_hz * age)
    return np.clip(out, -0.9, 0.9)


def _sweep(random: np.random.Generator, time_s: _Samples, highest_hz: float) -> _Samples:
    """A tone that rises or falls all the time, and swells."""
    low_hz, high_hz = float(random.uniform(120, 400)), float(random.uniform(0.3, 0.8)) * min(6000, highest_hz)
    if random.random() < 0.5:
        low_hz, high_hz = high_hz, low_hz
    end_s = float(time_s[-1])
    phase = 2 * np.pi * (low_hz * time_s + (high_hz - low_hz) * time_s**2 / (2 * max(1e-3, end_s)))
    return 0.4 * np.sin(phase) * (0.7 + 0.3 * np.sin(2 * np.pi * 2.7 * time_s + float(random.uniform(0, 6))))


def _noise(random: np.random.Generator, time_s: _Samples, highest_hz: float) -> _Samples:
    """Noise of a band whose strength wanders: wind, water, a street."""
    low_hz, high_hz = float(random.uniform(80, 400)), float(random.uniform(0.25, 0.6)) * min(8000, highest_hz)
    shape = 0.75 + 0.25 * np.sin(2 * np.pi * float(random.uniform(1, 3)) * time_s + float(random.uniform(0, 6)))
    return 0.13 * shape * _band(random, time_s, low_hz, high_hz)


def _one_event(random: np.random.Generator, time_s: _Samples, highest_hz: float) -> _Samples:
    """Silence but for one thing that falls, early on."""
    age = time_s - 0.06
    # Rough and slow enough to be heard to 0.45 s, then nothing.
    shape = np.where((age >= 0) & (age < 0.5), np.exp(-np.maximum(age, 0) / 0.22), 0)
    tone = np.sin(2 * np.pi * float(random.uniform(200, 500)) * age * (1 + 0.5 * age))
    return shape * (0.3 * tone + 0.12 * _band(random, time_s, 300, min(5000, highest_hz)))


def _quiet(random: np.random.Generator, time_s: _Samples, highest_hz: float) -> _Samples:
    """Speech, 25 dB below what is usual."""
    return 0.056 * _speech(random, time_s, highest_hz)


def _rumble(random: np.random.Generator, time_s: _Samples, _highest_hz: float) -> _Samples:
    """What the channel of low frequencies carries: blows below 110 Hz."""
    out = np.zeros_like(time_s)
    for start in _starts(random, float(time_s[-1]), 0.2, 0.5):
        age = time_s - start
        shape = np.where(age >= 0, np.exp(-np.maximum(age, 0) / 0.12), 0)
        out += 0.3 * shape * np.sin(2 * np.pi * float(random.uniform(40, 100)) * age)
    return np.clip(out, -0.9, 0.9)


TUNES: Final[dict[str, _Tune]] = {
    "speech": _speech,
    "music": _music,
    "clicks": _clicks,
    "sweep": _sweep,
    "noise": _noise,
    "one-event": _one_event,
    "quiet": _quiet,
}
"""By name."""


def draw_sound(tunes: tuple[str, ...], seed: int, rate_hz: int, seconds: float) -> NDArray[np.float32]:
    """Sound with a channel for each of the tunes, shape (samples, channels). Channels of one tune differ too.

    The fourth of six is that of low frequencies, whichever tune is asked for.
    """
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    channels = []
    for number, name in enumerate(tunes):
        tune = _rumble if len(tunes) == 6 and number == 3 else TUNES[name]
        # Codecs leave out what is nearly at half the rate. The channels behind the first two are quieter.
        sound = tune(np.random.default_rng([seed, number]), time_s, 0.42 * rate_hz)
        channels.append(sound * (1.0 if number < 2 else 0.6))
    return np.stack(channels, axis=1).astype(np.float32)
