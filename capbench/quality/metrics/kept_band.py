"""Level and width of a sound in the band that the output kept: what nobody hears, and what codecs leave out, apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capbench.quality.metrics.stereo_image import best_place
from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

__all__ = ["KeptBand", "measure_kept_band"]

_LOWEST_HZ = 20.0
"""Below, nobody hears it, and many a coder takes it off."""
_ALWAYS_KEPT_HZ = 3_500.0
"""What a telephone keeps (ITU-T G.711: samples at 8 kHz): no coding of recordings leaves out less."""
_KEPT = 0.1
"""Share of its energy that a band has where it was kept: what lies beyond a filter's edge has less."""
_BAND = 2 ** (1 / 12)
"""Ratio of a band's borders, a semitone: in a wider one much would be missing where a coder's band ends in it."""
_FARTHEST_S = 0.1
"""As for sides: pieces that lie farther apart have too little in common."""
_FLOOR = 1e-12

Samples = NDArray[np.float64]


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


def measure_kept_band(reference: Sound, output: Sound, lag_ms: float) -> KeptBand | None:
    """From the pieces that both have; None where there are none, or where they lie too far apart.

    `lag_ms` is how late the output's sound is by the files' own times.
    """
    late_s = lag_ms / 1e3 - (output.origin_s - reference.origin_s)
    if abs(late_s) > _FARTHEST_S:
        return None
    edges = _LOWEST_HZ * _BAND ** np.arange(np.log(SOUND_RATE_HZ / 2 / _LOWEST_HZ) / np.log(_BAND) + 1)
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
    is_kept = (edges * _BAND <= _ALWAYS_KEPT_HZ) | (sums[1] >= _KEPT * sums[0])
    wanted, found, product, *sides = sums[:, is_kept].sum(axis=1).tolist()
    middle = mids[:, is_kept].sum(axis=1)
    if wanted <= _FLOOR or found <= _FLOOR:
        return None
    energy_db = 10 * float(np.log10(found / wanted))
    ends_db = [energy_db]
    if product > 0:
        ends_db = sorted(20 * float(np.log10(ratio)) for ratio in (product / wanted, found / product))
    return KeptBand(
        level_db=min(max(0.0, ends_db[0]), ends_db[-1]),
        energy_db=energy_db,
        reference_side_share=float(sides[0] / max(_FLOOR, middle[0])),
        output_side_share=float(sides[1] / max(_FLOOR, middle[1])),
    )


def _overlapping(want: Samples, got: Samples, place: int) -> tuple[Samples, Samples]:
    """Both, silent where the one that is so many samples late and the other have nothing in common."""
    a, b = np.zeros_like(want), np.zeros_like(got)
    length = PIECE_SAMPLES - abs(place)
    window = np.hanning(length)
    a[:, :length] = window * want[:, max(0, -place) : max(0, -place) + length]
    b[:, :length] = window * got[:, max(0, place) : max(0, place) + length]
    return a, b
