"""Do sound and picture stay together?"""  # noqa: D400

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from capbench.quality.checks import limits
from capbench.quality.measurements import Measurements
from capbench.quality.metrics.flash_sync import FlashSync, measure_flash_sync
from capbench.quality.metrics.sound_lag import SoundLag
from capbench.quality.reading.sound_envelope import BIN_S, Sound
from capbench.results import Check

__all__ = ["Sync", "check_sync", "find_sync"]

_UNTIL_REPEATED = 1.1
"""Frames that a picture is off before FFmpeg's `-r` repeats or drops one."""


@dataclass(frozen=True, slots=True)
class Sync:
    """Sound against picture, compared with the reference; None where it cannot be known."""

    offset_ms: float | None
    """How late the sound is at the start."""
    drift_ms: float | None
    """How much later it is at the end."""
    by: str
    """How that was measured; where it was not, why."""
    no_drift: str = ""
    """Why the drift is not known, where the offset is."""
    is_missing: bool = False
    """Whether there was something to measure by and it could not be done."""


def find_sync(evidence: Measurements, found: Sound, lag: SoundLag | None) -> Sync:
    """By the flashes and beeps of the output itself; where it has none, by its sound's `lag` behind the reference's.

    What the reference itself is off by is not the exporter's doing, and is taken off.
    """
    if evidence.no_times_reason is not None:
        return Sync(None, None, evidence.no_times_reason)
    flashes = None
    if evidence.marked:  # elsewhere whatever is bright where a recording has its mark would be taken for a flash
        flashes = measure_flash_sync(evidence.output.frames, evidence.matches, evidence.reference.frames, found)
    by_lag = _by_lag(evidence, lag)
    # At another rate every picture is late by up to a frame: what the two sounds say does not depend on single frames.
    if flashes is None or (evidence.wanted_rate is not None and by_lag.offset_ms is not None):
        return by_lag
    own = _reference_sync(evidence)
    start_ms, end_ms = (
        (flashes.start_ms, flashes.end_ms)
        if own is None
        else (flashes.start_ms - own.start_ms, flashes.end_ms - own.end_ms)
    )
    if flashes.flashes == 1:
        return Sync(start_ms, None, "one flash and its beep", no_drift="one flash and its beep cannot show drift")
    return Sync(start_ms, end_ms - start_ms, f"{flashes.flashes} flashes and their beeps")


def _reference_sync(evidence: Measurements) -> FlashSync | None:
    frames = evidence.reference.frames
    sound = evidence.sound.reference
    return None if sound is None else measure_flash_sync(frames, range(len(frames)), frames, sound)


def _by_lag(evidence: Measurements, lag: SoundLag | None) -> Sync:
    if lag is None:
        return Sync(None, None, "there are no flashes with beeps and no reference sound to measure sync by")
    if not lag.is_same_sound:
        unlike = "the sound is not the reference's, so its lag cannot be measured"
        return Sync(None, None, unlike, is_missing=True)
    offset_ms = lag.start_ms - _picture_lag_ms(evidence, at_end=False)
    by = "the onset of a steady sound" if lag.by_onset else "correlation with the reference's sound"
    if lag.end_ms is None:
        no_drift = "the sound is too short, or too quiet or steady at its end, to measure its lag there"
        if evidence.sound.reference is not None and evidence.sound.reference.doubled:
            no_drift = "times of the reference's sound step back: it is not known what is heard behind that, and when"
        return Sync(offset_ms, None, by, no_drift=no_drift)
    end_ms = lag.end_ms - _picture_lag_ms(evidence, at_end=True)
    return Sync(offset_ms, end_ms - offset_ms, by)


