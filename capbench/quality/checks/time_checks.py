"""Do time stamps, rate and length agree with the reference?"""  # noqa: D400

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from capbench.quality.added_frames import placed_pairs
from capbench.quality.checks import limits
from capbench.quality.measurements import ClipMeasurements, Measurements
from capbench.results import Check

__all__ = ["check_times"]

_FASTEST_FRAME_S = Fraction(1, 240)
_FEWEST_EVEN = 3
"""Frames that can be evenly spaced: two always are."""


def check_times(evidence: Measurements, *, sync_is_measured: bool) -> list[Check]:
    """Time stamps of the picture, in a fixed order. `sync_is_measured`: the sound says when the picture starts."""
    if evidence.no_times_reason is None:
        return [
            _monotonic(evidence),
            _start(evidence, sync_is_measured),
            _stamps(evidence),
            _rate(evidence),
            _length(evidence),
            _claimed_count(evidence),
        ]
    names = ("time.monotonic", "time.start", "time.stamps", "time.rate", "time.duration")
    checks = {name: Check.not_applicable(name=name, reason=evidence.no_times_reason) for name in names}
    if all(frame.has_time_stamp for frame in evidence.output.frames):
        checks["time.monotonic"] = _monotonic(evidence)
        if evidence.wanted_rate is not None:
            checks["time.stamps"] = _constant_stamps(evidence, evidence.wanted_rate)
    return [*checks.values(), _claimed_count(evidence)]


def _interval_s(clip: ClipMeasurements) -> Fraction:
    """Mean time from one frame to the next; of a single frame what the container claims."""
    if len(clip.frames) > 1:
        return (clip.frames[-1].time_s - clip.frames[0].time_s) / (len(clip.frames) - 1)
    return 1 / (clip.facts.frame_rate or Fraction(30))


def _monotonic(evidence: Measurements) -> Check:
    name = "time.monotonic"
    frames = evidence.output.frames
    back = [after.index for before, after in itertools.pairwise(frames) if after.time_s <= before.time_s]
    if not back:
        return Check.passed(
            name=name, message="time stamps increase from frame to frame", value=0, limit=0, unit="frames"
        )
    return Check.failed(
        name=name,
        message=f"time stamps do not increase at output frame {back[0]}",
        value=len(back),
        limit=0,
        unit="frames",
        frames=back,
    )


def _lead_s(clip: ClipMeasurements) -> Fraction:
    """How long after the start of the file the picture starts; the earliest of picture and sound is the start."""
    first = clip.frames[0].time_s
    return first - min([first, *(track.start_s for track in clip.facts.audio)])


def _start(evidence: Measurements, sync_is_measured: bool) -> Check:
    name = "time.start"
    if sync_is_measured:
        return Check.not_applicable(name=name, reason="sync with the sound was measured, see audio.offset")
    if not evidence.reference.facts.audio or not evidence.output.facts.audio:
        return Check.not_applicable(
            name=name, reason="one of the files has no sound that the picture could start late for"
        )
    first = next((match for match in evidence.matches if match is not None), 0)
    # Lost first frames are reported by another check: the rest may start where the file did, or at its own time.
    lost_s = evidence.reference.frames[first].time_s - evidence.reference.frames[0].time_s
    wanted = _lead_s(evidence.reference)
    error_ms = float(min((_lead_s(evidence.output) - wanted - late for late in (0, lost_s)), key=abs)) * 1e3
    limit_ms = limits.START_ERROR_MS
    return Check.passed_if(
        good=abs(error_ms) <= limit_ms,
        name=name,
        when_good="the picture starts at the same time as in the reference",
        when_bad=f"the picture starts {abs(error_ms):.1f} ms {'later' if error_ms > 0 else 'earlier'} than in the "
        f"reference: {float(_lead_s(evidence.output)) * 1e3:.0f} ms after the start of the file instead of "
        f"{float(wanted) * 1e3:.0f} ms",
        value=error_ms,
        limit=limit_ms,
        unit="ms",
    )


