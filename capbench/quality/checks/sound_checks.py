"""Is the sound there, complete, as loud, as wide and in sync?"""  # noqa: D400

from __future__ import annotations

import math

import numpy as np

from capbench.quality.checks import limits
from capbench.quality.checks.kept_sides import differed_where_kept, is_wide_where_kept
from capbench.quality.checks.sync_checks import check_sync, find_sync
from capbench.quality.measurements import Measurements
from capbench.quality.metrics.sound_lag import SoundLag, is_audible, measure_lag, silent_gaps
from capbench.quality.metrics.sound_spectra import KeptBand, measure_kept_band, measure_pitch
from capbench.quality.metrics.stereo_image import (
    ChannelOrder,
    find_missing_channels,
    measure_channel_order,
    measure_stereo_image,
)
from capbench.quality.reading.sound_envelope import Sound
from capbench.results import Check

__all__ = ["SoundVerdict", "check_sound"]

_SILENT_LEVEL = 1e-4
"""-80 dB of full scale: not an intentional recording."""
_NEARLY_SILENT = 2.0
"""Factor by which a silent sound is quieter than its reference, `AUDIO_FAINT_LEVEL_DB`."""
_LEAST_ENERGY = 1e-12
"""Ratio of two energies, so that it has a logarithm."""
_NAMES = (
    "audio.decodes",
    "audio.channels",
    "audio.sides",
    "audio.polarity",
    "audio.length",
    "audio.level",
    "audio.content",
    "audio.pitch",
    "audio.offset",
    "audio.drift",
    "audio.gaps",
    "audio.clipping",
)


class SoundVerdict:
    """Checks of the sound and the two figures that a report shows by themselves."""

    def __init__(self, checks: list[Check], offset_ms: float | None = None, drift_ms: float | None = None) -> None:
        self.checks = checks
        """In a fixed order."""
        self.offset_ms = offset_ms
        """Sound against picture at the start, compared with the reference; positive when the sound is late."""
        self.drift_ms = drift_ms
        """Change of it until the end."""


def check_sound(evidence: Measurements) -> SoundVerdict:
    """All checks of the sound. `audio.present` fails alone where there is none; the rest is not applicable then."""
    wanted, found = (_heard(sound) for sound in (evidence.sound.reference, evidence.sound.output))
    if wanted is None:
        return _without_reference(evidence, found)
    if not len(wanted.level):
        lost = f"the reference's sound cannot be compared: {wanted.error}"
        return SoundVerdict([Check.unchecked(name=name, reason=lost) for name in ("audio.present", *_NAMES)])
    if found is None and evidence.output.facts.is_gif:
        silent = "a GIF has no sound"
        return SoundVerdict([Check.not_applicable(name=name, reason=silent) for name in ("audio.present", *_NAMES)])
    if found is None:
        there = "an empty one" if evidence.sound.output is not None else "none"
        return _missing(
            f"the sound is missing: the reference has {wanted.tracks} audio track(s), the output {there}",
            because="the output has no sound",
        )
    if not len(found.level):
        return _missing(f"the sound cannot be decoded: {found.error}", because="the output's sound does not decode")
    # Of noise just above that a coder leaves some out, which makes nobody's sound silent.
    if wanted.loudness >= _SILENT_LEVEL > found.loudness and found.loudness < wanted.loudness / _NEARLY_SILENT:
        return _missing("the audio track is silent, the reference's is not", because="the output is silent")
    lag = measure_lag(wanted, found)
    sync = find_sync(evidence, found, lag)
    checks = [
        Check.passed(name="audio.present", message=f"{found.tracks} audio track(s), {found.length_s:.2f} s"),
        _decodes(wanted, found),
        _channels(wanted, found, lag),
        *_stereo_image(wanted, found, lag),
        _length(wanted, found),
        _level(wanted, found, lag),
        _content(wanted, lag),
        _pitch(wanted, found, lag),
        *check_sync(evidence, sync),
        _gaps(wanted, found, lag),
        _clipping(wanted, found),
    ]
    return SoundVerdict(checks, sync.offset_ms, sync.drift_ms)


def _heard(sound: Sound | None) -> Sound | None:
    """None for tracks in which there is nothing to decode: they are as good as none."""
    return None if sound is None or (not len(sound.level) and sound.error is None) else sound


def _missing(message: str, *, because: str) -> SoundVerdict:
    rest = (Check.not_applicable(name=name, reason=because) for name in _NAMES)
    return SoundVerdict([Check.failed(name="audio.present", message=message), *rest])


