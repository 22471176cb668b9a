"""Whether the sound is there, whole, as loud, in sync and in its channels. Shares no code with capbench."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.refereeing.opinions import Finding, Opinion, graded
from tests.strangers.refereeing.other_rates import UNROUNDED, Rounding
from tests.strangers.refereeing.steady_sound import judge_steady
from tests.strangers.stream_facts import SOUND_RATE_HZ, StreamFacts, decode_sound, windows

__all__ = ["compare_sound", "judge_sound"]

_RIGHT_MS, _WRONG_MS = 9.0, 20.0
"""Sound against picture: a third of a frame of film is nobody's fault; a frame of AAC is 21.3 ms."""
_RIGHT_DB, _WRONG_DB = 0.8, 1.5
"""A channel's level: of broadband sound 1 dB is about the least that is heard (Zwicker and Fastl 1999,
"Psychoacoustics", 7.1), and EBU R 128 allows 1 LU where a programme cannot be measured beforehand."""
_RIGHT_MIXED_DB, _WRONG_MIXED_DB = 9.0, 15.0
"""The same where it is mixed to fewer channels, or from them, by a rule that may have another gain."""
_LOST_DB: Final = 3.0
"""By how much a channel's energy may change where its level did not: half of it. What a coarse coding leaves out of a
quiet channel, or adds, is no part of what it correlates with, and less than that is not wrong beyond dispute."""
_MASKED_DB = 25.0
"""What is so much quieter than the loudest channel is masked by it: a tone of 1.2 kHz, 10 Bark, masks noise that is
14.5 + 10 dB quieter (Jayant, Johnston and Safranek 1993, "Signal compression based on models of human perception").
A codec may put other noise in its place, which does not correlate; whether that is a fault is for the user to say."""
_HEARD, _FAINT_DB = 1e-4, 50.0
"""Root mean square of a channel from which it can be timed, and how far it may be below the loudest moment: the dither
of 16 bits is at 1.5e-5, and what a codec leaves in a pause 60 dB below what it left it of."""
_FAINT, _SURE = 0.003, 0.9
"""Root mean square of the loudest moment, -50 dB, below which a sound is background, and the correlation that it takes
to be sure of its time all the same."""
_LOWEST_HZ = 20.0
"""Nobody hears less, and an offset of the whole is alike at any lag."""
_ALIKE, _TIED, _STEADY = 0.5, 0.97, 0.9
"""Correlation from which two sounds are one at a lag, the share of it that makes another lag as likely, and that from
which a part has not drifted: of two turns of a loop a coarse coding hits one better by a few per cent."""
_TIMED_SAMPLES = SOUND_RATE_HZ // 10
"""Least length of what is timed: of less, any tone is alike at any lag."""
_MOMENT_SAMPLES = SOUND_RATE_HZ // 200
_LONGEST_LEAD_S = 10.0
"""Silence that one file stores and the other does not, through which a sound is looked for."""
_EFFECTS_HZ = 120.0
"""Up to here the channel of low-frequency effects goes (ITU-R BS.775-3, annex 7): encoders leave out what is above."""
_EFFECTS_LINES, _LINES = 12, 1024
"""AAC has so many spectral lines of so many for it (ISO/IEC 14496-3, 4.6.10): at 8 kHz they end at 47 Hz."""
_GAP_MS: Final = (11.0, 40.0)
"""Silence where there was sound, anywhere: half a frame of AAC, and nearly two of them."""
_CUTTINGS: Final = frozenset({".ts", ".mpg"})
"""Streams that have no beginning: they are cut out of a longer one (ISO/IEC 13818-1), and sound that lies before the
first picture there is played by some players and waited through by others."""
_BAND_HZ, _LEAST_BAND_HZ, _KEPT = 500.0, 4000.0, 0.1
"""What a coder leaves out above its band, and above the least that any keeps (G.711 3.4 kHz), is not wrong beyond
dispute, as long as it keeps a tenth of the energy; a stretch of so many hertz is kept that has a tenth of its own."""
_APART_SAMPLES: Final = SOUND_RATE_HZ // 1000
"""How far from the rest a channel may lie: Opus codes what has no pair by itself, 0.6 ms later than the pairs, and
RFC 6716 asks for no more than that it can be understood."""
_ELSEWHERE: Final = 0.9
"""Share of the correlation there above which a channel is where the rest is."""
_TURNED: Final = -0.5
"""Correlation below which a channel may be turned over rather than half a period late."""
_PAIR: Final = 2
"""Channels that are coded together."""
_EFFECTS_AT, _EFFECTS_OF = 3, 6
"""That channel's place among FFmpeg's six of 5.1."""


