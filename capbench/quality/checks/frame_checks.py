"""Is every frame there, once, in order, on time and not empty?"""  # noqa: D400

from __future__ import annotations

import itertools

from capbench.quality.added_frames import added_at_start, placed_pairs
from capbench.quality.checks import limits
from capbench.quality.checks.empty_frames import is_black, is_green
from capbench.quality.measurements import Measurements
from capbench.results import Check

__all__ = ["check_frames"]

_MOST_NAMED = 5
"""Frames that a message names one by one."""


def check_frames(evidence: Measurements) -> list[Check]:
    """Identity and content of the frames, in a fixed order."""
    return [
        _first(evidence),
        _last(evidence),
        _missing(evidence),
        _repeated(evidence),
        _order(evidence),
        _late(evidence),
        _unreadable(evidence),
        *_empty(evidence),
        _frozen(evidence),
    ]


def _frames_named(frames: list[int]) -> str:
    if len(frames) > _MOST_NAMED and frames == list(range(frames[0], frames[-1] + 1)):
        return f"{frames[0]} to {frames[-1]}"
    shown = ", ".join(str(frame) for frame in frames[:_MOST_NAMED])
    return shown + (f" and {len(frames) - _MOST_NAMED} more" if len(frames) > _MOST_NAMED else "")


