"""Whether a fault of sound is in the file that was made, at its strength: by arithmetic on what decodes of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.faults.fault_tools import Base, Maker, streams_copied
from tests.strangers.stream_facts import SOUND_RATE_HZ, StreamFacts, decode_sound, probe
from tests.strangers.tool_programs import ToolError

__all__ = [
    "Check",
    "Line",
    "at_another_speed",
    "base_lag_ms",
    "delayed_exactly",
    "explained_by",
    "is_another",
    "is_clipped",
    "is_cut_short",
    "is_gone",
    "is_higher",
    "is_louder",
    "is_moved",
    "is_silent_in_the_gap",
    "pitch_share",
    "planted",
]

_REACH: Final = SOUND_RATE_HZ * 9 // 1000
"""How far from its place a sound may be otherwise: FFmpeg moves the picture by the 7 ms of Opus' delay on its way to
WebM, each time."""
_MISSED_MS: Final = 2.0
"""How far a delay may be off what was asked for: two ticks of Matroska."""
_EXPLAINED: Final = 0.7
"""Least correlation with what was to be made: what codecs leave of a quiet sound at 8 kHz."""
_LEFT: Final = 0.5
"""Share of what does not correlate with the base that what was to be made leaves at most."""
_WINDOW: Final = 4096
"""Samples of a spectrum, 85 ms."""
_HEARD: Final = 0.003
_JUDGED_DB: Final = 12
"""From which more loudness is judged to clip."""
_PITCH_LOW_HZ, _PITCH_HIGH_HZ, _STEP = 90.0, 3000.0, 0.005
_BROAD: Final = 30
"""Steps over which a spectrum is smooth: what is wider than this is the colour of a sound."""

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A sound on the time of its file's first picture."""

    samples: Samples
    """Shape (channels, samples) at 48 kHz."""
    first: int
    """Where the first one is, in samples behind the first picture."""

    @property
    def end(self) -> int:
        """Behind its last sample."""
        return self.first + int(self.samples.shape[1])

    def between(self, first: int, end: int) -> Samples:
        """A stretch of it; silence where it has nothing."""
        out = np.zeros((self.samples.shape[0], end - first))
        low, high = max(first, self.first), min(end, self.end)
        if high > low:
            out[:, low - first : high - first] = self.samples[:, low - self.first : high - self.first]
        return out


Check = Callable[[Line, Line, float], str | None]
"""Says of the base's sound, the faulty one and a strength what is not as it was to be; None where all is."""


def planted(make: Maker, check: Check) -> Maker:
    """A fault that is in the file, or `ToolError`: what a tool did not plant must not count as missed."""

    def checked(base: Base, strength: float, path: Path) -> None:
        make(base, strength, path)
        faulty = probe(path)
        if not faulty.sounds or faulty.sounds[0].start_s is None:
            message = f"{path.name}: no sound is left"
            raise ToolError(message)
        channels = faulty.sounds[0].channels
        problem = check(_line(base.output, base.channels), _line(faulty, channels), strength)
        if problem is not None:
            message = f"{path.name}: {problem}"
            raise ToolError(message)

    return checked


def is_gone(make: Maker) -> Maker:
    """A file without any sound."""

    def checked(base: Base, strength: float, path: Path) -> None:
        make(base, strength, path)
        if probe(path).sounds:
            message = f"{path.name}: there is still sound"
            raise ToolError(message)

    return checked


def base_lag_ms(base: Base) -> float:
    """How late its sound is behind that of its reference, up to half a second; infinite where they are not alike."""
    return _lag_ms(_line(base.reference, base.channels), _line(base.output, base.channels))