def judge_sound(
    reference: StreamFacts, output: StreamFacts, figures: dict[str, float], *, rounding: Rounding = UNROUNDED
) -> list[Finding]:
    """The tracks of two files, each by its own first picture, which may be rounded to a rate that was asked for."""
    wanted = [(number, sound) for number, sound in enumerate(reference.sounds) if sound.start_s is not None]
    found = [(number, sound) for number, sound in enumerate(output.sounds) if sound.start_s is not None]
    if not wanted:
        return []
    if not found:
        return [Finding("sound", Opinion.WRONG, "the sound is gone")]
    if len(wanted) > 1 and len(found) != len(wanted):
        # Which of several tracks is exported, or whether they are mixed, is the exporter's to choose.
        return [Finding("sound", Opinion.DOUBTFUL, f"{len(found)} tracks instead of {len(wanted)}")]
    findings: list[Finding] = []
    for (track, want), (own, got) in zip(wanted, found, strict=False):
        if want.channels == got.channels:
            a, b = (decode_sound(facts, number, want.channels) for facts, number in ((reference, track), (output, own)))
            limits = _RIGHT_DB, _WRONG_DB
        elif got.channels < want.channels == 2:
            findings.append(Finding("sound", Opinion.WRONG, "mono instead of stereo"))
            continue
        else:
            # Downmix and upmix by ffmpeg's own rules, whose constant gain is nobody's fault.
            fewer = min(want.channels, got.channels)
            a, b = (decode_sound(facts, number, fewer) for facts, number in ((reference, track), (output, own)))
            limits = _RIGHT_MIXED_DB, _WRONG_MIXED_DB
        assert want.start_s is not None
        assert got.start_s is not None
        lead = (got.start_s - output.frames[0].start_s) - (want.start_s - reference.frames[0].start_s)
        if want.has_holes and want.step_back_s is not None:
            a, b, open_findings = _before_the_step(a, b, float(lead), want.step_back_s)
            findings += open_findings
        effects_hz = min(_EFFECTS_HZ, got.rate_hz / 2 * _EFFECTS_LINES / _LINES)
        findings += compare_sound(
            *(a, b, float(lead) * 1e3, limits, figures),
            rounding=rounding,
            effects_hz=effects_hz,
            is_a_cutting=reference.path.suffix in _CUTTINGS,
        )
    return findings


def _before_the_step(
    want: NDArray[np.float32], got: NDArray[np.float32], lead_s: float, step_back_s: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[Finding]]:
    """Both up to where the first one's times step back, and what can be said of the rest: how long it lasts.

    FFmpeg plays what overlaps one behind the other and GStreamer leaves it out; no standard says which is right.
    """
    at_s, by_s = step_back_s
    length, lead = round(at_s * SOUND_RATE_HZ), round(lead_s * SOUND_RATE_HZ)
    missing_ms = (want.shape[1] - got.shape[1] - lead) * 1e3 / SOUND_RATE_HZ
    rest = f"times of the sound step back at {at_s:.2f} s: what is heard behind that, and when, is open"
    limits_ms = 60 + by_s * 1e3, 150 + by_s * 1e3
    found = [
        Finding("sound", Opinion.DOUBTFUL, rest),
        *graded("sound", missing_ms, *limits_ms, f"the sound ends {missing_ms:.0f} ms early"),
    ]
    return want[:, :length], got[:, : max(0, length - lead)], found