def _picture_lag_ms(evidence: Measurements, *, at_end: bool) -> float:
    """How much later pictures come than in the reference, in the first or last quarter of the matched frames.

    Counted where a picture is first shown: at twice the rate each is shown twice, and the second time is not late.
    """
    first_shown: dict[int, int] = {}
    for frame, match in enumerate(evidence.matches):
        if match is not None:
            first_shown.setdefault(match, frame)
    pairs = [(frame, match) for match, frame in first_shown.items()]
    if not pairs:
        return 0.0
    part = max(1, len(pairs) // 4)
    chosen = pairs[-part:] if at_end else pairs[:part]
    output, reference = evidence.output.frames, evidence.reference.frames
    return median(float(output[frame].time_s - reference[match].time_s) for frame, match in chosen) * 1e3


def _sampling_ms(evidence: Measurements) -> float:
    """How late a picture may rightly come where the export was asked for a rate: 0 where it was not.

    Shown at the first output frame after its own time it is up to one frame of the faster rate late. Rounded to the
    nearest output frame, as FFmpeg's `fps` does, it is up to half a frame of the output early: of those that fall to
    one output frame the last is shown. At the same rate it is as far off as the reference starts beside a multiple.
    """
    rate = evidence.reference.facts.frame_rate
    if evidence.wanted_rate is None or rate is None or not evidence.reference.frames:
        return 0.0
    if rate == evidence.wanted_rate:
        return _beside_raster_ms(evidence, rate)
    return 1e3 * max(1 / float(max(rate, evidence.wanted_rate)), 0.5 / float(evidence.wanted_rate))


def _wandering_ms(evidence: Measurements) -> float:
    """How far pictures may rightly come apart from start to end where the export was asked for a rate.

    By less than from the earliest to the latest at one rule: a frame of the faster rate, and a tenth, since FFmpeg's
    `-r` repeats or drops one only once it is 1.1 frames off. Of pictures that lie beside a raster of their own rate the
    first may go to the frame in front, and the rest to the one behind.
    """
    allowed_ms, rate = _sampling_ms(evidence), evidence.reference.facts.frame_rate
    if rate is None or rate != evidence.wanted_rate:
        return _UNTIL_REPEATED * allowed_ms
    return 1e3 / float(rate) if allowed_ms > 1e3 * float(evidence.reference.facts.time_base) else 0.0


def _beside_raster_ms(evidence: Measurements, rate: Fraction) -> float:
    """How far the reference's first picture is from the nearest frame of a rate, counted from 0 or from its start.

    FFmpeg and most editors make a file begin at 0 before they count frames, and sound may begin it.
    """
    first_s = evidence.reference.frames[0].time_s
    sound = evidence.sound.reference
    begins_s = first_s if sound is None else min(first_s, Fraction(sound.start_bin * BIN_S))
    ticks = [(first_s - origin_s) * rate for origin_s in (0, begins_s)]
    return 1e3 * float(max(abs(each - round(each)) for each in ticks) / rate)


def check_sync(evidence: Measurements, sync: Sync) -> list[Check]:
    """`audio.offset` and `audio.drift`."""
    drift_ms, allowed_ms = sync.drift_ms or 0.0, _sampling_ms(evidence)
    most_drift_ms = limits.AUDIO_DRIFT_MS + _wandering_ms(evidence)
    offset_ms, place = sync.offset_ms or 0.0, ""
    # What comes apart by less than a drift is out of sync at its end all the same, where that is beyond the limit.
    if abs(drift_ms) <= most_drift_ms and abs(offset_ms + drift_ms) > abs(offset_ms):
        offset_ms, place = offset_ms + drift_ms, " at the end"
    return [
        _within(
            "audio.offset",
            sync,
            None if sync.offset_ms is None else offset_ms,
            limits.AUDIO_OFFSET_MS + allowed_ms,
            when_good=f"sound and picture are in sync ({offset_ms:+.1f} ms by {sync.by})",
            when_bad=f"the sound is {abs(offset_ms):.1f} ms {'behind' if offset_ms > 0 else 'ahead of'} the picture"
            f"{place}, by {sync.by}",
        ),
        _within(
            "audio.drift",
            sync,
            sync.drift_ms,
            most_drift_ms,
            when_good=f"the offset does not change ({drift_ms:+.1f} ms from start to end)",
            when_bad=f"sound and picture drift apart by {drift_ms:+.1f} ms from start to end, by {sync.by}",
        ),
    ]


def _within(name: str, sync: Sync, value_ms: float | None, limit_ms: float, *, when_good: str, when_bad: str) -> Check:
    if value_ms is None:
        reason = sync.by if sync.offset_ms is None else sync.no_drift
        unknown = Check.unchecked if sync.is_missing else Check.not_applicable
        return unknown(name=name, reason=reason)
    return Check.passed_if(
        good=abs(value_ms) <= limit_ms,
        name=name,
        when_good=when_good,
        when_bad=when_bad,
        value=value_ms,
        limit=limit_ms,
        unit="ms",
    )
