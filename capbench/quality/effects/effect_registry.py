"""The meters of all effects, in the order in which their checks are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from capbench.quality.effects.caption_times import CaptionMeter
from capbench.quality.effects.effect_meter import EffectContext, EffectMeter
from capbench.quality.effects.framing_meter import FramingMeter
from capbench.quality.effects.overlays.overlay_meter import OverlayMeter
from capbench.quality.effects.padding_meter import PaddingMeter
from capbench.quality.effects.zoom_path import ZoomMeter

__all__ = ["EFFECT_METERS"]

EFFECT_METERS: Final[tuple[Callable[[EffectContext], EffectMeter], ...]] = (
    PaddingMeter,
    ZoomMeter,
    FramingMeter,
    CaptionMeter,
    OverlayMeter,
)
"""Opened once for each output, from the lowest layer to the uppermost, and finished from the uppermost down: what lies
on top is left out of what is measured beneath. Add a class here whose constructor takes the context alone."""