def _without_reference(evidence: Measurements, found: Sound | None) -> SoundVerdict:
    """The reference has no sound: the output's own may still be out of sync with its own pictures."""
    note = "the reference has no sound"
    if evidence.sound.reference is not None:
        note = "the reference's audio track is empty"
    if found is None or not len(found.level):
        rest = (Check.not_applicable(name=name, reason=note) for name in _NAMES)
        return SoundVerdict([Check.passed(name="audio.present", message=note), *rest])
    sync = find_sync(evidence, found, None)
    in_sync = {check.name: check for check in check_sync(evidence, sync)}
    return SoundVerdict(
        [
            Check.passed(name="audio.present", message=f"{note}, the output has sound"),
            *(in_sync.get(name) or Check.not_applicable(name=name, reason=note) for name in _NAMES),
        ],
        sync.offset_ms,
        sync.drift_ms,
    )


def _known_lag(wanted: Sound, found: Sound, lag: SoundLag | None) -> SoundLag:
    """How late the sound is; what has no lag that can be measured is taken to be where its time stamps put it."""
    if lag is not None and lag.is_same_sound:
        return lag
    return SoundLag((found.origin_s - wanted.origin_s) * 1e3, None, 0.0)


def _lag_ms(wanted: Sound, found: Sound, lag: SoundLag | None) -> float:
    return _known_lag(wanted, found, lag).start_ms


def _decodes(wanted: Sound, found: Sound) -> Check:
    if found.error is None and wanted.error is not None:
        # A damaged reference cannot be compared after the damage, which is not a fault of the output.
        return Check.unchecked(
            name="audio.decodes", reason=f"the reference's own sound does not decode to the end: {wanted.error}"
        )
    if found.error is None and found.stray_times > wanted.stray_times:
        return Check.failed(
            name="audio.decodes",
            message=f"{found.stray_times} time stamps of the sound lie far from those around them",
        )
    if found.error is None:
        return Check.passed(name="audio.decodes", message="the sound decodes to the end")
    return Check.failed(name="audio.decodes", message=f"the sound does not decode: {found.error}")


def _channels(wanted: Sound, found: Sound, lag: SoundLag | None) -> Check:
    name = "audio.channels"
    # Of more channels Dolby Surround makes sides that differ on purpose.
    is_faint = not is_audible(wanted)
    was_alike = (
        not is_faint and wanted.channels < 3 and (wanted.channels < 2 or wanted.side_share < limits.AUDIO_SIDE_SHARE)
    )
    if (
        was_alike
        and found.channels > 1
        and found.side_share > limits.AUDIO_SIDE_ADDED
        and not differed_where_kept(_kept_band(wanted, found, lag))
    ):
        return Check.failed(
            name=name,
            message="left and right differ, in the reference they are the same: one may be silent or turned over",
            value=found.side_share,
            limit=limits.AUDIO_SIDE_ADDED,
        )
    if wanted.channels < 2:
        return Check.not_applicable(name=name, reason="the reference is mono")
    if found.channels < 2:
        return Check.failed(
            name=name,
            message=f"mono instead of stereo: the output has 1 channel, the reference {wanted.channels}",
            value=1,
            limit=2,
            unit="channels",
        )
    is_wide = not is_faint and wanted.side_share >= limits.AUDIO_SIDE_SHARE
    least_share = limits.AUDIO_SIDE_KEPT * min(1.0, wanted.side_share)
    if is_wide and found.side_share < least_share and not is_wide_where_kept(_kept_band(wanted, found, lag)):
        return Check.failed(
            name=name,
            message="mono instead of stereo: both channels are equal, in the reference they differ",
            value=found.side_share,
            limit=least_share,
        )
    lag_ms = _lag_ms(wanted, found, lag)
    missing = find_missing_channels(wanted, found, lag_ms, least_share=limits.AUDIO_SIDE_SHARE)
    if missing:
        return Check.failed(name=name, message=f"{', '.join(missing)} of the reference is missing from the mix")
    return Check.passed(name=name, message=f"{found.channels} channels", value=found.channels, limit=2, unit="channels")


def _kept_band(wanted: Sound, found: Sound, lag: SoundLag | None) -> KeptBand | None:
    is_comparable = wanted.channels == found.channels
    return measure_kept_band(wanted, found, _lag_ms(wanted, found, lag)) if is_comparable else None