def _stamps(evidence: Measurements) -> Check:
    name = "time.stamps"
    if evidence.wanted_rate is not None:
        return _constant_stamps(evidence, evidence.wanted_rate)
    pairs = placed_pairs(evidence)
    if not pairs:
        return Check.unchecked(name=name, reason="no output frame could be matched with the reference")
    output, reference = evidence.output.frames, evidence.reference.frames
    tick_s = _rounding_s(evidence)
    # If the first frame is lost, the first matched frame is the origin.
    origin = output[pairs[0][0]].time_s - reference[pairs[0][1]].time_s
    errors = {frame: output[frame].time_s - reference[match].time_s - origin for frame, match in pairs}
    is_rounding = _are_rounded(list(errors.values()), tick_s, evidence)
    wrong = [] if is_rounding else [frame for frame, error in errors.items() if abs(error) > tick_s / 2]
    worst = max(errors.values(), key=abs)
    unit_ms = float(tick_s if is_rounding else tick_s / 2) * 1e3
    if not wrong:
        return Check.passed(
            name=name,
            message="every time stamp equals the reference's within the rounding of both files",
            value=float(abs(worst)) * 1e3,
            limit=unit_ms,
            unit="ms",
        )
    return Check.failed(
        name=name,
        message=f"{len(wrong)} of {len(pairs)} time stamps differ from the reference's, by up to "
        f"{float(worst) * 1e3:+.2f} ms, first at output frame {wrong[0]}",
        value=float(abs(worst)) * 1e3,
        limit=unit_ms,
        unit="ms",
        frames=wrong,
    )


def _rounding_s(evidence: Measurements) -> Fraction:
    """How far apart times of both files may lie: each rounds every one to its own tick, the first one too.

    Frames as many ticks apart throughout are where their file says, such as those of AVI, whose tick is a frame: it did
    not round them, and what was made of it has only its own ticks, once more where it counts in both.
    """
    own_s, given_s = evidence.output.facts.time_base, evidence.reference.facts.time_base
    return own_s + (min(own_s, given_s) if _is_even(evidence.reference) else given_s)


def _are_rounded(errors: Sequence[Fraction], tick_s: Fraction, evidence: Measurements) -> bool:
    """Whether errors, in order of the frames, are what rounding leaves; a slightly other rate is for `time.rate`."""
    ticks_s = evidence.output.facts.time_base + evidence.reference.facts.time_base
    spread_s = max(errors) - min(errors)
    if spread_s <= tick_s or spread_s > ticks_s:
        return spread_s <= tick_s
    rise_s = (errors[-1] - errors[0]) / (len(errors) - 1)
    rest = [error - number * rise_s for number, error in enumerate(errors)]
    return max(rest) - min(rest) <= tick_s


def _is_even(clip: ClipMeasurements) -> bool:
    """Whether frames are as many ticks apart throughout."""
    steps = {after.time_s - before.time_s for before, after in itertools.pairwise(clip.frames)}
    return len(steps) == 1 and len(clip.frames) >= _FEWEST_EVEN


def _constant_stamps(evidence: Measurements, rate: Fraction) -> Check:
    frames = evidence.output.frames
    tick_s = evidence.output.facts.time_base
    errors = [frame.time_s - frames[0].time_s - frame.index / rate for frame in frames]
    wrong = [index for index, error in enumerate(errors) if abs(error) > tick_s / 2]
    worst_ms = float(max(abs(error) for error in errors)) * 1e3
    if not wrong:
        return Check.passed(
            name="time.stamps",
            message=f"frames are 1/{rate} s apart throughout",
            value=worst_ms,
            limit=float(tick_s / 2) * 1e3,
            unit="ms",
        )
    return Check.failed(
        name="time.stamps",
        message=f"{len(wrong)} time stamps are off the grid of {rate} fps by up to {worst_ms:.2f} ms",
        value=worst_ms,
        limit=float(tick_s / 2) * 1e3,
        unit="ms",
        frames=wrong,
    )


def _rate(evidence: Measurements) -> Check:
    name = "time.rate"
    if evidence.wanted_rate is not None:
        wanted_rate: Fraction | None = evidence.wanted_rate
        found = 1 / _interval_s(evidence.output) if _interval_s(evidence.output) else Fraction(0)
        error = float(found / evidence.wanted_rate) - 1
    else:
        pairs = placed_pairs(evidence)
        if len(pairs) < 2 or pairs[-1][1] == pairs[0][1]:
            return Check.not_applicable(name=name, reason="a single frame has no rate")
        (first, first_match), (last, last_match) = pairs[0], pairs[-1]
        reference, output = evidence.reference.frames, evidence.output.frames
        lasted = output[last].time_s - output[first].time_s
        if not lasted:
            return Check.failed(name=name, message="all frames carry the same time stamp")
        # Of the frames between the same two pictures, so that a lost frame elsewhere does not count as a rate.
        error = float((reference[last_match].time_s - reference[first_match].time_s) / lasted) - 1
        wanted_rate = 1 / _interval_s(evidence.reference)
        mean_rate = (len(output) - 1) / (output[-1].time_s - output[0].time_s)
        if abs(mean_rate / wanted_rate - 1) > limits.OTHER_RATE:
            return Check.failed(
                name=name,
                message=f"the output has {float(mean_rate):.3f} fps on average, the reference {float(wanted_rate):.3f}"
                "; if this is intended, pass --expect-fps",
                value=float(mean_rate),
                limit=float(wanted_rate),
                unit="fps",
            )
    length_s = float(evidence.output.frames[-1].time_s - evidence.output.frames[0].time_s)
    # Both ends of both files are rounded to their ticks, by half a tick each.
    rounding_s = float(evidence.output.facts.time_base)
    rounding_s += rounding_s if evidence.wanted_rate is not None else float(evidence.reference.facts.time_base)
    limit = max(limits.RATE_ERROR, rounding_s / max(length_s, 1e-9))
    found_rate = float(wanted_rate or 0) * (1 + error)
    return Check.passed_if(
        good=abs(error) <= limit,
        name=name,
        when_good=f"the rate is {found_rate:.3f} fps, as expected",
        when_bad=f"the rate is {found_rate:.3f} instead of {float(wanted_rate or 0):.3f} fps: after a minute the "
        f"picture is {abs(error) * 60:.2f} s {'ahead' if error > 0 else 'behind'}",
        value=error * 100,
        limit=limit * 100,
        unit="%",
    )


