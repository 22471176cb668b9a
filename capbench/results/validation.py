"""What validation found out about one output."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from pydantic import Field

from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.record import Record

__all__ = ["Check", "CheckStatus", "MetricSummary", "PatchError", "SavedFrame", "ValidationReport", "WorstFrame"]


_MOST_FRAMES = 20
"""Frames that a check names: enough to find the fault by, few enough to read."""


class CheckStatus(StrEnum):
    """Outcome of a check. "Could not check" is not "passed"."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    """There is nothing to check, for example no audio in the reference."""
    UNCHECKED = "unchecked"
    """There was something to check and it could not be done."""


class Check(Record):
    """One named check with its evidence."""

    name: str
    """Stable identifier, for example `frames.missing` or `colour.matrix`."""
    status: CheckStatus
    """Outcome."""
    message: str
    """The sentence that the user reads: what is wrong and by how much."""
    value: float | None = None
    """What was measured."""
    limit: float | None = None
    """What it was compared with."""
    unit: str = ""
    """Unit of `value` and `limit`."""
    frames: tuple[int, ...] = ()
    """The first frames concerned, at most 20."""

    @classmethod
    def passed(
        cls, *, name: str, message: str, value: float | None = None, limit: float | None = None, unit: str = ""
    ) -> Self:
        """The check was made and nothing is wrong."""
        return cls(name=name, status=CheckStatus.PASS, message=message, value=value, limit=limit, unit=unit)

    @classmethod
    def failed(
        cls,
        *,
        name: str,
        message: str,
        value: float | None = None,
        limit: float | None = None,
        unit: str = "",
        frames: Sequence[int] = (),
    ) -> Self:
        """The check was made and something is wrong; of `frames` the first 20 are kept."""
        return cls(
            name=name,
            status=CheckStatus.FAIL,
            message=message,
            value=value,
            limit=limit,
            unit=unit,
            frames=tuple(frames[:_MOST_FRAMES]),
        )

    @classmethod
    def passed_if(
        cls,
        *,
        good: bool,
        name: str,
        when_good: str,
        when_bad: str,
        value: float | None = None,
        limit: float | None = None,
        unit: str = "",
    ) -> Self:
        """Pass or fail with the same figures."""
        decide = cls.passed if good else cls.failed
        return decide(name=name, message=when_good if good else when_bad, value=value, limit=limit, unit=unit)

    @classmethod
    def not_applicable(cls, *, name: str, reason: str) -> Self:
        """There is nothing to check."""
        return cls(name=name, status=CheckStatus.NOT_APPLICABLE, message=reason)

    @classmethod
    def unchecked(cls, *, name: str, reason: str) -> Self:
        """There was something to check and it could not be done: that is not a pass."""
        return cls(name=name, status=CheckStatus.UNCHECKED, message=reason)


class MetricSummary(Record):
    """One quality metric pooled over frames."""

    mean: float | None
    """Arithmetic mean."""
    harmonic_mean: float | None
    """Harmonic mean; null for a metric that improves downwards, and where a value is not above 0."""
    p5: float | None
    """5th percentile, counted from the worst value."""
    p1: float | None
    """1st percentile, counted from the worst value."""
    worst: float | None
    """Worst value: the smallest, or the largest of a metric that improves downwards."""
    worst_frame: int | None
    """Frame of the worst value, counted from 0."""
    frames: int
    """Frames that were measured."""
    unit: str = ""
    """`dB`, or empty for an index."""


class PatchError(Record):
    """One colour patch: expected and got, R'G'B' in 0..255 as decoded by the file's own tags."""

    name: str
    """Name of the patch."""
    expected: tuple[float, float, float]
    """R'G'B' of the reference."""
    got: tuple[float, float, float]
    """R'G'B' of the output."""
    error_codes: float
    """Largest difference of a channel in codes."""
    ciede2000: float | None
    """Colour difference, CIE 142-2001; None for HDR, of which the report's `unmeasured` has the reason."""


class WorstFrame(Record):
    """Pictures of one of the worst frames, as file names relative to the result folder."""

    frame: int
    """Index in the reference, counted from 0."""
    metric: str
    """Metric by which it is among the worst."""
    value: float
    """Value of that metric."""
    reference_png: str
    """The reference frame."""
    output_png: str
    """The output frame."""
    difference_png: str
    """Amplified absolute difference."""


class SavedFrame(Record):
    """One frame as two whole, lossless pictures, as file names relative to the result folder.

    The outputs of one case save the same frames, so that they can be seen side by side.
    """

    frame: int
    """Index in the reference, counted from 0."""
    time_s: float | None = None
    """When the reference shows it, in seconds from its first frame."""
    reasons: tuple[str, ...] = ()
    """Why it was saved: `first`, `last`, `second` (one of those a second apart), or a metric that is lowest there."""
    reference_png: str
    """The reference frame, as it was compared."""
    output_png: str
    """The output frame."""


class ValidationReport(Record):
    """All that validation found out about one output. Passes only if no check failed or stayed unchecked."""

    reference: str
    """Reference file."""
    output: str
    """File that was checked."""
    checks: tuple[Check, ...]
    """Every check, in a fixed order."""
    metrics: dict[str, MetricSummary] = Field(default_factory=dict)
    """Metric (`psnr_y`, `ssim_y`, `xpsnr_y`, ...) to its summary."""
    patches: tuple[PatchError, ...] = ()
    """Colour patches, where the source has them."""
    effects: tuple[EffectFinding, ...] = ()
    """What was asked and found of each effect, where effects are judged instead of pixels."""
    series: dict[str, tuple[float | None, ...]] = Field(default_factory=dict)
    """Metric to its value for each frame."""
    worst_frames: tuple[WorstFrame, ...] = ()
    """Saved pictures of the worst frames."""
    lowest_frames: dict[str, int] = Field(default_factory=dict)
    """Metric to the frame of the reference, counted from 0, that the output frame of its lowest value shows; of metrics
    that have a value for every compared frame."""
    saved_frames: tuple[SavedFrame, ...] = ()
    """Frames that every output of the case has pictures of, in order."""
    av_offset_ms: float | None = None
    """Audio minus video at the start, in ms; positive when audio is late."""
    av_drift_ms: float | None = None
    """Change of the offset from start to end, in ms."""
    frames_compared: int = 0
    """Frames that were aligned and compared."""
    how_measured: dict[str, str] = Field(default_factory=dict)
    """Metric to how it was measured, where its name does not say: the model, program and library of `vmaf`."""
    unmeasured: dict[str, str] = Field(default_factory=dict)
    """Metric that could not be measured to the reason why."""

    @property
    def passed(self) -> bool:
        """Whether every check passed or was not applicable."""
        return all(check.status in (CheckStatus.PASS, CheckStatus.NOT_APPLICABLE) for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """Checks that failed or could not be done."""
        return tuple(check for check in self.checks if check.status in (CheckStatus.FAIL, CheckStatus.UNCHECKED))