def _lag_ms(was: Line, now: Line) -> float:
    values = _correlation(was, now)
    places = np.arange(-SOUND_RATE_HZ // 2, SOUND_RATE_HZ // 2)
    best = int(values[places].argmax())
    return float(places[best]) * 1e3 / SOUND_RATE_HZ if values[places[best]] >= _EXPLAINED else np.inf


def delayed_exactly(which: str) -> Maker:
    """The sound (`a`) later than it was, or the picture (`v`), by what is heard and not by what the file says.

    Of a copied MP4 FFmpeg leaves AAC's priming to be heard, which is 21.3 ms more; to WebM it moves pictures, and not
    the sound, by the delay of Opus, 7 ms, each time it copies.
    """
    copied, sign = streams_copied(delayed=which), 1 if which == "a" else -1

    def make(base: Base, ms: float, path: Path) -> None:
        copied(base, ms, path)
        off_ms = sign * _lag_ms(_line(base.output, base.channels), _line(probe(path), base.channels)) - ms
        if _MISSED_MS < abs(off_ms) < np.inf:
            copied(base, ms - off_ms, path)

    return planted(make, is_moved(sign))


def _line(facts: StreamFacts, channels: int) -> Line:
    start_s = facts.sounds[0].start_s
    assert start_s is not None
    lead = round(float(start_s - facts.frames[0].start_s) * SOUND_RATE_HZ)
    return Line(decode_sound(facts, 0, channels).astype(np.float64), lead)


def explained_by(change: Callable[[Line, float], Line]) -> Check:
    """The faulty sound is the base's, changed so, and that explains it far better than the base itself does."""

    def check(was: Line, now: Line, strength: float) -> str | None:
        wanted, unchanged = _likeness(change(was, strength), now), _likeness(was, now)
        if wanted < _EXPLAINED or 1 - wanted > _LEFT * (1 - unchanged):
            return f"correlates by {wanted:.3f} with what was to be made, and by {unchanged:.3f} with the base"
        return None

    return check


def is_moved(sign: int) -> Check:
    """The sound lies so many milliseconds later, or with -1 earlier, and not where it was."""

    def check(was: Line, now: Line, ms: float) -> str | None:
        values = _correlation(was, now)
        expected = sign * round(ms * SOUND_RATE_HZ / 1e3)
        near = expected + np.arange(-_REACH, _REACH + 1)
        best = int(near[values[near].argmax()])
        around = np.arange(-SOUND_RATE_HZ // 2, SOUND_RATE_HZ // 2)
        found_ms = best * 1e3 / SOUND_RATE_HZ
        if values[best] < max(_EXPLAINED, 0.95 * values[around].max()) or abs(found_ms) < 0.6 * ms:
            return f"{found_ms:+.1f} ms late by a correlation of {values[best]:.2f} instead of {sign * ms:+g}"
        return None

    return check


def _likeness(want: Line, got: Line) -> float:
    """Largest correlation of all channels together up to 9 ms around the place."""
    values = _correlation(want, got)
    return float(values[np.arange(-_REACH, _REACH + 1)].max())


def _correlation(want: Line, got: Line) -> Samples:
    """Correlation of all channels together by how many samples later the second is; places count from the end too."""
    first, end = min(want.first, got.first), max(want.end, got.end)
    a, b = want.between(first, end), got.between(first, end)
    if len(a) != len(b):
        return np.zeros(2 * SOUND_RATE_HZ)
    a, b = (each - each.mean(axis=1, keepdims=True) for each in (a, b))
    size = 1 << (2 * max(a.shape[1], SOUND_RATE_HZ)).bit_length()
    products = np.fft.irfft((np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size))).sum(axis=0), size)
    likeness: Samples = products / max(1e-9, float(np.sqrt((a**2).sum() * (b**2).sum())))
    return likeness


def at_another_speed(factor: Callable[[float], float]) -> Callable[[Line, float], Line]:
    """Played faster by a factor from its beginning on, as a wrong clock does it."""

    def change(was: Line, strength: float) -> Line:
        speed = factor(strength)
        places = np.arange(int(was.samples.shape[1] / speed)) * speed
        known = np.arange(was.samples.shape[1])
        return Line(np.stack([np.interp(places, known, channel) for channel in was.samples]), round(was.first / speed))

    return change


