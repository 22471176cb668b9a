"""Whether the sound is there, whole, as loud, in sync and in its channels. Shares no code with capbench."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.strangers.refereeing.opinions import Finding, Opinion, graded
from tests.strangers.stream_facts import SOUND_RATE_HZ, StreamFacts, decode_sound, windows

__all__ = ["compare_sound", "judge_sound"]

_RIGHT_MS, _WRONG_MS = 9.0, 20.0
"""Sound against picture: a third of a frame of film is nobody's fault; a frame of AAC is 21.3 ms."""
_RIGHT_DB, _WRONG_DB = 0.8, 2.5
"""Loudness of a track."""
_MASKED_DB = 25.0
"""What is so much quieter than the loudest channel is masked by it: a tone of 1.2 kHz, 10 Bark, masks noise that is
14.5 + 10 dB quieter (Jayant, Johnston and Safranek 1993, "Signal compression based on models of human perception").
A codec may put other noise in its place, which does not correlate; whether that is a fault is for the user to say."""
_EFFECTS_HZ = 120.0
"""Up to here the channel of low-frequency effects goes (ITU-R BS.775-3, annex 7): encoders leave out what is above."""
_EFFECTS_LINES, _LINES = 12, 1024
"""AAC has so many spectral lines of so many for it (ISO/IEC 14496-3, 4.6.10): at 8 kHz they end at 47 Hz."""
_EFFECTS_AT, _EFFECTS_OF = 3, 6
"""That channel's place among FFmpeg's six of 5.1."""


def judge_sound(
    reference: StreamFacts, output: StreamFacts, figures: dict[str, float], *, rounded_ms: float = 0.0
) -> list[Finding]:
    """The tracks of two files. `rounded_ms`: a frame of another rate that was asked for: pictures are rounded to it."""
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
            limits = 9.0, 15.0
        assert want.start_s is not None
        assert got.start_s is not None
        lead = (got.start_s - output.frames[0].start_s) - (want.start_s - reference.frames[0].start_s)
        effects_hz = min(_EFFECTS_HZ, got.rate_hz / 2 * _EFFECTS_LINES / _LINES)
        findings += compare_sound(
            a, b, float(lead) * 1e3, limits, figures, rounded_ms=rounded_ms, effects_hz=effects_hz
        )
    return findings


