"""Lag of one sound behind another by its samples: exact where a coding kept the waveform, unknown where it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d

from capbench.quality.reading.sound_envelope import PIECE_SAMPLES, SOUND_RATE_HZ, Sound

__all__ = ["PartLag", "SampleCorrelation"]

_REACH_PIECES = 8
"""Two seconds to either side, as far as envelopes are searched; one piece of a long sound, in which none touch."""
_QUIETEST = 1e-4
"""-80 dB of full scale, root mean square: the dither of 16 bits is at -96, what a codec leaves of it below -90."""
_LEAST_ALIKE = 0.6
"""Correlation from which samples are those of the reference: noise that a codec made anew has 0.1, AAC at 48 kbit/s
0.8. Two kinds of noise of a hundred hertz have 0.3 in a quarter of a second."""
_UNIQUE = 0.95
"""What fits so well elsewhere is as likely: a tone fits a period later, a loop at its next turn. A part that fits so
well where the whole does is there."""
_PEAK_SAMPLES = SOUND_RATE_HZ // 250
"""Way around a peak that is the peak: a wrong period of 250 Hz is 4 ms off, a quarter of what counts as out of sync."""
_DECLINE = 0.99
"""Share of what coincides at the best place that others may have at most for it to be believed, where they fit as well
for how loud they are: 15 ms from its place a tone that dies away by 60 dB in ten seconds has it."""
_OUT_OF_SYNC_SAMPLES = round(0.015 * SOUND_RATE_HZ)
"""Way around the best place in which it does not matter which one is meant."""
_GAP_SHARE = 0.1
"""Level over the reference's of what is missing, and says nothing of when the rest comes."""
_GAP_SAMPLES = SOUND_RATE_HZ // 200
"""Length over which that is measured, 5 ms."""
_LEAST_LEFT = 0.5
"""Share of a part's energy that must be left beside what is missing."""
_SILENCE = 1e-10
"""Energy of a sample, at -100 dB, by which nothing is divided: a fifth of a quantisation step of 16 bits."""

Block = NDArray[np.float32]
Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PartLag:
    """How late a part of a sound is."""

    lag_s: float | None
    """Counted from the first pictures; None where samples do not tell."""
    correlation: float
    """With the reference at that lag, or the largest at any; at most 1."""
    is_silent: bool = False
    """Whether the reference has nothing there that could be timed."""


