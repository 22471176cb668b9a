"""Reads an output once and hands each frame, with where the recording lies in it, to every meter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from capbench.quality.effects.effect_meter import EffectContext, EffectMeter, PlacedFrame
from capbench.quality.effects.effect_registry import EFFECT_METERS
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.results.appearance.effect_finding import EffectFinding

__all__ = ["EffectMeasurements", "EffectWalk"]


@dataclass(frozen=True, slots=True)
class EffectMeasurements:
    """All that was found of one output."""

    findings: tuple[EffectFinding, ...]
    """One for each effect."""
    placements: tuple[FramePlacement | None, ...]
    """For each output frame where the recording lies in it; None where it was not found."""


@dataclass(slots=True)
class EffectWalk:
    """Fed every frame of an output in order. It changes."""

    meters: Sequence[EffectMeter]
    """One an effect, or a few, the uppermost layer last."""
    placements: list[FramePlacement | None] = field(default_factory=list)
    """Of the frames so far."""

    @classmethod
    def opened(cls, context: EffectContext) -> EffectWalk:
        """With a meter for every effect."""
        return cls([open_meter(context) for open_meter in EFFECT_METERS])

    def add(self, frame: PlacedFrame) -> None:
        """The next output frame."""
        self.placements.append(frame.placement)
        for meter in self.meters:
            meter.add(frame)

    def finish(self) -> EffectMeasurements:
        """What follows from all frames; the walk is used up."""
        # The uppermost layer first: it tells those beneath what it covers.
        found = [meter.finish() for meter in reversed(self.meters)]
        findings = tuple(finding for of_meter in reversed(found) for finding in of_meter)
        return EffectMeasurements(findings, tuple(self.placements))