def compare_sound(
    want: NDArray[np.float32],
    got: NDArray[np.float32],
    lead_ms: float,
    limits_db: tuple[float, float],
    figures: dict[str, float],
    *,
    rounded_ms: float = 0.0,
    effects_hz: float = _EFFECTS_HZ,
) -> list[Finding]:
    """Two sounds from their first samples on; `lead_ms` is how much later the second starts against its picture.

    The first picture may be rounded to the nearest multiple of `rounded_ms`; low-frequency effects
    are compared up to `effects_hz`.
    """
    if float(np.sqrt((want**2).mean())) < 1e-4:
        return []
    middle = want.shape[1] // 2
    lags = [_lag(want[:, part], got, part.start) for part in (slice(0, middle), slice(middle, want.shape[1]))]
    findings: list[Finding] = []
    known = [lag for lag in lags if lag is not None]
    if not known:
        return [Finding("sound", Opinion.DOUBTFUL, "nothing to recognise the sound by")]
    offset_ms = lead_ms + known[0] * 1e3 / SOUND_RATE_HZ
    drift_ms = (known[-1] - known[0]) * 1e3 / SOUND_RATE_HZ
    figures.update(sound_offset_ms=offset_ms, sound_drift_ms=drift_ms)
    right_ms, wrong_ms = _RIGHT_MS + rounded_ms / 2, _WRONG_MS + rounded_ms
    findings += graded("sync", abs(offset_ms), right_ms, wrong_ms, f"the sound is {offset_ms:+.1f} ms late")
    findings += graded("sync", abs(drift_ms), 3, 10, f"the sound drifts by {drift_ms:+.1f} ms")
    shift = round(known[0])
    a, b = _overlap(want, got, shift)
    if a.shape[1] < SOUND_RATE_HZ // 20:
        return [*findings, Finding("sound", Opinion.WRONG, "hardly any of the sound is there")]
    loudest = float(np.sqrt((a**2).mean(axis=1)).max())
    for channel in range(want.shape[0]):
        x, y = a[channel].astype(np.float64), b[channel].astype(np.float64)
        if want.shape[0] == _EFFECTS_OF and channel == _EFFECTS_AT:
            x, y = (_below(effects_hz, samples) for samples in (x, y))
        if float(np.sqrt((x**2).mean())) < 1e-3:
            continue
        likeness = float((x * y).sum() / max(1e-9, np.sqrt((x**2).sum() * (y**2).sum())))
        gain_db = 20 * float(np.log10(max(1e-6, np.sqrt((y**2).sum() / (x**2).sum()))))
        figures[f"likeness_{channel}"] = likeness
        figures[f"gain_db_{channel}"] = gain_db
        found = graded("sound", -likeness, -0.9, -0.5, f"channel {channel} correlates by {likeness:.2f}")
        found += graded("sound", abs(gain_db), *limits_db, f"channel {channel} is {gain_db:+.1f} dB louder")
        if float(np.sqrt((x**2).mean())) < loudest * 10 ** (-_MASKED_DB / 20):
            found = [replace(each, opinion=Opinion.DOUBTFUL) for each in found]
        findings += found
    missing_ms = (want.shape[1] - (got.shape[1] - shift)) * 1e3 / SOUND_RATE_HZ
    findings += graded("sound", missing_ms, 60, 150, f"the sound ends {missing_ms:.0f} ms early")
    gap_ms = _gap_ms(a, b)
    findings += graded("sound", gap_ms, 11, 40, f"{gap_ms:.0f} ms of silence where there was sound")
    return findings


def _lag(want: NDArray[np.float32], got: NDArray[np.float32], start: int) -> float | None:
    """Samples by which `got` is later than `want`, which starts at sample `start`; None for what repeats or is still.

    By the sum of the channels' cross-correlations, worked out in the frequency domain, over the loudness of what is
    looked at: of a sound that dies away, what is earlier is louder and no more alike.
    """
    if want.shape[1] < SOUND_RATE_HZ // 10 or float((want**2).sum()) < 1e-3:
        return None
    length = 1 << (want.shape[1] + got.shape[1]).bit_length()
    total = np.zeros(length)
    for x, y in zip(want, got, strict=True):
        # Without its sign: a channel that was turned over must not cancel the others out.
        total += np.abs(np.fft.irfft(np.fft.rfft(y, length) * np.conj(np.fft.rfft(x, length)), length))
    reach = SOUND_RATE_HZ // 2
    lags = np.arange(start - reach, start + reach)
    heard = np.concatenate([[0.0], np.cumsum(np.square(got, dtype=np.float64).sum(axis=0))])
    ends = [np.clip(lags + more, 0, got.shape[1]) for more in (0, want.shape[1])]
    energy = heard[ends[1]] - heard[ends[0]]
    values = total[lags % length] / np.sqrt(np.maximum(energy, 1e-2 * energy.max()) + 1e-9)
    best = int(values.argmax())
    far = np.abs(np.arange(len(lags)) - best) > SOUND_RATE_HZ // 500
    if values[far].max() > 0.97 * values[best]:
        return None  # a steady tone: another period fits as well
    return float(lags[best] - start)


def _below(limit_hz: float, samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """What of a sound lies below a frequency."""
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / SOUND_RATE_HZ) > limit_hz] = 0
    return np.fft.irfft(spectrum, len(samples))


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
        loud, left = (float(np.sqrt((side[:, part] ** 2).mean())) for side in (want, got))
        silent += loud > 0.01 and left < 0.1 * loud
    return silent * 1e3 * length / SOUND_RATE_HZ