def compare_sound(
    want: NDArray[np.float32],
    got: NDArray[np.float32],
    lead_ms: float,
    limits_db: tuple[float, float],
    figures: dict[str, float],
    *,
    rounding: Rounding = UNROUNDED,
    effects_hz: float = _EFFECTS_HZ,
    is_a_cutting: bool = False,
) -> list[Finding]:
    """Two sounds from their first samples on; `lead_ms` is how much later the second starts against its picture.

    Low-frequency effects are compared up to `effects_hz`. Where the first `is_a_cutting` from a stream it may be left
    open whether its first sound belongs to it.
    """
    if float(np.sqrt((want**2).mean())) < _HEARD:
        return []
    # What a file starts later with another may start with silence for.
    reach = SOUND_RATE_HZ // 2 + round(min(abs(lead_ms) / 1e3, _LONGEST_LEAD_S) * SOUND_RATE_HZ)
    timed = _time_parts(want, got, reach)
    alike = [each for each in timed if each is not None and each.likeness >= _ALIKE]
    known = [each.lag for each in alike]
    limits_ms = _RIGHT_MS + rounding.nearest_ms, _WRONG_MS + rounding.most_ms
    if not any(timed):
        return judge_steady(want, got, lead_ms, limits_ms=limits_ms, limits_db=limits_db, figures=figures)
    findings: list[Finding] = []
    if known:
        offset_ms = lead_ms + known[0] * 1e3 / SOUND_RATE_HZ
        drift_ms = (known[-1] - known[0]) * 1e3 / SOUND_RATE_HZ
        figures.update(sound_offset_ms=offset_ms, sound_drift_ms=drift_ms)
        synced = graded("sync", abs(offset_ms), *limits_ms, f"the sound is {offset_ms:+.1f} ms late")
        synced += graded("sync", abs(drift_ms), 3, 10, f"the sound drifts by {drift_ms:+.1f} ms")
        if _is_faint(want) and min(each.likeness for each in alike) < _SURE:
            synced = [replace(each, opinion=Opinion.DOUBTFUL) for each in synced]
        findings += synced
    else:
        # Another sound, which its channels tell where they are loud, or noise that a codec made anew.
        findings.append(Finding("sound", Opinion.DOUBTFUL, "the sound is found nowhere"))
    shift = known[0] if known else round(-lead_ms * SOUND_RATE_HZ / 1e3)
    a, b = _overlap(want, got, shift)
    if a.shape[1] < SOUND_RATE_HZ // 20:
        return [*findings, Finding("sound", Opinion.WRONG, "hardly any of the sound is there")]
    loudest = float(np.sqrt((a**2).mean(axis=1)).max())
    for channel in range(want.shape[0]):
        # An offset of the whole is not heard, and many a codec takes it off.
        x, y = (side[channel] - side[channel].mean(dtype=np.float64) for side in (a, b))
        if want.shape[0] == _EFFECTS_OF and channel == _EFFECTS_AT:
            x, y = (_below(effects_hz, samples) for samples in (x, y))
        if float(np.sqrt((x**2).mean())) < 1e-3:
            continue
        likeness, is_unsure = _likeness_nearby(x, y, _APART_SAMPLES if want.shape[0] > _PAIR else 0)
        gain_db = 20 * float(np.log10(max(1e-6, np.sqrt((y**2).sum() / (x**2).sum()))))
        figures[f"likeness_{channel}"] = likeness
        figures[f"gain_db_{channel}"] = gain_db
        found = graded("sound", -likeness, -0.9, -0.5, f"channel {channel} correlates by {likeness:.2f}")
        found += _judge_level(channel, gain_db, likeness, limits_db)
        if is_unsure:
            found.append(Finding("sound", Opinion.DOUBTFUL, f"channel {channel} is turned over, or late by itself"))
        if any(each.opinion is Opinion.WRONG for each in found) and _lost_only_high(x, y, limits_db):
            found = [replace(each, opinion=Opinion.DOUBTFUL) for each in found]
        if float(np.sqrt((x**2).mean())) < loudest * 10 ** (-_MASKED_DB / 20):
            found = [replace(each, opinion=Opinion.DOUBTFUL) for each in found]
        findings += found
    missing_ms = (want.shape[1] - (got.shape[1] - shift)) * 1e3 / SOUND_RATE_HZ
    findings += graded("sound", missing_ms, 60, 150, f"the sound ends {missing_ms:.0f} ms early")
    gap_ms = _gap_ms(a, b)
    findings += graded("sound", gap_ms, *_GAP_MS, f"{gap_ms:.0f} ms of silence where there was sound")
    # What the source presents before its first picture is part of it as well.
    head = want[:, : max(0, -shift)] if known else want[:, :0]
    head_ms = _gap_ms(head, np.zeros_like(head))
    left_out = graded("sound", head_ms, *_GAP_MS, f"{head_ms:.0f} ms of the first sound are left out")
    findings += [replace(each, opinion=Opinion.DOUBTFUL) for each in left_out] if is_a_cutting else left_out
    return findings


