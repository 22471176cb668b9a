"""The sound of a recording: faint noise, and a beep with every flash."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.recordings.marks import FLASH_LENGTH_S
from capbench.recordings.spec import RecordingSpec

__all__ = ["SAMPLE_RATE_HZ", "beep_onsets_s", "beep_pitch_hz", "sample_count", "second_of_sound"]

SAMPLE_RATE_HZ: Final = 48_000
"""Samples a second of each of the two channels."""

_BEEP_AMPLITUDE: Final = 0.5
_NOISE_AMPLITUDE: Final = 0.001  # -60 dB: an encoder has something to do, a detector nothing to confuse
_RAMP_SAMPLES: Final = 48  # 1 ms: a sharp onset without the click that AAC smears ahead of it


def sample_count(spec: RecordingSpec) -> int:
    """Samples of each channel: the sound is as long as the picture."""
    return round(spec.frames / spec.rate * SAMPLE_RATE_HZ)


def beep_pitch_hz(second: int) -> int:
    """Pitch of the beep that belongs to a flash: it repeats after ten, so a beep that moved by whole seconds shows."""
    return 700 + 100 * (second % 10)


def second_of_sound(spec: RecordingSpec, second: int) -> NDArray[np.float32]:
    """Samples of one second, both channels alike, shape (2, up to 48000) in -1..1; the last one ends with the sound."""
    start = second * SAMPLE_RATE_HZ
    stop = min(start + SAMPLE_RATE_HZ, sample_count(spec))
    noise = np.random.default_rng([spec.seed, second]).uniform(-_NOISE_AMPLITUDE, _NOISE_AMPLITUDE, SAMPLE_RATE_HZ)
    sound = noise[: stop - start]
    # A flash is the first frame at or after its second, so below 10 fps its beep can reach into the next one.
    for number in range(max(0, second - 1), min(second + 1, len(spec.flash_frames))):
        onset = round(spec.flash_frames[number] / spec.rate * SAMPLE_RATE_HZ) - start
        beep = _beep(number)
        here = slice(max(onset, 0), min(onset + beep.size, sound.size))
        if here.start < here.stop:
            sound[here] += beep[here.start - onset : here.stop - onset]
    return np.stack([sound, sound]).astype(np.float32)


def beep_onsets_s(samples: NDArray[np.float32], sample_rate_hz: int) -> list[float]:
    """Times in seconds at which beeps start in one channel, shape (n,) in -1..1; good to about a millisecond.

    A beep starts where the level passes a quarter of a beep's, half a beep's length after it last did.
    """
    loud = np.flatnonzero(np.abs(samples) > _BEEP_AMPLITUDE / 4)
    if not loud.size:
        return []
    starts = loud[np.concatenate([[True], np.diff(loud) > FLASH_LENGTH_S / 2 * sample_rate_hz])]
    return [float(start / sample_rate_hz) for start in starts]


def _beep(second: int) -> NDArray[np.float64]:
    length = round(FLASH_LENGTH_S * SAMPLE_RATE_HZ)
    position = np.arange(length)
    edge = np.minimum(np.minimum(position, length - 1 - position) / _RAMP_SAMPLES, 1.0)
    wave = np.sin(2 * math.pi * beep_pitch_hz(second) / SAMPLE_RATE_HZ * position)
    beep: NDArray[np.float64] = _BEEP_AMPLITUDE * np.sin(edge * math.pi / 2) ** 2 * wave
    return beep
