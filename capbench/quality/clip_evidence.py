"""What was seen of one file, and whether the times of two can be compared."""

from __future__ import annotations

import itertools

from capbench.pipeline.decode.frame_times import Pauses
from capbench.quality.measurements import ClipMeasurements
from capbench.quality.oracle.display_turn import UNTURNED
from capbench.quality.oracle.placement import chroma_place
from capbench.quality.reading.observed_frame import FrameRecord
from capbench.quality.reading.opened_clip import OpenedClip
from capbench.units import format_seconds

__all__ = ["clip_evidence", "first_s", "why_no_times"]


def clip_evidence(
    opened: OpenedClip, records: list[FrameRecord], *, like: OpenedClip | None = None
) -> ClipMeasurements:
    """What was seen of a file; its pictures are compared as if made `like` another, where a scene was drawn from it."""
    return ClipMeasurements(
        facts=opened.facts,
        tags=opened.tags,
        spec=like.spec if like else opened.spec,
        contradicting_spec=opened.contradicting_spec,
        size=like.size if like else opened.size,
        turn=UNTURNED if like else opened.clip.turn,
        chroma_place=chroma_place(like.spec.siting) if like else opened.chroma_place,
        bits=opened.bits,
        frames=tuple(records),
        error=opened.clip.error,
    )


def first_s(clip: ClipMeasurements) -> float:
    """Time stamp of a clip's first frame in seconds, 0 where it has none."""
    return float(clip.frames[0].time_s) if clip.frames and clip.frames[0].has_time_stamp else 0.0


def why_no_times(reference: ClipMeasurements, output: ClipMeasurements) -> str | None:
    """Why times of both clips cannot be compared; None where they can."""
    for name, clip in (("reference", reference), ("output", output)):
        if not all(frame.has_time_stamp for frame in clip.frames):
            return f"the {name} has no time stamps"
    steps_s = [after.time_s - before.time_s for before, after in itertools.pairwise(reference.frames)]
    if any(step_s <= 0 for step_s in steps_s):
        return "the reference's own time stamps do not increase"
    pauses = Pauses()
    for number, step_s in enumerate(steps_s, 1):
        if pauses.is_break(step_s):  # an export goes on without such a step
            return f"the reference's own time stamps leap at frame {number}, by {format_seconds(float(step_s))}"
    return None