def _likeness_nearby(want: NDArray[np.float64], got: NDArray[np.float64], reach: int) -> tuple[float, bool]:
    """Correlation of a channel with its own so many samples away, and whether it is turned over if it is in place.

    Nobody can tell a tone that is half a period late from one that was turned over.
    """
    energy = max(1e-9, float(np.sqrt((want**2).sum() * (got**2).sum())))
    inner = want[reach : len(want) - reach]
    values = np.array([float(inner @ got[at : at + len(inner)]) for at in range(2 * reach + 1)]) / energy
    in_place, best = float((want * got).sum()) / energy, float(values.max(initial=-1.0))
    if in_place >= _ELSEWHERE * best:
        return in_place, False
    return best, in_place <= _TURNED and best >= _ALIKE


def _lost_only_high(want: NDArray[np.float64], got: NDArray[np.float64], limits_db: tuple[float, float]) -> bool:
    """Whether a channel is right, and most of it, up to where a coder's band ends."""
    spectra = [np.fft.rfft(each) for each in (want, got)]
    stretch = (np.fft.rfftfreq(len(want), 1 / SOUND_RATE_HZ) / _BAND_HZ).astype(np.int64)
    had, has = (np.bincount(stretch, np.abs(each) ** 2) for each in spectra)
    least = int(_LEAST_BAND_HZ / _BAND_HZ)
    # What is 60 dB below the whole is rounding noise, which both have above any band.
    kept = np.flatnonzero(has >= _KEPT * np.maximum(had, had.sum() * 1e-6))
    end = max(least, int(kept[-1]) + 1 if len(kept) else 0)
    if had[:end].sum() < _KEPT * had.sum() or end == len(had):
        return False
    gain_db = 10 * float(np.log10(max(1e-12, has[:end].sum() / had[:end].sum())))
    one, other = (each[stretch < end] for each in spectra)
    likeness = float((np.conj(one) * other).sum().real) / max(1e-9, float(np.sqrt(had[:end].sum() * has[:end].sum())))
    return likeness >= _ALIKE and abs(gain_db) <= limits_db[1]


def _judge_level(channel: int, gain_db: float, likeness: float, limits_db: tuple[float, float]) -> list[Finding]:
    """A channel's level, as far as both regressions agree: what coding lost or added lowers one of them alone.

    Of y = g x + n least squares give g to the one side, and the ratio of y's energy to their product to the other.
    """
    right_db, wrong_db = limits_db
    message = f"channel {channel} is {gain_db:+.1f} dB louder"
    apart_db = -20 * float(np.log10(min(1.0, max(1e-6, likeness))))
    level_db = max(0.0, abs(gain_db) - apart_db)
    found = [
        *graded("sound", level_db, right_db, wrong_db, message),
        *graded("sound", abs(gain_db), right_db, max(wrong_db, _LOST_DB), message),
    ]
    return sorted(found, key=lambda each: each.opinion is not Opinion.WRONG)[:1]


@dataclass(frozen=True, slots=True)
class _Timed:
    """Where a part of a sound is found again."""

    lag: int
    """Samples by which it is later."""
    likeness: float
    """Its correlation there, at most 1."""


def _is_faint(sound: NDArray[np.float32]) -> bool:
    return all(_loudness(sound, moment) < _FAINT for moment in windows(sound.shape[1], _MOMENT_SAMPLES))


def _time_parts(want: NDArray[np.float32], got: NDArray[np.float32], reach: int) -> list[_Timed | None]:
    """Each part of what is heard; a later one where the first is, unless it is clearly elsewhere."""
    timed: list[_Timed | None] = []
    swings = _without_offset(want), _without_offset(got)
    for part in _heard_parts(want):
        first = next((each.lag for each in timed if each is not None and each.likeness >= _ALIKE), None)
        timed.append(_time(*swings, part, reach, first))
    return timed


