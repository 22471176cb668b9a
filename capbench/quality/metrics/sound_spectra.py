"""Spectra of two sounds compared: pitch, over a logarithmic frequency, and what is in the band that the output kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from capbench.quality.metrics.stereo_image import best_place
from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

__all__ = ["KeptBand", "measure_kept_band", "measure_pitch"]

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
_LEAST_ALIKE, _SURE, _CHANCE = 0.4, 8.0, 4.0
"""Correlation, and how many times the spread of those at all other shifts, from which one is no chance either; and up
to how many times that spread what correlates as it is does so by chance. Of a rush half may be lost on the way, and the
best of all shifts of another one has three times the spread."""
_NEARBY_STEPS = 10
"""Shifts around the best one that fit for the same reason."""
_FREQUENCIES = np.exp(np.arange(np.log(_LOWEST_HZ), np.log(_HIGHEST_HZ), np.log1p(_STEP)))
_SIZE = 2 * PIECE_SAMPLES

_HEARD_FROM_HZ = 20.0
"""Below, nobody hears it, and many a coder takes it off."""
_ALWAYS_KEPT_HZ = 3_500.0
"""What a telephone keeps (ITU-T G.711: samples at 8 kHz): no coding of recordings leaves out less. AC-3 may join its
channels from 3.42 kHz on (ATSC A/52, 7.4), others join them and make noise anew above that."""
_KEPT = 0.1
"""Share of its energy that a band has where it was kept: what lies beyond a filter's edge has less."""
_BAND = 2 ** (1 / 12)
"""Ratio of a band's borders, a semitone: in a wider one much would be missing where a coder's band ends in it."""
_SAME_PIECE_S = 0.1
"""As for sides: pieces that lie farther apart have too little in common."""
_FLOOR = 1e-12

Line = NDArray[np.float64]
Samples = NDArray[np.float64]


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
    others = np.delete(likeness, np.arange(max(0, best - _NEARBY_STEPS), min(len(likeness), best + _NEARBY_STEPS + 1)))
    spread = float(others.std())
    is_sure = likeness[best] >= max(_LEAST_ALIKE, _SURE * spread)
    if likeness[best] < _ALIKE and not is_sure:
        return None
    is_moved = is_sure and likeness[reach] <= _CHANCE * spread
    if not is_moved and 1 - likeness[best] > _BETTER * (1 - likeness[reach]):
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


@dataclass(frozen=True, slots=True)
class KeptBand:
    """Two sounds in the band that both have."""

    level_db: float
    """Change of the level: as far as both regressions agree. Of y = g x + n least squares give g to the one side, and
    the ratio of y's energy to their product to the other: what coding lost or added lowers one of them alone."""
    energy_db: float
    """Change of the energy."""
    reference_side_share: float
    """Energy of left minus right over left plus right in the reference."""
    output_side_share: float
    """The same in the output."""
    share: float
    """Energy of the reference in that band over its energy at all frequencies that are heard."""
    low_share: float
    """The same up to 3.5 kHz, where every coder keeps each channel as it is."""
    low_reference_side_share: float
    """`reference_side_share` up to 3.5 kHz."""
    low_output_side_share: float
    """`output_side_share` up to 3.5 kHz."""


def measure_kept_band(reference: Sound, output: Sound, lag_ms: float) -> KeptBand | None:
    """From the pieces that both have; None where there are none, or where they lie too far apart.

    `lag_ms` is how late the output's sound is by the files' own times.
    """
    late_s = lag_ms / 1e3 - (output.origin_s - reference.origin_s)
    if abs(late_s) > _SAME_PIECE_S:
        return None
    edges = _HEARD_FROM_HZ * _BAND ** np.arange(np.log(SOUND_RATE_HZ / 2 / _HEARD_FROM_HZ) / np.log(_BAND) + 1)
    band_of = np.searchsorted(edges, np.fft.rfftfreq(PIECE_SAMPLES, 1 / SOUND_RATE_HZ), side="right") - 1
    sums = np.zeros((5, len(edges)))  # of each band: energies, product, sides
    mids = np.zeros((2, len(edges)))
    for number in sorted(reference.pieces.keys() & output.pieces.keys()):
        want, got = (each.pieces[number].astype(np.float64) for each in (reference, output))
        place = best_place(want, got, late_s * SOUND_RATE_HZ)
        spectra = [np.fft.rfft(each) for each in _overlapping(want, got, place)]
        powers = [np.square(np.abs(each)).sum(axis=0) for each in spectra]
        product = (np.conj(spectra[0]) * spectra[1]).sum(axis=0).real
        sides = [np.square(np.abs(each[0] - each[1])) for each in spectra]
        middles = [np.square(np.abs(each[0] + each[1])) for each in spectra]
        is_heard = band_of >= 0
        for row, values in enumerate([*powers, product, *sides]):
            sums[row] += np.bincount(band_of[is_heard], values[is_heard], minlength=len(edges))
        for row, values in enumerate(middles):
            mids[row] += np.bincount(band_of[is_heard], values[is_heard], minlength=len(edges))
    is_low = edges * _BAND <= _ALWAYS_KEPT_HZ
    is_kept = is_low | (sums[1] >= _KEPT * sums[0])
    wanted, found, product = sums[:3, is_kept].sum(axis=1).tolist()
    if wanted <= _FLOOR or found <= _FLOOR:
        return None
    energy_db = 10 * float(np.log10(found / wanted))
    ends_db = [energy_db]
    if product > 0:
        ends_db = sorted(20 * float(np.log10(ratio)) for ratio in (product / wanted, found / product))
    (reference_share, output_share), (low_reference_share, low_output_share) = (
        (sums[3:, part].sum(axis=1) / np.maximum(_FLOOR, mids[:, part].sum(axis=1))).tolist()
        for part in (is_kept, is_low)
    )
    return KeptBand(
        level_db=min(max(0.0, ends_db[0]), ends_db[-1]),
        energy_db=energy_db,
        reference_side_share=reference_share,
        output_side_share=output_share,
        share=float(wanted / sums[0].sum()),
        low_share=float(sums[0, is_low].sum() / sums[0].sum()),
        low_reference_side_share=low_reference_share,
        low_output_side_share=low_output_share,
    )


def _overlapping(want: Samples, got: Samples, place: int) -> tuple[Samples, Samples]:
    """Both, silent where the one that is so many samples late and the other have nothing in common."""
    a, b = np.zeros_like(want), np.zeros_like(got)
    length = PIECE_SAMPLES - abs(place)
    window = np.hanning(length)
    a[:, :length] = window * want[:, max(0, -place) : max(0, -place) + length]
    b[:, :length] = window * got[:, max(0, place) : max(0, place) + length]
    return a, b