def _plural(count: int, thing: str = "frame") -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _slack(evidence: Measurements) -> int:
    """Reference frames that may be skipped or shown twice because the output has another rate."""
    if evidence.wanted_rate is None or evidence.reference.facts.frame_rate is None:
        return 0
    return max(1, -(-evidence.reference.facts.frame_rate // evidence.wanted_rate))


def _is_between_ticks(evidence: Measurements, one: int, other: int) -> bool:
    """Whether two reference frames are so close that an output of another rate shows only one of them.

    Where frames come unevenly, the mean rate does not say how many those are.
    """
    frames = evidence.reference.frames
    apart_s = abs(frames[one].time_s - frames[other].time_s)
    return evidence.wanted_rate is not None and apart_s <= 1 / evidence.wanted_rate


def _first(evidence: Measurements) -> Check:
    name = "frames.first"
    found = next((match for match in evidence.matches if match is not None), None)
    if found is None:
        return Check.unchecked(name=name, reason="no output frame could be matched with the reference")
    if added := added_at_start(evidence):
        return Check.failed(
            name=name,
            message=f"added at the start: {_plural(added)}; the reference's first is frame {added} of the output",
            value=added,
            limit=0,
            unit="frames",
            frames=list(range(added)),
        )
    if found <= _slack(evidence) or _is_between_ticks(evidence, 0, found):
        return Check.passed(
            name=name, message="the output starts with the reference's first frame", value=0, limit=0, unit="frames"
        )
    return Check.failed(
        name=name,
        message=f"lost at the start: {_plural(found)}; the output begins with frame {found} of the reference",
        value=found,
        limit=0,
        unit="frames",
        frames=list(range(found)),
    )


def _last(evidence: Measurements) -> Check:
    name = "frames.last"
    if evidence.reference.error is not None:
        return Check.unchecked(
            name=name, reason=f"the reference itself does not decode to the end: {evidence.reference.error}"
        )
    found = max((match for match in evidence.matches if match is not None), default=None)
    if found is None:
        return Check.unchecked(name=name, reason="no output frame could be matched with the reference")
    total = len(evidence.reference.frames)
    lost = _lost_at_end(evidence)
    if lost <= _slack(evidence) or _is_between_ticks(evidence, found, total - 1):
        return Check.passed(
            name=name,
            message=f"the output ends with the reference's last frame, {total - 1}",
            value=0,
            limit=0,
            unit="frames",
        )
    if evidence.ends_alike:
        return Check.passed(
            name=name,
            message="the output ends with the reference's last picture; see frames.missing for gaps before it",
            value=0,
            limit=0,
            unit="frames",
        )
    return Check.failed(
        name=name,
        message=f"lost at the end: {_plural(lost)} of {total}; the output ends with frame {found}",
        value=lost,
        limit=0,
        unit="frames",
        frames=list(range(found + 1, total)),
    )


def _lost_at_end(evidence: Measurements) -> int:
    """Reference frames behind the last one that was matched."""
    return len(evidence.reference.frames) - 1 - max(match for match in evidence.matches if match is not None)


def _missing(evidence: Measurements) -> Check:
    name = "frames.missing"
    if evidence.wanted_rate is not None:
        return Check.not_applicable(name=name, reason=f"frames are resampled to {evidence.wanted_rate} fps")
    shown = {match for match in evidence.matches if match is not None}
    if not shown:
        return Check.unchecked(name=name, reason="no output frame could be matched with the reference")
    lost = [index for index in range(min(shown), max(shown)) if index not in shown]
    how = f"matched by {evidence.aligned_by}"
    unplaced = _lost_at_end(evidence) if evidence.ends_alike and evidence.reference.error is None else 0
    if unplaced:
        # Similar pictures are matched by their times, which may have been closed up over a gap.
        return Check.failed(
            name=name,
            message=f"missing: {_plural(unplaced + len(lost))} of the reference ({how}); the output ends with its last "
            "picture, and the pictures before it are too similar to tell where frames are missing",
            value=unplaced + len(lost),
            limit=0,
            unit="frames",
            frames=lost,
        )
    if not lost:
        return Check.passed(
            name=name,
            message=f"no frame is missing between the first and the last ({how})",
            value=0,
            limit=0,
            unit="frames",
        )
    return Check.failed(
        name=name,
        message=f"missing in the middle: {_plural(len(lost))} of the reference ({how}): {_frames_named(lost)}",
        value=len(lost),
        limit=0,
        unit="frames",
        frames=lost,
    )


def _repeated(evidence: Measurements) -> Check:
    name = "frames.repeated"
    if evidence.wanted_rate is not None:
        return Check.not_applicable(name=name, reason=f"frames are resampled to {evidence.wanted_rate} fps")
    seen: set[int] = set()
    again = []
    for frame, match in placed_pairs(evidence):
        if not _identified(evidence, frame):
            continue
        if match in seen:
            again.append(frame)
        seen.add(match)
    if not again:
        return Check.passed(name=name, message="no frame is repeated", value=0, limit=0, unit="frames")
    return Check.failed(
        name=name,
        message=f"repeated: {_plural(len(again))} of the output show an earlier picture again: {_frames_named(again)}",
        value=len(again),
        limit=0,
        unit="frames",
        frames=again,
    )


def _identified(evidence: Measurements, frame: int) -> bool:
    is_numbered = evidence.marked and evidence.small_marks is None
    return not is_numbered or evidence.output.frames[frame].number is not None


def _order(evidence: Measurements) -> Check:
    name = "frames.order"
    highest = -1
    back = []
    for frame, match in placed_pairs(evidence):
        if not _identified(evidence, frame):
            continue
        if match < highest:
            back.append(frame)
        highest = max(highest, match)
    if not back:
        return Check.passed(name=name, message="frames are in the reference's order", value=0, limit=0, unit="frames")
    return Check.failed(
        name=name,
        message=f"{_plural(len(back))} out of order: output frame {back[0]} shows reference frame "
        f"{evidence.matches[back[0]]} after a later one",
        value=len(back),
        limit=0,
        unit="frames",
        frames=back,
    )


def _late(evidence: Measurements) -> Check:
    """A picture that is on screen at a time at which the reference shows a later one."""
    name = "frames.late"
    pairs = placed_pairs(evidence)
    if evidence.no_times_reason is not None:
        return Check.not_applicable(name=name, reason=evidence.no_times_reason)
    if pairs and len(evidence.reference.frames) == 1:
        return Check.not_applicable(name=name, reason="the reference is a single picture, so none can be late")
    if len(pairs) < 2:
        return Check.unchecked(name=name, reason="fewer than two output frames could be matched with the reference")
    output, reference = evidence.output.frames, evidence.reference.frames
    interval_s = float((reference[-1].time_s - reference[0].time_s) / max(1, len(reference) - 1))
    if evidence.wanted_rate is not None:
        interval_s = max(interval_s, float(1 / evidence.wanted_rate))
    first, first_match = pairs[0]
    origin = output[first].time_s - reference[first_match].time_s
    delays = {frame: float(output[frame].time_s - reference[match].time_s - origin) for frame, match in pairs}
    if evidence.wanted_rate is not None:
        # At another rate a picture that the reference holds is shown again: late only once a later one is due. How
        # long the last one may be held is a matter of the length.
        for (_, before), (frame, match) in itertools.pairwise(pairs):
            if match == before:
                until_s = reference[match + 1].time_s if match + 1 < len(reference) else None
                since_s = 0.0 if until_s is None else float(output[frame].time_s - until_s - origin)
                delays[frame] = max(0.0, since_s)
    limit_s = interval_s * (1.5 if evidence.wanted_rate is not None else 0.5)
    late = [frame for frame, delay in delays.items() if delay > limit_s]
    worst_ms = max(delays.values()) * 1e3
    if not late:
        return Check.passed(
            name=name, message="no frame is late", value=max(0.0, worst_ms), limit=limit_s * 1e3, unit="ms"
        )
    return Check.failed(
        name=name,
        message=f"late by up to {worst_ms:.1f} ms, in {_plural(len(late))}: {_frames_named(late)}",
        value=worst_ms,
        limit=limit_s * 1e3,
        unit="ms",
        frames=late,
    )


def _unreadable(evidence: Measurements) -> Check:
    name = "frames.readable"
    if not evidence.marked:
        return Check.not_applicable(
            name=name,
            reason=f"no burnt-in frame numbers in the reference; frames are matched by {evidence.aligned_by}",
        )
    if evidence.small_marks is not None:
        return Check.not_applicable(
            name=name, reason=f"{evidence.small_marks}; frames are matched by {evidence.aligned_by}"
        )
    visible = [record for record in evidence.output.frames if record.number_visible]
    lost = [record.index for record in visible if record.number is None]
    if not visible:
        return Check.not_applicable(name=name, reason="the scene hides the burnt-in frame numbers")
    if not lost:
        return Check.passed(
            name=name,
            message=f"the burnt-in frame number was read in {_plural(len(visible))}",
            value=0,
            limit=0,
            unit="frames",
        )
    if len(lost) == len(visible):
        return Check.unchecked(
            name=name, reason="the reference has burnt-in frame numbers, but none could be read in the output"
        )
    return Check.failed(
        name=name,
        message=f"the burnt-in frame number cannot be read in {_plural(len(lost))}, which are torn or damaged: "
        f"{_frames_named(lost)}",
        value=len(lost),
        limit=0,
        unit="frames",
        frames=lost,
    )


def _empty(evidence: Measurements) -> list[Check]:
    black, green = [], []
    for record, match in zip(evidence.output.frames, evidence.matches, strict=True):
        wanted = None if match is None else evidence.reference.frames[match]
        # What is nearly black itself may be black in the output by what coding and rounding make.
        if is_black(record) and not (wanted and is_black(wanted, limits.NEARLY_BLACK)):
            black.append(record.index)
        elif is_green(record, evidence.output.spec) and not (wanted and is_green(wanted, evidence.reference.spec)):
            green.append(record.index)
    checks = []
    for name, found, what in (("frames.black", black, "black"), ("frames.green", green, "green (empty NV12)")):
        if found:
            message = f"{what} where the reference is not, in {_plural(len(found))}: {_frames_named(found)}"
            checks.append(
                Check.failed(name=name, message=message, value=len(found), limit=0, unit="frames", frames=found)
            )
        else:
            checks.append(
                Check.passed(name=name, message=f"no frame is unexpectedly {what}", value=0, limit=0, unit="frames")
            )
    return checks


def _is_coding(moved: float, off: float | None, began_off: float | None) -> bool:
    """Whether coarse coding may have left a picture as the one before was: it hides faint movement, and grain.

    The picture then goes on to be off by as much as when it began to stand still. What was left behind is off by more.
    """
    if off is None or began_off is None:
        return False
    return moved < limits.HIDDEN_MOVE * began_off and off < limits.LEFT_BEHIND * began_off


def _frozen(evidence: Measurements) -> Check:
    name = "frames.frozen"
    if evidence.wanted_rate is not None:
        return Check.not_applicable(name=name, reason=f"frames are resampled to {evidence.wanted_rate} fps")
    still = []
    moving = 0
    off = dict(enumerate([] if evidence.pictures is None else evidence.pictures.mean_cell_codes))
    worst = dict(enumerate([] if evidence.pictures is None else evidence.pictures.worst_cell_codes))
    began_off = off.get(0)  # by how much the last picture that moved was off
    for record, match in zip(evidence.output.frames[1:], evidence.matches[1:], strict=True):
        if match is None or match == 0 or not record.number_visible:
            continue  # out of sight: a zoom may leave what moves outside the picture
        wanted = evidence.reference.frames[match].moved_codes
        if wanted < limits.FROZEN_MOVE_CODES:
            continue
        is_still = record.moved_codes < limits.FROZEN_SHARE * wanted
        if is_still and _is_coding(wanted, off.get(record.index), began_off):
            continue
        cell = worst.get(record.index)
        if is_still and cell is not None and cell[0] <= limits.SHOWN_CODES:
            continue  # it shows what it should: a flicker of a code or two was left out
        began_off = began_off if is_still else off.get(record.index)
        moving += 1
        if is_still:
            still.append(record.index)
    if not moving:
        return Check.not_applicable(
            name=name, reason="the reference hardly moves, so a frozen picture cannot be detected"
        )
    if not still:
        return Check.passed(
            name=name,
            message=f"the picture moves in all {moving} frames in which the reference moves",
            value=0,
            limit=0,
            unit="frames",
        )
    return Check.failed(
        name=name,
        message=f"the picture is frozen in {_plural(len(still))} in which the reference moves: {_frames_named(still)}",
        value=len(still),
        limit=0,
        unit="frames",
        frames=still,
    )
