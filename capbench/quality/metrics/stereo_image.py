"""Are left and right where they were, and do they swing the same way? By correlating short pieces, sample by sample.

Two sides are looked at as their sum and their difference, which an exchange of both and a turn of one tell apart: an
exchange turns the difference over and leaves the sum, a turn of one side exchanges sum and difference.
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
_DOUBT_PER_MS = 0.05
"""What a fit loses for each millisecond off the expected place. Two tones come into any phase sooner or later."""

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StereoImage:
    """How left and right of the output follow from the reference's, each figure a mean over pieces."""

    kept: float
    """Share of the output's energy that sum and difference explain, each by its own: 1 in any right output."""
    exchanged: float
    """Share that they explain by each other: 1 where one side's polarity is turned."""
    sides: float | None
    """1 where left is left, -1 where it is right; None where the sides hardly differ."""
    pieces: int
    """Pieces that were compared."""


def measure_stereo_image(
    reference: Sound, output: Sound, lag_ms: float, *, least_side_share: float
) -> StereoImage | None:
    """Compare the pieces that both sounds have; None where none of them is audible in both, or the lag is too large.

    `lag_ms` is how late the output's sound is by the files' own times. Sides are told apart in pieces in which the
    energy of the difference is at least `least_side_share` of that of the sum.
    """
    late_s = lag_ms / 1e3 - (output.origin_s - reference.origin_s)
    if abs(late_s) > _FARTHEST_S:
        return None
    rows = []
    for number in sorted(reference.pieces.keys() & output.pieces.keys()):
        row = _compare(reference.pieces[number], output.pieces[number], late_s * SOUND_RATE_HZ, least_side_share)
        if row is not None:
            rows.append(row)
    if not rows:
        return None
    weight, kept, exchanged, sides, side_weight = np.array(rows).T
    return StereoImage(
        kept=float(np.average(kept, weights=weight)),
        exchanged=float(np.average(exchanged, weights=weight)),
        sides=float(np.average(sides, weights=side_weight)) if side_weight.sum() > 0 else None,
        pieces=len(rows),
    )


def _compare(
    wanted: NDArray[np.float32], found: NDArray[np.float32], late: float, least_side_share: float
) -> tuple[float, ...] | None:
    """Energy, shares explained, agreement of the sides and its weight, of one piece; None where it is too quiet."""
    want, got = _sum_and_difference(wanted), _sum_and_difference(found)
    want_energy, got_energy = (np.square(part).sum(axis=1) for part in (want, got))
    least = 2 * PIECE_SAMPLES * _AUDIBLE**2
    if want_energy.sum() < least or got_energy.sum() < least:
        return None
    reach = round(_SEARCH_S * SOUND_RATE_HZ)
    places = round(late) + np.arange(-reach, reach + 1)
    likeness = _correlations(want, got, places) / np.sqrt(np.outer(want_energy, got_energy) + 1e-12)[..., None]
    share = (got_energy / got_energy.sum())[:, None]
    kept = share[0] * likeness[0, 0] ** 2 + share[1] * likeness[1, 1] ** 2
    exchanged = share[0] * likeness[1, 0] ** 2 + share[1] * likeness[0, 1] ** 2
    doubt = _DOUBT_PER_MS * np.abs(places - late) / SOUND_RATE_HZ * 1e3
    best = int((np.maximum(kept, exchanged) - doubt).argmax())
    is_wide = all(energy[1] >= least_side_share * energy[0] for energy in (want_energy, got_energy))
    is_both = all(energy[0] >= least_side_share * energy[1] for energy in (want_energy, got_energy))
    weight = float(got_energy.sum())
    return (
        weight,
        float(kept[best]),
        float(exchanged[best]),
        float(np.clip(likeness[0, 0, best] * likeness[1, 1, best], -1, 1)),
        weight if is_wide and is_both else 0.0,
    )


def _sum_and_difference(stereo: NDArray[np.float32]) -> Samples:
    left, right = stereo.astype(np.float64)
    return np.stack([left + right, left - right])


def _correlations(want: Samples, got: Samples, places: NDArray[np.int64]) -> Samples:
    """Products summed over a piece of each row of `want` with each of `got`, moved by so many samples; no wrapping."""
    size = 2 * PIECE_SAMPLES
    spectra = [np.fft.rfft(rows, size) for rows in (want, got)]
    products = np.fft.irfft(np.conj(spectra[0])[:, None] * spectra[1][None], size)
    return products[..., places % size]
