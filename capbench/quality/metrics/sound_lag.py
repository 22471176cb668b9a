"""When does the output's sound come, against the reference's? By correlating envelopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from capbench.quality.reading.sound_envelope import BIN_S, Sound

__all__ = ["SoundLag", "measure_lag", "silent_gaps"]

_SEARCH_S = 2.0
_FINE_SEARCH_S = 0.25
_PART_S = 20.0
_SHORTEST_PART_S = 0.8
_STEADY_CONTRAST = 0.05
"""Standard deviation over mean of an envelope below which there is nothing to hear a shift by."""
_SAME_SOUND = 0.5
_TIE = 0.98
"""A beep each second correlates at every second; among equals the smallest lag is meant."""
_AUDIBLE = 0.003  # -50 dB of full scale
_GAP_SHARE = 0.1
_GAP_BINS = 20


@dataclass(frozen=True, slots=True)
class SoundLag:
    """The lag of one sound behind another, both by their own time stamps."""

    start_ms: float
    """In the first part (at most 20 s)."""
    end_ms: float
    """In the last part."""
    correlation: float
    """How alike the envelopes are, at most 1."""

    @property
    def drift_ms(self) -> float:
        """How much more it lags at the end."""
        return self.end_ms - self.start_ms

    @property
    def is_same_sound(self) -> bool:
        """Whether the envelopes agree well enough for the lag to mean something."""
        return self.correlation >= _SAME_SOUND


def measure_lag(reference: Sound, output: Sound) -> SoundLag | None:
    """Lag of `output` behind `reference` in ms; None where either is too quiet or too steady to tell."""
    wanted, found = _on_one_timeline(reference, output)
    if len(wanted) < _SHORTEST_PART_S / BIN_S or _contrast(wanted) < _STEADY_CONTRAST or _contrast(found) == 0:
        return None
    whole, correlation = _lag_bins(wanted, found, 0, round(_SEARCH_S / BIN_S))
    middle = round(whole)
    part = min(round(_PART_S / BIN_S), max(round(_SHORTEST_PART_S / BIN_S), len(wanted) // 2))
    fine = round(_FINE_SEARCH_S / BIN_S)
    parts = [_part_lag_bins(wanted, found, start, part, middle, fine) for start in (0, len(wanted) - part)]
    return SoundLag(parts[0] * BIN_S * 1e3, parts[1] * BIN_S * 1e3, correlation)


def silent_gaps(reference: Sound, output: Sound, lag_ms: float) -> list[tuple[float, float]]:
    """Times (from, to) in seconds of the reference where it sounds and the output, moved back by its lag, does not."""
    wanted, found = _on_one_timeline(reference, output)
    shift = round(lag_ms / 1e3 / BIN_S)
    found = np.roll(found, -shift)
    size = len(wanted) // _GAP_BINS * _GAP_BINS
    blocks = [np.sqrt(np.square(part[:size]).reshape(-1, _GAP_BINS).mean(axis=1)) for part in (wanted, found)]
    loud = blocks[0] > _AUDIBLE
    if not loud.any():
        return []
    gain = float(np.median(blocks[1][loud] / blocks[0][loud]))
    silent = loud & (blocks[1] < _GAP_SHARE * gain * blocks[0])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(np.int8), [0]])))
    start_s = min(reference.start_bin, output.start_bin) * BIN_S
    step = _GAP_BINS * BIN_S
    return [(start_s + a * step, start_s + b * step) for a, b in edges.reshape(-1, 2).tolist()]


def _contrast(level: NDArray[np.float64]) -> float:
    mean = float(level.mean()) if len(level) else 0.0
    return float(level.std()) / mean if mean > 0 else 0.0


def _on_one_timeline(first: Sound, second: Sound) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    start = min(first.start_bin, second.start_bin)
    end = max(first.start_bin + len(first.level), second.start_bin + len(second.level))
    lines = []
    for sound in (first, second):
        line = np.zeros(end - start)
        line[sound.start_bin - start : sound.start_bin - start + len(sound.level)] = sound.level
        lines.append(line)
    return lines[0], lines[1]


def _lag_bins(wanted: NDArray[np.float64], found: NDArray[np.float64], around: int, search: int) -> tuple[float, float]:
    """Lag with the largest normalised correlation, to a fraction of a bin, and that correlation."""
    a, b = wanted - wanted.mean(), found - found.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    if norm == 0:
        return float(around), 0.0
    full = correlate(b, a, mode="full", method="fft") / norm
    zero = len(a) - 1
    low, high = max(0, zero + around - search), min(len(full), zero + around + search + 1)
    values = full[low:high]
    peaks = np.flatnonzero(values >= _TIE * values.max())
    best = int(peaks[np.abs(peaks + low - zero - around).argmin()])
    best = _climb(values, best)
    return best + low - zero + _vertex(values, best), float(values[best])


def _part_lag_bins(  # noqa: PLR0917  two signals and where to look
    wanted: NDArray[np.float64], found: NDArray[np.float64], start: int, length: int, around: int, search: int
) -> float:
    """Lag of one part, to a fraction of a bin: where a piece of `found` correlates best with that part of `wanted`.

    Each piece is centred and scaled by itself, so that neither a louder neighbour nor what slides in at an end counts.
    """
    part = wanted[start : start + length]
    part = part - part.mean()
    norm = float(np.sqrt(part @ part))
    low, high = start + around - search, start + around + search + length
    padded = np.pad(found, (max(0, -low), max(0, high - len(found))))
    area = padded[max(0, low) : max(0, low) + high - low]
    if norm == 0 or _contrast(area) == 0:
        return float(around)
    sums, squares = (np.concatenate([[0.0], np.cumsum(values)]) for values in (area, area * area))
    energy = squares[length:] - squares[:-length] - (sums[length:] - sums[:-length]) ** 2 / length
    products = correlate(area, part, mode="valid", method="fft")
    # A piece with next to no sound in it fits nothing; without a floor its noise would be scaled up.
    values = products / (norm * np.sqrt(np.maximum(energy, 1e-3 * energy.max())))
    if values.max() < _SAME_SOUND:
        return float(around)  # nothing but noise in this part: it says nothing of its own
    peaks = np.flatnonzero(values >= _TIE * values.max())
    best = _climb(values, int(peaks[np.abs(peaks - search).argmin()]))
    return around + best - search + _vertex(values, best)


def _climb(values: NDArray[np.float64], at: int) -> int:
    while 0 < at < len(values) - 1 and max(values[at - 1], values[at + 1]) > values[at]:
        at += 1 if values[at + 1] > values[at - 1] else -1
    return at


def _vertex(values: NDArray[np.float64], at: int) -> float:
    """Offset of the parabola's vertex through three values, -0.5..0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    left, here, right = values[at - 1], values[at], values[at + 1]
    bend = left - 2 * here + right
    return float(np.clip((left - right) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
