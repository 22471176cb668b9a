"""Lag of the output's sound behind the reference's: by its samples where those are kept, else by envelopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d

from capbench.quality.metrics.sample_lag import PartLag, SampleCorrelation
from capbench.quality.reading.sound_envelope import BIN_S, Sound

__all__ = ["SoundLag", "is_audible", "measure_lag", "silent_gaps"]

_SEARCH_S = 2.0
_FINE_SEARCH_S = 0.25
_PART_S = 20.0
_SHORTEST_S = 0.2
"""Ten frames of AAC: of less there is no envelope to speak of, and it is timed by its onset like a steady sound."""
_SHORTEST_PART_S = 0.8
"""Least part with a lag of its own: half of it may be a single beep, in which a gap would be taken for a lag."""
_LEAST_APART_S = 0.1
"""How much later the last part must begin than the first for a drift to be told from the rest of the noise."""
_LONGEST_S = 600.0
"""Of a longer sound, the lag of the whole is that of its loudest ten minutes: a transform of a day takes gigabytes."""
_SMOOTH_BINS = 20
"""A value of 1 ms holds a part of a tone's period and is never steady; 20 ms hold whole periods from 50 Hz up."""
_STEADY_CONTRAST = 0.05
"""Standard deviation over mean of a smoothed envelope below which there is nothing to hear a shift by."""
_PADDING_S = 0.15
"""At its very end a sound is as long as its codec's last frame, which is no event to measure by."""
_PADDING_SHARE = 0.2
"""Of a short sound no more than this is left out at its end."""
_SAME_SOUND = 0.5
_TIE = 0.98
"""A beep each second correlates at every second; among equals the smallest lag is meant."""
_PEAK_BINS = 150
"""Way around a peak in which what fits nearly as well is its flank: beeps come farther apart."""
_AUDIBLE = 0.003  # -50 dB of full scale
_GAP_SHARE = 0.1
_GAP_WINDOW_BINS = 5
"""Half a period of 100 Hz: a low tone is not silent twice per period."""
_STEEPEST = 0.5
"""Change of the lag over time that is followed: a sound at half or twice its tempo."""
_CHUNK_BINS = 600_000
"""Ten minutes are moved at once: places are counted in 64 bits, and those of a day would be 700 MB."""
_LAST_FRAME_BINS = 22
"""At 48 kHz AAC's frame has 21.3 ms and Opus' has 20: what an encoder does not fill of the last one is cut off."""