def _stereo_image(wanted: Sound, found: Sound, lag: SoundLag | None) -> list[Check]:
    """`audio.sides` and `audio.polarity`."""
    sides, polarity = "audio.sides", "audio.polarity"
    if found.channels < 2:
        why = "the output has a single channel"
        return [Check.not_applicable(name=name, reason=why) for name in (sides, polarity)]
    lag_ms = _lag_ms(wanted, found, lag)
    order = measure_channel_order(wanted, found, lag_ms, least_share=limits.AUDIO_SIDE_SHARE)
    if order is not None and (order.moved or order.turned):
        return _wrong_channels(order)
    image = measure_stereo_image(wanted, found, lag_ms, least_share=limits.AUDIO_SIDE_SHARE)
    if image is None or image.alike < limits.AUDIO_ALIKE_SHARE:
        why = "the sound cannot be compared sample by sample: it is silent, too far out of sync or not the same"
        return [Check.not_applicable(name=name, reason=why) for name in (sides, polarity)]
    limit = limits.AUDIO_TURNED
    if image.polarity is not None and image.polarity < limit:
        return [
            Check.not_applicable(
                name=sides, reason="left and right cannot be told apart: the polarity of one is inverted"
            ),
            Check.failed(
                name=polarity,
                message="the polarity of one channel is inverted: what both share cancels out when they are mixed",
                value=image.polarity,
                limit=limit,
            ),
        ]
    only = "only one channel carries sound, or the channels are swapped"
    return [
        Check.not_applicable(name=sides, reason="left and right hardly differ in the reference")
        if image.sides is None
        else Check.passed_if(
            good=image.sides >= limit,
            name=sides,
            when_good=f"left and right are not swapped ({image.pieces} excerpts compared)",
            when_bad="left and right are swapped: their difference is inverted, their sum is not",
            value=image.sides,
            limit=limit,
        ),
        Check.not_applicable(name=polarity, reason=only)
        if image.polarity is None
        else Check.passed(
            name=polarity, message="both channels have the polarity of the reference", value=image.polarity, limit=limit
        ),
    ]


def _wrong_channels(order: ChannelOrder) -> list[Check]:
    """`audio.sides` and `audio.polarity` of a sound with more than two channels."""
    moved = ", ".join(f"{name} has what was in {origin}" for name, origin in order.moved)
    turned = ", ".join(order.turned)
    return [
        Check.passed_if(
            good=not moved,
            name="audio.sides",
            when_good="each channel is where it was",
            when_bad=f"channels are exchanged: {moved}",
        ),
        Check.passed_if(
            good=not turned,
            name="audio.polarity",
            when_good="all channels swing as in the reference",
            when_bad=f"the polarity of {turned} is turned against that of the other channels",
        ),
    ]


def _length(wanted: Sound, found: Sound) -> Check:
    error_ms = (found.length_s - wanted.length_s) * 1e3
    # A longer tail is padding; what must not happen is that the end is cut off.
    return Check.passed_if(
        good=error_ms >= -limits.AUDIO_LENGTH_MS,
        name="audio.length",
        when_good=f"the sound lasts {found.length_s:.2f} s, the reference's {wanted.length_s:.2f} s",
        when_bad=f"the sound ends {-error_ms:.0f} ms early: {found.length_s:.2f} s instead of {wanted.length_s:.2f} s",
        value=error_ms,
        limit=-limits.AUDIO_LENGTH_MS,
        unit="ms",
    )


def _energy(sound: Sound, end_bin: float = math.inf) -> float:
    """Of what varies, up to a time: silence, which one file stores where another has a later start, adds none."""
    kept = len(sound.level) if math.isinf(end_bin) else max(1, round(end_bin) - sound.start_bin)
    return float(np.square(sound.level[:kept], dtype=np.float64).sum()) * (1 - sound.constant_share)