class SampleCorrelation:
    """The kept pieces of two sounds, correlated. The lag of a part takes a transform of at most 20 s of sound."""

    def __init__(self, reference: Sound, output: Sound) -> None:
        self._wanted, self._found = (
            {number: piece - piece.mean(axis=1, keepdims=True) for number, piece in sound.pieces.items()}
            for sound in (reference, output)
        )

    def lag(self, start_s: float, end_s: float, *, expected_s: float | None = None, is_whole: bool = False) -> PartLag:
        """How late what the reference has between two times, counted from its first picture, is in the output.

        Of what fits equally well at several lags, as a tone does, the expected one is meant, and what is missing there
        does not count. The whole of a sound is where most of both coincides; another part without an expected lag has
        none.
        """
        reach = _REACH_PIECES * PIECE_SAMPLES
        products, energies = np.zeros(2 * reach + 1), np.zeros(2 * reach + 1)
        wanted_energy, length = 0.0, 0
        for first, block in self._blocks(round(start_s * SOUND_RATE_HZ), round(end_s * SOUND_RATE_HZ)):
            wanted_energy += float(np.square(block, dtype=np.float64).sum())
            length += block.shape[1]
            near = self._reach(first, block.shape[1])
            middle = slice(reach - near, reach + near + 1)
            area = self._cut_out(first - near, block.shape[1] + 2 * near)
            products[middle] += _products(block, area)
            energies[middle] += _energies(area, block.shape[1])
        if wanted_energy <= 2 * _QUIETEST**2 * length:
            return PartLag(None, 0.0, is_silent=True)
        values: Curve = products / np.sqrt(wanted_energy * np.maximum(energies, 2 * _SILENCE * length))
        expected = None if expected_s is None else round(expected_s * SOUND_RATE_HZ) + reach
        left = 1.0 if expected is None else self._left_beside_gaps(start_s, end_s, expected - reach, wanted_energy)
        place = _peak(values, expected, left)
        if place is None and is_whole and self._is_unbroken():
            place = _most_coinciding(products, values)
        if place is None:
            return PartLag(None, float(values.max()))
        return PartLag((place - reach) / SOUND_RATE_HZ, float(values[place]))

    def _is_unbroken(self) -> bool:
        """Whether nothing was left out between the pieces of either sound."""
        return all(max(pieces) - min(pieces) < len(pieces) for pieces in (self._wanted, self._found) if pieces)

    def _left_beside_gaps(self, start_s: float, end_s: float, lag: int, wanted_energy: float) -> float:
        """Share of the reference's energy in a part that does not fall on silence of an output so many samples late."""
        missing = 0.0
        for first, block in self._blocks(round(start_s * SOUND_RATE_HZ), round(end_s * SOUND_RATE_HZ)):
            wanted = np.square(block).sum(axis=0)
            found = np.square(self._cut_out(first + lag, block.shape[1])).sum(axis=0)
            is_silent = uniform_filter1d(found, _GAP_SAMPLES) <= _GAP_SHARE**2 * uniform_filter1d(wanted, _GAP_SAMPLES)
            missing += float(wanted[is_silent].sum(dtype=np.float64))
        left = 1 - missing / wanted_energy
        return left if left >= _LEAST_LEFT else 1.0

    def _blocks(self, first: int, end: int) -> Iterator[tuple[int, Block]]:
        """Pieces of the reference that follow each other, joined and cut to two places, each with its own place."""
        run: list[int] = []
        for number in [*sorted(self._wanted), None]:
            if run and number != run[-1] + 1:
                start, stop = max(first, run[0] * PIECE_SAMPLES), min(end, (run[-1] + 1) * PIECE_SAMPLES)
                if stop > start:
                    joined = np.concatenate([self._wanted[each] for each in run], axis=1)
                    yield start, joined[:, start - run[0] * PIECE_SAMPLES : stop - run[0] * PIECE_SAMPLES]
                run = []
            if number is not None:
                run.append(number)

    def _reach(self, first: int, length: int) -> int:
        """How far around a place the output's pieces follow each other, in samples: one at least."""
        low, high = first // PIECE_SAMPLES, (first + length - 1) // PIECE_SAMPLES
        pieces = 1
        while pieces < _REACH_PIECES and {low - pieces, high + pieces} & self._found.keys():
            pieces += 1
        return pieces * PIECE_SAMPLES

    def _cut_out(self, first: int, length: int) -> Block:
        """The output's samples from a place on; 0 where none were kept."""
        area = np.zeros((2, length), np.float32)
        for number in range(first // PIECE_SAMPLES, (first + length - 1) // PIECE_SAMPLES + 1):
            piece = self._found.get(number)
            if piece is not None:
                at = number * PIECE_SAMPLES - first
                low, high = max(0, -at), min(PIECE_SAMPLES, length - at)
                area[:, at + low : at + high] = piece[:, low:high]
        return area


def _products(block: Block, area: Block) -> Curve:
    """Cross-correlation of a block with each place of an area, left and right added up.

    Without its sign: a channel that was turned over must not cancel the other out, and is named by itself.
    """
    size = next_fast_len(area.shape[1], real=True)
    places = area.shape[1] - block.shape[1] + 1
    total = np.zeros(places)
    for wanted, found in zip(block, area, strict=True):
        total += np.abs(irfft(rfft(found, size) * np.conj(rfft(wanted, size)), size)[:places])
    return total


def _energies(area: Block, length: int) -> Curve:
    """Energy of each stretch of so many samples."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(area, dtype=np.float64).sum(axis=0))])
    energies: Curve = sums[length:] - sums[:-length]
    return energies


def _peak(values: Curve, expected: int | None, left: float) -> int | None:
    """The place that fits, if it is the only one that does, or the expected one if what is left of it fits as well."""
    best = int(values.argmax())
    if values[best] < _LEAST_ALIKE:
        return None
    if expected is not None:
        low = max(0, expected - _PEAK_SAMPLES)
        around = values[low : expected + _PEAK_SAMPLES + 1] / np.sqrt(left)
        place = int(around.argmax()) if len(around) else 0
        # On the flank of something else nothing fits, however well.
        if 0 < place < len(around) - 1 and around[place] >= _UNIQUE * values[best]:
            return low + place
    elsewhere = _elsewhere(values, best, _PEAK_SAMPLES)
    return None if elsewhere > _UNIQUE * values[best] else best


def _most_coinciding(products: Curve, values: Curve) -> int | None:
    """The place at which the loudest of both sounds coincides, if those out of sync with it have clearly less of it.

    What dies away fits each period later but for how loud it is, and a loop each turn later but for its ends. A gap
    makes all places poorer alike.
    """
    best = int(products.argmax())
    if values[best] < _LEAST_ALIKE or _elsewhere(products, best, _OUT_OF_SYNC_SAMPLES) > _DECLINE * products[best]:
        return None
    return best


def _elsewhere(curve: Curve, place: int, around: int) -> float:
    """The largest value that is farther from a place."""
    return float(np.concatenate([curve[: max(0, place - around)], curve[place + around + 1 :]]).max(initial=0.0))