def is_silent_in_the_gap(was: Line, now: Line, ms: float) -> str | None:
    """There are so many milliseconds in one piece in which it is silent and the base is not."""
    moment = SOUND_RATE_HZ // 1000
    first, end = was.first, was.end
    levels = [
        np.sqrt(
            (each.between(first, end)[:, : (end - first) // moment * moment] ** 2)
            .mean(axis=0)
            .reshape(-1, moment)
            .mean(axis=1)
        )
        for each in (was, now)
    ]
    # A tone passes through zero twice a period: loud is what is loud within 5 ms.
    loud = np.convolve(levels[0], np.ones(5) / 5, "same") > _HEARD
    longest = run = 0
    for is_silent in loud & (levels[1] <= 0.1 * np.convolve(levels[0], np.ones(5) / 5, "same")):
        run = run + 1 if is_silent else 0
        longest = max(longest, run)
    # A codec fills up to 3 ms from what is around, at either end.
    return None if longest >= ms - 6 else f"silent for {longest} ms in one piece instead of {ms:g}"


def is_louder(was: Line, now: Line, db: float) -> str | None:
    """Louder by so much, all in all."""
    change_db = 10 * float(np.log10(max(1e-12, (now.samples**2).sum()) / max(1e-12, (was.samples**2).sum())))
    return None if abs(change_db - db) <= 0.3 else f"{change_db:+.1f} dB instead of {db:+.1f}"


def is_clipped(was: Line, now: Line, db: float) -> str | None:
    """At least two in a thousand samples more are at full scale, of a judged strength."""
    if db < _JUDGED_DB:
        return None
    shares = [float((np.abs(each.samples) >= 0.99).mean()) for each in (was, now)]
    return None if shares[1] - shares[0] >= 0.002 else f"{shares[1]:.2%} of the samples are clipped"


def is_cut_short(was: Line, now: Line, ms: float) -> str | None:
    """It ends so much earlier, to a frame of a codec."""
    cut_ms = (was.end - now.end) * 1e3 / SOUND_RATE_HZ
    return None if cut_ms >= ms - 30 else f"ends {cut_ms:.0f} ms early instead of {ms:g}"


def is_another(was: Line, now: Line, _: float) -> str | None:
    """It is not the base's sound, at its place."""
    likeness = _likeness(was, now)
    return None if likeness < 0.5 else f"correlates by {likeness:.2f} with the base"


def is_higher(was: Line, now: Line, factor: float) -> str | None:
    """All frequencies are multiplied by a factor: spectra over a logarithmic frequency are moved by that, no other."""
    shift = round(float(np.log(factor) / np.log1p(_STEP)))
    values = _spectral_likeness(was, now, range(-20, 121))
    if not values:
        return "no moment is heard in both"
    best = max(values, key=lambda each: values[each])
    if abs(best - shift) <= 2 and values[best] >= 0.5:
        return None
    return f"{(1 + _STEP) ** best:.3f} times as high by a likeness of {values[best]:.2f} instead of {factor:g}"


def pitch_share(was: Line) -> float:
    """How alike its spectrum is to itself a tenth higher: near 0 for what has a pitch, 1 for what would not show it."""
    values = _spectral_likeness(was, was, range(22, 26))
    return max(values.values(), default=1.0)


def _spectral_likeness(was: Line, now: Line, shifts: range) -> dict[int, float]:
    """Correlation of spectra of the same moments, the first one's moved up by so many steps of half a per cent."""
    grid = np.exp(np.arange(np.log(_PITCH_LOW_HZ), np.log(_PITCH_HIGH_HZ * 1.8), np.log1p(_STEP)))
    frequencies = np.fft.rfftfreq(4 * _WINDOW, 1 / SOUND_RATE_HZ)
    window = np.hanning(_WINDOW)
    spectra: tuple[list[Samples], list[Samples]] = ([], [])
    first, end = max(was.first, now.first), min(was.end, now.end)
    for at in range(first, end - _WINDOW, _WINDOW // 2):
        pieces = [each.between(at, at + _WINDOW) for each in (was, now)]
        if min(float(np.sqrt((piece**2).mean(axis=1)).max()) for piece in pieces) < _HEARD:
            continue
        for kept, piece in zip(spectra, pieces, strict=True):
            power = (np.abs(np.fft.rfft(piece * window, 4 * _WINDOW)) ** 2).sum(axis=0)
            level = np.sqrt(np.interp(grid, frequencies, power))
            kept.append(level - np.convolve(level, np.ones(_BROAD) / _BROAD, "same"))
    if not spectra[0]:
        return {}
    a, b = (np.stack(each) for each in spectra)
    values: dict[int, float] = {}
    for shift in shifts:
        low, high = a[:, max(0, -shift) : a.shape[1] - max(0, shift)], b[:, max(0, shift) : b.shape[1] - max(0, -shift)]
        values[shift] = float((low * high).sum() / max(1e-12, np.sqrt((low**2).sum() * (high**2).sum())))
    return values
