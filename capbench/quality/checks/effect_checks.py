"""Does an output of a look of its own have the effects that were asked for, and no others?"""  # noqa: D400

from __future__ import annotations

from typing import Final

from capbench.quality.measurements import LookMeasurements, Measurements
from capbench.results import Check, CheckStatus
from capbench.results.appearance.effect_finding import EffectFinding

__all__ = ["OWN_LOOK", "check_effects"]

OWN_LOOK: Final = "the look of the output is its exporter's own: its effects are judged instead of its pixels"
_FOUND_SHARE: Final = 0.95
"""Of the frames in which the recording must be found: single frames of a fast zoom with motion blur may hide it."""
_STATUS: Final = {
    "pass": CheckStatus.PASS,
    "fail": CheckStatus.FAIL,
    "not_applicable": CheckStatus.NOT_APPLICABLE,
    "unchecked": CheckStatus.UNCHECKED,
}


def check_effects(evidence: Measurements) -> list[Check]:
    """Whether the recording was found, and one check an effect; none where pictures are compared."""
    look = evidence.look
    if look is None:
        return []
    frames = len(evidence.output.frames)
    if len(look.lost_frames) < frames:
        return [_recording(look, frames), *(_effect(finding) for finding in look.findings)]
    reason = "the recording was not found in the output, see effects.recording"
    return [
        _recording(look, frames),
        *(Check.not_applicable(name=f"effects.{finding.effect}", reason=reason) for finding in look.findings),
    ]


def _recording(look: LookMeasurements, frames: int) -> Check:
    found = frames - len(look.lost_frames)
    if not found:
        return Check.failed(
            name="effects.recording",
            message=f"the recording could not be found in any of the {frames} frames, upright and between 0.2 and 10 "
            "times the size that fits: neither its effects nor its marks were read",
            value=0,
            limit=_FOUND_SHARE * frames,
            unit="frames",
        )
    return Check.passed_if(
        good=found >= _FOUND_SHARE * frames,
        name="effects.recording",
        when_good=f"the recording was found in {found} of {frames} frames",
        when_bad=f"the recording was found in {found} of {frames} frames only",
        value=found,
        limit=_FOUND_SHARE * frames,
        unit="frames",
    ).model_copy(update={"frames": look.lost_frames[:20]})


def _effect(finding: EffectFinding) -> Check:
    """With the value that is farthest off for its tolerance, or the first one."""
    judged = [one for one in finding.parameters if one.asked is not None and one.measured is not None and one.tolerance]
    worst = max(judged, key=lambda one: one.excess, default=None)
    return Check(
        name=f"effects.{finding.effect}",
        status=_STATUS[finding.outcome],
        message=finding.message,
        value=None if worst is None else worst.measured,
        limit=None if worst is None else worst.asked,
        unit="" if worst is None else worst.name,
        frames=finding.frames[:20],
    )
