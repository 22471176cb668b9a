"""Pitch of the sound relative to the reference's, by correlating spectra over a logarithmic frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

__all__ = ["measure_pitch"]

_LOWEST_HZ, _HIGHEST_HZ = 80.0, 8_000.0
"""Below, a piece of a quarter of a second has too few lines; above, lossy codecs leave little."""
_STEP = 0.0025
"""Relative distance of two frequencies that are compared."""
_SEARCH = 1.05
"""Largest relative change that is looked for: 48 kHz played as 44.1 is 0.09, as 24 1."""
_AUDIBLE = 0.003  # -50 dB of full scale, as for gaps
_FARTHEST_S = 0.05
"""A fifth of a piece. A glide of an octave a second moves by 3% meanwhile."""
_BROAD_STEPS = 40.0
"""A tenth in frequency: what is wider than this is the colour of a sound, which a codec changes, and no pitch."""
_ALIKE = 0.5
"""Correlation of the moved spectra from which the one is the other, moved."""
_BETTER = 0.5
"""What moving must leave of what does not correlate as it is."""
_FREQUENCIES = np.exp(np.arange(np.log(_LOWEST_HZ), np.log(_HIGHEST_HZ), np.log1p(_STEP)))
_SIZE = 2 * PIECE_SAMPLES

Line = NDArray[np.float64]


def measure_pitch(reference: Sound, output: Sound, lag_ms: float) -> float | None:
    """Factor by which all frequencies of the output are higher, 1 for none; None where that cannot be measured.

    From the pieces that both have, where the output's sound is not so late (`lag_ms`, by the files' own times) that
    they hold another sound. Noise has no pitch, and what is alike at any shift none that could be measured.
    """
    if abs(lag_ms / 1e3 - (output.origin_s - reference.origin_s)) > _FARTHEST_S:
        return None
    pairs = [
        (_spectrum(reference.pieces[number]), _spectrum(output.pieces[number]))
        for number in sorted(reference.pieces.keys() & output.pieces.keys())
        if all(np.sqrt(np.mean(np.square(sound.pieces[number]))) > _AUDIBLE for sound in (reference, output))
    ]
    if not pairs:
        return None
    reach = round(np.log1p(_SEARCH) / np.log1p(_STEP))
    likeness = np.array([_likeness(pairs, shift) for shift in range(-reach, reach + 1)])
    best = int(likeness.argmax())
    if likeness[best] < _ALIKE:
        return None
    if 1 - likeness[best] > _BETTER * (1 - likeness[reach]):
        return 1.0
    return float(np.exp((best - reach) * np.log1p(_STEP)))


def _spectrum(piece: NDArray[np.float32]) -> Line:
    """Level of each frequency against those around it."""
    windowed = piece.astype(np.float64) * np.hanning(PIECE_SAMPLES)
    power = np.square(np.abs(np.fft.rfft(windowed, _SIZE))).sum(axis=0)
    level = np.sqrt(np.interp(_FREQUENCIES, np.fft.rfftfreq(_SIZE, 1 / SOUND_RATE_HZ), power))
    above: Line = level - gaussian_filter1d(level, _BROAD_STEPS)
    return above


def _likeness(pairs: list[tuple[Line, Line]], shift: int) -> float:
    """Correlation of the reference's spectra, moved up by so many steps, with the output's: all pieces together."""
    product = energies = 0.0
    for wanted, found in pairs:
        low, high = max(0, shift), len(wanted) + min(0, shift)
        there, here = wanted[low - shift : high - shift], found[low:high]
        product += float(there @ here)
        energies += float(np.sqrt((wanted @ wanted) * (found @ found)))
    return product / energies if energies else 0.0