Line = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SoundLag:
    """The lag of one sound behind another, both by the files' own time stamps."""

    start_ms: float
    """In the first part (at most 20 s)."""
    end_ms: float | None
    """In the last part; None where that is too steady, too unlike the reference's or not known, or the sound short."""
    correlation: float
    """How alike the samples, or the envelopes, are, at most 1."""
    by_onset: bool = False
    """Whether the sound is too steady or too short to be timed except by its onset; it cannot be identified then."""
    start_at_s: float = 0.0
    """Middle of the first part, by the reference's time stamps."""
    end_at_s: float = 0.0
    """Middle of the last part, by the reference's time stamps."""

    @property
    def drift_ms(self) -> float | None:
        """How much more it lags at the end."""
        return None if self.end_ms is None else self.end_ms - self.start_ms

    @property
    def is_same_sound(self) -> bool:
        """Whether the sounds agree well enough for the lag to mean something."""
        return self.correlation >= _SAME_SOUND

    def at_ms(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lag in ms at times of the reference: on the line through both parts, or the first part's without a last."""
        apart_s = self.end_at_s - self.start_at_s
        slope = 0.0 if self.drift_ms is None or apart_s <= 0 else self.drift_ms / apart_s
        if abs(slope) > _STEEPEST * 1e3:  # a jump, and no other tempo
            slope = 0.0
        return self.start_ms + slope * (times_s - self.start_at_s)


def measure_lag(reference: Sound, output: Sound) -> SoundLag | None:
    """Lag of `output` behind `reference` in ms; None where either is too quiet or too steady to tell.

    It is looked for around the lag that the first pictures of the files have, whatever time they start at. Of a
    reference that is `doubled` only the first part's is known.
    """
    whole_s, by_samples = _lag_of_samples(reference, output)
    if by_samples is not None:
        return by_samples
    if len(reference.level) < _SHORTEST_S / BIN_S or _contrast(reference.level) < _STEADY_CONTRAST:
        return _lag_of_onset(reference, output)
    if len(output.level) < _SHORTEST_S / BIN_S or not is_audible(reference):
        return None  # of what nobody hears, an envelope is noise
    moved = round((output.origin_s - reference.origin_s) / BIN_S)
    wanted, found = _on_one_timeline(reference, output, moved)
    # Room for what smoothing spreads: an onset at the border would be a steeper one than elsewhere.
    wanted, found = (_smooth(np.pad(line, _SMOOTH_BINS)) for line in (wanted, found))
    whole, correlation = _lag_bins(*_loudest(wanted, found), round(_SEARCH_S / BIN_S))
    if whole_s is not None:
        whole = whole_s / BIN_S
    starts_at = min(reference.start_bin, output.start_bin - moved) - _SMOOTH_BINS
    common = _common_bins(reference, output, moved + round(whole))
    parts = _first_and_last(reference.start_bin - starts_at, common)
    fine = round(_FINE_SEARCH_S / BIN_S)
    lags = [_part_lag_bins(wanted, found, part, round(whole), fine) for part in parts]
    start, last = lags[0], lags[1] if len(lags) > 1 else None
    middles_s = [(starts_at + (first + end) / 2) * BIN_S for first, end in parts]
    return SoundLag(
        start_ms=((whole if start is None else start) + moved) * BIN_S * 1e3,
        end_ms=None if last is None or reference.doubled else (last + moved) * BIN_S * 1e3,
        correlation=correlation,
        start_at_s=middles_s[0],
        end_at_s=middles_s[-1],
    )


def _lag_of_samples(reference: Sound, output: Sound) -> tuple[float | None, SoundLag | None]:
    """Lag of the whole behind the first pictures in seconds, and that of both parts; None where samples do not tell.

    A part in which there is nothing to time has no lag. One that is heard and does not correlate may be elsewhere, and
    it takes envelopes to say so: of the two no more than one is believed.
    """
    samples = SampleCorrelation(reference, output)
    origin_bin = reference.origin_s / BIN_S

    def lag(part: tuple[int, int], expected_s: float | None = None, *, is_whole: bool = False) -> PartLag:
        start_s, end_s = ((place - origin_bin) * BIN_S for place in part)
        return samples.lag(start_s, end_s, expected_s=expected_s, is_whole=is_whole)

    whole = lag((reference.start_bin, reference.start_bin + len(reference.level)), is_whole=True)
    apart_s = output.origin_s - reference.origin_s
    common = _common_bins(reference, output, round(((whole.lag_s or 0.0) + apart_s) / BIN_S))
    parts = _first_and_last(reference.start_bin, common)
    lags = [lag(part, whole.lag_s) for part in parts]
    halves = _halves(parts)
    lags_of_halves = [lag(half, whole.lag_s) for half in halves]
    if halves and all(each.lag_s is not None for each in lags_of_halves):
        parts, lags = halves, lags_of_halves
    known = [(each.lag_s + apart_s) * 1e3 for each in lags if each.lag_s is not None]
    loud = np.flatnonzero(_smooth(reference.level) > _AUDIBLE) + reference.start_bin
    is_heard = [bool(((loud >= first) & (loud < end)).any()) for first, end in parts]
    lost = [each.lag_s is None and not each.is_silent for each in lags]
    if not known or any(np.logical_and(lost, is_heard)):
        return whole.lag_s, None
    middles_s = [(first + end) / 2 * BIN_S for first, end in parts]
    found = SoundLag(
        start_ms=known[0],
        end_ms=known[1] if len(known) > 1 and not reference.doubled else None,
        correlation=max(each.correlation for each in lags),
        start_at_s=middles_s[0],
        end_at_s=middles_s[-1],
    )
    return whole.lag_s, found


def _common_bins(reference: Sound, output: Sound, lag: int) -> int:
    """How much of the reference's sound is left in an output that is later by so many bins: what was cut has no lag."""
    common = min(len(reference.level), output.start_bin + len(output.level) - lag - reference.start_bin)
    return common if common >= _SHORTEST_S / BIN_S else len(reference.level)


def is_audible(sound: Sound) -> bool:
    """Whether any 20 ms of it rise above -50 dB of full scale."""
    return bool((_smooth(sound.level) > _AUDIBLE).any())


def _first_and_last(start: int, length: int) -> list[tuple[int, int]]:
    """Bounds of a sound's first and last part; of one that is too short for two the whole."""
    end = start + length - min(round(_PADDING_S / BIN_S), round(_PADDING_SHARE * length))
    part = min(round(_PART_S / BIN_S), max(round(_SHORTEST_PART_S / BIN_S), length // 2))
    if end - part < start + round(_LEAST_APART_S / BIN_S):
        return [(start, end)]
    return [(start, start + part), (end - part, end)]


def _halves(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Both halves of a sound whose envelope is too short for two parts, and whose samples are not; none of others."""
    if len(parts) != 1 or parts[0][1] - parts[0][0] < 2 * _SHORTEST_S / BIN_S:
        return []
    ((start, end),) = parts
    middle = (start + end) // 2
    return [(start, middle), (middle, end)]


def _lag_of_onset(reference: Sound, output: Sound) -> SoundLag | None:
    onsets = [_onset_bin(sound) for sound in (reference, output)]
    if onsets[0] is None or onsets[1] is None:
        return None
    return SoundLag((onsets[1] - onsets[0]) * BIN_S * 1e3, None, 1.0, by_onset=True)


def _onset_bin(sound: Sound) -> int | None:
    """When a steady sound reaches half of its level; None where it is silent."""
    level = _smooth(sound.level)
    audible = level[level > _AUDIBLE]
    if not len(audible):
        return None
    # Of what sounds: an exporter may fill its track with silence to the end of the picture.
    return sound.start_bin + int((level >= float(np.median(audible)) / 2).argmax())


def silent_gaps(reference: Sound, output: Sound, lag: SoundLag, *, least_ms: float) -> list[tuple[float, float]]:
    """Times (from, to) in seconds of the reference where it sounds and the output, moved back by its lag, does not.

    Of at least `least_ms`, wherever they begin. That the output's track ends before the reference's is no gap in it,
    nor is a pause of the reference that lies elsewhere in the output, nor what an early sound loses before its track
    begins (a shift has a name of its own), nor anything where the reference is `doubled`.
    """
    margin = round(_SEARCH_S / BIN_S)
    start, count = reference.start_bin - margin, len(reference.level) + 2 * margin
    moved, begins_at, ends_at = _moved_back(output, start, count, lag)
    wanted, found = (
        np.sqrt(np.maximum(uniform_filter1d(np.square(line), _GAP_WINDOW_BINS, mode="constant"), 0))
        for line in (np.pad(reference.level, margin), moved)
    )
    loud = wanted > _AUDIBLE
    early_s = output.origin_s - reference.origin_s - lag.start_ms / 1e3
    loud[: min(begins_at, margin + max(0, round(early_s / BIN_S)))] = False
    for first, end in reference.doubled:
        loud[max(0, first - start) : max(0, end - start)] = False
    if not loud.any():
        return []
    gain = float(np.median(found[loud] / wanted[loud]))
    silent = loud & (found <= _GAP_SHARE * gain * wanted)
    # The first and the last window of a silence lie inside it by half of their length.
    reach = _GAP_WINDOW_BINS // 2
    gaps = [
        (first, last)
        for first, last in _runs(silent).tolist()
        if (last - first + 2 * reach) * BIN_S * 1e3 >= least_ms and first - reach < ends_at - _LAST_FRAME_BINS
    ]
    quiet, pauses = _runs(silent | (found <= gain * _AUDIBLE)), _runs(~loud)
    around = np.searchsorted(quiet[:, 0], [first for first, _ in gaps], side="right") - 1
    added = {place: _added_bins(quiet[place], pauses) for place in set(around.tolist())}
    return [
        ((start + first - reach) * BIN_S, (start + last + reach) * BIN_S)
        for (first, last), place in zip(gaps, around.tolist(), strict=True)
        if (added[place] + 2 * reach) * BIN_S * 1e3 >= least_ms
    ]


def _moved_back(output: Sound, start_bin: int, count: int, lag: SoundLag) -> tuple[Line, int, int]:
    """The output's envelope on the reference's timeline from `start_bin` on, and where its track begins and ends."""
    moved, begins_at, ends_at = np.zeros(count, np.float32), count, count
    length = len(output.level)
    for first in range(0, count, _CHUNK_BINS):
        times = start_bin + np.arange(first, min(first + _CHUNK_BINS, count), dtype=np.float64)
        places = times + np.round(lag.at_ms(times * BIN_S) / 1e3 / BIN_S) - output.start_bin
        inside = (places >= 0) & (places < length)
        moved[first : first + len(times)][inside] = output.level[places[inside].astype(np.int64)]
        if begins_at == count and places[-1] >= 0:
            begins_at = first + int((places >= 0).argmax())
        if ends_at == count and places[-1] >= length:
            ends_at = first + int((places >= length).argmax())
    return moved, begins_at, ends_at


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First place and end of each run of True, in order, shape (runs, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return edges.reshape(-1, 2)


def _added_bins(quiet: NDArray[np.int64], pauses: NDArray[np.int64]) -> int:
    """By how much a silence of the output is longer than the longest pause of the reference that it overlaps."""
    first, end = (int(place) for place in quiet)
    low, high = np.searchsorted(pauses[:, 1], first, side="right"), np.searchsorted(pauses[:, 0], end)
    overlapped = pauses[low:high]
    return end - first - int((overlapped[:, 1] - overlapped[:, 0]).max(initial=0))


def _smooth(line: Line) -> Line:
    smoothed: Line = uniform_filter1d(line, _SMOOTH_BINS, mode="constant")
    return smoothed


def _contrast(level: Line) -> float:
    """Standard deviation over mean of what is left once a tone's own period is smoothed out, the borders apart."""
    if len(level) < 2 * _SMOOTH_BINS:
        return 0.0
    inner = _smooth(level)[_SMOOTH_BINS:-_SMOOTH_BINS]
    mean = float(inner.mean(dtype=np.float64)) if len(inner) else 0.0
    return float(inner.std(dtype=np.float64)) / mean if mean > 0 else 0.0


def _on_one_timeline(first: Sound, second: Sound, moved: int) -> tuple[Line, Line]:
    """Both envelopes over the time in which either sounds, the second moved to the front by so many bins.

    Sounds that lie farther apart than the longer one lasts have nothing in common: the second is cut off.
    """
    most = max(len(first.level), len(second.level)) + round(_SEARCH_S / BIN_S)
    offset = min(max(second.start_bin - moved - first.start_bin, -most), most)
    start = min(0, offset)
    end = max(len(first.level), offset + len(second.level))
    lines = []
    for at, level in ((0, first.level), (offset, second.level)):
        line = np.zeros(end - start, np.float32)
        line[at - start : at - start + len(level)] = level
        lines.append(line)
    return lines[0], lines[1]


def _loudest(wanted: Line, found: Line) -> tuple[Line, Line]:
    """The same ten minutes of both, in which the first is loudest; all where it is shorter."""
    length = round(_LONGEST_S / BIN_S)
    if len(wanted) <= length:
        return wanted, found
    energy = np.concatenate([[0.0], np.cumsum(np.square(wanted, dtype=np.float64))])
    at = int((energy[length:] - energy[:-length]).argmax())
    return wanted[at : at + length], found[at : at + length]


def _lag_bins(wanted: Line, found: Line, search: int) -> tuple[float, float]:
    """Lag with the largest normalised correlation, to a fraction of a bin, and that correlation."""
    a, b = wanted - wanted.mean(dtype=np.float64), found - found.mean(dtype=np.float64)
    norm = float(np.sqrt((a @ a) * (b @ b)))
    if norm == 0:
        return 0.0, 0.0
    full = _correlate(b, a) / norm
    zero = len(a) - 1
    low, high = max(0, zero - search), min(len(full), zero + search + 1)
    values = full[low:high]
    best = _best_peak(values, zero - low)
    return best + low - zero + _vertex(values, best), float(values[best])


def _part_lag_bins(wanted: Line, found: Line, bounds: tuple[int, int], around: int, search: int) -> float | None:
    """Lag of one part, to a fraction of a bin: where a piece of `found` correlates best with that part of `wanted`.

    Each piece is centred and scaled by itself, so that neither a louder piece nearby nor what enters at an end counts.
    None where the part is steady, or correlates with nothing, or as well at any lag: it then has no lag of its own.
    """
    start, end = bounds
    part = wanted[start:end].astype(np.float64)
    if len(part) < _SHORTEST_S / BIN_S / 2 or _contrast(part.astype(np.float32)) < _STEADY_CONTRAST:
        return None
    part -= part.mean()
    norm = float(np.sqrt(part @ part))
    area = _cut_out(found, start + around - search, end + around + search)
    if norm == 0 or area.std() == 0:
        return None
    sums, squares = (np.concatenate([[0.0], np.cumsum(values)]) for values in (area, area * area))
    length = len(part)
    energy = squares[length:] - squares[:-length] - (sums[length:] - sums[:-length]) ** 2 / length
    products = _correlate(area, part)[len(part) - 1 : len(area)]
    # A piece with next to no sound in it fits nothing; without a floor its noise would be scaled up.
    values = products / (norm * np.sqrt(np.maximum(energy, 1e-3 * energy.max())))
    if values.max() < _SAME_SOUND:
        return None
    best = _best_peak(values, search)
    if max(values[: best + 1].min(), values[best:].min()) > _TIE * values.max():
        return None  # no peak: what dies away evenly, as a plucked string does, is alike wherever it is looked at
    return around + best - search + _vertex(values, best)


def _cut_out(line: Line, start: int, end: int) -> NDArray[np.float64]:
    """Values from a place to another; 0 where there are none."""
    piece = np.zeros(end - start)
    low, high = min(max(start, 0), len(line)), min(max(end, 0), len(line))
    piece[low - start : high - start] = line[low:high]
    return piece


def _best_peak(values: NDArray[np.float64], expected: int) -> int:
    """The place nearest to the expected one of those that fit next to best, each the best for some way around it."""
    tied = np.flatnonzero(values >= _TIE * values.max())
    peaks: list[int] = []
    for place in tied[np.argsort(-values[tied], kind="stable")].tolist():
        if all(abs(place - peak) > _PEAK_BINS for peak in peaks):
            peaks.append(place)
    return min(peaks, key=lambda peak: abs(peak - expected))


def _vertex(values: NDArray[np.float64], at: int) -> float:
    """Offset of the parabola's vertex through three values, -0.5..0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    left, here, right = values[at - 1], values[at], values[at + 1]
    bend = left - 2 * here + right
    return float(np.clip((left - right) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def _correlate(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cross-correlation at every overlap, through the spectrum; `scipy.signal` does the same and loads for a second."""
    overlaps = len(first) + len(second) - 1
    size = next_fast_len(overlaps, real=True)
    products: NDArray[np.float64] = irfft(rfft(first, size) * rfft(second[::-1], size), size)[:overlaps]
    return products
