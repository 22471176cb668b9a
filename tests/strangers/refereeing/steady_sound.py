"""A sound that is alike at many lags, as tones and their loops are: judged by what of it can be known all the same.

Where it begins and ends, how loud each channel is, which frequencies are in it, and how channels go together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.refereeing.opinions import Finding, Opinion, graded
from tests.strangers.stream_facts import SOUND_RATE_HZ

__all__ = ["judge_steady"]

_MOMENT: Final = SOUND_RATE_HZ // 100
"""Samples over which loudness is measured: a period of 100 Hz."""
_HOP: Final = SOUND_RATE_HZ // 1000
"""Samples from one to the next."""
_AUDIBLE_SHARE: Final = 0.1
"""Of the loudest moment, from which a moment is heard: what coding spreads before a tone is 30 dB below it."""
_DIPS: Final = 25
"""Moments of a millisecond in a row that may be quiet without a pause: the swing of 40 Hz dips for so long, twice a
period, and where it swells a coding's dips are a little longer."""
_AT_END_MS: Final = 25.0
"""A tone that goes on to the end of its file so nearly is cut there: it has no end of its own."""
_RIGHT_LIKENESS, _WRONG_LIKENESS = 0.95, 0.7
"""Cosine of both spectra: an octave, or a third, has none."""
_RIGHT_TURN, _WRONG_TURN = 0.2, 1.0
"""Change of the correlation of two channels: where one was turned over it is up to 2, where they were mixed up to 1."""
_AUDIBLE: Final = 1e-3
"""Root mean square of a channel from which it counts."""


def judge_steady(
    want: NDArray[np.float32],
    got: NDArray[np.float32],
    lead_ms: float,
    *,
    limits_ms: tuple[float, float],
    limits_db: tuple[float, float],
    figures: dict[str, float],
) -> list[Finding]:
    """Two sounds of the same channels, shape (channels, samples); the second starts `lead_ms` later with its picture.

    Nobody hears of a steady tone how late it is, but where it sets in and stops.
    """
    heard = [_heard(each) for each in (want, got)]
    if not len(heard[0]):
        return [Finding("sound", Opinion.DOUBTFUL, "nothing to recognise the sound by")]
    if not len(heard[1]):
        return [Finding("sound", Opinion.WRONG, "nothing of the sound is heard")]
    first_ms, last_ms = ((heard[1][at] - heard[0][at]) * 1e3 / SOUND_RATE_HZ for at in (0, -1))
    figures["sound_offset_ms"] = lead_ms + first_ms
    found = _at(lead_ms + first_ms, limits_ms, "sets in", is_cut=heard[0][0] * 1e3 / SOUND_RATE_HZ < _AT_END_MS)
    left_ms = (want.shape[1] - _MOMENT - heard[0][-1]) * 1e3 / SOUND_RATE_HZ
    found += _at(lead_ms + last_ms, limits_ms, "stops", is_cut=left_ms < _AT_END_MS)
    a = want[:, heard[0][0] : heard[0][-1] + _MOMENT].astype(np.float64)
    b = got[:, heard[1][0] : heard[1][-1] + _MOMENT].astype(np.float64)
    length = min(a.shape[1], b.shape[1])
    a, b = (each[:, :length] - each[:, :length].mean(axis=1, keepdims=True) for each in (a, b))
    levels = [np.sqrt((each**2).mean(axis=1)) for each in (a, b)]
    for channel in np.flatnonzero(levels[0] >= _AUDIBLE):
        gain_db = 20 * float(np.log10(max(1e-6, levels[1][channel] / levels[0][channel])))
        figures[f"gain_db_{channel}"] = gain_db
        found += graded("sound", abs(gain_db), *limits_db, f"channel {channel} is {gain_db:+.1f} dB louder")
        likeness = _spectral_likeness(a[channel], b[channel])
        message = f"the spectrum of channel {channel} is alike by {likeness:.2f}"
        found += graded("sound", -likeness, -_RIGHT_LIKENESS, -_WRONG_LIKENESS, message)
    for one, other in _pairs(levels):
        turn = abs(float(np.corrcoef(a[[one, other]])[0, 1] - np.corrcoef(b[[one, other]])[0, 1]))
        message = f"channels {one} and {other} go together otherwise, by {turn:.2f}"
        found += graded("sound", turn, _RIGHT_TURN, _WRONG_TURN, message)
    # Beeps and pauses between the first moment and the last.
    loud, kept = (_is_heard(each) for each in (a, b))
    moments = min(len(loud), len(kept))
    silent = loud[:moments] & ~_without_dips(kept[:moments])
    gap_ms = float(silent.sum()) * _HOP * 1e3 / SOUND_RATE_HZ
    return [*found, *graded("sound", gap_ms, 11, 40, f"{gap_ms:.0f} ms of silence where there was sound")]


def _without_dips(heard: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is heard, with all that is too short for a pause between two moments that are."""
    filled = heard.copy()
    places = np.flatnonzero(heard)
    for one, other in itertools.pairwise(places.tolist()):
        if other - one <= _DIPS:
            filled[one:other] = True
    return filled


def _at(late_ms: float, limits_ms: tuple[float, float], verb: str, *, is_cut: bool) -> list[Finding]:
    """A doubt at most where a tone is cut: how much of it is missing there is not how late it is."""
    right_ms, wrong_ms = limits_ms
    message = f"the sound {verb} {late_ms:+.1f} ms late"
    return graded("sync", abs(late_ms), right_ms, np.inf if is_cut else wrong_ms, message)


def _moments(sound: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean square of the loudest channel's swing, every millisecond."""
    if sound.shape[1] < _MOMENT:
        return np.zeros(0)
    sums = [
        np.concatenate([np.zeros((len(sound), 1)), np.cumsum(part, axis=1, dtype=np.float64)], axis=1)
        for part in (sound, np.square(sound, dtype=np.float64))
    ]
    mean, square = ((each[:, _MOMENT:] - each[:, :-_MOMENT])[:, ::_HOP] / _MOMENT for each in sums)
    swing: NDArray[np.float64] = np.sqrt(np.maximum(0.0, square - mean**2)).max(axis=0)
    return swing


def _is_heard(sound: NDArray[np.floating]) -> NDArray[np.bool_]:
    swing = _moments(sound)
    heard: NDArray[np.bool_] = swing >= max(_AUDIBLE, _AUDIBLE_SHARE * float(swing.max(initial=0.0)))
    return heard


def _heard(sound: NDArray[np.floating]) -> NDArray[np.intp]:
    """First samples of the moments in which it is heard."""
    return np.flatnonzero(_is_heard(sound)) * _HOP


def _spectral_likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    window = np.hanning(len(one))
    spectra = [np.abs(np.fft.rfft(each * window)) for each in (one, other)]
    product = float(np.sqrt(np.square(spectra[0]).sum() * np.square(spectra[1]).sum()))
    return float((spectra[0] * spectra[1]).sum() / max(product, 1e-12))


def _pairs(levels: list[NDArray[np.float64]]) -> Iterator[tuple[int, int]]:
    heard = [int(each) for each in np.flatnonzero(np.minimum(*levels) >= _AUDIBLE)]
    yield from itertools.pairwise(heard)