def _heard_parts(want: NDArray[np.float32]) -> list[slice]:
    """Both halves of what is heard of a sound, from its first moment to its last; all of it where that is too short.

    Silence before and behind it, with the rounding noise or the dither that is in it, is no half of a sound.
    """
    moments = list(windows(want.shape[1], _MOMENT_SAMPLES))
    levels = np.array([_loudness(want, moment) for moment in moments])
    heard = np.flatnonzero(levels >= max(_HEARD, float(levels.max(initial=0.0)) * 10 ** (-_FAINT_DB / 20)))
    if not len(heard):
        return []
    first, end = moments[int(heard[0])].start, moments[int(heard[-1])].stop
    if end - first < 2 * _TIMED_SAMPLES:
        return [slice(max(0, first - _TIMED_SAMPLES // 2), min(want.shape[1], end + _TIMED_SAMPLES // 2))]
    middle = (first + end) // 2
    return [slice(first, middle), slice(middle, end)]


def _time(
    want: NDArray[np.float32], got: NDArray[np.float32], part: slice, reach: int, expected: int | None
) -> _Timed | None:
    """Where `part` of `want` is in `got`, up to `reach` samples away; None for a tone, or what is too short.

    It is at the `expected` lag where it fits there about as well as anywhere.

    By the sum of the channels' cross-correlations, worked out in the frequency domain, over the loudness of what is
    looked at: of a sound that dies away, what is earlier is louder and no more alike.
    """
    piece = want[:, part]
    samples = piece.shape[1]
    if samples < _TIMED_SAMPLES or float((piece**2).sum()) < samples * _HEARD**2:
        return None
    length = 1 << (samples + got.shape[1]).bit_length()
    total = np.zeros(length)
    for x, y in zip(piece, got, strict=True):
        # Without its sign: a channel that was turned over must not cancel the others out.
        total += np.abs(np.fft.irfft(np.fft.rfft(y, length) * np.conj(np.fft.rfft(x, length)), length))
    lags = np.arange(max(part.start - reach, -samples), min(part.start + reach, got.shape[1]))
    if not len(lags):
        return _Timed(0, 0.0)  # it was cut off
    heard = np.concatenate([[0.0], np.cumsum(np.square(got, dtype=np.float64).sum(axis=0))])
    ends = [np.clip(lags + more, 0, got.shape[1]) for more in (0, samples)]
    # What is as quiet as dither is silence: scaled up, it would be alike by chance.
    energy = np.maximum(heard[ends[1]] - heard[ends[0]], samples * (_HEARD / 10) ** 2)
    values = total[lags % length] / np.sqrt(energy * float(np.square(piece, dtype=np.float64).sum()))
    best = int(values.argmax())
    if expected is not None:
        near = np.flatnonzero(np.abs(lags - part.start - expected) <= SOUND_RATE_HZ // 500)
        if len(near) and values[near].max() >= max(_ALIKE, _STEADY * values[best]):
            best = int(near[values[near].argmax()])
            return _Timed(int(lags[best]) - part.start, float(values[best]))
    far = np.abs(np.arange(len(lags)) - best) > SOUND_RATE_HZ // 500
    if values[best] >= _ALIKE and values[far].max() > _TIED * values[best]:
        return None  # a steady tone: another period fits as well
    return _Timed(int(lags[best]) - part.start, float(values[best]))


def _below(limit_hz: float, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """What of a sound lies below a frequency."""
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / SOUND_RATE_HZ) > limit_hz] = 0
    return np.fft.irfft(spectrum, len(samples))


def _without_offset(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """A sound without what is too low to be heard: by Butterworth's response of second order, both ways."""
    samples = sound.shape[1]
    frequency = np.maximum(np.fft.rfftfreq(samples, 1 / SOUND_RATE_HZ), 1e-3)
    passed = np.fft.rfft(sound) / (1 + (_LOWEST_HZ / frequency) ** 4)
    return np.fft.irfft(passed, samples).astype(np.float32)


def _loudness(sound: NDArray[np.float32], moment: slice) -> float:
    """Root mean square of how far the loudest channel swings in a moment."""
    return float(sound[:, moment].std(axis=1).max(initial=0.0))


def _overlap(
    want: NDArray[np.float32], got: NDArray[np.float32], shift: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both cut to what they have in common once the second is moved back by `shift` samples."""
    first, second = (want, got[:, shift:]) if shift >= 0 else (want[:, -shift:], got)
    length = min(first.shape[1], second.shape[1])
    return first[:, :length], second[:, :length]


def _gap_ms(want: NDArray[np.float32], got: NDArray[np.float32]) -> float:
    """Milliseconds in which the second is silent and the first is not."""
    length = SOUND_RATE_HZ // 200
    silent = 0
    for part in windows(want.shape[1], length):
        loud, left = (_loudness(side, part) for side in (want, got))
        silent += loud > 0.01 and left < 0.1 * loud
    return silent * 1e3 * length / SOUND_RATE_HZ
