"""Order and polarity of left and right relative to the reference, by correlating short pieces, sample by sample.

A channel with inverted polarity correlates by -1. Swapped channels need not correlate with each other, but their
difference is inverted, while their sum is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

__all__ = ["StereoImage", "measure_stereo_image"]

_AUDIBLE = 0.003  # -50 dB of full scale, as for gaps
_SEARCH_S = 0.005
"""Envelopes place a sound to 2 ms, and a steady tone is where its time stamps say."""
_FARTHEST_S = 0.1
"""Pieces that lie farther apart have too little in common."""
_OWN_SHARE = 0.5
"""Share of the energy that each side must explain of itself for the direction of its swing to mean something."""
_DOUBT_PER_MS = 0.05
"""What a fit loses for each millisecond off the expected place. Two tones come into any phase sooner or later."""

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StereoImage:
    """Relation of the output's left and right to the reference's, each figure a mean over pieces."""

    alike: float
    """Share of the output's energy that the reference's sides explain, each its own or each the other."""
    polarity: float | None
    """1 if both channels have the reference's polarity or both the opposite one, -1 if one is inverted; None if only
    one carries sound, or if they are not the reference's."""
    sides: float | None
    """1 if left is left, -1 if left and right are swapped; None if they hardly differ."""
    pieces: int
    """Pieces that were compared."""


def measure_stereo_image(reference: Sound, output: Sound, lag_ms: float, *, least_share: float) -> StereoImage | None:
    """Compare the pieces that both sounds have; None where none of them is audible in both, or the lag is too large.

    `lag_ms` is how late the output's sound is by the files' own times. What is less than `least_share` of the energy of
    its counterpart, one side of the other or the difference of the sum, is not judged.
    """
    late_s = lag_ms / 1e3 - (output.origin_s - reference.origin_s)
    if abs(late_s) > _FARTHEST_S:
        return None
    found = [
        piece
        for number in sorted(reference.pieces.keys() & output.pieces.keys())
        if (piece := _compare(reference.pieces[number], output.pieces[number], late_s * SOUND_RATE_HZ, least_share))
    ]
    if not found:
        return None
    return StereoImage(
        alike=_mean([(piece.alike, piece.energy) for piece in found]) or 0.0,
        polarity=_mean([(piece.polarity, piece.energy) for piece in found]),
        sides=_mean([(piece.sides, piece.energy) for piece in found]),
        pieces=len(found),
    )


def _mean(values: list[tuple[float | None, float]]) -> float | None:
    """Weighted mean of the values that there are."""
    known = [(value, weight) for value, weight in values if value is not None]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


@dataclass(frozen=True, slots=True)
class _Piece:
    energy: float
    alike: float
    polarity: float | None
    sides: float | None


def _compare(wanted: NDArray[np.float32], found: NDArray[np.float32], late: float, least_share: float) -> _Piece | None:
    """One piece; None where it is too quiet."""
    want, got = wanted.astype(np.float64), found.astype(np.float64)
    want_energy, got_energy = (np.square(sides).sum(axis=1) for sides in (want, got))
    least = 2 * PIECE_SAMPLES * _AUDIBLE**2
    if want_energy.sum() < least or got_energy.sum() < least:
        return None
    reach = round(_SEARCH_S * SOUND_RATE_HZ)
    places = round(late) + np.arange(-reach, reach + 1)
    likeness = _correlations(want, got, places)
    share = (got_energy / got_energy.sum())[:, None]
    own, other = (likeness[rows, (0, 1)] ** 2 * share for rows in ((0, 1), (1, 0)))
    doubt = _DOUBT_PER_MS * np.abs(places - late) / SOUND_RATE_HZ * 1e3
    fit = np.maximum(own.sum(axis=0), other.sum(axis=0))
    best = int((fit - doubt).argmax())
    are_own = own[:, best].sum() > _OWN_SHARE
    both_sound = all(energy.min() >= least_share * energy.max() for energy in (want_energy, got_energy))
    mixes = [_sum_and_difference(sides) for sides in (want, got)]
    differ = all(np.square(mix).sum(axis=1).min() >= least_share * np.square(mix).sum(axis=1).max() for mix in mixes)
    mixed = _correlations(mixes[0], mixes[1], places[best : best + 1])[..., 0]
    return _Piece(
        energy=float(got_energy.sum()),
        alike=float(fit[best]),
        polarity=float(likeness[0, 0, best] * likeness[1, 1, best]) if both_sound and are_own else None,
        sides=float(mixed[0, 0] * mixed[1, 1]) if differ else None,
    )


def _sum_and_difference(sides: Samples) -> Samples:
    return np.stack([sides[0] + sides[1], sides[0] - sides[1]])


def _correlations(want: Samples, got: Samples, places: NDArray[np.int64]) -> Samples:
    """Correlation of each row of `want` with each of `got`, moved by so many samples, without wrapping."""
    size = 2 * PIECE_SAMPLES
    spectra = [np.fft.rfft(rows, size) for rows in (want, got)]
    products = np.fft.irfft(np.conj(spectra[0])[:, None] * spectra[1][None], size)
    norms = np.sqrt(np.outer(*(np.square(rows).sum(axis=1) for rows in (want, got))) + 1e-12)
    likeness: Samples = products[..., places % size] / norms[..., None]
    return likeness