def _level(wanted: Sound, found: Sound, lag: SoundLag | None) -> Check:
    name = "audio.level"
    if wanted.loudness < _SILENT_LEVEL:
        return Check.not_applicable(name=name, reason="the reference is silent")
    # What was cut off at the end is missing, and not quiet: audio.length tells of it.
    cut_bin = found.start_bin + len(found.level) - _lag_ms(wanted, found, lag)
    energy = _energy(wanted, cut_bin)
    if not energy:
        return Check.not_applicable(name=name, reason="the reference is silent where the output has sound")
    change_db = 10 * math.log10(max(_energy(found) / energy, _LEAST_ENERGY))
    limit_db = limits.AUDIO_LEVEL_DB if wanted.channels == found.channels else limits.AUDIO_PAN_LEVEL_DB
    if wanted.channels > 2:
        limit_db = limits.AUDIO_LEVEL_DB
    if not is_audible(wanted):
        limit_db = limits.AUDIO_FAINT_LEVEL_DB
    if wanted.tracks > 1:
        limit_db = limits.AUDIO_MIX_LEVEL_DB
    # A mix of more than two channels may be scaled so that it cannot clip, or not, or anything between.
    is_mixed = found.channels < wanted.channels and wanted.downmix_gain > 1
    scaled_db = 20 * math.log10(wanted.downmix_gain) + limits.AUDIO_DOWNMIX_LEVEL_DB if is_mixed else 0.0
    if abs(change_db) > limit_db and wanted.tracks == 1:
        # What a coder leaves out above its band, or adds to a quiet sound, is no other level.
        kept = _kept_band(wanted, found, lag)
        is_known = kept is not None and kept.share >= limits.AUDIO_CODED_SHARE
        if kept is not None and is_known and abs(kept.energy_db) <= limits.AUDIO_CODED_LEVEL_DB:
            change_db = min(change_db, kept.level_db, key=abs)
    is_loud = change_db > limit_db
    than = "the reference" if not scaled_db else "the reference mixed to two channels by ITU-R BS.775"
    return Check.passed_if(
        good=-scaled_db - limit_db <= change_db <= limit_db,
        name=name,
        when_good=f"as loud as {than} ({change_db:+.1f} dB)",
        when_bad=f"{abs(change_db):.1f} dB {'louder' if is_loud else 'quieter'} than {than}",
        value=change_db,
        limit=limit_db if is_loud or not scaled_db else -scaled_db - limit_db,
        unit="dB",
    )


def _content(wanted: Sound, lag: SoundLag | None) -> Check:
    name = "audio.content"
    if lag is None or lag.by_onset:
        why = "silent" if wanted.loudness < _SILENT_LEVEL else "too short or too steady to recognise"
        return Check.not_applicable(name=name, reason=f"the reference's sound is {why}")
    return Check.passed_if(
        good=lag.is_same_sound,
        name=name,
        when_good="the sound is the same as the reference's",
        when_bad="the sound is not the reference's: its envelope does not correlate at any lag up to 2 s",
        value=lag.correlation,
        limit=0.5,
    )


def _pitch(wanted: Sound, found: Sound, lag: SoundLag | None) -> Check:
    name = "audio.pitch"
    factor = measure_pitch(wanted, found, _lag_ms(wanted, found, lag))
    if factor is None:
        return Check.not_applicable(name=name, reason="the sound has no pitch, or is too far out of sync to compare it")
    change = factor - 1
    return Check.passed_if(
        good=abs(change) <= limits.AUDIO_PITCH,
        name=name,
        when_good="the pitch is that of the reference",
        when_bad=f"the pitch is {abs(change):.1%} too {'high' if change > 0 else 'low'}: every frequency is "
        f"multiplied by {factor:.3f}",
        value=change,
        limit=limits.AUDIO_PITCH,
    )


def _gaps(wanted: Sound, found: Sound, lag: SoundLag | None) -> Check:
    name = "audio.gaps"
    gaps = silent_gaps(wanted, found, _known_lag(wanted, found, lag), least_ms=limits.AUDIO_GAP_MS)
    total_ms = sum(end - start for start, end in gaps) * 1e3
    if not gaps:
        return Check.passed(
            name=name,
            message="no gaps where the reference has sound",
            value=total_ms,
            limit=limits.AUDIO_GAP_MS,
            unit="ms",
        )
    start_s = gaps[0][0]
    return Check.failed(
        name=name,
        message=f"silent for {total_ms:.0f} ms where the reference has sound, first at {start_s:.2f} s",
        value=total_ms,
        limit=limits.AUDIO_GAP_MS,
        unit="ms",
    )


def _clipping(wanted: Sound, found: Sound) -> Check:
    # Of a sound that is loud throughout, coding alone takes to full scale what was just below.
    more = found.clipped_share - max(wanted.clipped_share, wanted.loud_share)
    return Check.passed_if(
        good=more <= limits.AUDIO_CLIPPED_SHARE,
        name="audio.clipping",
        when_good="no more clipping than in the reference",
        when_bad=f"clipped: {found.clipped_share:.1%} of samples at full scale instead of {wanted.clipped_share:.1%}",
        value=more,
        limit=limits.AUDIO_CLIPPED_SHARE,
    )