def _length(evidence: Measurements) -> Check:
    name = "time.duration"
    if evidence.reference.error is not None:
        return Check.unchecked(name=name, reason="the reference does not decode to the end, so its length is unknown")
    clips = (evidence.reference, evidence.output)
    holds = [_last_held_s(clip) for clip in clips]
    are_held = None not in holds
    lengths = [
        clip.frames[-1].time_s - clip.frames[0].time_s + ((held_s if are_held else None) or _interval_s(clip))
        for clip, held_s in zip(clips, holds, strict=True)
    ]
    error_s = float(lengths[1] - lengths[0])
    # A last picture that is not held is short by no more than that picture: it may not hide behind a mean interval,
    # which in a recording of few pictures is seconds. That it is held too long is the muxer's guess and no loss.
    is_short = error_s < 0
    frame_s = max(map(_shortest_s if is_short and are_held else _interval_s, clips))
    limit_s = limits.DURATION_ERROR_FRAMES * float(frame_s)
    lost_s = float((holds[0] or 0) - (holds[1] or 0))
    is_last = are_held and is_short and abs(lost_s + error_s) <= limit_s
    held = ": its last frame is not shown as long" if is_last else ""
    return Check.passed_if(
        good=abs(error_s) <= limit_s,
        name=name,
        when_good=f"the picture lasts {float(lengths[1]):.3f} s, as in the reference",
        when_bad=f"the picture lasts {float(lengths[1]):.3f} s instead of {float(lengths[0]):.3f} s{held}",
        value=error_s,
        limit=limit_s,
        unit="s",
    )


def _last_held_s(clip: ClipMeasurements) -> Fraction | None:
    """How long the last frame is shown, in seconds; None where the file does not say.

    What ISO/IEC 14496-12 (8.6.1.2) states of a sample is the time until the next one is decoded. Where frames come
    unevenly and in another order, that is the gap around another picture.
    """
    gaps = [after.time_s - before.time_s for before, after in itertools.pairwise(clip.frames)]
    is_uneven = bool(gaps) and max(gaps) - min(gaps) > 2 * clip.facts.time_base
    is_of_decoding = "mp4" in clip.facts.container and clip.facts.reorders
    return None if is_uneven and is_of_decoding else clip.frames[-1].lasts_s


def _shortest_s(clip: ClipMeasurements) -> Fraction:
    """Shortest time from one frame to the next, not shorter than a frame of the fastest screens."""
    gaps = (after.time_s - before.time_s for before, after in itertools.pairwise(clip.frames))
    return max(min((gap for gap in gaps if gap > 0), default=_interval_s(clip)), _FASTEST_FRAME_S)


def _claimed_count(evidence: Measurements) -> Check:
    name = "file.frame_count"
    claimed, decoded = evidence.output.facts.claimed_frames, len(evidence.output.frames)
    if not claimed:
        return Check.not_applicable(name=name, reason="the container does not state a number of frames")
    if evidence.output.facts.container == "avi" and decoded:
        # AVI has no times: an empty chunk shows the frame before it for another tick, and is counted.
        lasted = evidence.output.frames[-1].time_s - evidence.output.frames[0].time_s
        claimed -= round(lasted / evidence.output.facts.time_base) - (decoded - 1)
    return Check.passed_if(
        good=claimed == decoded,
        name=name,
        when_good=f"all {claimed} frames claimed by the header decode",
        when_bad=f"the header claims {claimed} frames, but {decoded} decode",
        value=decoded,
        limit=claimed,
        unit="frames",
    )
